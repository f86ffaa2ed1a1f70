"""Numbered interactions of made-up customers, and the loader that writes them to the log."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar

from confluent_kafka import Producer

from footfall.events.interaction import Interaction
from footfall.events.topics import INTERACTIONS
from footfall.tables.cart_operations import wants
from tests.tables import events
from tests.tables.logs import CODECS, KEYS, RESERVED

FLUSH_S_MAX = 120.0
SLICE_S = 0.05


class Shop:
    """Makes the interactions of one seed: late ones, repeated ones, poison, all mixed."""

    def __init__(self, seed: int, customers: int, poison: float = 0.004) -> None:
        self._random = random.Random(seed)
        self._keys = [KEYS.of("user_id", f"customer-{n}") for n in range(customers)]
        self._recent: deque[tuple[bytes, Interaction]] = deque(maxlen=50)
        self._poison = poison
        self.made = 0

    def records(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the next ones; times are those of the moment each is taken."""
        for _ in range(count):
            self.made += 1
            kind = self._random.random()
            key = self._random.choice(self._keys)
            if kind < self._poison:
                yield self._spoilt(key)
                continue
            if kind > 0.97 and self._recent:
                key, event = self._random.choice(self._recent)
            else:
                event = self._interaction(f"m{self.made}")
                self._recent.append((key, event))
            yield key, CODECS.interaction.encode(event)

    def _interaction(self, message_id: str) -> Interaction:
        chance = self._random.random
        now = time.time_ns() // 1_000_000
        late = chance()
        when = now
        if late < 0.05:
            when -= self._random.randrange(20_000)
        elif late < 0.06:
            when -= 2 * 24 * 3_600_000
        rest: dict[str, Any] = {"cart_id": self._random.choice(["", "", "c1", "c2"])}
        product = f"p{self._random.randrange(5)}"
        price = self._random.choice(["10", "0.01", "19.99", None])
        quantity = self._random.choice(["1", "2", "0.5"])
        action = chance()
        if action < 0.55:
            return events.added(when, message_id, product, price, quantity, **rest)
        if action < 0.68:
            return events.removed(when, message_id, product, quantity, **rest)
        if action < 0.76:
            lines = [events.line(f"p{n}", price, quantity)
                     for n in range(self._random.randrange(3))]
            return events.viewed(when, message_id, lines, **rest)
        if action < 0.88:
            return events.ordered(when, message_id, order_id=message_id, total="5", **rest)
        made = events.plain(when, message_id)
        assert not wants(made)
        return made

    def _spoilt(self, key: bytes) -> tuple[bytes, bytes]:
        good = CODECS.interaction.encode(self._interaction(f"m{self.made}"))
        forged = RESERVED.tick(0)
        forged["system"] = {"mac": b"\0" * 16, "payload": b""}
        return self._random.choice([
            (key, self._random.randbytes(20)), (key, good[:-3]), (key, b""),
            (b"no customer key", good), (key, CODECS.interaction.encode(forged)),
        ])


class Loader:
    """Writes to the log; what the broker has acknowledged is in `acked`."""

    #: Those that load beside a test: one that failed must not write on into the next test's log.
    loading: ClassVar[list[Loader]] = []

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer({
            "bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "acks": "all",
            "enable.idempotence": True, "linger.ms": 5, "log_level": 0,
            "queue.buffering.max.messages": 1_000_000, "message.timeout.ms": 120_000,
            "error_cb": lambda _error: None,
        })
        self.acked: set[tuple[int, int]] = set()
        self.failed: list[str] = []
        self._thread: threading.Thread | None = None
        self._enough = threading.Event()
        self._is_given_up = False

    def put(self, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        """Queue one record."""
        while True:
            try:
                self._producer.produce(INTERACTIONS, value, key, partition,
                                       on_delivery=self._delivered)
                return
            except BufferError:
                self._producer.poll(0.1)

    def load(self, records: Iterator[tuple[bytes, bytes]], a_second: float = 0) -> None:
        """Write records, at most so many a second (0: at once), and wait for the broker."""
        began = time.monotonic()
        for sent, (key, value) in enumerate(records):
            while (a_second and not self._enough.is_set()
                   and sent >= (time.monotonic() - began) * a_second):
                self._producer.poll(SLICE_S)
            self.put(key, value)
        self.flush()

    def start_load(self, shop: Shop, at_least: int, a_second: float) -> None:
        """Load beside the test until `join`; what is missing of `at_least` then comes at once."""
        def records() -> Iterator[tuple[bytes, bytes]]:
            while not self._is_given_up and (
                    shop.made < at_least or not self._enough.is_set()):
                yield from shop.records(1)

        self._enough.clear()
        self._thread = threading.Thread(
            target=self.load, args=(records(), a_second), daemon=True)
        self._thread.start()
        self.loading.append(self)

    def give_up(self) -> None:
        """End `start_load` where nobody has joined it."""
        self._is_given_up = True
        self._enough.set()
        assert self._thread is not None
        self._thread.join(FLUSH_S_MAX)

    def join(self) -> None:
        """End `start_load`, and wait for the broker."""
        assert self._thread is not None
        self._enough.set()
        self._thread.join(FLUSH_S_MAX)
        assert not self._thread.is_alive()

    def flush(self) -> None:
        """Wait until the broker has acknowledged all."""
        assert self._producer.flush(FLUSH_S_MAX) == 0
        assert self.failed == []

    def _delivered(self, error: object, message: Any) -> None:
        if error is None:
            self.acked.add((message.partition(), message.offset()))
        else:
            self.failed.append(str(error))
