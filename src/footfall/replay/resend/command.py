"""`footfall replay resend`: chosen triggers, or deliveries, again to one destination.

Decides what is shown before anything is written, and that a person, or `--yes`, has to agree. What
is written is records of footfall.deliveries alone: delivery sends.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from footfall import options
from footfall.admin.arguments import now_ms
from footfall.admin.scan import Scanner
from footfall.delivery.deliveries_append import Appender
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import DeliveriesLog
from footfall.delivery.deliveries_options import Access, access
from footfall.delivery.record import About
from footfall.delivery.routes import Routes, channel_of, medium_of, read
from footfall.delivery.routes_row import AnyDestination
from footfall.errors import FootfallError, SettingsError
from footfall.replay import job, selection
from footfall.replay.resend.carry_out import Carrier, Missed
from footfall.replay.resend.plan import RESENT_MAX, Plan, Planner
from footfall.replay.resend.survey import CUSTOMER_MAX, Asked
from footfall.replay.selection import Given
from footfall.settings import Settings
from footfall.view.terminal import safe

#: A second, unless it is said otherwise: who gets the past must not lose the present by it.
RATE_PER_S: Final = 1_000.0
OUTCOMES: Final = ("sent", "suppressed", "dead", "failed")
_RUN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Run(click.ParamType):
    """The name of a run."""

    name = "RUN"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; fails (exit code 2) for what is none."""
        if _RUN.fullmatch(value) is None:
            self.fail("a run's name is 1 to 40 small letters, digits and -, as the plan of the run "
                      "to be gone on with shows it", param, ctx)
        return value


class Chosen(NamedTuple):
    """Which deliveries the triggers have to have had."""

    destination: tuple[str, ...]
    outcome: tuple[str, ...]
    reason: tuple[str, ...]

    def filter(self, to: str) -> Filter | None:
        """None where nothing is said of deliveries. Without a destination: to the same one."""
        if not any(self):
            return None
        return Filter(destinations=self.destination or (to,), statuses=self.outcome,
                      reasons=self.reason)


class How(NamedTuple):
    """How it is done."""

    run: str
    limit: int
    customer_max: int
    rate_per_s: float


@click.command()
@click.option("--to", required=True, metavar="DESTINATION",
              help="Where to: one of the routes that delivery runs with.")
@selection.trigger_options
@click.option("--destination", multiple=True, metavar="NAME",
              help="Only what was to go to this destination; without it --outcome and --reason are "
                   "about the one of --to.")
@click.option("--outcome", multiple=True, type=click.Choice(OUTCOMES),
              help="Only what became of it there.")
@click.option("--reason", multiple=True, metavar="REASON",
              help="Only with this reason there, or one that begins so: consent.")
@click.option("--run", type=Run(), default=None,
              help="Go on with this run: what it has begun is not begun again.")
@click.option("--limit", default=RESENT_MAX, show_default=True,
              type=click.IntRange(1, RESENT_MAX), help="How many at most, the oldest.")
@click.option("--customer-max", default=CUSTOMER_MAX, show_default=True,
              type=click.IntRange(1, CUSTOMER_MAX), help="Of one customer how many at most.")
@job.options
@options.data_dir
@click.pass_context
def resend(ctx: click.Context, /, *, to: str, selected: Given, run: str | None, limit: int,
           customer_max: int, rate_per_s: float | None, yes: bool, as_json: bool, plan_only: bool,
           data_dir: Path | None, **chosen: Any) -> None:
    """Send chosen triggers again to one destination, under the same ids.

    Triggers are chosen by time, name, customer and content from footfall.triggers (7 days), or,
    with --destination, --outcome or --reason, by their deliveries from footfall.deliveries (30
    days). Whether each may be sent is decided now: consent, caps, quiet hours. A message that was
    made for this destination goes out byte for byte. Counted apart from what is live.

    \b
    Examples:
      footfall replay resend --trigger cart_abandoned --since 24h --to crm --plan
      footfall replay resend --since 7d --to new_crm
      footfall replay resend --destination old_crm --outcome sent --since 14d --to new_crm
      footfall replay resend --since 7d --to new_crm --run 20261126-101500-3fa9c1
    """
    place = access(ctx, data_dir)
    how = How(run or _new_run(), limit, customer_max, rate_per_s or RATE_PER_S)
    shown = job.Job("resend", yes=yes, as_json=as_json, plan_only=plan_only)
    asked = _asked(place.settings, to, selected, Chosen(**chosen), how)
    with DeliveriesLog(place.bootstrap, place.codecs) as log:
        with shown.progress("reading", 0) as progress:
            log.progress = progress
            made = Planner(place.bootstrap, place.codecs, log, progress).plan(asked, limit)
        plan = {"run": how.run, "to": to, "asked": {**selected.shown(), **_said(chosen)},
                **made.shown(), "unreadable": made.unreadable,
                "seconds_at_least": round(len(made.planned) / how.rate_per_s, 1)}
        if not shown.agreed(plan):
            return
        try:
            done, missed = _carry_out(log, place, (asked, made), how, shown)
        except KeyboardInterrupt:
            shown.say(f"interrupted: the same command with --run {how.run} goes on")
            raise
    shown.report({"run": how.run, "to": to, "begun": done, "missed": dict(missed),
                  "left_out": plan["left_out"], "more": made.more})
    shown.say(f"delivery sends them as soon as they may go: `footfall deliveries list --run "
              f"{how.run}`")


def _asked(settings: Settings, to: str, selected: Given, chosen: Chosen, how: How) -> Asked:
    if not settings.routes:
        raise SettingsError("no routes are configured: set FOOTFALL_ROUTES to the file that "
                            "delivery runs with")
    routes = read(Path(settings.routes))
    found = _known(routes, to, settings.routes)
    about = About(to, channel_of(found), medium_of(found), found.purpose, routes.version)
    return Asked(selected.selection(settings), about, found, how.run, now_ms(),
                 chosen.filter(to), how.customer_max)


def _known(routes: Routes, name: str, file: str) -> AnyDestination:
    found = routes.destinations.get(name)
    if found is None:
        raise FootfallError(f"{file} has no destination {safe(name)}; it has "
                            f"{', '.join(sorted(routes.destinations)) or 'none'}")
    return found


def _carry_out(log: DeliveriesLog, place: Access, work: tuple[Asked, Plan], how: How,
               shown: job.Job) -> tuple[int, Counter[Missed]]:
    asked, made = work
    missed: Counter[Missed] = Counter()
    appender = Appender(place.bootstrap, how.rate_per_s)
    log.progress = lambda _records: None
    with Scanner(place.bootstrap) as scanner, \
            shown.progress("sending again", len(made.planned)) as progress:
        try:
            for one in Carrier(scanner, log, place.codecs, asked).carried_out(made):
                if one.missed is not None:
                    missed[one.missed] += 1
                else:
                    appender.add(one.partition, one.key, one.value)
                progress(1)
        finally:
            appender.finish()
    return appender.acknowledged, missed


def _said(chosen: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {name: list(values) for name, values in chosen.items() if values}


def _new_run() -> str:
    """By the clock, for people, and by chance, since two may begin at once."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
