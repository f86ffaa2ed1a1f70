"""What imported customers would have been told, had their history come as it happened.

An import tells nobody; `--triggers-since` asks for what a worker would have told since an instant.
Decides that by a fold of its own, in memory: the rows in the order of their event times, each
appended when it happened, with a tick wherever a deadline came. So silences, sessions and waits are
those of then. What it tells carries the run in its ids and belongs to no other fold: the customers'
records know nothing of it, and a second run of the same name gives the same. Memory grows with the
customers, not with their rows. Must never read a clock nor send anything; what is told of before
the instant is dropped.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from footfall import tables
from footfall.admin.history import Entry
from footfall.errors import FootfallError
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import HANDOFF, TICK, Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload
from footfall.events.topics import INTERACTIONS
from footfall.tables.fold import Fold
from footfall.tables.outputs import REJECTED, TRIGGER, TRIGGER_ID_BYTES
from footfall.tables.spec import AnyTable, Output
from footfall.tables.stored import PartitionState

#: Records decoded at once; after twice as many the others are encoded.
_HOT_RECORDS_MAX: Final = 10_000


class DisorderError(FootfallError):
    """The rows are not in the order in which they happened."""


class Told(NamedTuple):
    """A trigger for `footfall.triggers`: its Kafka key and value."""

    key: bytes
    value: bytes


class Under(NamedTuple):
    """What the rows are folded under: the run's name, from when on (ms) its triggers are wanted, up
    to when time goes on, the installation's codecs and secrets, and the configuration in force.
    """

    run: str
    since_ms: int
    until_ms: int
    codecs: Codecs
    keys: CustomerKeys
    reserved: Reserved
    configuration: ConfigPayload
    tables: Sequence[AnyTable] = tables.ALL


def told_since(rows: Iterable[tuple[bytes, Interaction]], under: Under,
               counts: Counter[str] | None = None) -> Iterator[Told]:
    """The triggers of customers, of whom `rows` are (key, interaction) in the order of their event
    times. `counts` is given what became of rows and triggers: `rows`, `repeats` (of a messageId),
    `rejected`, `told`, `before` the instant asked for.
    """
    counts = Counter() if counts is None else counts
    past: _Past | None = None
    for key, event in rows:
        if past is None:
            past = _Past(event["event_time"], under)
        counts["rows"] += 1
        yield from _wanted(past.row(key, event), under, counts)
    if past is not None:
        yield from _wanted(past.until(under.until_ms), under, counts)
        counts["repeats"] = past.fold.counts["repeat", "message_id"]


class _Past:
    """One partition that holds everybody, and what comes back into its log."""

    def __init__(self, begin_ms: int, under: Under) -> None:
        configuration = under.configuration
        self._codec, self._reserved = under.codecs.interaction, under.reserved
        state = PartitionState(clock=begin_ms, config_number=configuration.number,
                               config_content=configuration.content)
        self.fold = Fold(0, under.tables, codecs=under.codecs, keys=under.keys,
                         reserved=under.reserved, topic=INTERACTIONS, state=state,
                         hot_records_max=_HOT_RECORDS_MAX)
        self._applied = 0

    def row(self, key: bytes, event: Interaction) -> Iterator[Output]:
        """What is told up to a row, and by it."""
        at = event["event_time"]
        if at < self.fold.clock:
            raise DisorderError(f"a row of {at} ms comes after the clock of the rows before it, "
                                f"{self.fold.clock} ms: sort rows by event time first")
        yield from self._deadlines(at)
        yield from self._apply(at, key, self._codec.encode(event))

    def until(self, at: int) -> Iterator[Output]:
        """What time alone tells up to an instant."""
        yield from self._deadlines(at)

    def _deadlines(self, before: int) -> Iterator[Output]:
        """A tick where a worker would have appended one, so that no deadline is found late."""
        while (due := self.fold.next_timer(before)) is not None:
            at = max(due + 1, self.fold.clock)
            yield from self._apply(at, TICK.encode(), self._codec.encode(self._reserved.tick(at)))

    def _apply(self, at: int, key: bytes, value: bytes) -> Iterator[Output]:
        """Fold a record and all that it moves, which comes back at once."""
        waiting = deque([(key, value)])
        while waiting:
            self.fold.apply(Entry(self.fold.next_offset, at, *waiting.popleft()))
            outputs, self.fold.outputs = self.fold.outputs, []
            for one in outputs:
                if one.kind == HANDOFF:
                    waiting.append((one.key, one.value))
                else:
                    yield one
        self._applied += 1
        if not self._applied % (2 * _HOT_RECORDS_MAX):
            self.fold.snapshot()  # lets go of decoded records


def _wanted(outputs: Iterable[Output], under: Under, counts: Counter[str]) -> Iterator[Told]:
    for one in outputs:
        if one.kind == REJECTED:
            counts["rejected"] += 1
        elif one.kind == TRIGGER:
            trigger = under.codecs.trigger.decode(one.value)
            if trigger["occurred_at"] < under.since_ms:
                counts["before"] += 1
                continue
            counts["told"] += 1
            trigger["trigger_id"] = id_of(under.run, trigger["trigger_id"])
            yield Told(one.key, under.codecs.trigger.encode(trigger))


def id_of(run: str, trigger_id: str) -> str:
    """The id of a trigger of a run: another than any worker gives."""
    named = msgspec.msgpack.encode((run, trigger_id))
    return hashlib.blake2b(named, digest_size=TRIGGER_ID_BYTES).hexdigest()
