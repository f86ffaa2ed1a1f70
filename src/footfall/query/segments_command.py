"""`footfall segments`: who is in a segment, counted before it is published.

Decides how it is asked for and shown; who is in one is decided by `segments_count.py`. Reads the
changelog, partition by partition, each under the configuration in force there; writes nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from aiokafka.errors import KafkaError

from footfall import options, tables
from footfall.admin.config_document import located, read_documents
from footfall.errors import BrokerError, ConfigError
from footfall.events import topics
from footfall.query.rebuild import partitions_of
from footfall.query.segments_count import Judge, Tally, proposed, uncounted
from footfall.settings import Role
from footfall.stream.generations import Generations
from footfall.tables.cart_triggers import instant
from footfall.tables.config import Config
from footfall.tables.stored import PartitionState
from footfall.view.classes import IDS_CLASS, is_cleared, masked
from footfall.view.roles import CLEARANCES
from footfall.view.terminal import safe

SAMPLE_MAX = 1_000

file_option = click.option(
    "--file", "files", multiple=True, metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Segments and computed traits of this file, over the configuration in force. May be given "
         "several times.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


class Counted(NamedTuple):
    """What a reading of all partitions came to."""

    names: list[str]
    tally: Tally
    uncounted: dict[str, list[str]]
    as_of: int


@click.group()
def segments() -> None:
    """Count customers in segments, also before these are published. docs/rules.md."""


@segments.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@file_option
@json_option
@options.data_dir
@click.pass_context
def count(ctx: click.Context, *, names: tuple[str, ...], files: tuple[Path, ...], as_json: bool,
          data_dir: Path | None) -> None:
    """How many customers are in each segment: those in force, or those of FILE.

    \b
    Examples:
      footfall segments count
      footfall segments count price_region_premium --file rules/regions.yaml
    """
    found = _counted(ctx, data_dir, names or _declared(files), files)
    total = found.tally.customers
    shown = [{"segment": name, "members": members, "percent": _percent(members, total),
              "uncounted": found.uncounted.get(name, [])}
             for n, name in enumerate(found.names) for members in (found.tally.members(n),)]
    if as_json:
        _print({**_head(found), "segments": shown})
        return
    for one in shown:
        click.echo(f"{one['segment']}: {one['members']} of {total} customers ({one['percent']} %)")
    if not shown:
        click.echo("there are no segments; give --file FILE, or apply some: docs/rules.md")
    _warn(found)


@segments.command()
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, SAMPLE_MAX), default=20, show_default=True,
              help="How many customers at most.")
@click.option("--role", type=click.Choice(list(CLEARANCES)), default="owner", show_default=True,
              help="Show what this role may see, the rest masked.")
@file_option
@json_option
@options.data_dir
@click.pass_context
def sample(ctx: click.Context, *, name: str, limit: int, role: Role, files: tuple[Path, ...],
           as_json: bool, data_dir: Path | None) -> None:
    """Some customers of a segment; the same ones each time.

    \b
    Examples:
      footfall segments sample price_region_premium --limit 20
      footfall segments sample price_region_premium --file rules/regions.yaml --json
    """
    found = _counted(ctx, data_dir, (name,), files, limit)
    is_shown = is_cleared(IDS_CLASS, CLEARANCES[role])
    members = found.tally.sample()
    if as_json:
        shown = [{"customer_key": one.key,
                  "ids": {kind: value if is_shown else masked(IDS_CLASS)
                          for kind, value in sorted(one.ids.items())}} for one in members]
        _print({**_head(found), "segment": name, "members": found.tally.members(0),
                "sample": shown, "uncounted": found.uncounted.get(name, [])})
        return
    for one in members:
        ids = " ".join(f"{kind}:{value if is_shown else '(masked)'}"
                       for kind, value in sorted(one.ids.items()))
        click.echo(safe(f"{one.key}  {ids}"))
    click.echo(f"{len(members)} of {found.tally.members(0)} customers of {name}")
    _warn(found)


@segments.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@file_option
@json_option
@options.data_dir
@click.pass_context
def overlap(ctx: click.Context, *, first: str, second: str, files: tuple[Path, ...], as_json: bool,
            data_dir: Path | None) -> None:
    """How many customers two segments share.

    \b
    Example:
      footfall segments overlap price_region_premium price_region_local
    """
    found = _counted(ctx, data_dir, (first, second), files)
    together = found.tally.together
    both = together.get((True, True), 0)
    only = (together.get((True, False), 0), together.get((False, True), 0))
    if as_json:
        _print({**_head(found), "a": {"segment": first, "members": both + only[0]},
                "b": {"segment": second, "members": both + only[1]},
                "both": both, "only_a": only[0], "only_b": only[1],
                "uncounted": found.uncounted})
        return
    for name, alone in zip((first, second), only, strict=True):
        members = both + alone
        click.echo(f"{name}: {members} customers, {both} of them ({_percent(both, members)} %) in "
                   "the other one, too")
    click.echo(f"both: {both}, only {first}: {only[0]}, only {second}: {only[1]}, of "
               f"{found.tally.customers} customers")
    _warn(found)


def _counted(ctx: click.Context, data_dir: Path | None, names: Sequence[str],
             files: Sequence[Path], sample_max: int = 0) -> Counted:
    document = read_documents(files)
    bootstrap = options.bootstrap_of(options.resolved(ctx, data_dir))
    partitions = partitions_of(bootstrap)
    try:
        return asyncio.run(_read(bootstrap, partitions, document if files else None, names,
                                 sample_max))
    except ConfigError as error:
        raise located(error, files) from None
    except KafkaError as error:
        raise BrokerError(f"{topics.CHANGELOG} cannot be read from {bootstrap}: "
                          f"{type(error).__name__}; `footfall doctor` says what is wrong") from None


async def _read(bootstrap: str, partitions: int, document: dict[str, Any] | None,
                names: Sequence[str], sample_max: int) -> Counted:
    """One partition in memory at a time."""
    tally = Tally(sample_max)
    now = time.time_ns() // 1_000_000
    missing: dict[str, list[str]] = {}
    judged: list[str] = []
    with click.progressbar(length=await Generations(bootstrap).records(partitions),
                           label="reading the changelog", file=sys.stderr,
                           hidden=not sys.stderr.isatty()) as progress:
        copies = Generations(bootstrap, read=progress.update)
        for number in range(partitions):
            taken = (await copies.take([number]))[number]
            state = taken.state or PartitionState()
            judge, found = judge_of(state, document, names)
            missing.update(found)
            judged = judge.names
            tally.take(judge, taken.best.store, max(now, state.clock))
    return Counted(judged, tally, missing, now)


def judge_of(state: PartitionState, document: dict[str, Any] | None, names: Sequence[str]
             ) -> tuple[Judge, dict[str, list[str]]]:
    """What judges the customers of a partition, and what is not counted there yet."""
    number, content = state.config_number, state.config_content
    in_force = config = Config(tables.ALL, number, content)
    if document is not None:
        config = Config(tables.ALL, number + 1, proposed(content, document))
    judge = Judge(config, names)
    return judge, uncounted(judge, config, in_force)


def _declared(files: Sequence[Path]) -> tuple[str, ...]:
    """The segments of the files."""
    document = read_documents(files)
    return tuple(str(one.get("name")) for one in document.get("segments", {}).get("definitions", ())
                 if isinstance(one, dict))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "0.0"


def _head(found: Counted) -> dict[str, Any]:
    return {"as_of": instant(found.as_of), "customers": found.tally.customers}


def _print(shown: dict[str, Any]) -> None:
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


def _warn(found: Counted) -> None:
    """What was taken for empty, on standard error."""
    for name, missing in found.uncounted.items():
        click.echo(f"{name}: not counted yet, taken as empty: {', '.join(missing)}. Counting "
                   "begins when it is applied", err=True)
