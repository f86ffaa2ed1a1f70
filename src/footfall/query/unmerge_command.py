"""`footfall customer unmerge`: one customer becomes two again.

Decides what is shown before anything is changed, and that a person, or `--yes`, has to agree.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from footfall import options
from footfall.admin.arguments import IDENTIFIER
from footfall.admin.history import Place
from footfall.admin.secrets import secrets_of
from footfall.admin.unmerge import NotOneCustomerError, Plan, Side
from footfall.events.registry import codecs_for
from footfall.query.rendering import line
from footfall.query.unmerge_log import UnmergeLog

TRIGGERS_SHOWN_MAX = 20


@click.command()
@click.argument("identifier", type=IDENTIFIER, metavar="KIND:VALUE")
@click.argument("leaving", type=IDENTIFIER, metavar="KIND:VALUE")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True,
              help="One JSON document; without --yes only the plan, and nothing is changed.")
@options.data_dir
@click.pass_context
def unmerge(ctx: click.Context, identifier: tuple[str, str], leaving: tuple[str, str], *,
            yes: bool, as_json: bool, data_dir: Path | None) -> None:
    """Take the second identifier out of the first one's customer.

    What hangs together with the customer only through it leaves with it. Each side is left with
    the facts of its own events, as if they had never been merged, and the two are never merged
    again. Triggers that were sent stay sent, and are told by neither side again.

    \b
    Examples:
      footfall customer unmerge user_id:u1 anonymous_id:5a7c
      footfall customer unmerge user_id:u1 email:family@example.org --yes
    """
    settings = options.resolved(ctx, data_dir)
    keys, reserved = secrets_of(settings)
    log = UnmergeLog(
        options.bootstrap_of(settings), keys.of(*identifier), keys.of(*leaving), keys=keys,
        reserved=reserved, codecs=codecs_for(settings.schema_registry_url),
        progress=lambda what, records: click.echo(f"{records:,} records read: {what}", err=True))
    try:
        wanted = log.plan()
    except NotOneCustomerError as error:
        if error.place is None:
            raise
        _done(as_json, None, error.place, str(error))
        return
    if as_json and not yes:
        sys.stdout.buffer.write(line({"done": None, **_shown(wanted)}) + b"\n")
        return
    if not as_json:
        _show(wanted)
    if not yes:
        click.confirm("Take them apart?", abort=True)
    place = log.carry_out(wanted)
    _done(as_json, wanted, place,
          f"unmerged, by the record at partition {place[0]}, offset {place[1]}: workers do it "
          "when they come there")


def _done(as_json: bool, wanted: Plan | None, place: Place, text: str) -> None:
    if as_json:
        done = {"partition": place[0], "offset": place[1]}
        shown = {} if wanted is None else _shown(wanted)
        sys.stdout.buffer.write(line({"done": done, **shown}) + b"\n")
    else:
        click.echo(text)


def _shown(wanted: Plan) -> dict[str, Any]:
    return {
        "stays": _side(wanted.stays), "leaves": _side(wanted.leaves),
        "triggers": [{"name": t["name"], "trigger_id": t["trigger_id"],
                      "customer_key": t["customer_key"], "emitted_at": t["emitted_at"]}
                     for t in wanted.triggers],
    }


def _side(side: Side) -> dict[str, Any]:
    return {"customer_key": side.keys[0].decode(), "identifiers": [k.decode() for k in side.keys],
            "events": len(side.places)}


def _show(wanted: Plan) -> None:
    for what, side in (("stays", wanted.stays), ("leaves", wanted.leaves)):
        click.echo(f"{what}: {side.keys[0].decode()}, {len(side.places)} events")
        for key in side.keys[1:]:
            click.echo(f"    {key.decode()}")
    click.echo(f"triggers sent, which stay sent: {len(wanted.triggers)}")
    for trigger in wanted.triggers[-TRIGGERS_SHOWN_MAX:]:
        click.echo(f"    {trigger['name']}  {trigger['trigger_id']}  {trigger['customer_key']}")
    if len(wanted.triggers) > TRIGGERS_SHOWN_MAX:
        click.echo(f"    and {len(wanted.triggers) - TRIGGERS_SHOWN_MAX} before these: --json")
