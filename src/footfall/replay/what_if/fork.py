"""The fold of what might have been, from where the window begins; all partitions of it.

Two ways of it. `AsRecorded`: handoffs come where the log has them, with what the fork's own senders
had in them (law 5). `Delivered`, where settings of identity differ: the log's handoffs mean
nothing, each that the fork sends comes at once, in one order of all partitions by time; records get
numbers of their own, so nothing is claimed byte for byte, and an `$unmerge`, which names a place in
the log, does nothing.
Both are told when the log was silent: then the fork's own deadlines come as ticks would have made
them come, but none after one that the log itself let pass. Sends nothing: what is told is handed
out.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from footfall.admin.history import Entry
from footfall.events.interaction import CONFIG, HANDOFF, TYPE_AT, UNMERGE, type_bytes
from footfall.events.reserved_row import ConfigPayload
from footfall.replay.together import EVERY_GENERATION, Start, Together
from footfall.replay.what_if.machine import Machine, hot_records_max
from footfall.stream.partition import partition_of
from footfall.tables.fold import Fold
from footfall.tables.spec import Output

#: As often as a worker asks for a tick: shorter silences have none.
TICK_INTERVAL_MS: Final = 200
_HANDOFF: Final = type_bytes(HANDOFF)
_UNMERGE: Final = type_bytes(UNMERGE)
CONFIG_KEY: Final = CONFIG.encode()

Told = Callable[[int, list[Output]], None]


class Fork(Protocol):
    """What goes beside the recorded fold."""

    folds: Mapping[int, Fold]
    #: Deadlines that came in a silence of the log.
    woken: int
    #: Of unmerges that did nothing here.
    unmerges: int

    def put(self, number: int, entries: Sequence[Entry], slept_at: float) -> None:
        """More records of a partition, in order, silence before none but the first. `slept_at`: the
        deadline that the log let pass in that silence (ms); infinite: none.
        """
        ...

    def run(self, until: float) -> None:
        """Fold what was put; before the instant `until` (ms) nothing more will be put."""
        ...


def gap_of(fold: Fold) -> int:
    """How long a silence (ms) must be for a deadline in it to be taken for long past."""
    return max(TICK_INTERVAL_MS, fold.config.late_ms)


def wake(fold: Fold, entry: Entry, slept_at: float) -> int:
    """Let deadlines come that lie in the silence before a record; how often that was."""
    gap_ms = gap_of(fold)
    if entry.timestamp - fold.clock <= gap_ms:
        return 0
    until = min(entry.timestamp - gap_ms, slept_at)
    woken = 0
    while (due := fold.next_timer(int(until))) is not None:
        fold.pass_time(due + 1, entry)
        woken += 1
    return woken


class AsRecorded:
    """The fork whose customers move as the log says. Configurations of the log mean nothing."""

    unmerges = 0

    def __init__(self, together: Together, machine: Machine) -> None:
        self._together = together
        self._no_config = no_config(machine)
        self.folds: Mapping[int, Fold] = together.folds
        self.woken = 0

    def put(self, number: int, entries: Sequence[Entry], slept_at: float) -> None:
        """More records: the recorded fold has none waiting, so this one has none."""
        self.woken += wake(self.folds[number], entries[0], slept_at)
        self._together.put(number, (one if one.key != CONFIG_KEY
                                    else one._replace(value=self._no_config) for one in entries))

    def run(self, _until: float) -> None:
        """Fold as far as causes are known."""
        self._together.run()


class Delivered:
    """The fork whose customers move as it says itself."""

    def __init__(self, starts: Mapping[int, Start], machine: Machine, told: Told) -> None:
        self._told = told
        self._partitions = len(starts)
        self._no_config = no_config(machine)
        self.folds: Mapping[int, Fold] = {
            number: Fold(number, machine.tables, codecs=machine.codecs, keys=machine.keys,
                         reserved=machine.reserved, topic="what-if", state=start.state,
                         best=start.best, generation=EVERY_GENERATION,
                         hot_records_max=hot_records_max(len(starts)))
            for number, start in starts.items()}
        self._waiting: dict[int, deque[tuple[Entry, float]]] = {p: deque() for p in starts}
        #: (partition, record) of handoffs that were sent and have not come.
        self._mail: deque[tuple[int, Entry]] = deque()
        self.woken = 0
        self.unmerges = 0
        for number, start in starts.items():
            clock = self.folds[number].clock
            for place in sorted(start.inflight, key=lambda place: place[1:]):
                self._mail.append((number, Entry(0, clock, place[0], start.inflight[place])))
        self._deliver()

    def put(self, number: int, entries: Sequence[Entry], slept_at: float) -> None:
        """More records; nothing of it is folded before `run`."""
        waiting = self._waiting[number]
        for n, entry in enumerate(entries):
            value = entry.value or b""
            if value.startswith(_UNMERGE, TYPE_AT):
                self.unmerges += 1
            if entry.key == CONFIG_KEY or value.startswith((_HANDOFF, _UNMERGE), TYPE_AT):
                # It moves the clock and does nothing.
                entry = entry._replace(key=CONFIG_KEY, value=self._no_config)  # noqa: PLW2901
            waiting.append((entry, math.inf if n else slept_at))

    def run(self, until: float) -> None:
        """Fold all partitions in the order of time, up to before `until`."""
        while True:
            ready = [(of[0][0].timestamp, number) for number, of in self._waiting.items() if of]
            if not ready:
                return
            at, number = min(ready)
            if at >= until:
                return
            waiting = self._waiting[number]
            others = min((at for at, other in ready if other != number), default=math.inf)
            while waiting and waiting[0][0].timestamp < until and (
                    waiting[0][0].timestamp <= others):
                entry, slept_at = waiting.popleft()
                self._apply(number, entry, slept_at)
                if self._mail:
                    self._deliver()

    def _apply(self, number: int, entry: Entry, slept_at: float) -> None:
        fold = self.folds[number]
        entry = entry._replace(offset=fold.next_offset)
        self.woken += wake(fold, entry, slept_at)
        fold.apply(entry)
        if not fold.outputs:
            return
        outputs, fold.outputs = fold.outputs, []
        said = []
        for output in outputs:
            if output.kind == HANDOFF:
                to = partition_of(output.key, self._partitions)
                self._mail.append((to, Entry(0, fold.clock, output.key, output.value)))
            else:
                said.append(output)
        if said:
            self._told(number, said)

    def _deliver(self) -> None:
        while self._mail:
            number, entry = self._mail.popleft()
            waiting = self._waiting[number]
            self._apply(number, entry, waiting[0][1] if waiting else math.inf)


def no_config(machine: Machine) -> bytes:
    """A record that no fold heeds."""
    return machine.codecs.interaction.encode(
        machine.reserved.config(ConfigPayload(0, b"{}"), 0))
