"""`footfall import`: interactions of the past, from files.

Decides what is asked, shown and told, and the exit code: 1 where a run did not come to its end,
where nothing could be imported, or with `--strict` where anything was rejected. Needs the system
secret, for only who may write reserved records may write the past.
"""

from __future__ import annotations

import hashlib
import secrets
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import click
import msgspec

from footfall import options
from footfall.collector import plan_folder
from footfall.errors import FootfallError, SettingsError
from footfall.events.customer_key import CustomerKeys
from footfall.events.registry import codecs_for
from footfall.events.reserved import Reserved
from footfall.replay import job, selection
from footfall.replay.imports import mapping_reading
from footfall.replay.imports.admitting import Admission, Given
from footfall.replay.imports.files import FORMATS, Format, found
from footfall.replay.imports.journal import Journal, Position
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.planning import Plan, as_shown, plan_of
from footfall.replay.imports.rejecting import Rejects
from footfall.replay.imports.run import CHUNK_ROWS, Run, Stopped
from footfall.replay.imports.sending import Sender
from footfall.replay.imports.values import rfc_3339
from footfall.replay.job import Job, Rate
from footfall.settings import Settings

REJECTS: Final = "footfall-import-rejected.jsonl"
SOURCE_CHARS_MAX: Final = 100
_ENDS: Final = (signal.SIGINT, signal.SIGTERM)
_REPEATS: Final = "rows that were imported before are in the log again; the workers know them"


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "form", type=click.Choice(FORMATS),
              help="What the files are; without it told by their first bytes.")
@click.option("--mapping", "mapping_path", metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Which column becomes which field; needed for CSV.")
@click.option("--source", "of_source", default="import", show_default=True, metavar="NAME",
              help="The source that the interactions are of.")
@click.option("--rejects", "rejects_path", default=REJECTS, show_default=True, metavar="FILE",
              type=click.Path(dir_okay=False, path_type=Path),
              help="Where rows that cannot be imported are added, with the reason.")
@click.option("--from-start", is_flag=True,
              help="Begin anew, although an earlier run came some way.")
@click.option("--strict", is_flag=True, help="Exit code 1 where anything is rejected.")
@click.option("--show-sample", is_flag=True, help="The plan shows three items with their values.")
@selection.import_options
@job.options
@options.data_dir
@click.pass_context
def import_(ctx: click.Context, *, files: tuple[str, ...], form: Format | None,
            mapping_path: Path | None, of_source: str, rejects_path: Path, from_start: bool,
            strict: bool, show_sample: bool, selected: selection.Given, plan_only: bool, yes: bool,
            as_json: bool, rate_per_s: float | None, data_dir: Path | None) -> None:
    """Bring interactions of the past into the log, with their own times.

    FILE: paths, patterns and URLs of JSONL (also of Segment's and RudderStack's archives), CSV,
    Parquet and Avro, packed or not. Each row is counted once, however often it is imported; what
    the history alone causes is told to nobody. Rows that cannot be imported go to the reject file.

    \b
    Examples:
      footfall import orders.csv --mapping orders.yaml --plan
      footfall import 'archive/**/*.gz' --source web --yes
      footfall import s3://bucket/events/*.parquet --rate 5000
    """
    if not 0 < len(of_source) <= SOURCE_CHARS_MAX:
        raise click.BadParameter(f"1 to {SOURCE_CHARS_MAX} characters", param_hint="--source")
    settings = options.resolved(ctx, data_dir)
    mapping = None if mapping_path is None else mapping_reading.read(mapping_path)
    journal = Journal(rejects_path)
    asked = _hash(mapping, form, of_source, selected)
    position = None if from_start else journal.read(asked)
    is_resumed = position is not None
    position = position or Position(run=_run_name(), asked=asked)
    admission = _admission(settings, position.run, of_source, selected)
    if not plan_only:
        admission.check(options.bootstrap_of(settings))
    plan = plan_of(found(files), form, mapping, admission)
    task = Job("import", yes=yes, as_json=as_json, plan_only=plan_only)
    shown = as_shown(plan, rate_per_s, with_values=show_sample)
    if is_resumed:
        shown = {"goes on with run": position.run, **shown}
    if selected.shown():
        shown["selection"] = selected.shown()
    if not (as_json and plan_only):
        shown["items"] = "\n".join(shown["items"])
    if not plan.files:
        name, fault = next(iter(plan.faults.items()))
        raise FootfallError(f"nothing can be imported: {name}: {fault}")
    if not task.agreed(shown):
        return
    rejects = Rejects(rejects_path, position.run, position.rejects_bytes if is_resumed else None)
    for name, fault in plan.faults.items():
        if name not in plan.files:
            rejects.add(name, 0, fault.reason, fault.detail, b"")
    with task.progress("rows", plan.rows_about) as advance, _asked_to_end() as asks_end:
        run = Run(admission, Sender(options.bootstrap_of(settings)), rejects, journal, position,
                  Rate(rate_per_s), max(1, min(CHUNK_ROWS, round(rate_per_s or CHUNK_ROWS))),
                  asks_end, advance)
        is_whole = _carried_out(run, plan, mapping)
    if is_whole:
        journal.remove()
    task.report(_report(run, plan, rejects_path, is_whole=is_whole, as_json=as_json))
    imported = sum(tally.imported + tally.resumed for tally in run.tallies.values())
    if not is_whole:
        raise FootfallError("asked to end; the same command goes on where it ended")
    if (rejects.counts and not imported) or (strict and rejects.counts):
        ctx.exit(1)


def _carried_out(run: Run, plan: Plan, mapping: Mapping | None) -> bool:
    """Whether the run came to its end."""
    try:
        run.files(plan.files, mapping)
    except Stopped:
        return False
    finally:
        run.rejects.close()
    return True


def _admission(settings: Settings, run: str, source: str, selected: selection.Given) -> Admission:
    """Raises `SettingsError` for what is missing."""
    for name in ("customer_key_secret", "system_secret"):
        if not getattr(settings, name):
            raise SettingsError(f"{name} is not set: give FOOTFALL_{name.upper()} the value that "
                                "the workers have")
    plan = plan_folder.read(Path(settings.plan_dir)) if settings.plan_dir else None
    given = Given(run, source, time.time_ns() // 1_000_000, settings.item_bytes_max, plan,
                  selected.selection(settings) if selected.shown() else None)
    return Admission(given, CustomerKeys(cast(str, settings.customer_key_secret).encode()),
                     Reserved(cast(str, settings.system_secret).encode()),
                     codecs_for(settings.schema_registry_url).interaction)


def _hash(mapping: Mapping | None, form: str | None, source: str, selected: selection.Given) -> str:
    """Of all that decides what becomes of a row."""
    said = msgspec.json.encode((mapping, form, source, selected.shown(), selected.customer),
                               order="deterministic")
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def _run_name() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@contextmanager
def _asked_to_end() -> Iterator[Any]:
    """Ctrl-C and SIGTERM end a run between two chunks; a second one ends it at once."""
    asked: list[int] = []
    before: dict[int, Any] = {}

    def ask(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(number, before[number])

    for number in _ENDS:
        before[number] = signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for number in _ENDS:
            signal.signal(number, before[number])


def _report(run: Run, plan: Plan, rejects_path: Path, *, is_whole: bool, as_json: bool
            ) -> dict[str, Any]:
    tallies = run.tallies
    total: Counter[str] = Counter()
    for tally in tallies.values():
        total.update(read=tally.rows, imported=tally.imported, not_selected=tally.not_selected,
                     resumed=tally.resumed)
    times = [(t.since, t.until) for t in tallies.values() if t.since is not None]
    files = {name: msgspec.to_builtins(tally) for name, tally in tallies.items()}
    files |= {name: {"fault": fault.reason} for name, fault in plan.faults.items()
              if name not in files}
    rejected = dict(run.rejects.counts.most_common())
    found_ = {
        "run": run.position.run, "complete": is_whole, "rows": total["read"],
        "done by an earlier run": total["resumed"], "imported": total["imported"],
        "not selected": total["not_selected"], "rejected": rejected,
        "first": rfc_3339(min(s for s, _ in times if s is not None)) if times else None,
        "last": rfc_3339(max(u for _, u in times if u is not None)) if times else None,
        "tracking plan": dict(run.admission.found),
        "reject file": str(rejects_path) if rejected else None,
    }
    if as_json:
        return {name.replace(" ", "_"): value for name, value in found_.items()} | {"files": files}
    return found_ | {
        "files": "\n".join(f"{name}: {_line(tally)}" for name, tally in files.items()),
        "repeats": _REPEATS}


def _line(tally: dict[str, Any]) -> str:
    """What became of a file."""
    parts = [f"{label.replace('_', ' ')} {tally[label]:,}" for label in
             ("rows", "imported", "rejected", "not_selected", "resumed") if tally.get(label)]
    if tally.get("fault"):
        parts.append(str(tally["fault"]))
    return ", ".join(parts) or "nothing"
