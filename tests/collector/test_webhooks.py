"""What Segment's and RudderStack's webhook destinations post, taken as it is.

The bodies are in tests/golden/webhook_*.json, with the place where each shape is documented.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from footfall.collector.limits import Limits
from footfall.events import times
from tests.collector.edge import AUTH, KEY, NOW, MemorySink, post, serving

ROUTE = "/v1/webhook"
GOLDEN = Path(__file__).parents[1] / "golden"
VENDORS = {name: json.loads((GOLDEN / f"webhook_{name}.json").read_text())
           for name in ("segment", "rudderstack")}
SIX = ["identify", "track", "page", "screen", "group", "alias"]
ITEM = {"type": "page", "userId": "u1", "messageId": "m1"}


def personal(sink: MemorySink) -> list[Any]:
    return [json.loads(event["personal"]) for event in sink.events()]


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_forwarded_event_is_taken_by_its_own_type(
    client: Any, sink: MemorySink, vendor: str
) -> None:
    """All six, with ids, traits and properties; whatever else the vendor adds is kept."""
    recorded = VENDORS[vendor]
    for n, body in enumerate(recorded["bodies"]):
        status, answer, _ = await post(client, ROUTE, body, **recorded["headers"])
        assert (200, "accepted", body["messageId"]) == (
            status, answer["status"], answer["messageId"]), n
    events = sink.events()
    assert SIX == [event["type"] for event in events]
    assert [body["messageId"] for body in recorded["bodies"]] == [e["message_id"] for e in events]
    for body, kept in zip(recorded["bodies"], personal(sink), strict=True):
        gone = {"type", "messageId", "channel", *(["event"] if body["type"] == "track" else []),
                *(["name"] if body["type"] in ("page", "screen") else [])}
        assert {name: value for name, value in body.items() if name not in gone} == kept
    (line,) = events[1]["commerce"]["lines"]
    assert ("c1", recorded["bodies"][1]["properties"]["product_id"]) == (
        events[1]["commerce"]["cart_id"], line["product_id"])
    assert 1 == len({event["source"] for event in events})


@pytest.mark.parametrize("vendor", VENDORS)
async def test_its_clock_is_not_corrected_a_second_time(
    client: Any, sink: MemorySink, vendor: str
) -> None:
    """The vendor has done it, against its own clock. It came hours later, by a retry perhaps."""
    for body in VENDORS[vendor]["bodies"]:
        await post(client, ROUTE, body)
    stated = [times.read(body["timestamp"]) for body in VENDORS[vendor]["bodies"]]
    assert stated == [event["event_time"] for event in sink.events()]
    assert all(NOW - when > 3 * 3600 * 1000 for when in stated)


async def test_as_a_call_of_a_device_the_same_event_would_move(client: Any, sink: MemorySink
                                                               ) -> None:
    """What the route is there for: `sentAt` of hours ago looks like a wrong clock."""
    body = VENDORS["segment"]["bodies"][1]
    await post(client, "/v1/track", body)
    assert times.read(body["timestamp"]) != sink.events()[0]["event_time"]


async def test_an_event_without_timestamp_keeps_the_one_it_had(client: Any, sink: MemorySink
                                                               ) -> None:
    for body in ({**ITEM, "messageId": "m1", "originalTimestamp": NOW - 9_000_000,
                  "sentAt": NOW - 8_000_000}, {**ITEM, "messageId": "m2"}):
        assert 200 == (await post(client, ROUTE, body))[0]
    assert [NOW - 9_000_000, NOW] == [event["event_time"] for event in sink.events()]


@pytest.mark.parametrize("vendor", VENDORS)
async def test_an_array_is_a_batch_of_them(client: Any, sink: MemorySink, vendor: str) -> None:
    """As Segment sends where batching is on; events that came before are recognised."""
    bodies = VENDORS[vendor]["bodies"]
    await post(client, ROUTE, bodies[0])
    status, answer, _ = await post(client, ROUTE, b" \n" + json.dumps(bodies).encode())
    assert (200, 5, 1, 0) == (status, answer["accepted"], answer["duplicate"], answer["rejected"])
    assert SIX == [event["type"] for event in sink.events()]
    assert [times.read(b["timestamp"]) for b in bodies] == [
        event["event_time"] for event in sink.events()]


async def test_one_bad_item_of_an_array_costs_no_other(client: Any, sink: MemorySink) -> None:
    raw = b'[{"type":"delete","userId":"u1"},7,{"type":"page","userId":"\\ud83d"},' + json.dumps(
        ITEM).encode() + b"]"
    status, answer, _ = await post(client, ROUTE, raw)
    assert (200, 1, 3) == (status, answer["accepted"], answer["rejected"])
    assert ["type_unknown", "not_an_object", "not_json"] == [
        result["reason"] for result in answer["results"][:3]]
    assert raw[1:32] == sink.rejected()[0]["personal"]
    assert 3 == len(sink.rejected())


@pytest.mark.parametrize(("content", "status", "code"), [
    ({"type": "delete", "userId": "u1", "timestamp": "2012-12-02T00:30:08.276Z"}, 400,
     "type_unknown"),
    ({"userId": "u1"}, 400, "type_unknown"),
    ({"batch": [ITEM]}, 400, "type_unknown"),
    ({**ITEM, "type": "$tick"}, 400, "type_reserved"),
    ([], 400, "batch_empty"),
    ([ITEM] * 3, 413, "batch_too_large"),
    (None, 400, "not_an_object"),
    ("x", 400, "not_an_object"),
    (b"", 400, "not_json"),
    (b"[", 400, "not_json"),
    (b"[1]]", 400, "not_json"),
])
async def test_what_is_no_event_is_refused(
    sink: MemorySink, content: Any, status: int, code: str
) -> None:
    async with serving(sink, limits=Limits(batch_items_max=2)) as client:
        found, answer, _ = await post(client, ROUTE, content)
    assert (status, code) == (found, answer["code"])
    assert [] == sink.events()


async def test_the_key_stands_in_the_header_or_the_query(client: Any, sink: MemorySink) -> None:
    """One in the body is the vendor's: it opens nothing, shuts nothing, and is not kept."""
    for content in (ITEM, [ITEM]):
        data = json.dumps(content).encode()
        async with client.post(ROUTE, data=data, params={"writeKey": KEY}) as answer:
            assert 200 == answer.status
        async with client.post(ROUTE, data=data) as answer:
            assert (401, "write_key_unknown") == (answer.status, (await answer.json())["code"])
    async with client.post(ROUTE, data=json.dumps({**ITEM, "writeKey": KEY})) as answer:
        assert 401 == answer.status
    async with client.post(ROUTE, headers=AUTH, data=json.dumps(
            {**ITEM, "messageId": "m2", "writeKey": "of the vendor"})) as answer:
        assert 200 == answer.status
    assert all("writeKey" not in kept for kept in personal(sink))
