"""`footfall replay what-if`: what the past would tell under another configuration, or this code.

Decides how it is asked for, what is read and how far, and what it is compared with: what was
recorded where that is still there, else the same records folded under the recorded configuration.
Must never write a record anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from footfall import options
from footfall.admin.config import values
from footfall.admin.config_log import ConfigLog
from footfall.admin.scan import Scanner, Span
from footfall.admin.secrets import secrets_of
from footfall.errors import FootfallError
from footfall.events.codec import Codecs
from footfall.events.registry import codecs_for
from footfall.replay import job, selection
from footfall.replay.job import Job, Rate
from footfall.replay.sources import source_of
from footfall.replay.what_if import text
from footfall.replay.what_if.asked import Stays, content_asked
from footfall.replay.what_if.comparing import Comparison, Scope
from footfall.replay.what_if.machine import Machine
from footfall.replay.what_if.passing import Question
from footfall.replay.what_if.recorded import (
    Beginning,
    beginning,
    ends_of,
    reaches_back,
    recorded,
    worked_on,
)
from footfall.replay.what_if.report import Circumstances, document
from footfall.settings import Settings
from footfall.tables.cart_triggers import instant
from footfall.tables.config import content_hash

RECORDED, FOLD = "recorded", "fold"
#: On one core, for a plan: of one fold, and of two, which files want; measured in docs/what-if.md.
RECORDS_A_SECOND = 8_600, 5_000
#: In a line of what goes to a file or another program.
TEXT_CHARS = 160


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line. `names`: which triggers, None for all; `against`:
    None for what is best.
    """

    files: tuple[Path, ...] = ()
    stays: Stays = Stays.NOTHING
    names: Callable[[str], bool] | None = None
    from_start: bool = False
    against: str | None = None
    show: int = 10
    delivers: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """What has to be read, and what it is compared with."""

    begin: Beginning
    ends: dict[int, int]
    left_out: int
    against: str
    content: bytes | None

    @property
    def records(self) -> int:
        """How many at most: control records have offsets, too."""
        return sum(end - self.begin.starts[p].next_offset for p, end in self.ends.items())


against_option = click.option(
    "--against", type=click.Choice((RECORDED, FOLD)),
    help="Compare with the triggers recorded, or with the same records folded under the recorded "
         "configuration. Default: what was recorded, where it is all there.")
from_start_option = click.option(
    "--from-start", is_flag=True,
    help="The configuration holds from the start of the log, so that what it counts anew has been "
         "counted; compared is the same window.")
deliver_option = click.option(
    "--deliver-handoffs", "delivers", is_flag=True,
    help="Handoffs come as this configuration sends them, not as recorded; by itself so where "
         "settings of identity (links) differ.")
show_option = click.option("--show", default=10, type=click.IntRange(min=0), metavar="N",
                           help="Customers and triggers listed; --json lists all.")


@click.command("what-if")
@click.argument("files", nargs=-1, metavar="[FILE]...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--keep", is_flag=True,
              help="What the files do not name, definitions too, stays as it is in force.")
@click.option("--rule", "rules", multiple=True, metavar="NAME",
              help="Only triggers of this name. May be given several times.")
@from_start_option
@against_option
@deliver_option
@show_option
@selection.options
@job.options
@options.data_dir
@click.pass_context
def what_if(ctx: click.Context, *, files: tuple[Path, ...], keep: bool, rules: tuple[str, ...],
            from_start: bool, against: str | None, delivers: bool, show: int,
            selected: selection.Given, plan_only: bool, yes: bool, as_json: bool,
            rate_per_s: float | None, data_dir: Path | None) -> None:
    """Say what the past would have told under another configuration. Sends and writes nothing.

    FILE are the whole configuration, as `footfall config apply` takes them, in force from --since
    on; with --keep what they do not name stays. Without FILE: what this code tells under the
    recorded configuration. --source, --type, --event, --where, --customer and offsets choose
    customers: those of whom an interaction fits.

    \b
    Examples:
      footfall replay what-if footfall-config.toml rules/*.yaml --since 7d
      footfall replay what-if rules/cart.yaml --keep --since 7d --rule big_cart_left
      footfall replay what-if --since 1d
    """
    wanted = Wanted(files, Stays.NAMES if keep else Stays.NOTHING,
                    (lambda name: name in rules) if rules else None, from_start, against, show,
                    delivers)
    run = Job("what-if", yes=yes, as_json=as_json, plan_only=plan_only)
    answer(options.resolved(ctx, data_dir), wanted, selected, run, Rate(rate_per_s))


def answer(settings: Settings, wanted: Wanted, selected: selection.Given, run: Job, rate: Rate
           ) -> None:
    """Plan, read, compare, report."""
    if wanted.against == FOLD and not wanted.files:
        raise click.UsageError("--against fold compares configurations: give a FILE")
    bootstrap = options.bootstrap_of(settings)
    machine, config_log = _machine(settings, bootstrap)
    scope = Scope(wanted.names, selected.selection(settings))
    with closing(source_of(settings, bootstrap)) as source, Scanner(bootstrap) as scanner:
        read = _read(wanted, selected.since, source.spans(), scanner, config_log)
        if not run.agreed({
                "configuration": _label(read.content) or "as recorded, this code",
                "since": instant(selected.since) if selected.since else "the log's start",
                "until": instant(selected.until) if selected.until else "the log's end",
                "against": read.against, "records": read.records, "left_out": read.left_out,
                "chosen_by": {name: value for name, value in selected.shown().items()
                              if name not in ("since", "until")},
                "seconds_about": round(read.records / RECORDS_A_SECOND[bool(wanted.files)]),
                "writes": "nothing"}):
            return
        question = Question(selected.since, selected.until, read.content, wanted.from_start,
                            wanted.delivers)
        comparison = Comparison(
            machine, question, scope, None if read.against == FOLD
            else recorded(scanner, machine.codecs, selected.since))
        with run.progress("log", read.records) as advance:
            outcome = comparison.run(source, (read.begin.starts, read.ends),
                                     _both(rate.spend, advance), lambda: ends_of(bootstrap))
    found = document(outcome, Circumstances(
        selected.since, selected.until, read.against, _label(read.content), read.left_out,
        read.begin.lost, read.begin.unknown))
    if not run.as_json:
        console = Console(highlight=False)
        if not console.is_terminal:
            console.width = TEXT_CHARS
        text.show(console, found, wanted.show)
        found = {"records": outcome.seen.records}
    run.report(found)


def _both(one: Callable[[int], None], other: Callable[[int], None]) -> Callable[[int], None]:
    def told(records: int) -> None:
        one(records)
        other(records)

    return told


def _read(wanted: Wanted, since: int, spans: dict[int, Span], scanner: Scanner,
          config_log: ConfigLog) -> Read:
    content = None
    if wanted.files:
        in_force = ({} if wanted.stays is Stays.NOTHING
                    else values(config_log.read().highest))
        content = content_asked(wanted.files, in_force, wanted.stays)
    begin = beginning(config_log, spans)
    is_there = reaches_back(scanner, since)
    against = wanted.against or (
        RECORDED if content is None or (is_there and not begin.lost) else FOLD)
    if against == RECORDED and not is_there:
        raise FootfallError(
            "the triggers recorded do not reach back to the start of the window (retention of "
            "footfall.triggers): give a later --since, or FILE with --against fold")
    ends = {p: span.end for p, span in spans.items()}
    if against == RECORDED:
        ends = worked_on(config_log.bootstrap, spans)
    left_out = sum(spans[p].end - end for p, end in ends.items())
    return Read(begin, ends, left_out, against, content)


def _machine(settings: Settings, bootstrap: str) -> tuple[Machine, ConfigLog]:
    codecs: Codecs = codecs_for(settings.schema_registry_url)
    keys, reserved = secrets_of(settings)
    return Machine(codecs, keys, reserved), ConfigLog(bootstrap, reserved, codecs)


def _label(content: bytes | None) -> str | None:
    return None if content is None else f"what-if:{content_hash(content)}"
