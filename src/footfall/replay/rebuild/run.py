"""One rebuild on a cluster: begun or gone on with, followed to the log's end, compared, sent over.

Decides what is refused: a log whose beginning is gone, unless that is accepted. Every step may be
broken off and begun again: what counts is in the shadow's changelog and in the log.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from footfall.admin.history import HistoryGapError
from footfall.admin.scan import Scanner, Span
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.events.topics import CHANGELOG
from footfall.replay.job import Rate
from footfall.replay.rebuild import cutover
from footfall.replay.rebuild.changelog import KafkaChangelog, read
from footfall.replay.rebuild.code import code_of
from footfall.replay.rebuild.compare import Comparison
from footfall.replay.rebuild.folding import CHECKPOINT_S, Folding
from footfall.replay.rebuild.shadow import Origin, Shadow, fresh, resumed
from footfall.replay.source import Source
from footfall.replay.together import Together
from footfall.stream.generations import Generations, topic_of
from footfall.tables.outputs import TRIGGER
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable, Output
from footfall.tables.stored import PartitionState

#: So little is left that the next look at the log's end is for what has come meanwhile.
CLOSE_RECORDS: Final = 2_000
#: Under load the end moves on; so often it is run after before that has to do.
PASSES_MAX: Final = 20
SAMPLE_S: Final = 2.0


class Installation(NamedTuple):
    """What a rebuild needs of an installation. `hot_records_max`: decoded in all partitions.
    `passed` is told of points at which tests end the process. `changelog`: the topic whose
    generations are meant; `fold_options`: of the folds (benchmarks read another schema).
    """

    bootstrap: str
    codecs: Codecs
    keys: CustomerKeys
    reserved: Reserved
    specs: Sequence[AnyTable]
    hot_records_max: int
    passed: Callable[[str], None] = lambda _point: None
    changelog: str = CHANGELOG
    fold_options: Mapping[str, Any] = {}


class Rebuild:
    """The shadow of one generation. `folded` is told how many more records were; `unmerges`: what
    is read in the place of the log's (`replay/unmerges.py`).
    """

    def __init__(self, installation: Installation, source: Source, generation: int, *,
                 accept_gap: bool = False, rate: Rate | None = None,
                 checkpoint_s: float = CHECKPOINT_S,
                 unmerges: Mapping[tuple[int, int], bytes] | None = None) -> None:
        self.generation = generation
        self.source = source
        #: What would be told, by name: nothing is.
        self.suppressed: Counter[str] = Counter()
        self._at = installation
        code = code_of(installation.specs)
        topic = self._topic = topic_of(generation, installation.changelog)
        spans = source.spans()
        with Scanner(installation.bootstrap) as scanner:
            written = scanner.spans(topic)
        origins = {
            n: _origin(read(installation.bootstrap, topic, n, written[n]), span, code)
            for n, span in spans.items()}
        origins = within(origins, spans, accept_gap=accept_gap)
        self.given_up = {n: o.given_up for n, o in origins.items() if o.given_up}
        together = Together(
            {n: origin.start for n, origin in origins.items()}, installation.specs,
            codecs=installation.codecs, keys=installation.keys, reserved=installation.reserved,
            keep_taken=True, told=self._told, replaced=unmerges, recorded_before=self.given_up,
            strangers=set() if self.given_up else None,
            hot_records_max=max(1, installation.hot_records_max // len(spans)),
            **installation.fold_options)
        self._shadow = Shadow(together, KafkaChangelog(
            installation.bootstrap, topic, written), origins, code, installation.passed)
        self.folding = Folding(self._shadow, source, generation, codecs=installation.codecs,
                               reserved=installation.reserved, rate=rate,
                               checkpoint_s=checkpoint_s)
        self.folding.begin(spans)
        self.together = together
        self._ends_before: dict[int, int] = {}

    @property
    def is_done(self) -> bool:
        """Whether its last checkpoint was written."""
        return len(self._shadow.done) == len(self.together.folds)

    @property
    def is_sent(self) -> bool:
        """Whether any partition has been sent over: then all have to be."""
        return bool(self.folding.stops)

    def behind(self) -> int:
        """Records that are left, as of now."""
        return self.folding.behind(self._ends())

    def follow(self, folded: Callable[[int], None] = lambda _records: None) -> None:
        """Fold on to the end of the log, and make it durable; `folded` is told how many more
        records were.
        """
        self.folding.folded = folded
        if not self.is_sent:
            self.folding.checkpoint()  # so that whoever goes on knows by which code it was begun
        for _pass in range(PASSES_MAX):
            ends = self._ends()
            is_near = self.folding.behind(ends) <= CLOSE_RECORDS
            self.folding.to(ends)
            if is_near:
                break
        if not self.is_sent:
            self.folding.checkpoint()

    def compare(self, shown_max: int) -> Comparison:
        """Against the live state as it is now."""
        found = Comparison(self._at.specs, shown_max)
        live_states = Generations(self._at.bootstrap, self._at.changelog)
        for number, fold in self.together.folds.items():
            live = asyncio.run(live_states.take([number]))[number]
            state = live.state or PartitionState()
            found.take(live.best, state.next_offset, fold.store, fold.next_offset)
        return found

    def cut_over(self) -> None:
        """Send every partition over that has not been, and make the state durable up to there."""
        if not self.is_sent:
            self.follow()  # comparing has taken its time, and they stand still for what is left
        left = [n for n in self.together.folds if n not in self.folding.stops]
        if left:
            sent = cutover.send(self._at.bootstrap, self.generation, left,
                                codecs=self._at.codecs, reserved=self._at.reserved)
            self.folding.to({n: sent[n].offset + 1 if n in sent else stop
                             for n, stop in {**dict.fromkeys(left, 0),
                                             **self.folding.stops}.items()})
        self._at.passed("after_cutover")
        with Scanner(self._at.bootstrap) as scanner:
            self._ends_before = {
                n: span.end for n, span in scanner.spans(self._topic).items()}
        self.folding.finish()

    def watch(self, seconds_max: float, seen: Callable[[int], None]) -> dict[int, float]:
        """Until the workers have gone over; only after `cut_over`."""
        return cutover.watch(self._at.bootstrap, self.generation, self.folding.stopped_at,
                             self._ends_before, seconds_max=seconds_max, seen=seen)

    def shown(self) -> dict[str, Any]:
        """For the report."""
        counts = self.together.counts
        return {
            "generation": self.generation, "topic": self._topic,
            "records": self.folding.records, "customers": self.together.customers,
            "rows_written": self._shadow.rows, "checkpoints": self._shadow.checkpoints,
            "handoffs": {"recomputed": counts["recomputed"], "recorded": counts["recorded"]
                         + counts["recorded_otherwise"]},
            "triggers_suppressed": dict(sorted(self.suppressed.items())),
            "log_given_up_before": {str(n): low for n, low in self.given_up.items()},
        }

    def _ends(self) -> dict[int, int]:
        return {n: span.end for n, span in self.source.spans().items()}

    def _told(self, _partition: int, outputs: list[Output]) -> None:
        for output in outputs:
            if output.kind == TRIGGER:
                self.suppressed[output.name] += 1


def _origin(best: Best, span: Span, code: int) -> Origin:
    if best.state is None and not best.store and not best.inflight:
        return fresh(span.low, code)
    return resumed(best, span.low, code)


def within(origins: Mapping[int, Origin], spans: Mapping[int, Span], *, accept_gap: bool
           ) -> dict[int, Origin]:
    """Raises `HistoryGapError` where the log does not hold what comes next, unless that is
    accepted: then each partition begins where its log does.
    """
    at = {n: 0 if origin.is_new else origin.start.state.next_offset
          for n, origin in origins.items() if not origin.is_done}
    gone = {n: (offset, spans[n].low) for n, offset in at.items() if offset < spans[n].low}
    if gone and not accept_gap:
        raise HistoryGapError(
            "the log does not reach back to where this begins: "
            + ", ".join(f"partition {n} begins at offset {low} ({begins} to {low - 1} are gone)"
                        for n, (begins, low) in sorted(gone.items()))
            + ". Name the archive that holds them (FOOTFALL_ARCHIVE_TARGET, docs/archive.md), or "
            "take what there is with --accept-gap: what customers did before is then not in the "
            "new state")
    found = dict(origins)
    for n, (_begins, low) in gone.items():
        start = origins[n].start
        state = msgspec.structs.replace(start.state, next_offset=low, last_offset=-1)
        found[n] = Origin(start._replace(state=state), low)
    return found


def records_a_second(installation: Installation, source: Source) -> float:
    """Of a short sample from the log's beginning, folded into nothing."""
    spans = source.spans()
    starts = {n: fresh(span.low, 0).start for n, span in spans.items()}
    together = Together(starts, installation.specs, codecs=installation.codecs,
                        keys=installation.keys, reserved=installation.reserved,
                        recorded_before={n: span.low for n, span in spans.items()},
                        strangers=set())
    source.seek({n: span.low for n, span in spans.items()})
    ends = {n: span.end for n, span in spans.items()}
    # Beginning to read takes its time: only what comes after the first records counts.
    began, done = 0.0, 0
    while (number := together.next(ends)) is not None:
        entries = source.take(number, ends[number])
        if not entries:
            together.folds[number].pass_gap(ends[number])
            continue
        began = began or time.monotonic()
        together.put(number, entries)
        done += together.run()
        if time.monotonic() - began > SAMPLE_S:
            break
    return done / max(time.monotonic() - began, 1e-3) if began else 0.0
