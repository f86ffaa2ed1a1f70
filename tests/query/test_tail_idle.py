"""When `tail --idle-exit` ends: not before what was there has come, however late it comes."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from footfall.query import tail
from footfall.query.tail import Tail


def record(partition: int, offset: int) -> Any:
    return SimpleNamespace(
        error=lambda: None, partition=lambda: partition, offset=lambda: offset,
        timestamp=lambda: (1, 0), key=lambda: b"k", value=lambda: b"v")


def end(partition: int) -> Any:
    return SimpleNamespace(error=lambda: KafkaError(KafkaError._PARTITION_EOF),
                           partition=lambda: partition)


class Late:
    """A consumer of two partitions that gets these one after another, and after them nothing; the
    clock goes on by a second each time that it is asked.
    """

    def __init__(self, clock: SimpleNamespace, coming: list[list[Any]]) -> None:
        self._clock = clock
        self._coming = coming

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: 0, 1: 0})})

    def get_watermark_offsets(self, _place: Any, timeout: float) -> tuple[int, int]:
        return 0, 1

    def assign(self, _places: Any) -> None:
        pass

    def consume(self, _count: int, timeout: float) -> list[Any]:
        self._clock.now += 1.0
        return self._coming.pop(0) if self._coming else []


@pytest.mark.parametrize(("coming", "offsets", "ends_at"), [
    ([[], [], [], [record(0, 0)], [end(0)], [], [record(1, 0), end(1)]], [[0], [0]], 9.0),
    ([[], [], [], [end(0), end(1)]], [], 6.0),
    ([[end(0), end(1)], [record(0, 0)], [], []], [[0]], 4.0),
    ([[record(0, 0)], [end(0)]], [[0]], 1.0 + tail.ANSWER_S_MAX)])
def test_it_ends_when_nothing_came_after_all_that_was_there(
        monkeypatch: pytest.MonkeyPatch, coming: list[list[Any]], offsets: list[list[int]],
        ends_at: float) -> None:
    """Of a broker that is slow to begin, too; one that does not go on is not waited for without
    end.
    """
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(tail, "Consumer", lambda _config: Late(clock, coming))
    monkeypatch.setattr(tail, "time", SimpleNamespace(monotonic=lambda: clock.now,
                                                      sleep=time.sleep))
    follower = Tail("127.0.0.1:1", "footfall.triggers", print)
    follower.start(from_beginning=True)
    assert offsets == [[source.offset for source in batch] for batch in follower.records(2.0)]
    assert ends_at == clock.now
