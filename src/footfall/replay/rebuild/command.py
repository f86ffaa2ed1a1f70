"""`footfall replay rebuild` and `cutover`.

Decides what is asked and shown, and that nothing is sent over that differs where it was not meant
to. Must never show more of a customer than its key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

from footfall import options, tables
from footfall.admin.scan import Scanner
from footfall.admin.secrets import secrets_of
from footfall.errors import FootfallError
from footfall.events.registry import codecs_for
from footfall.events.topics import INTERACTIONS, MORE_PARTITIONS, PARTITIONS_DEFAULT
from footfall.replay import job
from footfall.replay.rebuild import topics
from footfall.replay.rebuild.compare import Comparison
from footfall.replay.rebuild.folding import CHECKPOINT_S
from footfall.replay.rebuild.run import Installation, Rebuild, records_a_second
from footfall.replay.source import Source
from footfall.replay.sources import source_of
from footfall.replay.unmerges import unmerges_anew
from footfall.settings import Settings
from footfall.stream.crash import CrashPoints
from footfall.stream.generations import topic_of

F = TypeVar("F", bound=Callable[..., Any])

WATCHED_S_MAX: Final = 120.0
_NAMES = sorted(t.name for t in tables.ALL)


class DiffersError(FootfallError):
    """The new state is another one where it was not meant to be."""


def _comparing(command: F) -> F:
    for option in (
        click.option("--show", "shown_max", type=click.IntRange(0, 1_000), default=0, metavar="N",
                     help="Of each table that differs, the keys of so many customers."),
        click.option("--accept-differences", is_flag=True,
                     help="Change over although tables differ that --table did not name."),
        click.option("--table", "named", multiple=True, type=click.Choice(_NAMES), metavar="NAME",
                     help="Only this table may differ from the live one; may be repeated."),
    ):
        command = option(command)
    return command


@click.command()
@_comparing
@click.option("--no-cutover", is_flag=True, help="Make and compare it; change nothing over.")
@click.option("--accept-gap", is_flag=True,
              help="Take what there is although the beginning of the log is gone.")
@click.option("--checkpoint", "checkpoint_s", type=click.FloatRange(0.1, 3_600),
              default=CHECKPOINT_S, show_default=True, metavar="SECONDS",
              help="How much is folded again after a kill; shorter, more is written.")
@job.options
@options.data_dir
@click.pass_context
def rebuild(ctx: click.Context, *, named: Sequence[str], accept_differences: bool, shown_max: int,
            no_cutover: bool, accept_gap: bool, checkpoint_s: float, data_dir: Path | None,
            plan_only: bool, yes: bool, as_json: bool, rate_per_s: float | None) -> None:
    """Make the state of all customers anew from the log, compare it, and put it in place.

    Workers go on meanwhile; nothing is told to anybody. Killed or interrupted, it goes on from
    where it was when it is run again. The old state is kept until `footfall replay commit`.

    \b
    Examples:
      footfall replay rebuild --plan
      footfall replay rebuild --no-cutover --show 10
      footfall replay rebuild --table cart          a bug of `cart` was mended
    """
    run = job.Job("rebuild", yes=yes, as_json=as_json, plan_only=plan_only)
    settings = options.resolved(ctx, data_dir)
    _run(run, settings, _Asked(named, accept_differences, shown_max, not no_cutover, accept_gap,
                               rate_per_s, checkpoint_s), begin=True)


@click.command()
@_comparing
@job.options
@options.data_dir
@click.pass_context
def cutover(ctx: click.Context, *, named: Sequence[str], accept_differences: bool, shown_max: int,
            data_dir: Path | None, plan_only: bool, yes: bool, as_json: bool,
            rate_per_s: float | None) -> None:
    """Put a state in place that `rebuild --no-cutover` has made, or finish what was broken off.

    Folds on to the end of the log and compares once more.
    """
    run = job.Job("cutover", yes=yes, as_json=as_json, plan_only=plan_only)
    settings = options.resolved(ctx, data_dir)
    _run(run, settings, _Asked(named, accept_differences, shown_max, cuts_over=True,
                               accept_gap=False, rate_per_s=rate_per_s), begin=False)


class _Asked(NamedTuple):
    """What the command was asked for."""

    named: Sequence[str]
    accept_differences: bool
    shown_max: int
    cuts_over: bool
    accept_gap: bool
    rate_per_s: float | None
    checkpoint_s: float = CHECKPOINT_S


def _run(run: job.Job, settings: Settings, asked: _Asked, *, begin: bool) -> None:
    at = installation_of(settings)
    found = topics.look(at.bootstrap)
    if found.shadow is None and not begin:
        raise FootfallError("no state is being made: `footfall replay rebuild` makes one")
    source = source_of(settings, at.bootstrap)
    try:
        of_one_number(settings.partitions, len(source.spans()), found.partitions)
        if not run.agreed(_plan(at, source, found, asked)):
            return
        generation = found.shadow
        if generation is None:
            generation = max(found.present) + 1
            topics.create(at.bootstrap, generation)
        try:
            _carry_out(run, at, source, generation, asked)
        except KeyboardInterrupt:
            raise FootfallError("interrupted: run the command again, it goes on from here "
                                "(`footfall replay status`)") from None
    finally:
        source.close()


def of_one_number(wanted: int, log: int, state: int) -> None:
    """Raises `FootfallError` where a rebuild is thought to change the number of partitions, or
    something else has. A setting that nobody made says nothing: the topics' own number counts.
    """
    if log == state and wanted in (log, PARTITIONS_DEFAULT):
        return
    raise FootfallError(
        f"{INTERACTIONS} has {log} partitions, the state {state}, FOOTFALL_PARTITIONS is {wanted}: "
        "a rebuild folds the same log, partition by partition, and gives none another number. "
        f"Set it to what the topics have. {MORE_PARTITIONS}")


def _plan(at: Installation, source: Source, found: topics.Generations, asked: _Asked
          ) -> dict[str, Any]:
    spans = source.spans()
    states = {} if found.shadow is None else found.states[found.shadow]
    left = sum(max(0, span.end - max(span.low, states[n].next_offset if n in states else 0))
               for n, span in spans.items())
    rate = records_a_second(at, source)
    if asked.rate_per_s:
        rate = min(rate, asked.rate_per_s)
    with Scanner(at.bootstrap) as scanner:
        rows = sum(span.end - span.low for g in set(found.live.values())
                   for span in scanner.spans(topic_of(g)).values())
    topic = topic_of(found.shadow or max(found.present) + 1)
    return {
        "writes": topic + (", begun before and gone on with" if found.shadow else ", new"),
        "records": left, "customers": f"at most {rows:,}, by the records of their changelog",
        "takes": f"about {left / rate:,.0f} s at {rate:,.0f} records a second" if rate else "0 s",
        "may differ from live": ", ".join(asked.named) or "every table",
        "in the end": "every partition is sent over by a `$cutover` record; workers stand still "
                      "for a moment each" if asked.cuts_over else "nothing is changed over",
        "told to anybody": "nothing",
    }


def _carry_out(run: job.Job, at: Installation, source: Source, generation: int, asked: _Asked
               ) -> None:
    made = Rebuild(at, source, generation, accept_gap=asked.accept_gap,
                   rate=job.Rate(asked.rate_per_s), checkpoint_s=asked.checkpoint_s,
                   unmerges=_unmerges(run, at, source))
    if made.is_done:
        _report_done(run, at, generation)
        return
    if made.given_up:
        run.say(f"given up: what lies before {made.given_up} (partition: offset) in the log")
    with run.progress("folding", made.behind()) as advance:
        made.follow(advance)
    report: dict[str, Any] = made.shown()
    if not made.is_sent:
        with run.progress("comparing", 0):
            compared = made.compare(asked.shown_max)
        report["compared"] = compared.shown()
        report["cut_over"] = False
        if not asked.cuts_over:
            run.report({**report, "next": "footfall replay cutover, or footfall replay abandon"})
            return
        _check(run, compared, asked, report)
    run.say("sending partitions over. Workers stand still at their $cutover until this is done: "
            "if it is broken off, run `footfall replay cutover`, it finishes it")
    made.cut_over()
    report = {**report, **made.shown(), "cut_over": True}
    with run.progress("workers", len(made.together.folds)) as advance:
        still = made.watch(WATCHED_S_MAX, advance)
    report["stood_still_s"] = {str(n): s for n, s in sorted(still.items())}
    if waiting := _waiting(at, generation):
        report["not_gone_over_yet"] = waiting
    report["next"] = "footfall replay commit, once the new state has proved itself"
    run.report(report)


def _report_done(run: job.Job, at: Installation, generation: int) -> None:
    run.report({"generation": generation, "topic": topic_of(generation), "cut_over": True,
                "not_gone_over_yet": _waiting(at, generation),
                "next": "partitions go over as soon as their workers run"})


def _waiting(at: Installation, generation: int) -> list[int]:
    """Partitions whose worker has not gone over yet."""
    return [n for n, live in topics.look(at.bootstrap).live.items() if live != generation]


def _check(run: job.Job, compared: Comparison, asked: _Asked, report: dict[str, Any]) -> None:
    """Raises `DiffersError` where something differs that was not meant to; asks where nothing was
    said.
    """
    differing = compared.differing
    if asked.named and not asked.accept_differences:
        # What a record holds beside its rows follows from them.
        others = [n for n in differing if n not in asked.named and not n.startswith("(")]
        if others:
            run.report(report)
            raise DiffersError(
                f"{', '.join(others)}: differ from the live state, and --table did not name them. "
                "Nothing was changed over: look at --show 10, then run `footfall replay cutover` "
                "with each --table or with --accept-differences, or `footfall replay abandon`")
    elif differing:
        run.say(f"differ from the live state: {', '.join(differing)}")
    if not run.yes:
        run.say(str(report["compared"]))
        click.confirm("Change over?", abort=True, err=True)


def _unmerges(run: job.Job, at: Installation, source: Source) -> dict[tuple[int, int], bytes]:
    """Where the log begins anywhere but at its beginning, rows of both sides are as recorded."""
    spans = source.spans()
    if any(span.low for span in spans.values()):
        return {}
    with run.progress("unmerges", sum(span.end for span in spans.values())) as advance:
        return unmerges_anew(source, spans, at.specs, codecs=at.codecs, keys=at.keys,
                             reserved=at.reserved, progress=advance)


def installation_of(settings: Settings) -> Installation:
    """What the settings lead to; raises `SettingsError` for what is missing."""
    return Installation(
        options.bootstrap_of(settings), codecs_for(settings.schema_registry_url),
        *secrets_of(settings), tables.ALL, settings.hot_records_max, CrashPoints(settings.crash_at))
