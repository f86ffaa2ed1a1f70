"""Appends what an administrator decides to footfall.deliveries, and waits for the broker's word.

Decides the pace, and that nothing counts as done before all replicas have it. What is not
acknowledged is told as such: every command that appends may be run again, for it finds out what is
there already. Must never write anything but to the partition named.
"""

from __future__ import annotations

import time
from typing import NoReturn

from confluent_kafka import Producer

from footfall.errors import BrokerError
from footfall.events.topics import DELIVERIES
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import writing

ACKNOWLEDGED_S_MAX = 30.0
_WAIT_S = 0.1


class Appender:
    """Appends records, at most `rate_per_s` of them a second (0: as fast as the broker takes
    them).
    """

    def __init__(self, bootstrap: str, rate_per_s: float = 0) -> None:
        self._producer = Producer({
            **confluent(bootstrap), "acks": "all", "enable.idempotence": True,
            "log_level": 0, "error_cb": lambda _error: None, "linger.ms": 5,
            "message.timeout.ms": round(ACKNOWLEDGED_S_MAX * 1000),
        })
        self._every_s = 1 / rate_per_s if rate_per_s else 0.0
        self._next = time.monotonic()
        self._said = ""
        self.sent = 0
        self.acknowledged = 0

    def add(self, partition: int, key: bytes, value: bytes) -> None:
        """One record; raises `BrokerError` as soon as one was not taken."""
        self._pace()
        while True:
            try:
                with writing(DELIVERIES):
                    self._producer.produce(
                        DELIVERIES, value, key, partition, on_delivery=self._report)
                break
            except BufferError:
                self._producer.poll(_WAIT_S)
        self.sent += 1
        with writing(DELIVERIES):
            self._producer.poll(0)
        if self._said:
            self._fail()

    def finish(self) -> None:
        """Wait until all are acknowledged; raises `BrokerError` where some are not."""
        with writing(DELIVERIES):
            self._producer.flush(ACKNOWLEDGED_S_MAX + 5)
        if self.acknowledged < self.sent:
            self._fail()

    def _pace(self) -> None:
        if not self._every_s:
            return
        while (wait := self._next - time.monotonic()) > 0:
            self._producer.poll(min(wait, _WAIT_S))
        # Never faster afterwards because it was slower for a while.
        self._next = max(self._next + self._every_s, time.monotonic() - self._every_s)

    def _report(self, error: object, _message: object) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self._said = str(error)

    def _fail(self) -> NoReturn:
        raise BrokerError(
            f"{self.sent - self.acknowledged} of {self.sent} records were not acknowledged "
            f"({self._said or 'no answer'}): run the command again, it goes on with what is not "
            "there")
