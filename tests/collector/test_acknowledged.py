"""What is answered `duplicate`, and that every item is counted once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from footfall.collector.acknowledged import GENERATION_MAX, Acknowledged
from footfall.telemetry import ACCEPTED, RECEIVED, REJECTED, REPEATED, UNACKNOWLEDGED
from tests.collector.edge import MemorySink, basic, post, serving, until


def page(message_id: str | None, user: str = "u", **more: Any) -> dict[str, Any]:
    return {"type": "page", "userId": user, "messageId": message_id, **more}


def statuses(answer: Any) -> list[str]:
    return [result["status"] for result in answer["results"]]


async def test_a_repeat_of_what_was_acknowledged_is_told_and_not_written() -> None:
    sink = MemorySink()
    async with serving(sink) as client:
        await post(client, "/v1/batch", {"batch": [page("m1"), page("m2")]})
        status, answer, _ = await post(client, "/v1/batch", {
            "batch": [page("m1", name="another"), page("m3"), {}, page("m2")]})
        assert (200, ["duplicate", "accepted", "rejected", "duplicate"]) == (
            status, statuses(answer))
        assert (1, 2, 1) == (answer["accepted"], answer["duplicate"], answer["rejected"])
        status, answer, _ = await post(client, "/v1/page", page("m3"))
        assert (200, {"success": True, "status": "duplicate", "messageId": "m3"}) == (
            status, answer)
    assert ["m1", "m2", "m3"] == [e["message_id"] for e in sink.events()]
    assert "" == sink.events()[0]["event"]


async def test_what_law_2_does_not_call_a_repeat_is_accepted() -> None:
    """Another customer with the same id; and within one request the worker decides."""
    sink = MemorySink()
    async with serving(sink) as client:
        _, answer, _ = await post(client, "/v1/batch", {
            "batch": [page("m1"), page("m1"), page("m1", "v"), page(None), page(None)]})
        assert ["accepted"] * 5 == statuses(answer)
        _, answer, _ = await post(client, "/v1/batch", {"batch": [page(None), page("m1", "w")]})
        assert ["accepted"] * 2 == statuses(answer)
        assert 200 == (await post(client, "/v1/page", page("m1"), **basic("wk_app")))[0]
    assert 7 == len(sink.events())


async def test_only_what_the_log_acknowledged_is_remembered() -> None:
    """Not what failed, and not what is still on its way: their copies are written."""
    sink = MemorySink()
    async with serving(sink) as client:
        sink.error = "away"
        assert 503 == (await post(client, "/v1/page", page("m1")))[0]
        sink.error = ""
        sink.gate.clear()
        both = [asyncio.create_task(post(client, "/v1/page", page("m1"))) for _ in range(2)]
        await until(lambda: sink.waiting == 2)
        sink.gate.set()
        assert ["accepted"] * 2 == [(await task)[1]["status"] for task in both]
        assert "duplicate" == (await post(client, "/v1/page", page("m1")))[1]["status"]
    assert 2 == len(sink.events())


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    made = Acknowledged(generation_max=10)
    for n in range(100):
        made.update([b"%d" % n])
        assert all(b"%d" % m in made for m in range(max(0, n - 9), n + 1))
        assert len(made) <= 20
    assert b"0" not in made
    assert 50_000 == GENERATION_MAX


@pytest.mark.parametrize("error", ["", "away"])
async def test_every_item_is_counted_once(error: str) -> None:
    """received = accepted + repeated + rejected + unacknowledged."""
    sink = MemorySink()

    def counts() -> list[float]:
        rejected = sum(s.value for m in REJECTED.collect() for s in m.samples
                       if s.name.endswith("_total") and s.labels["stage"] == "collector")
        return [*(c.labels("web")._value.get() for c in (
            RECEIVED, ACCEPTED, REPEATED, UNACKNOWLEDGED)), rejected]

    async with serving(sink) as client:
        await post(client, "/v1/batch", {"batch": [page("m1"), page("m2")]})
        before = counts()
        sink.error = error
        await post(client, "/v1/batch", {"batch": [page("m1"), page("m3"), {}, 5, page("m4")]})
        await post(client, "/v1/page", {})
        await post(client, "/v1/page", page("m2"))
        await post(client, "/v1/page", b"{")
    found = [now - then for now, then in zip(counts(), before, strict=True)]
    assert ([7, 2, 2, 0, 3] if not error else [7, 0, 2, 5, 0]) == found
