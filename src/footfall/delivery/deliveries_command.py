"""`footfall deliveries`: what became of every trigger, and what an administrator does about it.

Decides the names of the commands, and of those that only look: what is asked first and how many are
shown. docs/deliveries.md. Must never show what is personal unless it is asked for.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from footfall import options
from footfall.admin.arguments import now_ms
from footfall.delivery import deliveries_options as shared
from footfall.delivery.deliveries_account import Delivery
from footfall.delivery.deliveries_destination_command import disable, enable
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import Bounds, DeliveriesLog
from footfall.delivery.deliveries_redrive_command import recover, redrive
from footfall.delivery.deliveries_show_command import show
from footfall.delivery.deliveries_shown import shown
from footfall.delivery.deliveries_summary import Summary
from footfall.delivery.deliveries_text import list_text, summary_text
from footfall.delivery.deliveries_trial_command import trial

DAYS = "7d"
LISTED = 100
LISTED_MAX = 100_000


@click.group()
def deliveries() -> None:
    """What became of every trigger: list, show, redrive; switch destinations.

    \b
    Examples:
      footfall deliveries summary
      footfall deliveries list --status dead --destination crm
      footfall deliveries redrive --destination crm --since 24h
    """


@deliveries.command(name="list")
@shared.filters(since=DAYS)
@click.option("--limit", default=LISTED, show_default=True, type=click.IntRange(1, LISTED_MAX),
              help="How many at most, the newest.")
@shared.as_json
@options.data_dir
@click.pass_context
def list_(ctx: click.Context, /, *, limit: int, as_json: bool, data_dir: Path | None,
          **given: Any) -> None:
    """Every delivery with what became of it, the newest first.

    \b
    Examples:
      footfall deliveries list --status dead --since 24h
      footfall deliveries list --customer user_id:u1
      footfall deliveries list --status suppressed --reason consent --json
    """
    asked = shared.asked(given)
    place = shared.access(ctx, data_dir)
    wanted = asked.filter(place.settings)
    with DeliveriesLog(place.bootstrap, place.codecs) as log:
        bounds = log.bounds(wanted, asked.records_max)
        with shared.reading(log, bounds):
            newest = heapq.nlargest(limit + 1, _meant(log, bounds, wanted),
                                    key=lambda one: (one.place.appended_at, one.place.offset))
    rows = [shown(one) for one in newest[:limit]]
    more = len(newest) > limit
    if as_json:
        shared.print_json({"deliveries": rows, "more": more,
                           "read": shared.read_of(bounds, log.unreadable)})
        return
    if rows:
        Console(highlight=False, soft_wrap=True).print(list_text(rows))
    else:
        click.echo("no deliveries", err=True)
    if more:
        click.echo(f"there are more than these {limit}: --limit shows more of them", err=True)
    shared.warn(bounds, log.unreadable)


@deliveries.command()
@shared.filters(since=DAYS)
@shared.as_json
@options.data_dir
@click.pass_context
def summary(ctx: click.Context, /, *, as_json: bool, data_dir: Path | None, **given: Any) -> None:
    """Deliveries in numbers: by destination, status and reason; the backlog; how long it took.

    \b
    Examples:
      footfall deliveries summary
      footfall deliveries summary --since 1h --json
    """
    asked = shared.asked(given)
    place = shared.access(ctx, data_dir)
    wanted = asked.filter(place.settings)
    found = Summary()
    with DeliveriesLog(place.bootstrap, place.codecs) as log:
        bounds = log.bounds(wanted, asked.records_max)
        with shared.reading(log, bounds):
            for partition, account in log.accounts(bounds, wanted):
                found.take(partition, account,
                           (one for one in account.deliveries.values() if wanted.means(one)))
    document = found.document(now_ms())
    if as_json:
        shared.print_json({**document, "read": shared.read_of(bounds, log.unreadable)})
        return
    Console(highlight=False).print(summary_text(document))
    shared.warn(bounds, log.unreadable)


def _meant(log: DeliveriesLog, bounds: Bounds, wanted: Filter) -> Iterator[Delivery]:
    for _partition, account in log.accounts(bounds, wanted):
        yield from (one for one in account.deliveries.values() if wanted.means(one))


for _command in (show, redrive, recover, enable, disable, trial):
    deliveries.add_command(_command)
