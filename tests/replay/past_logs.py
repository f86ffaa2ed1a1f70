"""Logs of one installation, archived and imported into the log of another, without a broker; and
the facts of two installations, to be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from footfall.admin.history import Entry
from footfall.errors import DecodeError, Rejected
from footfall.events.identifiers import identifiers
from footfall.events.interaction import DELIVERY, IMPORT, Interaction
from footfall.replay.archive.manifest import Format
from footfall.replay.archive.target import Target, target_of
from footfall.replay.imports import files, reading
from footfall.replay.imports.admitting import Admission, Given, Ready
from footfall.replay.imports.past import Passed
from footfall.replay.imports.rows import Bad, Row
from footfall.tables import links
from footfall.tables.spec import AnyTable
from footfall.testing.log import Installation, Log
from tests.replay.kept import Kept, archived, limits

NOW = 1_795_428_000_000
_encode = msgspec.msgpack.Encoder(order="deterministic").encode

#: Of an import: what is appended, what was passed over, and what was rejected, with its place.
Made = tuple[list[Ready], list[str], list[tuple[str, str]]]


def archive(place: str | Path, log: Mapping[int, Sequence[Any]], kind: Format = "parquet",
            decode: Any = None) -> Target:
    """A log, archived in small files."""
    target = target_of(str(place))
    source = Kept({number: [Entry(*one) for one in some] for number, some in log.items()})
    more = {} if decode is None else {"decode": decode}
    archived(target, source, limits(kind), **more)
    return target


def admission(place: Installation, **given: Any) -> Admission:
    """What makes records of an import."""
    said = Given("run", "import", NOW, 32_768, None, None)._replace(**given)
    return Admission(said, place.keys, place.reserved, place.codecs.interaction)


def imported(name: str | Path, place: Installation, **given: Any) -> Made:
    """What an import makes of an archive."""
    making = admission(place, **given)
    made: Made = ([], [], [])
    for file in files.found([str(name)]):
        for row in reading.read(file, files.format_of(file), None):
            assert not isinstance(row, Row | Bad)
            one = making.of(row, b"")
            if isinstance(one, Ready):
                made[0].append(one)
            elif isinstance(one, Passed):
                made[1].append(one.kind)
            elif isinstance(one, Rejected):
                made[2].append((one.reason, one.detail.partition(":")[0]))
    return made


def into(log: Log, records: Iterable[Ready], at: int) -> None:
    """An importer appends records; workers fold after each few of them."""
    for _n, some in groupby(enumerate(records), lambda one: one[0] // 7):
        for _number, ready in some:
            log.append_bytes(ready.key, ready.value, at)
        log.run()


def together_of(log: Log) -> dict[bytes, bytes]:
    """Key -> one that stands for all whom any event of a log connects."""
    above: dict[bytes, bytes] = {}

    def top(key: bytes) -> bytes:
        while above.setdefault(key, key) != key:
            key = above[key]
        return key

    for entries in log.entries:
        for entry in entries:
            event = _seen(log.installation, entry)
            if event is None:
                continue
            key = entry.key or b""
            named = [log.installation.keys.of(kind, value)
                     for kind, value in identifiers(event).items()]
            for one in named:
                above[top(one)] = top(key)
    return {key: top(key) for key in above}


def facts(log: Log, groups: Mapping[bytes, bytes] | None = None
          ) -> dict[tuple[bytes, str], bytes | None]:
    """(customer, table) -> facts as bytes, merged where several customers are of one group; None
    where a limit has cut any of them. What `links` decides is log order's.
    """
    found: dict[tuple[bytes, str], Any] = {}
    limited = set()
    by_name = {table.name: table for table in log.specs}
    for worker in log.workers:
        worker.fold.snapshot()
    for key in [key for worker in log.workers for key in worker.fold.store]:
        for table in log.specs:
            row = log.fold_of(key).row(key, table.name)
            if row is None or table.name == links.NAME:
                continue
            at = (groups or {}).get(key, key), table.name
            found[at] = row.facts if at not in found else table.merge_facts(found[at], row.facts)
            if table.limited is not None and table.limited(row.facts):
                limited.add(at)
    limited |= {at for at, one in found.items()
                if (check := by_name[at[1]].limited) is not None and check(one)}
    return {at: None if at in limited else _encode(one) for at, one in found.items()
            if not _says_nothing(log.specs, at, one)}


def differing(one: Mapping[Any, bytes | None], other: Mapping[Any, bytes | None],
              limited_max: float = 0.5) -> list[Any]:
    """Where facts are not the same, of those that no limit has cut; these are most."""
    cut = {at for both in (one, other) for at, found in both.items() if found is None}
    assert len(cut) <= limited_max * len(one.keys() | other.keys()), cut
    return [at for at in (one.keys() | other.keys()) - cut if one.get(at) != other.get(at)]


def _says_nothing(specs: Sequence[AnyTable], at: tuple[bytes, str], found: Any) -> bool:
    """Whether these are the facts of one of whom nothing is known: rows come and go with moves."""
    (table,) = (one for one in specs if one.name == at[1])
    return bool(_encode(found) == _encode(table.facts()))


def _seen(place: Installation, entry: Any) -> Interaction | None:
    try:
        event = place.codecs.interaction.decode(entry.value)
        if event["type"] == IMPORT:
            return place.reserved.read_import(event, entry.key)[1]
    except DecodeError:
        return None
    return None if event["type"].startswith("$") and event["type"] != DELIVERY else event
