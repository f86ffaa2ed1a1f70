"""`footfall deliveries redrive` and `recover`: what is dead is begun anew.

Decides what is shown before anything is written, and that a person, or `--yes`, has to agree.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from footfall import options
from footfall.admin.arguments import INSTANT, now_ms
from footfall.delivery import deliveries_options as shared
from footfall.delivery.deliveries_append import Appender
from footfall.delivery.deliveries_log import DeliveriesLog
from footfall.delivery.deliveries_redrive import (
    RECOVERED,
    REDRIVEN_MAX,
    Plan,
    carried_out,
    plan,
)
from footfall.errors import FootfallError
from footfall.view.terminal import safe

#: A second: a destination that has just come back is not to be buried at once.
RATE_PER_S = 1_000
#: What may be begun anew.
STATUSES = ("dead", "suppressed")
LEFT = {"changed": "something happened to them since the plan was made",
        "later": "others of the same customers go first; run it again when they are through",
        "no_trigger": "no trigger is kept with them"}

_yes = click.option("--yes", is_flag=True, help="Do it without asking.")
_rate = click.option("--rate", "rate_per_s", default=RATE_PER_S, show_default=True,
                     type=click.FloatRange(0), metavar="N",
                     help="At most so many a second; 0: as fast as the broker takes them.")
_limit = click.option("--limit", default=REDRIVEN_MAX, show_default=True,
                      type=click.IntRange(1, REDRIVEN_MAX), help="How many at most, the oldest.")
_json = click.option("--json", "as_json", is_flag=True,
                     help="One JSON document; without --yes only the plan, and nothing is done.")


@click.command()
@shared.filters(since=None, status=("dead",), statuses=STATUSES)
@_limit
@_rate
@_yes
@_json
@options.data_dir
@click.pass_context
def redrive(ctx: click.Context, /, *, limit: int, rate_per_s: float, yes: bool, as_json: bool,
            data_dir: Path | None, **given: Any) -> None:
    """Begin deliveries anew that are dead: the same message, under the same id.

    Shows how many, where to and why they are dead, then asks. May be run again: what is redriven is
    not dead any more. What has no end yet is never redriven.

    \b
    Examples:
      footfall deliveries redrive --destination crm --since 24h
      footfall deliveries redrive --reason render_failed --limit 1
    """
    _run(ctx, data_dir, shared.asked(given), _How(limit, rate_per_s, yes, as_json))


@click.command()
@click.option("--destination", required=True, multiple=True, metavar="NAME",
              help="That was away.")
@click.option("--since", required=True, type=INSTANT, help="So long ago, or when.")
@_limit
@_rate
@_yes
@_json
@options.data_dir
@click.pass_context
def recover(ctx: click.Context, *, destination: tuple[str, ...], since: int, limit: int,
            rate_per_s: float, yes: bool, as_json: bool, data_dir: Path | None) -> None:
    """Begin anew what a destination lost while it was away.

    The same as `redrive` of what is dead for one of the reasons backlog_full,
    destination_disabled, gone, retries_exhausted.

    \b
    Examples:
      footfall deliveries recover --destination crm --since 5d
      footfall deliveries recover --destination crm --since 2026-11-20T08:00:00Z --yes
    """
    asked = shared.Asked(destination=destination, status=("dead",), reason=RECOVERED, since=since)
    _run(ctx, data_dir, asked, _How(limit, rate_per_s, yes, as_json))


class _How:
    """How it is done."""

    def __init__(self, limit: int, rate_per_s: float, yes: bool, as_json: bool) -> None:
        self.limit = limit
        self.rate_per_s = rate_per_s
        self.yes = yes
        self.as_json = as_json


def _run(ctx: click.Context, data_dir: Path | None, asked: shared.Asked, how: _How) -> None:
    place = shared.access(ctx, data_dir)
    wanted = asked.filter(place.settings)
    with DeliveriesLog(place.bootstrap, place.codecs) as log:
        bounds = log.bounds(wanted, asked.records_max)
        with shared.reading(log, bounds):
            made = plan(log, bounds, wanted, how.limit)
        document = {**_shown(made), "read": shared.read_of(bounds, log.unreadable)}
        if not how.as_json:
            _show(made)
            shared.warn(bounds, log.unreadable)
        if how.as_json and not how.yes:
            shared.print_json({"done": None, **document})
            return
        if made.found:
            if not how.yes:
                click.confirm("Begin them anew?", abort=True)
            done, left = _carry_out(log, place, made, how)
        else:
            done, left = 0, Counter[str]()
    if how.as_json:
        shared.print_json({"done": done, **document,
                           "left_out": {**document["left_out"],
                                        **{why: left[why] for why in LEFT}}})
        return
    if made.found:
        click.echo(f"begun anew: {done:,}; delivery sends them as soon as they may go")
    for why, count in left.items():
        click.echo(f"left out: {count:,}, {LEFT[why]}")


def _carry_out(log: DeliveriesLog, place: shared.Access, made: Plan, how: _How
               ) -> tuple[int, Counter[str]]:
    left: Counter[str] = Counter()
    appender = Appender(place.bootstrap, how.rate_per_s)
    with click.progressbar(length=len(made.found), label="beginning them anew", file=sys.stderr,
                           hidden=not sys.stderr.isatty()) as progress:
        for one in carried_out(log, made, place.codecs.delivery, now_ms()):
            if one.left_out:
                left[one.left_out] += 1
            else:
                appender.add(one.partition, one.key, one.value)
            progress.update(1)
        appender.finish()
    if appender.acknowledged + left.total() < len(made.found):
        raise FootfallError(f"{len(made.found) - appender.acknowledged - left.total():,} of "
                            f"{len(made.found):,} are not in the topic any more: its retention "
                            "has passed them")
    return appender.acknowledged, left


def _shown(made: Plan) -> dict[str, Any]:
    return {
        "planned": len(made.found),
        "more": made.is_cut,
        "by": [{"destination": destination, "reason": reason, "deliveries": count}
               for destination, reason, count in made.counts()],
        "left_out": {"disabled": made.disabled.total()},
        "disabled": sorted(made.disabled),
    }


def _show(made: Plan) -> None:
    click.echo(f"to begin anew: {len(made.found):,}" if made.found
               else "nothing to begin anew")
    for destination, reason, count in made.counts():
        click.echo(f"  {safe(destination)}  {safe(reason) or '-'}  {count:,}")
    if made.is_cut:
        click.echo("there are more of them: run it again afterwards")
    for destination, count in sorted(made.disabled.items()):
        click.echo(f"left out: {count:,}, {safe(destination)} is disabled; first `footfall "
                   f"deliveries enable {safe(destination)}`")
