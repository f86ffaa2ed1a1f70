"""Logs of one installation, archived and imported into the log of another, without a broker; and
the facts of two installations, to be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from footfall import tables
from footfall.admin.history import Entry
from footfall.errors import DecodeError, Rejected
from footfall.events.admit import CALLS
from footfall.events.customer_key import is_customer_key
from footfall.events.identifiers import identifiers
from footfall.events.interaction import DELIVERY, IMPORT, Interaction
from footfall.events.outcomes import is_activity
from footfall.replay.archive.manifest import Format
from footfall.replay.archive.target import Target, target_of
from footfall.replay.imports import files, reading
from footfall.replay.imports.admitting import Admission, Given, Ready
from footfall.replay.imports.past import Passed
from footfall.replay.imports.rows import Bad, Row
from footfall.tables import links
from footfall.tables.record import RecordCodec
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


def happened(place: Installation, entries: Iterable[Any]) -> dict[Any, tuple[Interaction, int]]:
    """(key, messageId or row) -> what steps saw of an interaction, and when it was to them: once,
    as it came first. What no worker takes is nothing.
    """
    found: dict[Any, tuple[Interaction, int]] = {}
    for entry in entries:
        if not is_customer_key(entry.key):
            continue
        try:
            event = place.codecs.interaction.decode(entry.value)
            at: Any = event["message_id"]
            if event["type"] == IMPORT:
                payload, event = place.reserved.read_import(event, entry.key)
                at = event["message_id"] if payload.logged else payload.row
            elif event["type"] == DELIVERY:
                event = place.reserved.read_delivery(event, entry.key)
                at = event["message_id"]
            elif event["type"] not in CALLS:
                continue
        except DecodeError:
            continue
        found.setdefault((entry.key, at), (event, min(event["event_time"], entry.timestamp)))
    return found


def groups_of(place: Installation, events: Mapping[Any, tuple[Interaction, int]]
              ) -> dict[bytes, bytes]:
    """Key -> one that stands for all whom any of these events connects."""
    above: dict[bytes, bytes] = {}

    def top(key: bytes) -> bytes:
        while above.setdefault(key, key) != key:
            key = above[key]
        return key

    for (key, _at), (event, _when) in events.items():
        named = [place.keys.of(kind, value) for kind, value in identifiers(event).items()]
        if event["type"] == "alias":
            before = msgspec.json.decode(event["personal"])["previousId"]
            named += [place.keys.of(kind, before) for kind in ("user_id", "anonymous_id")]
        for one in (key, *named):
            above[top(one)] = top(key)
    return {key: top(key) for key in above}


Facts = dict[tuple[bytes, str], bytes | None]


def facts(log: Log, groups: Mapping[bytes, bytes] | None = None) -> Facts:
    """(customer, table) -> facts as bytes, merged where several customers are of one group; None
    where a limit has cut any of them. What `links` decides is log order's.
    """
    records: dict[bytes, bytes] = {}
    for worker in log.workers:
        worker.fold.snapshot()
        records |= worker.fold.store
    return facts_in(records, groups or {})


def facts_in(records: Mapping[bytes, bytes], groups: Mapping[bytes, bytes]) -> Facts:
    """The same of encoded records."""
    codec = RecordCodec(tables.ALL)
    parts: list[tuple[bytes, AnyTable, Any]] = []
    for key, value in records.items():
        record = codec.decode(value)
        parts += [(groups.get(key, key), table, codec.row(table, record.rows[table.name]).facts)
                  for table in tables.ALL if table.name in record.rows]
    return _merged(parts)


def facts_from(events: Mapping[Any, tuple[Interaction, int]], groups: Mapping[bytes, bytes]
               ) -> Facts:
    """The same, made of events alone, by no fold."""
    found: dict[tuple[bytes, str], Any] = {}
    for (key, _at), (event, when) in events.items():
        for table in tables.ALL:
            if table.wants(event) and (is_activity(event) or not table.activity):
                at = groups.get(key, key), table.name
                found[at] = table.observe(found.get(at, table.facts()), event, when)
    by_name = {table.name: table for table in tables.ALL}
    return _merged([(key, by_name[name], one) for (key, name), one in found.items()])


def _merged(parts: Iterable[tuple[bytes, AnyTable, Any]]) -> Facts:
    found: dict[tuple[bytes, str], Any] = {}
    limited: set[tuple[bytes, str]] = set()
    nothing: set[tuple[bytes, str]] = set()
    for key, table, part in parts:
        if table.name == links.NAME:
            continue
        at = key, table.name
        found[at] = part if at not in found else table.merge_facts(found[at], part)
        if table.limited is not None and (table.limited(part) or table.limited(found[at])):
            limited.add(at)
        # Rows come and go with moves: one that says nothing is none.
        (nothing.add if found[at] == table.facts() else nothing.discard)(at)
    return {at: None if at in limited else _encode(one) for at, one in found.items()
            if at not in nothing}


def differing(one: Mapping[Any, bytes | None], other: Mapping[Any, bytes | None],
              limited_max: float = 0.5) -> list[Any]:
    """Where facts are not the same, of those that no limit has cut; these are most."""
    cut = {at for both in (one, other) for at, found in both.items() if found is None}
    assert len(cut) <= limited_max * len(one.keys() | other.keys()), cut
    return [at for at in (one.keys() | other.keys()) - cut if one.get(at) != other.get(at)]
