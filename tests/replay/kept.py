"""A log in memory as a `Source`, of which retention may take the beginning; archives of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.reserved_row import ImportPayload
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.manifest import Format, Identity
from footfall.replay.archive.running import Manner, Run
from footfall.replay.archive.target import Target
from footfall.replay.archive.writer import Limits, Writer, resumed
from footfall.testing.log import Installation

INSTALLATION = Installation.of(b"a secret of thirty-two bytes for it",
                               b"another of thirty-two bytes for it")
#: 23:59:00 UTC: a day ends a minute later.
START_MS = 1_770_076_740_000
LOG = Identity(topic="footfall.interactions", topic_id="t1", cluster_id="c1", partitions=3)
SMALL = Limits("parquet", 65_536, 3600)


class Kept:
    """The log; `lows` and `ends` are what a broker would say."""

    def __init__(self, entries: Mapping[int, Sequence[Entry]], slices: int = 7) -> None:
        self.entries = {number: list(some) for number, some in entries.items()}
        self.lows = {number: some[0].offset if some else 0 for number, some in entries.items()}
        self.ends = {number: some[-1].offset + 1 if some else 0
                     for number, some in entries.items()}
        self._slices = slices
        self._at: dict[int, int] = {}

    def spans(self) -> dict[int, Span]:
        return {number: Span(self.lows[number], self.ends[number]) for number in self.entries}

    def seek(self, starts: Mapping[int, int]) -> None:
        for number, at in starts.items():
            assert self.lows[number] <= at <= self.ends[number], (number, at)
        self._at = dict(starts)

    def take(self, partition: int, end: int) -> list[Entry]:
        at = self._at[partition]
        found = [entry for entry in self.entries[partition] if at <= entry.offset < end]
        found = found[: self._slices]
        self._at[partition] = found[-1].offset + 1 if found else max(at, end)
        return found

    def close(self) -> None:
        pass


def item(dice: random.Random, n: int) -> dict[str, Any]:
    """A tracking call with text that is not ASCII."""
    return {"type": "track", "event": dice.choice(["Product Added", "Köfte bestellt"]),
            "messageId": f"m{n}", "userId": f"u{dice.randrange(40)}",
            "properties": {"product_id": "p", "note": dice.choice(["", "ж" * 50, "{\"x\"", "\0"]),
                           "price": "5", "total": "7", "currency": "EUR", "quantity": 1}}


def records(count: int, seed: int = 1, start: int = 0, step_ms: int = 900) -> list[Entry]:
    """Records of one partition: interactions, imported ones, ticks and what is no record, over
    midnight, with offsets missing as control records leave them.
    """
    dice = random.Random(seed)
    found = []
    offset, at = start, START_MS
    for n in range(count):
        at += dice.randrange(step_ms)
        kind = dice.random()
        if kind < 0.8:
            admitted = admit(msgspec.json.encode(item(dice, n)), n, Arrival("shop", at, "shop"),
                             INSTALLATION.keys)
            assert not isinstance(admitted, Rejected), admitted
            event = admitted.event
            if kind < 0.1:
                row = ImportPayload("run", dice.randbytes(16))
                event = INSTALLATION.reserved.imported(admitted.key, event, row, at)
            value = INSTALLATION.codecs.interaction.encode(event)
            found.append(Entry(offset, at, admitted.key, value))
        elif kind < 0.9:
            tick = INSTALLATION.codecs.interaction.encode(INSTALLATION.reserved.tick(at))
            found.append(Entry(offset, at, b"$tick", tick))
        else:
            found.append(Entry(offset, at, dice.choice([None, b"", b"\xff\x00k", b"text"]),
                               dice.choice([None, b"", b"\x00", dice.randbytes(40)])))
        offset += 1 if dice.random() < 0.9 else dice.randrange(2, 5)
    return found


def log(count: int = 300, seed: int = 1) -> dict[int, list[Entry]]:
    """Three partitions, of which the last is empty."""
    return {0: records(count, seed), 1: records(count // 3, seed + 1, start=5), 2: []}


def archived(target: Target, source: Kept, limits: Limits = SMALL, *, accept_gap: bool = False,
             decode: Any = INSTALLATION.codecs.interaction.decode) -> Catalog:
    """One run up to the log's end, from the manifest alone."""
    target.take_over()
    try:
        return _archived(Catalog(target), source, limits, accept_gap, decode)
    finally:
        target.give_up()


def _archived(catalog: Catalog, source: Kept, limits: Limits, accept_gap: bool, decode: Any
              ) -> Catalog:
    catalog.begin(LOG)
    known = resumed(catalog)
    spans = source.spans()
    starts = {n: known[n][0] if n in known else span.low for n, span in spans.items()}
    writer = Writer(catalog, decode, limits, starts)
    run = Run(source, writer, known, threading.Event(), Manner(accept_gap))
    run.begin(spans)
    run.once(spans)
    return catalog


def limits(kind: Format = "parquet", bytes_max: int = 65_536) -> Limits:
    return Limits(kind, bytes_max, 3600)


def drained(source: Any, starts: Mapping[int, int] | None = None) -> dict[int, list[Entry]]:
    """All that a source has, read in turn from its partitions."""
    spans = source.spans()
    starts = {number: span.low for number, span in spans.items()} if starts is None else starts
    source.seek(starts)
    found: dict[int, list[Entry]] = {number: [] for number in starts}
    left = set(starts)
    while left:
        for number in sorted(left):
            some = source.take(number, spans[number].end)
            if not some:
                left.discard(number)
            found[number] += some
    return found
