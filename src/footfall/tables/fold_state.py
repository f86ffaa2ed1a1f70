"""What a fold is made of: the state of one partition, and what it needs at hand.

Decides what each event needs of the configuration in force and of each table under it. Must never
change a customer: what does is in the classes that extend this one, each in a file of its own, from
`fold_steps.py` (one step) over `fold_timers.py` (what time brings) and `fold_handoffs.py` (what
others send) to `fold.py` (the log), which alone is for others to import.
Decided on 2026-11-26: a chain of classes, not parts that hold each other, for all of them move this
one state with each event. Compiled, what is inherited costs no more than what is in the same file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from footfall.errors import StateRefused
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys, is_customer_key
from footfall.events.interaction import Interaction
from footfall.events.reserved import Reserved
from footfall.tables import consent_gate, links, timers
from footfall.tables.config import config_of
from footfall.tables.linking import Linking
from footfall.tables.outputs import Outputs
from footfall.tables.records import Best, Records
from footfall.tables.rules_book import RULES, SEGMENTS
from footfall.tables.ruling import ruling_of
from footfall.tables.schedules import NEVER, Due
from footfall.tables.spec import AnyTable, Output
from footfall.tables.step import Step
from footfall.tables.stored import PartitionState, read_inflight


class LogRecord(Protocol):
    """What the fold needs of a Kafka record; `timestamp` is the log-append time in ms."""

    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102


class FoldState:
    """The state of one partition.

    `best` is what was recovered; the fold takes its contents over.
    `decode` and `is_key` may replace the codec of the log (benchmarks read another schema).
    `generation` is that of the changelog which holds this state.
    `counted`: names of tracked events, squeezed, and what each is counted as (`take_counted`).
    `passed` is told when a timer or a handoff is on its way (tests end the process there).
    """

    def __init__(
        self,
        partition: int,
        tables: Sequence[AnyTable],
        *,
        codecs: Codecs,
        keys: CustomerKeys,
        reserved: Reserved,
        topic: str,
        state: PartitionState | None = None,
        best: Best | None = None,
        decode: Callable[[bytes | None], Interaction] | None = None,
        is_key: Callable[[bytes | None], bool] = is_customer_key,
        hot_records_max: int = 100_000,
        generation: int = 1,
        counted: dict[str, str] | None = None,
        passed: Callable[[str], None] = lambda _point: None,
    ) -> None:
        state = state or PartitionState()
        self.partition = partition
        self.tables = sorted(tables, key=lambda t: t.name)
        best = best or Best()
        self.records = Records(self.tables, best, is_key, hot_records_max)
        self.clock = state.clock
        self.next_offset = state.next_offset
        self.config = config_of(self.tables, state.config_number, state.config_content)
        self.outputs: list[Output] = []
        #: The generation in which this partition goes on: nothing more is applied here.
        self.moving = 0

        self._codec = self.records.codec
        self._counts: Counter[tuple[str, str]] = Counter()
        #: Those of type "processed", apart: they are counted with each event.
        self._processed: dict[str, int] = {}
        self._names = counted or {}
        #: Of these, those since the last snapshot.
        self._named: dict[str, int] = {}
        self._encode = Outputs(codecs, reserved, topic, partition)
        self._decode = decode or codecs.interaction.decode
        self._hash = keys.message_hash
        self._hash_row = keys.row_hash
        self._key_of = keys.of
        self._fingerprint = keys.fingerprint
        self._reserved = reserved
        self._passed = passed
        self._state = state
        self._last: LogRecord | None = None
        self._lay_out()
        self._ids = next((t for t in self.tables if t.ids is not None), None)
        self._generation = generation
        #: What handoffs hold that were sent under a state which has been made anew since.
        self._inflight = dict(read_inflight(key, value) for key, value in best.inflight.items())
        self._handoffs: Counter[bytes] = Counter()
        self._fired_own: bytes | None = None
        #: Whether an import caused what is being done: it is told to nobody.
        self._muted = False
        self._timers = timers.Timers(best.wakes)
        #: Whether the last record's unit has timers left: the fold stands between two instants.
        self.open = False
        self._stepped: set[bytes] = set()
        #: Schedules that are being looked at, and the customers who are left.
        self._due: Due | None = None
        self._due_keys: list[bytes] = []
        self._fired_left = 0  # whose timers may still fire; each call of `apply_all` says it

    def _lay_out(self) -> None:
        """What each event needs of the configuration in force, and of each table under it."""
        self._late_ms = self.config.late_ms
        self._grace_ms = self.config.grace_ms
        self._steps = [Step(self._codec.rows[t.name], self.config.sections[t.name],
                            self.config.bound.get(t.name)) for t in self.tables]
        self._by_name = {step.name: step for step in self._steps}
        step = self._by_name.get(links.NAME)
        self._linking: Linking | None = None
        if step is not None:
            self._steps.remove(step)  # it takes letters, never events
            self._linking = Linking(step, self._key_of)
        # They take no events: they are looked at after all others.
        self._last_steps = [one for one in self._steps if one.name in (SEGMENTS, RULES)]
        self._steps = [one for one in self._steps if one not in self._last_steps]
        #: Those of an event in which the customer did nothing.
        self._passive_steps = [one for one in self._steps if not one.table.activity]
        self._ruling = ruling_of(self._by_name, self.config.book)
        ruling = self._ruling
        self._schedules = None if ruling is None else ruling.schedules(self.clock)
        self._scheduled_at = NEVER if self._schedules is None else self._schedules.next
        self._gate = consent_gate.gate_of(self._steps)

    def _known(self, name: str) -> Step:
        step = self._by_name.get(name)
        if step is None:
            raise StateRefused(f"rows of table {name!r} are here, which this code does not know: "
                               "run the newer Footfall that wrote them")
        return step

    def _reject(self, reason: str, detail: str) -> None:
        entry = self._last
        assert entry is not None
        self.outputs.append(self._encode.rejected(
            entry.offset, entry.timestamp, entry.value, reason, detail))
        self._counts["rejected", reason] += 1
