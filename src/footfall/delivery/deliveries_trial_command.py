"""`footfall deliveries test`: one message to one destination, now.

Decides which trigger it is where none is given, and the exit code: 0 where the destination has it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from footfall import options
from footfall.admin.arguments import now_ms
from footfall.delivery import deliveries_options as shared
from footfall.delivery.channels import open_channel
from footfall.delivery.deliveries_reasons import text_of
from footfall.delivery.deliveries_trial import Given, Trial, cut, sample, try_once
from footfall.delivery.resources import resources_of
from footfall.delivery.routes import Routes, channel_of, read
from footfall.errors import FootfallError, SettingsError
from footfall.running import secrets
from footfall.settings import Settings
from footfall.view.terminal import safe

FILE_BYTES_MAX = 1_000_000
#: Of a trigger for a destination that no route names in full.
NAME = "test"
_given = msgspec.json.Decoder(Given)


class Recipient(click.ParamType):
    """KIND:VALUE, of an identifier or a trait; no customer is looked up."""

    name = "KIND:VALUE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[str, str]:
        """(kind, value); fails (exit code 2) where there is only one."""
        kind, _, address = value.partition(":")
        if not kind or not address:
            self.fail("expected KIND:VALUE, for example email:me@shop.example", param, ctx)
        return kind, address


@click.command(name="test")
@click.argument("destination", metavar="DESTINATION")
@click.option("--routes", "routes_file", type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE", help="File of routes (default: FOOTFALL_ROUTES).")
@click.option("--trigger", "trigger_file", metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A trigger as JSON, for its name, data and evidence; no identifier is taken.")
@click.option("--to", multiple=True, type=Recipient(),
              help="Who is told, where somebody is: email:me@shop.example.")
@click.option("--body", "with_body", is_flag=True, help="Also the first 1 KB of what is sent.")
@shared.as_json
@options.data_dir
@click.pass_context
def trial(ctx: click.Context, *, destination: str, routes_file: Path | None,
          trigger_file: Path | None, to: tuple[tuple[str, str], ...], with_body: bool,
          as_json: bool, data_dir: Path | None) -> None:
    """Send one message to a destination, now, and show what comes of it.

    The trigger is nobody's, its id begins with test, its data have test: true. No consent, cap or
    quiet hours are asked, and nothing is recorded. Secrets are read from this environment, by the
    names that the routes have. Exit code 0: the destination has it.

    \b
    Examples:
      footfall deliveries test crm
      footfall deliveries test newsletter --to email:me@shop.example --trigger trigger.json
    """
    settings = options.resolved(ctx, data_dir)
    routes = read(_path(settings, routes_file))
    if destination not in routes.destinations:
        known = ", ".join(sorted(routes.destinations)) or "none"
        raise FootfallError(f"the routes have no destination {safe(destination)}; they have "
                            f"{known}")
    found = routes.destinations[destination]
    trigger = sample(_name(routes, destination), _read(trigger_file), dict(to), now_ms())
    resources = resources_of(settings, routes.folder, secrets(settings.data_dir, os.environ))
    done = asyncio.run(try_once(destination, found, resources, trigger, open_channel))
    document = _document(destination, channel_of(found), done)
    if with_body:
        document["body"] = cut(done.body)
    if as_json:
        shared.print_json(document)
    else:
        _show(document)
    ctx.exit(0 if done.result == "sent" else 1)


def _path(settings: Settings, given: Path | None) -> Path:
    if given is None and not settings.routes:
        raise SettingsError("no routes are configured: give --routes FILE, or set FOOTFALL_ROUTES")
    return given or Path(settings.routes)


def _name(routes: Routes, destination: str) -> str:
    """A trigger that goes there: the first one that a route names in full."""
    return next((name for route in routes.routes if destination in route.to
                 for name in route.triggers if "*" not in name), NAME)


def _read(file: Path | None) -> Given:
    if file is None:
        return Given()
    with file.open("rb") as opened:
        content = opened.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise FootfallError(f"{file}: has more than {FILE_BYTES_MAX} bytes")
    try:
        return _given.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FootfallError(f"{file}: is no trigger as `footfall tail triggers --json` shows one: "
                            f"{error}") from None


def _document(destination: str, channel: str, done: Trial) -> dict[str, Any]:
    return {
        "destination": destination, "channel": channel, "trigger_id": done.trigger_id,
        "result": done.result, "reason": done.reason, "text": text_of(done.reason),
        "detail": done.detail, "code": done.code or None, "took_ms": done.took_ms,
        "retry_after_s": done.retry_after_s, "bytes": len(done.body.encode()),
    }


def _show(document: Mapping[str, Any]) -> None:
    reason = f" ({document['reason']}: {document['text']})" if document["reason"] else ""
    code = f", code {document['code']}" if document["code"] else ""
    click.echo(safe(f"{document['destination']} ({document['channel']}): {document['result']}"
                    f"{reason}{code}, {document['took_ms']} ms, {document['bytes']} bytes, "
                    f"id {document['trigger_id']}"))
    if document["detail"]:
        click.echo(safe(document["detail"]))
    if document["retry_after_s"] is not None:
        click.echo(f"it asks for a pause of {document['retry_after_s']:g} s")
    if document.get("body"):
        click.echo("\n".join(safe(line[at:at + 100]) for line in document["body"].split("\n")
                             for at in range(0, max(1, len(line)), 100)))
