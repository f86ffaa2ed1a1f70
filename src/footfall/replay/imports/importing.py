"""An import from what was asked to its report: plan, agreement, run, what it would have told.

Decides in which order things are looked at and refused: what was asked, the files, whether anybody
agrees, the secrets against the installation, and only then is anything written. Decides what counts
as a failure, too: a run that did not come to its end, nothing imported, with `--strict` any reject.
"""

from __future__ import annotations

import hashlib
import secrets
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from footfall import options
from footfall.admin.config_log import log_of
from footfall.admin.secrets import secrets_of
from footfall.collector import plan_folder
from footfall.errors import FootfallError
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.registry import codecs_for
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload
from footfall.events.topics import TRIGGERS
from footfall.replay import selection
from footfall.replay.imports import installed, mapping_reading
from footfall.replay.imports.admitting import Admission, Given
from footfall.replay.imports.files import File, Format, found
from footfall.replay.imports.journal import Journal, Position
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.past import Past
from footfall.replay.imports.planning import Plan, as_shown, plan_of
from footfall.replay.imports.rejecting import Rejects
from footfall.replay.imports.reporting import report_of
from footfall.replay.imports.run import CHUNK_ROWS, Run, Stopped
from footfall.replay.imports.sending import Sender
from footfall.replay.imports.telling import History, tell
from footfall.replay.imports.told_since import Under
from footfall.replay.imports.values import rfc_3339
from footfall.replay.job import Job, Rate
from footfall.settings import Settings

SOURCE_CHARS_MAX: Final = 100
#: Of rows that name no source: those of files.
SOURCE: Final = "import"
#: In the place of a registry: the archive's log had none.
NO_REGISTRY: Final = "none"
_ENDS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command was given."""

    files: tuple[str, ...]
    form: Format | None
    mapping_path: Path | None
    of_source: str | None
    archive_registry: str | None
    appended_since: int | None
    rejects_path: Path
    from_start: bool
    strict: bool
    show_sample: bool
    triggers_since: int | None
    selected: selection.Given
    plan_only: bool
    yes: bool
    as_json: bool
    rate_per_s: float | None


class Installation(NamedTuple):
    """What an import needs of the settings."""

    keys: CustomerKeys
    reserved: Reserved
    codecs: Codecs


def carry_out(settings: Settings, asked: Asked) -> bool:
    """Whether it did what was asked; raises what stood in the way."""
    place = _installation(settings)
    mapping = None if asked.mapping_path is None else mapping_reading.read(asked.mapping_path)
    journal = Journal(asked.rejects_path)
    name = _hash(mapping, asked)
    before = None if asked.from_start else journal.read(name)
    position = before or Position(run=_run_name(), asked=name)
    admission = _admission(settings, place, position.run, asked)
    files = _chosen(found(asked.files), asked)
    _fits(files, mapping, asked)
    plan = plan_of(files, asked.form, mapping, admission)
    admission.past.check()
    task = Job("import", yes=asked.yes, as_json=asked.as_json, plan_only=asked.plan_only)
    if not task.agreed(_shown(plan, asked, None if before is None else before.run)):
        return True
    bootstrap = options.bootstrap_of(settings)
    installed.check(bootstrap, place.keys, place.reserved, place.codecs.interaction)
    installed.refuse_own({file.part.log for file in files if file.part is not None}, bootstrap)
    if asked.triggers_since is not None:
        # All rows are folded again; the run's name stays, and with it the ids of what is told.
        position = msgspec.structs.replace(position, files={}, rejects_bytes=position.rejects_began)
    rejects = Rejects(asked.rejects_path, position.run,
                      None if before is None else position.rejects_bytes)
    if before is None:
        position = msgspec.structs.replace(position, rejects_began=rejects.size)
    for file, fault in plan.faults.items():
        if file not in plan.files:
            rejects.add(file, 0, fault.reason, fault.detail, b"")
    with task.progress("rows", plan.rows_about) as advance, _asked_to_end() as asks_end:
        rate = asked.rate_per_s
        run = Run(admission, Sender(bootstrap), rejects, journal, position, Rate(rate),
                  max(1, min(CHUNK_ROWS, round(rate or CHUNK_ROWS))), asks_end, advance,
                  None if asked.triggers_since is None else History())
        is_whole = _ran(run, plan, mapping)
    told = _told(run, settings, place, asked.triggers_since) if is_whole else None
    task.report(report_of(run, plan, told, rejects_path=asked.rejects_path, is_whole=is_whole,
                          as_json=asked.as_json))
    if not is_whole:
        raise FootfallError("asked to end; the same command goes on where it ended")
    journal.remove()
    imported = sum(tally.imported + tally.resumed for tally in run.tallies.values())
    return not rejects.counts or (imported > 0 and not asked.strict)


def _installation(settings: Settings) -> Installation:
    """Raises `SettingsError` for what is missing."""
    return Installation(*secrets_of(settings), codecs_for(settings.schema_registry_url))


def _admission(settings: Settings, place: Installation, run: str, asked: Asked) -> Admission:
    plan = plan_folder.read(Path(settings.plan_dir)) if settings.plan_dir else None
    chosen = asked.selected.selection(settings) if asked.selected.shown() else None
    given = Given(run, asked.of_source or SOURCE, _now(), settings.item_bytes_max, plan, chosen,
                  asked.appended_since or 0)
    codec = place.codecs.interaction
    past = None
    if asked.archive_registry is not None:
        url = "" if asked.archive_registry == NO_REGISTRY else asked.archive_registry
        past = Past(codecs_for(url).interaction, place.keys, place.reserved)
    return Admission(given, place.keys, place.reserved, codec, past)


def _chosen(files: Sequence[File], asked: Asked) -> Sequence[File]:
    """Files of archives that hold anything appended since then; raises where there is none."""
    since = asked.appended_since
    if since is None:
        return files
    if any(file.part is None for file in files):
        raise FootfallError("--appended-since: only records of an archive of Footfall say when "
                            "they were appended; --since is by when it happened")
    chosen = [file for file in files
              if file.part is not None and file.part.file.appended_to >= since]
    if not chosen:
        raise FootfallError("--appended-since: the archive has nothing that was appended since "
                            f"{rfc_3339(since)}")
    return chosen


def _fits(files: Sequence[File], mapping: Mapping | None, asked: Asked) -> None:
    """Raises `FootfallError` where something is said of an archive that its records say."""
    if not any(file.part is not None for file in files):
        return
    for option, value, why in (("--mapping", mapping, "say what they are"),
                               ("--format", asked.form, "are of the format of their file"),
                               ("--source", asked.of_source, "have their own sources")):
        if value is not None:
            raise FootfallError(f"{option}: the records of an archive of Footfall {why}; leave it "
                                "out, and import other files on their own")


def _shown(plan: Plan, asked: Asked, before: str | None) -> dict[str, Any]:
    """The plan as a job shows it; raises where there is nothing to do."""
    if not plan.files:
        name, fault = next(iter(plan.faults.items()))
        raise FootfallError(f"nothing can be imported: {name}: {fault}")
    shown = as_shown(plan, asked.rate_per_s, with_values=asked.show_sample)
    if not (asked.as_json and asked.plan_only):
        shown["items"] = "\n".join(shown["items"])
    if before is not None:
        shown = {"goes on with run": before, **shown}
    if asked.selected.shown():
        shown["selection"] = asked.selected.shown()
    if asked.appended_since is not None:
        shown["appended since"] = rfc_3339(asked.appended_since)
    if asked.triggers_since is not None:
        shown["sends triggers since"] = rfc_3339(asked.triggers_since)
    return shown


def _ran(run: Run, plan: Plan, mapping: Mapping | None) -> bool:
    """Whether the run came to its end."""
    try:
        run.files(plan.files, mapping)
    except Stopped:
        return False
    finally:
        run.rejects.close()
    return True


def _told(run: Run, settings: Settings, place: Installation, since: int | None
          ) -> Counter[str] | None:
    """Fold the history as it happened, under the configuration in force, and send what it tells."""
    if run.history is None or since is None:
        return None
    version = log_of(settings).read().highest
    under = Under(run.position.run, since, _now(), place.codecs, place.keys, place.reserved,
                  ConfigPayload(version.number, version.content))
    try:
        return tell(run.history, under, Sender(options.bootstrap_of(settings), TRIGGERS))
    finally:
        run.history.close()


def _hash(mapping: Mapping | None, asked: Asked) -> str:
    """Of all that decides what becomes of a row."""
    chosen = asked.selected
    said = msgspec.json.encode((mapping, asked.form, asked.of_source, asked.triggers_since is None,
                                chosen.shown(), chosen.customer, asked.appended_since),
                               order="deterministic")
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def _run_name() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _now() -> int:
    return time.time_ns() // 1_000_000


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
