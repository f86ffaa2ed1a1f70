"""What ten stock SDKs send and expect, point by point, as requests in their shapes.

The SDKs themselves run against a live collector in tests/system/; this says which property of the
collector each of them lives by, and fails with its name. The order is that of the list of what
breaks a naive server, the worst first.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from footfall.collector.routes import ROUTES
from tests.collector.edge import AUTH, KEY, NOW, MemorySink, post

PAGE = {"type": "page", "userId": "u1", "messageId": "m1"}
AT = "2026-11-23T10:00:00.123Z"
AT_MS = NOW + 123


async def send(client: Any, path: str, content: Any, headers: dict[str, str] | None = None
               ) -> tuple[int, Any]:
    """Without a key in the headers."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    async with client.post(path, data=data, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.json()


def personal(sink: MemorySink) -> list[Any]:
    return [json.loads(event["personal"]) for event in sink.events()]


async def test_01_segment_java_imports_with_a_slash_and_its_key_in_the_body(client: Any) -> None:
    status, answer = await send(client, "/v1/import/", {
        "batch": [PAGE], "sentAt": AT, "context": {"library": {"name": "analytics-java"}},
        "sequence": 1, "writeKey": KEY}, {"Content-Type": "application/json; charset=UTF-8"})
    assert (200, 1) == (status, answer["accepted"])


@pytest.mark.parametrize(("letter", "call"), [
    ("i", "identify"), ("t", "track"), ("p", "page"), ("s", "screen"), ("g", "group"),
    ("a", "alias")])
async def test_02_segment_browser_uses_one_letter_routes(
    client: Any, sink: MemorySink, letter: str, call: str
) -> None:
    status, _ = await send(client, f"/v1/{letter}", {
        "anonymousId": "a", "event": "x", "groupId": "g", "previousId": "p", "writeKey": KEY,
        "sentAt": AT, "_metadata": {"bundled": ["Segment.io"]}}, {"Content-Type": "text/plain"})
    assert (200, [call]) == (status, [e["type"] for e in sink.events()])


async def test_02_and_batches_in_which_items_name_the_key_too(client: Any, sink: MemorySink
                                                              ) -> None:
    status, _ = await send(client, "/v1/b", {
        "writeKey": KEY, "batch": [{**PAGE, "writeKey": KEY}], "sentAt": AT})
    assert 200 == status
    assert KEY not in json.dumps(personal(sink))


@pytest.mark.parametrize("asked", [
    "authorization", "anonymousid,authorization,content-type,sentat", "x-retry-count",
    "authorization,rsa-is-retry,rsa-retry-attempt"])
async def test_03_browsers_ask_before_every_route(client: Any, asked: str) -> None:
    for path in ROUTES:
        async with client.options(path, headers={
            "Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": asked}) as answer:
            assert (200, asked) == (answer.status, answer.headers["Access-Control-Allow-Headers"])
            assert int(answer.headers["Access-Control-Max-Age"]) >= 600


@pytest.mark.parametrize(("headers", "raw", "status"), [
    ({}, b"{}", 401), (AUTH, b"{", 400), (AUTH, b" " * 4_300_000, 413)])
async def test_03_errors_are_readable_by_the_page(
    client: Any, headers: dict[str, str], raw: bytes, status: int
) -> None:
    """Else a browser takes them for a broken network and tries ten times; Retry-After as well."""
    async with client.post("/v1/t", data=raw, headers={**headers, "Origin": "https://a.example"}
                           ) as answer:
        assert (status, "*") == (answer.status, answer.headers["Access-Control-Allow-Origin"])
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]


async def test_04_success_is_exactly_200_with_a_json_object(client: Any) -> None:
    """Rudder Python resends on 202 and 204, Segment Java on an empty body or an array."""
    for path, content in (("/v1/batch", {"batch": [PAGE]}), ("/v1/page", PAGE)):
        status, answer, response = await post(client, path, content)
        assert (200, True) == (status, isinstance(answer, dict))
        assert "application/json" == response.content_type


async def test_05_errors_have_code_and_message(client: Any) -> None:
    """Rudder Python meets any other object with KeyError, and tries a 400 for minutes."""
    for content in (b"{", {"batch": []}, b"[]"):
        status, answer, _ = await post(client, "/v1/batch", content)
        assert 400 == status
        assert {"code", "message"} <= answer.keys()


async def test_06_one_bad_event_does_not_fail_its_batch(client: Any, sink: MemorySink) -> None:
    items = [{**PAGE, "messageId": f"m{n}"} for n in range(249)] + [{"type": "nonsense"}]
    status, answer, _ = await post(client, "/v1/batch", {"batch": items})
    assert (200, 249, 1) == (status, answer["accepted"], answer["rejected"])
    assert 249 == len(sink.events())


async def test_07_rudder_node_sends_gzipped_json_as_a_form(client: Any, sink: MemorySink) -> None:
    raw = gzip.compress(json.dumps({"batch": [PAGE], "timestamp": AT, "sentAt": AT}).encode())
    status, _, _ = await post(client, "/v1/batch", raw, **{
        "Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"})
    assert (200, 1) == (status, len(sink.events()))


async def test_08_rudder_java_sends_chunks_without_a_length(client: Any, sink: MemorySink) -> None:
    raw = gzip.compress(json.dumps({"batch": [PAGE] * 200, "sentAt": AT}).encode())

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 50):
            yield raw[start:start + 50]

    async with client.post("/v1/batch", data=chunks(), headers={
            **AUTH, "Content-Encoding": "gzip"}) as answer:
        assert (200, 200) == (answer.status, (await answer.json())["accepted"])


async def test_08_rudder_python_fills_a_batch_to_4_mib_and_one_event(client: Any) -> None:
    event = {**PAGE, "properties": {"pad": "x" * 32_000}}
    size = len(json.dumps(event))
    items = [{**event, "messageId": f"m{n}"} for n in range(4 * 2**20 // size + 1)]
    raw = gzip.compress(json.dumps({"batch": items, "sentAt": AT}).encode())
    status, answer, _ = await post(client, "/v1/batch", raw, **{"Content-Encoding": "gzip"})
    assert (200, len(items)) == (status, answer["accepted"])


async def test_09_an_explicit_null_id_is_no_id(client: Any) -> None:
    """Both Python SDKs send it with every event."""
    status, answer, _ = await post(client, "/v1/batch", {
        "batch": [{**PAGE, "anonymousId": None, "integrations": None}]})
    assert (200, 1) == (status, answer["accepted"])


@pytest.mark.parametrize(("item", "expected"), [
    ({"originalTimestamp": AT, "sentAt": AT}, AT_MS),
    ({"timestamp": "2026-11-23T10:00:00.123456789Z"}, AT_MS),
    ({"timestamp": "2026-11-23T10:00:00.123456+00:00"}, AT_MS),
    ({"timestamp": "2026-11-23T10:00:00.123+00:00"}, AT_MS),
    ({"timestamp": AT, "originalTimestamp": "2026-11-22T00:00:00Z"}, AT_MS),
    ({"timestamp": "2026-11-23T11:00:00.123Z", "sentAt": "2026-11-23T11:00:00Z"}, AT_MS),
])
async def test_10_times_as_each_sdk_writes_them(
    client: Any, sink: MemorySink, item: dict[str, Any], expected: int
) -> None:
    """`sentAt` of the event itself corrects its clock, in a batch and alone."""
    await post(client, "/v1/page", {**PAGE, **item, "messageId": "a"})
    await post(client, "/v1/batch", {"batch": [{**PAGE, **item, "messageId": "b"}]})
    assert [expected] * 2 == [event["event_time"] for event in sink.events()]


async def test_11_traits_are_kept_wherever_they_stand(client: Any, sink: MemorySink) -> None:
    """RudderStack's browser SDK repeats `context.traits` in every event; Segment's are at root."""
    await post(client, "/v1/identify", {**PAGE, "type": "identify", "messageId": "a",
                                        "context": {"traits": {"email": "a@b.example"}}})
    await post(client, "/v1/identify", {**PAGE, "type": "identify", "messageId": "b",
                                        "traits": {"email": "c@d.example"}})
    first, second = personal(sink)
    assert ({"email": "a@b.example"}, {"email": "c@d.example"}) == (
        first["context"]["traits"], second["traits"])


async def test_12_the_root_context_belongs_to_every_event(client: Any, sink: MemorySink) -> None:
    """Go's root messageId is the batch's; unknown fields are kept and refuse nothing."""
    status, answer, _ = await post(client, "/v1/batch", {
        "batch": [{"type": "page", "userId": "u"}, {**PAGE, "_metadata": {"jsRuntime": "node"},
                                                    "context": {"locale": "en"}}],
        "messageId": "of the batch", "sentAt": AT, "sequence": 7,
        "context": {"library": {"name": "analytics-go"}, "instanceId": "i"}})
    assert (200, 2) == (status, answer["accepted"])
    first, second = personal(sink)
    assert "i" == first["context"]["instanceId"] == second["context"]["instanceId"]
    assert ("en", {"jsRuntime": "node"}) == (second["context"]["locale"], second["_metadata"])
    assert "of the batch" not in [event["message_id"] for event in sink.events()]


async def test_13_events_of_one_device_may_come_in_any_order(client: Any, sink: MemorySink) -> None:
    """Each keeps its own time and its messageId when it is sent again: nothing leans on order."""
    for _ in range(2):
        for n in (2, 1):
            await post(client, "/v1/page", {"anonymousId": "a", "messageId": f"m{n}",
                                            "originalTimestamp": f"2026-11-23T10:00:0{n}Z"})
    assert [("m2", NOW + 2000), ("m1", NOW + 1000)] == [
        (e["message_id"], e["event_time"]) for e in sink.events()]


async def test_14_nothing_is_ever_redirected(client: Any) -> None:
    """Four SDKs take 3xx for delivered."""
    for path in (*ROUTES, "/v1/track//", "/v1", "/v1/", "/V1/track", "/v1/nothing"):
        for spelling in (path, path + "/"):
            async with client.post(spelling, data=b"{}", headers=AUTH,
                                   allow_redirects=False) as answer:
                assert not 300 <= answer.status < 400, spelling


async def test_15_try_again_is_said_by_429_and_503_alone(client: Any, sink: MemorySink) -> None:
    """With Retry-After; everything that cannot become better is a 4xx which no SDK repeats."""
    sink.error = "away"
    status, _, response = await post(client, "/v1/page", PAGE)
    assert (503, True) == (status, int(response.headers["Retry-After"]) <= 2)
    sink.error = ""
    for content, headers in ((b"{", AUTH), ({}, AUTH), (PAGE, {"Authorization": "Bearer x"})):
        status, _, response = await post(client, "/v1/page", content, **headers)
        assert status in (400, 401)
        assert "Retry-After" not in response.headers
