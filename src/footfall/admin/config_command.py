"""`footfall config`: what the steps of every table are configured with, through the log.

Decides how it is asked for and shown; `config.py` decides what happens.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from footfall import options
from footfall.admin.config import checked, defaults, put, values
from footfall.admin.config_document import (
    differences,
    flat,
    located,
    merged,
    read_changes,
    read_documents,
)
from footfall.admin.config_log import NONE, ConfigLog, Reading, Version, Written, log_of
from footfall.errors import ConfigError
from footfall.tables.computed_limits import bytes_max
from footfall.tables.computed_row import ComputedConfig
from footfall.tables.rules_row import On, RulesConfig
from footfall.tables.segments_row import SegmentsConfig

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group()
def config() -> None:
    """Apply, show and trace what the tables are configured with.

    \b
    Examples:
      footfall config show
      footfall config apply --set cart.idle_s=900
      footfall config apply footfall-config.toml
      footfall config history
    """


@config.command()
@click.argument("files", nargs=-1, metavar="[FILE]...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE",
              help="One value; wins over FILE. May be given several times.")
@options.data_dir
@click.pass_context
def apply(ctx: click.Context, files: tuple[Path, ...], assignments: tuple[str, ...],
          data_dir: Path | None) -> None:
    """Bring a configuration into force on every partition of the log.

    FILE (.toml, .yaml or .json; several are taken together) is the whole configuration: what it
    does not name gets its default. Definitions of rules, segments and computed traits add up over
    files; `tests:` is left out.
    With --set alone, all other values stay as they are in force.

    \b
    Examples:
      footfall config apply --set cart.idle_s=900
      footfall config apply footfall-config.toml
      footfall config apply footfall-config.toml --set clock.grace_s=1
      footfall config apply footfall-config.toml computed.yaml rules/*.yaml
    """
    if not files and not assignments:
        raise click.UsageError("give a FILE or --set SECTION.KEY=VALUE")
    document = merged(read_documents(files), read_changes(assignments))
    try:
        outcome = put(_log(ctx, data_dir), document, keep=not files)
    except ConfigError as error:
        raise located(error, files) from None
    if outcome.completed:
        click.echo(f"completed an earlier apply on {outcome.completed} partitions")
    if outcome.changed:
        click.echo(f"configuration {outcome.version.label} is in force on every partition")
    else:
        click.echo(f"nothing to do: {outcome.version.label} is in force with these values")


@config.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Read a configuration as `apply` would, and apply nothing; needs no broker.

    Lists the computed traits with the bytes that each may take of a customer's row, the segments
    and the rules. Exit code 1 where it cannot be applied; the message names file, line (of YAML)
    and key.

    \b
    Examples:
      footfall config check footfall-config.toml computed.yaml rules/*.yaml
    """
    document = read_documents(files)
    try:
        read = checked(document)
    except ConfigError as error:
        raise located(error, files) from None
    traits: ComputedConfig = read.sections["computed"]
    for trait in traits.definitions:
        click.echo(f"{trait.name} version {trait.version}: {trait.of}, {trait.window}, at most "
                   f"{bytes_max(trait)} bytes")
    segments: SegmentsConfig = read.sections["segments"]
    for segment in segments.definitions:
        click.echo(f"segment {segment.name} version {segment.version}")
    rules: RulesConfig = read.sections["rules"]
    for rule in rules.definitions:
        click.echo(f"rule {rule.name} version {rule.version}: on {_acts_on(rule.on)}")
    click.echo("this configuration can be applied")


@config.command()
@json_option
@options.data_dir
@click.pass_context
def show(ctx: click.Context, as_json: bool, data_dir: Path | None) -> None:
    """Show the version in force and every value; a * marks those that are not the default.

    \b
    Examples:
      footfall config show
      footfall config show --json
    """
    reading = _log(ctx, data_dir).read()
    if as_json:
        click.echo(json.dumps(_shown(reading), indent=2))
        return
    version = reading.highest
    where = "no partition has one yet: the code's defaults" if version == NONE else (
        f"missing on partitions {reading.missing}: `footfall config apply` completes it"
        if reading.missing else f"in force on all {len(reading.versions)} partitions")
    click.echo(f"configuration {version.label} ({where})")
    usual = flat(defaults())
    for name, value in flat(_in_full(version)).items():
        if value == {}:
            continue  # a table with nothing to configure
        mark = " " if usual.get(name) == value else "*"
        click.echo(f"{mark} {name} = {json.dumps(value)}")


@config.command()
@json_option
@options.data_dir
@click.pass_context
def history(ctx: click.Context, as_json: bool, data_dir: Path | None) -> None:
    """List the versions that the log still holds, oldest first, with what each changed.

    Reads the whole log: in a big one this takes its time.

    \b
    Examples:
      footfall config history
      footfall config history --json
    """
    versions = _by_version(_log(ctx, data_dir).history())
    if as_json:
        click.echo(json.dumps(versions, indent=2))
        return
    if not versions:
        click.echo("no configuration was ever applied, or the log no longer holds it")
    for version in versions:
        click.echo(f"{version['applied_at']}  {version['version']}  "
                   f"on {len(version['partitions'])} partitions")
        for name, change in version["changes"].items():
            click.echo(f"    {name}: {json.dumps(change['from'])} -> {json.dumps(change['to'])}")


def _log(ctx: click.Context, data_dir: Path | None) -> ConfigLog:
    return log_of(options.resolved(ctx, data_dir))


def _acts_on(on: On) -> str:
    """What a rule acts on, in a word or two."""
    if on.call is not None:
        return f"{on.call} {on.event}" if on.event is not None else on.call
    if on.trigger is not None:
        return f"trigger {on.trigger}"
    if on.schedule is not None:
        return f"schedule {on.schedule.at} {on.schedule.zone}"
    if on.when is not None:
        return f"a condition that becomes {'true' if on.becomes else 'false'}"
    return f"segment {on.enters} entered" if on.enters else f"segment {on.leaves} left"


def _in_full(version: Version) -> dict[str, Any]:
    return merged(defaults(), values(version))


def _shown(reading: Reading) -> dict[str, Any]:
    return {
        "version": reading.highest.label,
        "partitions": {str(p): version.label for p, version in reading.versions.items()},
        "missing": reading.missing,
        "values": _in_full(reading.highest),
    }


def _by_version(records: list[Written]) -> list[dict[str, Any]]:
    """One entry a version, in order of version; `changes` against the one before."""
    found: dict[Version, list[Written]] = {}
    for record in records:
        found.setdefault(record.version, []).append(record)
    shown = []
    before = defaults()
    for version, written in sorted(found.items(), key=lambda item: item[0]):
        after = values(version)
        shown.append({
            "version": version.label,
            "applied_at": _moment(min(w.appended_at for w in written)),
            "partitions": sorted({w.partition for w in written}),
            "changes": {name: {"from": old, "to": new}
                        for name, (old, new) in differences(before, after).items()},
            "values": after,
        })
        before = after
    return shown


def _moment(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
