"""`footfall plan`: looks at a tracking plan, and at what is collected without being used.

Decides how it is asked for and shown. Must never show a value of an item.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from footfall import options
from footfall.admin.scan import Scanner, Span, newest
from footfall.collector import plan_folder
from footfall.errors import DecodeError, SettingsError
from footfall.events.codec import InteractionCodec
from footfall.events.plan import Plan
from footfall.events.plan_rule import listed
from footfall.events.registry import codecs_for
from footfall.events.topics import INTERACTIONS
from footfall.query import in_force
from footfall.query.collected import EVERY, Collected, Event
from footfall.query.in_force import InForce
from footfall.query.unused import Never, Unused, as_json, declared_paths, never_collected, unused
from footfall.settings import PREFIX, Settings
from footfall.tables.reads import read_fields
from footfall.view.terminal import safe
from footfall.view.trigger import moment

DAY_MS = 86_400_000
DAYS = 30
RECORDS_MAX = 10_000_000
#: How often the progress moves.
STEP_RECORDS = 10_000

_folder = click.argument("folder", required=False,
                         type=click.Path(file_okay=False, path_type=Path))


class Reading(NamedTuple):
    """What was read of the log: how many records, and whether those are all of the period; and the
    configuration that says what is read of them.
    """

    since: int
    until: int
    records: int
    is_whole: bool
    poison: int
    declared: InForce


@click.group()
def plan() -> None:
    """The tracking plan: which properties events may have. docs/plan.md."""


@plan.command()
@_folder
@click.pass_context
def check(ctx: click.Context, folder: Path | None) -> None:
    """Read every file of FOLDER (FOOTFALL_PLAN_DIR) and list properties, classes and purposes.

    Exit code 1 where one cannot be used; the message names file and property.
    """
    found = _plan(ctx.obj(), folder)
    if found is None:
        raise SettingsError(f"name a folder, or set {PREFIX}PLAN_DIR")
    for rule in found.rules:
        said = rule.said
        click.echo(f"{said.call} {said.event or '*'} version {said.version}: "
                   f"violation {said.violation}, undeclared {said.undeclared}")
        for path, declared in listed(rule.declared):
            click.echo(f"  {path}  {declared.kind}  {declared.purpose}")


@plan.command(name="unused")
@_folder
@click.option("--days", default=DAYS, show_default=True, type=click.IntRange(1, 3650),
              help="How far back the log is read.")
@click.option("--records-max", default=RECORDS_MAX, show_default=True, type=click.IntRange(1),
              help="At most so many records, the newest.")
@click.option("--config", "files", multiple=True, metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A file whose computed traits, segments and rules are taken instead of those in "
                   "force. May be given several times.")
@click.option("--json", "as_document", is_flag=True, help="One JSON document.")
@options.data_dir
@click.pass_context
def unused_command(ctx: click.Context, *, folder: Path | None, days: int, records_max: int,
                   files: tuple[Path, ...], as_document: bool, data_dir: Path | None) -> None:
    """List fields that are collected and that no table, rule or destination reads.

    Reads the log of the last days, and the configuration in force for what its rules, segments and
    computed traits read; says so where that cannot be read. With a plan (FOLDER, FOOTFALL_PLAN_DIR)
    also says class and purpose, and what it declares and nobody sends. Shows names of fields, never
    a value.

    \b
    Examples:
      footfall plan unused
      footfall plan unused plan --days 7 --json
      footfall plan unused --config computed.yaml --config rules.yaml
    """
    settings = options.resolved(ctx, data_dir)
    chosen = _plan(settings, folder)
    declared = in_force.of_files(files) if files else in_force.of_log(settings)
    reads = read_fields(declared.config)
    collected = Collected(chosen, {*declared_paths(chosen), *(p for r in reads for p in r.paths)})
    codec = codecs_for(settings.schema_registry_url).interaction
    now = time.time_ns() // 1_000_000
    with Scanner(options.bootstrap_of(settings)) as scanner:
        period = scanner.since(INTERACTIONS, scanner.spans(INTERACTIONS), now - days * DAY_MS)
        spans = newest(period, records_max)
        records, poison = _read(scanner, spans, codec, collected)
    reading = Reading(now - days * DAY_MS, now, records, spans == period, poison, declared)
    rows = unused(collected.events, reads, chosen)
    never = never_collected(collected.events, chosen)
    (_print_document if as_document else _print_text)(reading, collected, rows, never)


def _plan(settings: Settings, folder: Path | None) -> Plan | None:
    chosen = folder or (Path(settings.plan_dir) if settings.plan_dir else None)
    return None if chosen is None else plan_folder.read(chosen)


def _size(spans: dict[int, Span]) -> int:
    return sum(span.end - span.low for span in spans.values())


def _read(scanner: Scanner, spans: dict[int, Span], codec: InteractionCodec, collected: Collected
          ) -> tuple[int, int]:
    """Gathers all records of the spans, with the progress on a terminal; (records, poison)."""
    records = poison = 0
    with click.progressbar(length=_size(spans), label="reading the log", file=sys.stderr,
                           hidden=not sys.stderr.isatty()) as progress:
        for message in scanner.records(INTERACTIONS, None, spans):
            records += 1
            try:
                collected.add(codec.decode(message.value()), message.timestamp()[1])
            except DecodeError:
                poison += 1
            if records % STEP_RECORDS == 0:
                progress.update(STEP_RECORDS)
    return records, poison


def _print_document(reading: Reading, collected: Collected, rows: list[Unused],
                    never: list[Never]) -> None:
    click.echo(json.dumps({
        "since": moment(reading.since), "until": moment(reading.until),
        "records": reading.records, "is_whole": reading.is_whole,
        "not_looked_into": {"poison": reading.poison, "encrypted": collected.encrypted,
                            "unreadable": collected.unreadable},
        "configuration": reading.declared.as_json(),
        "unused": [{**as_json(row), "last_seen": moment(row.use.last)} for row in rows],
        "never_collected": [as_json(row) for row in never],
    }, indent=2, ensure_ascii=False))


def _print_text(reading: Reading, collected: Collected, rows: list[Unused], never: list[Never]
                ) -> None:
    click.echo(f"since {moment(reading.since)}: {reading.records} records read")
    if not reading.is_whole:
        click.echo("these are the newest only; with a higher --records-max all of that time")
    blind = reading.poison + collected.encrypted + collected.unreadable
    if blind:
        click.echo(f"not looked into: {reading.poison} poison, {collected.encrypted} encrypted, "
                   f"{collected.unreadable} unreadable")
    click.echo(reading.declared.as_text())
    who = "table" if reading.declared.config is None else "table, computed trait, segment or rule"
    click.echo(f"collected, and read by no {who}; there are no destinations yet:"
               if rows else "everything that is collected is read")
    _grouped(rows, lambda row: f"{_name(row.event)}: {row.items} items", lambda row: (
        f"{safe(row.path)}  {row.use.count}  {row.use.count / row.items:.1%}  "
        f"last {moment(row.use.last)}{_class(row)}"))
    if never:
        click.echo("declared, never collected:")
        _grouped(never, lambda row: _name(row.event),
                 lambda row: f"{safe(row.path)}{_class(row)}")


def _grouped(rows: list[Any], title: Callable[[Any], str], line: Callable[[Any], str]) -> None:
    """Each row under the title of its event."""
    before: Event | None = None
    for row in rows:
        if row.event != before:
            click.echo(f"  {title(row)}")
        before = row.event
        click.echo(f"    {line(row)}")


def _name(event: Event) -> str:
    return "every event" if event == EVERY else f"{event.call} {safe(event.name) or '*'}"


def _class(row: Unused | Never) -> str:
    return f"  {row.declared.kind}  {row.declared.purpose}" if row.declared else ""
