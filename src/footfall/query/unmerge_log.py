"""Reads the log for an unmerge, writes its record, and finds out whether it took effect.

Decides how far the log must reach back (to its first record, in every partition that holds one of
those concerned) and that the record is written only as of a log that has been read to its end.
Whether it took effect is known by folding on to it: a worker comes to the same (law 4). Must never
write twice without having looked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import Message, Producer

from footfall.admin.history import (
    Entry,
    History,
    HistoryGapError,
    Place,
    Relations,
    WidenedError,
)
from footfall.admin.scan import Scanner, Span
from footfall.admin.unmerge import Plan, plan, record_of, was_done
from footfall.errors import BrokerError, FootfallError
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.events.topics import INTERACTIONS
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import writing
from footfall.stream.partition import partition_of

ACKNOWLEDGED_S_MAX: Final = 30.0
#: Reading on because a record's cause lies beyond where its partition was read to.
CATCH_UP_S_MAX: Final = 60.0
#: Each time the customer did something between reading and writing.
ATTEMPTS_MAX: Final = 5
#: How often `progress` is told.
PROGRESS_RECORDS: Final = 100_000


class UnmergeLog:
    """The log of one cluster, for the customer of two identifiers."""

    def __init__(self, bootstrap: str, one: bytes, other: bytes, *, keys: CustomerKeys,
                 reserved: Reserved, codecs: Codecs,
                 progress: Callable[[str, int], None] = lambda _what, _records: None) -> None:
        self._bootstrap = bootstrap
        self._asked = (one, other)
        self._keys = keys
        self._reserved = reserved
        self._codecs = codecs
        self._progress = progress
        self._ends: dict[int, int] = {}
        self._history: History | None = None

    def plan(self) -> Plan:
        """What the unmerge would do, as of the log's end."""
        with Scanner(self._bootstrap) as scanner:
            if self._history is None:
                self._history = self._read(scanner)
            else:
                self._read_on(scanner, self._history)
        return plan(self._history, *self._asked, self._keys)

    def carry_out(self, shown: Plan) -> Place:
        """Write the record, again where the customer did something meanwhile; gives its place.
        Raises `FootfallError` where what would leave is no longer what was shown.
        """
        for _attempt in range(ATTEMPTS_MAX):
            wanted = self.plan()
            if (wanted.root, wanted.leaves.keys) != (shown.root, shown.leaves.keys):
                raise FootfallError("the customer has other identifiers by now than were shown: "
                                    "nothing was changed; run the command again")
            history = self._history
            assert history is not None
            value = record_of(history, wanted, time.time_ns() // 1_000_000,
                              codecs=self._codecs, reserved=self._reserved)
            place = self._write(wanted.root, value)
            with Scanner(self._bootstrap) as scanner:
                self._read_on(scanner, history)
            if was_done(history, wanted, place):
                return place
        raise FootfallError(f"the customer did something each of {ATTEMPTS_MAX} times between "
                            "reading and writing: nothing was changed; try again when it is quiet")

    # -- reading -------------------------------------------------------------------------------

    def _read(self, scanner: Scanner) -> History:
        """The whole log, once for who has to do with whom, once for what they did."""
        spans = scanner.spans(INTERACTIONS)
        relations = Relations(self._codecs, self._reserved)
        for n, message in enumerate(scanner.records(INTERACTIONS, None, spans)):
            relations.take(message.key(), message.value())
            self._tell("who belongs together", n)
        followed = relations.of(self._asked)
        while True:
            check_reach(followed, spans)
            history = History(followed, {p: span.low for p, span in spans.items()},
                              codecs=self._codecs, keys=self._keys, reserved=self._reserved)
            self._ends = {p: span.low for p, span in spans.items()}
            try:
                self._read_on(scanner, history)
            except WidenedError as error:  # by a record that has come since
                followed |= relations.of(error.args)
                continue
            root = history.root(self._asked[0])
            owned = {link.key for link in history.told(root).owned}
            if owned <= followed:
                return history
            followed |= relations.of(owned)  # claimed, and not yet come

    def _read_on(self, scanner: Scanner, history: History) -> None:
        """What was appended since, until the cause of all that was read has been read, too."""
        deadline = time.monotonic() + CATCH_UP_S_MAX
        while True:
            spans = {p: Span(self._ends[p], span.end)
                     for p, span in scanner.spans(INTERACTIONS).items() if p in self._ends}
            for n, message in enumerate(scanner.records(INTERACTIONS, None, spans)):
                _kind, appended_at = message.timestamp()
                history.take(message.partition(), Entry(
                    message.offset(), appended_at, message.key(), message.value()))
                self._tell("what they did", n)
                if n % PROGRESS_RECORDS == 0:
                    history.run()
            self._ends = {p: span.end for p, span in spans.items()}
            if history.run():
                return
            if time.monotonic() > deadline:
                raise BrokerError("the log holds records whose causes it does not hold yet; is a "
                                  "broker down?")

    def _tell(self, what: str, n: int) -> None:
        if n % PROGRESS_RECORDS == PROGRESS_RECORDS - 1:
            self._progress(what, n + 1)

    # -- writing -------------------------------------------------------------------------------

    def _write(self, key: bytes, value: bytes) -> Place:
        """One record, acknowledged by all replicas."""
        producer = Producer({
            **confluent(self._bootstrap), "acks": "all", "enable.idempotence": True,
            "log_level": 0, "error_cb": lambda _error: None, "linger.ms": 0,
            "message.timeout.ms": round(ACKNOWLEDGED_S_MAX * 1000),
        })
        answer: list[tuple[object, Message]] = []
        with writing(INTERACTIONS):
            producer.produce(INTERACTIONS, value, key, partition_of(key, len(self._ends)),
                             on_delivery=lambda error, message: answer.append((error, message)))
            producer.flush(ACKNOWLEDGED_S_MAX + 5)
        if not answer or answer[0][0] is not None:
            why = answer[0][0] if answer else "no answer"
            raise BrokerError(f"the record was not acknowledged ({why}): run the command again, "
                              "it finds out whether it is there")
        return answer[0][1].partition(), answer[0][1].offset()


def check_reach(followed: set[bytes], spans: dict[int, Span]) -> None:
    """Raises `HistoryGapError` where the log has lost what those concerned may have done."""
    of = {partition_of(key, len(spans)) for key in followed}
    lost = {p: span.low for p, span in spans.items() if p in of and span.low > 0}
    if lost:
        raise HistoryGapError(
            "the log does not reach back to the first record of either side: "
            + ", ".join(f"partition {p} begins at offset {low} (0 to {low - 1} are gone)"
                        for p, low in sorted(lost.items()))
            + ". What is gone cannot be given to one side; put it back from an archive first")
