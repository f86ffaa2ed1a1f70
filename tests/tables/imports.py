"""Imports in tests: rows of a file, appended to the log as an importer would."""

from __future__ import annotations

from hashlib import blake2b

from footfall.events.interaction import HANDOFF, IMPORT, Interaction
from footfall.events.reserved_row import ROW_BYTES, ImportPayload
from footfall.tables.outputs import TRIGGER
from footfall.tables.spec import Output
from footfall.testing.log import Entry
from tests.tables.log import Log
from tests.tables.logs import ANNA, CODECS, RESERVED


def row_of(event: Interaction) -> bytes:
    """A row's id: these tests have no two rows of one messageId."""
    return blake2b(event["message_id"].encode(), digest_size=ROW_BYTES).digest()


def imported(key: bytes, event: Interaction, at: int, run: str = "run") -> Interaction:
    """A record of an import."""
    return RESERVED.imported(key, event, ImportPayload(run, row_of(event)), at)


def of_another_log(key: bytes, event: Interaction, at: int) -> Interaction:
    """A record of the import of an archive: known by its messageId."""
    return RESERVED.imported(key, event, ImportPayload("run", bytes(ROW_BYTES), logged=True), at)


def append(log: Log, event: Interaction, at: int, key: bytes = ANNA, run: str = "run") -> None:
    """An importer sends a row. The clock has come there before, so that no timer fires with it."""
    log.tick(at)
    log.append(key, imported(key, event, at, run), at)
    log.run()


def is_muted(entry: Entry) -> bool:
    """Whether a record of the log is an import, or was caused by one."""
    event = CODECS.interaction.decode(entry.value)
    return event["type"] == IMPORT or (
        event["type"] == HANDOFF and RESERVED.read_handoff(event, entry.key or b"").muted)


def told_by_imports(log: Log) -> list[Output]:
    """Triggers that came with imports, and with what they moved: there must be none."""
    found: list[Output] = []
    again = Log(log.specs, entries=log.entries)
    for worker, entries in zip(again.workers, log.entries, strict=True):
        for entry in entries:
            worker.fold.apply(entry)
            if is_muted(entry):
                found += [one for one in worker.fold.outputs if one.kind == TRIGGER]
            worker.fold.outputs.clear()
    return found
