"""Compares the served view, as it is read over HTTP, with the tables, as the changelog has them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping

import msgspec

from footfall import tables
from footfall.tables.config import Config
from footfall.tables.record import RecordCodec
from footfall.tables.stored import PartitionState
from footfall.view.document import Held, document
from footfall.view.served import Served
from footfall.view.store import Store

#: Of the comparison: long after everything.
LATER_MS = 3_600_000
TOGETHER = 100
_NAMES = frozenset(table.name for table in tables.ALL)
_codec = RecordCodec(tables.ALL)


def now() -> int:
    return time.time_ns() // 1_000_000


async def differences(url: str, records: Mapping[int, Mapping[bytes, bytes]],
                      states: Mapping[int, PartitionState]) -> list[bytes]:
    """The customers whose served document is not that of their record, or who are not served; and
    those who are served and have no record.
    """
    at = now() + LATER_MS
    store = Store(url)
    served = Served(store, tables.ALL, len(records))
    assert await served.is_whole(), "a partition is not in the view"
    found: list[bytes] = []
    known: set[bytes] = set()
    for number, store_of in records.items():
        state = states.get(number, PartitionState())
        config = Config(tables.ALL, state.config_number, state.config_content)
        for some in _batches(list(store_of.items())):
            known.update(key for key, _ in some)
            seen = await asyncio.gather(*(served.get(key, _NAMES) for key, _ in some))
            for (key, data), shown in zip(some, seen, strict=True):
                held = _held(data, number, state, config)
                if shown is None or _plain(key, shown.held, at) != _plain(key, held, at):
                    found.append(key)
    async for some in store.heads():
        found += [key for key, _ in some if key not in known]
    await store.close()
    return found


def _batches(items: list[tuple[bytes, bytes]]) -> Iterator[list[tuple[bytes, bytes]]]:
    for at in range(0, len(items), TOGETHER):
        yield items[at : at + TOGETHER]


def _held(data: bytes, number: int, state: PartitionState, config: Config) -> Held:
    record = _codec.decode(data)
    rows = {t.name: _codec.row(t, record.rows[t.name])
            for t in tables.ALL if t.name in record.rows}
    return Held(record, rows, number, state.clock, config, None)


def _plain(key: bytes, held: Held, at: int) -> bytes:
    shown = document(key, held._replace(behind_records=None), tables.ALL, at)
    return msgspec.json.encode(shown, order="sorted")
