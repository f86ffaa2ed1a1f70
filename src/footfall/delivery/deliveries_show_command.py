"""`footfall deliveries show`: every step of one trigger's deliveries, and what comes next.

Decides that a beginning of an id will do where it means no other trigger. What is personal (the
trigger as it is sent, recipient, headers, body) is shown with `--body` alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from footfall import options
from footfall.admin.arguments import INSTANT, TRIGGER_ID
from footfall.delivery import deliveries_options as shared
from footfall.delivery.deliveries_account import Account
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import RECORDS_MAX, Bounds, DeliveriesLog
from footfall.delivery.deliveries_shown import Step, in_full, instant_or_none
from footfall.delivery.deliveries_text import show_text
from footfall.errors import FootfallError
from footfall.events.topics import DELIVERIES

#: Of one trigger; a delivery has a few for each attempt.
STEPS_MAX = 10_000


@click.command()
@click.argument("trigger_id", type=TRIGGER_ID, metavar="TRIGGER_ID")
@click.option("--destination", multiple=True, metavar="NAME", help="Only to this destination.")
@click.option("--since", type=INSTANT, default=None,
              help="Read what was recorded since; default: all that the topic holds.")
@click.option("--records-max", default=RECORDS_MAX, show_default=True,
              type=click.IntRange(1), help="Read at most so many records, the newest.")
@click.option("--body", "with_body", is_flag=True,
              help="Also what is personal: recipient, headers, body, the trigger.")
@shared.as_json
@options.data_dir
@click.pass_context
def show(ctx: click.Context, *, trigger_id: str, destination: tuple[str, ...], since: int | None,
         records_max: int, with_body: bool, as_json: bool, data_dir: Path | None) -> None:
    """Every step of a trigger's deliveries: times, attempts, codes, reasons, and what is next.

    TRIGGER_ID may be the beginning that `tail` shows.

    \b
    Examples:
      footfall deliveries show 0d4fb0bb5b3e0b0a8a2c6bb7f7f3e4c1
      footfall deliveries show 0d4fb0bb --destination crm --body
    """
    place = shared.access(ctx, data_dir)
    wanted = Filter(destinations=destination, trigger_id=trigger_id, since=since or 0)
    with DeliveriesLog(place.bootstrap, place.codecs) as log:
        bounds = log.bounds(wanted, records_max)
        with shared.reading(log, bounds):
            steps, account = _steps(log, bounds, wanted)
    if not steps:
        raise FootfallError(
            f"no delivery of {trigger_id} among the {bounds.records:,} records of {DELIVERIES} "
            "that were read: no route takes this trigger, delivery has not come to it, or it is "
            "older than what was read; `footfall why` says why it fired")
    document = _document(steps, account, with_body=with_body)
    if as_json:
        shared.print_json({**document, "read": shared.read_of(bounds, log.unreadable)})
        return
    Console(highlight=False).print(show_text(document))
    shared.warn(bounds, log.unreadable)


def _steps(log: DeliveriesLog, bounds: Bounds, wanted: Filter) -> tuple[list[Step], Account]:
    """The steps meant, in order, and which destinations are disabled where they lie."""
    steps: list[Step] = []
    account = Account()
    for partition, span in bounds.spans.items():
        here = Account()
        before = len(steps)
        for step in log.steps({partition: span}, wanted):
            here.take(*step)
            if step.record["trigger_id"]:
                steps.append(step)
            if len(steps) > STEPS_MAX:
                raise FootfallError(f"{wanted.trigger_id} has more than {STEPS_MAX:,} steps: "
                                    "narrow them by --destination or --since")
        if len(steps) > before:
            account = here
    found = sorted({step.record["trigger_id"] for step in steps})
    if len(found) > 1:
        raise FootfallError(f"{wanted.trigger_id} begins {len(found)} ids: "
                            f"{', '.join(found[:5])}; give more of it")
    return steps, account


def _document(steps: list[Step], account: Account, *, with_body: bool) -> dict[str, Any]:
    by_destination: dict[str, list[Step]] = {}
    for step in steps:
        by_destination.setdefault(step.record["destination"], []).append(step)
    disabled = {one.destination for one in account.disabled()}
    head = steps[0].record
    return {
        "trigger_id": head["trigger_id"],
        "trigger": head["trigger"],
        "customer_key": head["customer_key"],
        "emitted_at": instant_or_none(head["emitted_at"]),
        "deliveries": [in_full(own, name in disabled, with_body=with_body)
                       for name, own in sorted(by_destination.items())],
    }
