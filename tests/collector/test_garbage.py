"""No request leaves anything that only the search for cycles frees: it would hold the body, and
the collector seldom looks (command.GARBAGE_THRESHOLDS)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from footfall.collector.answers import RequestError
from footfall.collector.sink import KafkaSink, Outgoing, UnavailableError
from footfall.errors import Rejected
from footfall.up.ports import HOST, free_port
from tests.collector.edge import AUTH, MemorySink, post

MARK = "a-text-that-only-this-test-sends"
TRACK = {"event": "A", "userId": "u1", "properties": {"text": MARK}}


@pytest.fixture
def unreachable() -> Iterator[list[Any]]:
    """What the search for cycles finds, and otherwise would have freed."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def left(unreachable: list[Any]) -> list[str]:
    gc.collect()
    return [type(found).__name__ for found in unreachable
            if isinstance(found, RequestError | UnavailableError | Outgoing | Rejected)
            or (isinstance(found, dict) and MARK in repr(found))]


@pytest.mark.parametrize("suffix", ["", "?through=the-router"])
@pytest.mark.parametrize(("content", "headers", "status"), [
    (TRACK, {}, 200), ({"batch": []}, {}, 400), (TRACK, {"Authorization": "Basic no"}, 401),
    (b"{" + MARK.encode(), {}, 400), ({**TRACK, "event": MARK * 100}, {}, 400)])
async def test_an_answer_leaves_nothing(  # noqa: PLR0917
        client: Any, unreachable: list[Any], suffix: str, content: Any, headers: dict[str, str],
        status: int) -> None:
    for _ in range(3):
        got, _content, _answer = await post(client, "/v1/track" + suffix, content, **headers)
        assert status == got
    assert [] == left(unreachable)


async def test_a_log_that_is_away_leaves_nothing(
        client: Any, sink: MemorySink, unreachable: list[Any]) -> None:
    sink.error = "the broker is away"
    assert 503 == (await post(client, "/v1/track", TRACK, **AUTH))[0]
    assert [] == left(unreachable)


async def test_a_record_that_is_never_acknowledged_leaves_nothing(
        monkeypatch: Any, unreachable: list[Any]) -> None:
    monkeypatch.setattr("footfall.collector.sink.DELIVERY_S_MAX", 0.2)
    made = KafkaSink(f"{HOST}:{free_port()}", lambda _error: None)
    made._ready = True
    try:
        await made.send(Outgoing([{"key": b"k", "value": MARK.encode()}], []))
    except UnavailableError:
        pass
    else:
        raise AssertionError
    assert [] == left(unreachable)
    await made.close(0)
