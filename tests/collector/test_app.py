"""The HTTP side, against a sink that is not Kafka."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from footfall.collector import body
from footfall.collector.answers import CODES
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.limits import BODY_BYTES_MAX, Limits
from footfall.collector.routes import ROUTES
from footfall.collector.sink import Outgoing
from footfall.events.admit import BATCH_ITEMS_MAX, CALLS, SHARED_BYTES_MAX
from footfall.events.arrival import ITEM_BYTES_MAX
from footfall.events.codec import Codecs
from footfall.events.reasons import COLLECTOR
from footfall.telemetry import ACCEPTED, RECEIVED, REFUSED, REJECTED, REPEATED, UNACKNOWLEDGED
from tests.collector.edge import (
    AUTH,
    KEY,
    KEYS,
    NOW,
    WAIT_S_MAX,
    MemorySink,
    post,
    serving,
    until,
)

PAGE = {"type": "page", "userId": "u1"}


SINGLE = {"identify": {}, "track": {"event": "x"}, "page": {}, "screen": {},
          "group": {"groupId": "g"}, "alias": {"previousId": "p"}}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("call", sorted(CALLS))
async def test_the_six_single_calls(client: Any, sink: MemorySink, call: str, slash: str) -> None:
    status, answer, _ = await post(client, f"/v1/{call}{slash}",
                                   {"userId": "u1", "messageId": "m1", **SINGLE[call]})
    assert (200, {"success": True, "status": "accepted", "messageId": "m1"}) == (status, answer)
    assert [(call, "web", NOW)] == [
        (e["type"], e["source"], e["received_at"]) for e in sink.events()]
    assert KEYS.of("user_id", "u1") == sink.sent[0].interactions[0]["key"]


@pytest.mark.parametrize("path", [p for p, call in ROUTES.items() if call == "batch"])
async def test_a_batch_is_answered_item_by_item(client: Any, sink: MemorySink, path: str) -> None:
    status, answer, _ = await post(client, path, {"batch": [
        {**PAGE, "messageId": "m1"}, {"type": "page"}, 7, {**PAGE, "messageId": "m4"}]})
    assert 200 == status
    assert {"success": True, "accepted": 2, "duplicate": 0, "rejected": 2, "results": [
        {"status": "accepted", "messageId": "m1"},
        {"status": "rejected", "reason": "identifier_missing", "field": "userId",
         "detail": "userId and anonymousId are absent; send one"},
        {"status": "rejected", "reason": "not_an_object", "field": "item",
         "detail": "item is not a JSON object"},
        {"status": "accepted", "messageId": "m4"}]} == answer
    assert ["m1", "m4"] == [e["message_id"] for e in sink.events()]
    assert [("collector", "identifier_missing", b'{"type": "page"}'),
            ("collector", "not_an_object", b"7")] == [
        (r["stage"], r["reason"], r["personal"]) for r in sink.rejected()]
    assert [b"web", b"web"] == [r["key"] for r in sink.sent[0].rejected]


async def test_what_the_root_of_a_batch_says(client: Any, sink: MemorySink) -> None:
    await post(client, "/v1/batch", {
        "batch": [{**PAGE, "timestamp": "2026-11-23T11:00:00Z"}], "messageId": "of the batch",
        "sentAt": "2026-11-23T11:00:00Z", "context": {"library": {"name": "x"}}, "writeKey": KEY})
    (event,) = sink.events()
    assert NOW == event["event_time"]
    assert "of the batch" != event["message_id"]
    assert {"library": {"name": "x"}} == json.loads(event["personal"])["context"]
    assert KEY not in event["personal"].decode()


@pytest.mark.parametrize("sent_at", ['"soon"', "[]", "1e999", '"\\ud800"', '"' + "x" * 100 + '"',
                                     "true", "null", "1.5", "1" * 60])
async def test_an_unreadable_sent_at_costs_nothing(client: Any, sink: MemorySink,
                                                   sent_at: str) -> None:
    raw = b'{"batch":[{"type":"page","userId":"u"}],"sentAt":' + sent_at.encode() + b"}"
    assert 200 == (await post(client, "/v1/batch", raw))[0]
    assert 1 == len(sink.events())


async def test_half_an_emoji_costs_its_item_only(client: Any, sink: MemorySink) -> None:
    """As browsers send it, when a text is cut. Whole pairs and escaped backslashes stay."""
    good = rb'{"type":"page","userId":"u","a":"\ud83d\ude00 \\ud83d \u00e9"}'
    bad = rb'{"type":"page","userId":"u","a":"\ud83d"}'
    status, answer, _ = await post(client, "/v1/batch", b'{"batch":[' + good + b"," + bad + b"]}")
    assert (200, 1, 1) == (status, answer["accepted"], answer["rejected"])
    assert [bad] == [r["personal"] for r in sink.rejected()]
    assert rb'{"userId":"u","a":"\ud83d\ude00 \\ud83d \u00e9"}' == sink.events()[0]["personal"]


@pytest.mark.parametrize(("headers", "in_body", "status"), [
    (AUTH, None, 200),
    ({"Authorization": f"Bearer {KEY}"}, None, 200),
    ({"Authorization": f"bearer  {KEY}"}, None, 200),
    ({}, KEY, 200),
    (AUTH, "wrong", 200),
    ({"Authorization": "Bearer wrong"}, KEY, 401),
    ({"Authorization": "Bearer "}, None, 401),
    ({"Authorization": "Basic !!!"}, None, 401),
    ({"Authorization": "Basic " + base64.b64encode(b"\xff:").decode()}, None, 401),
    ({"Authorization": "Digest x"}, None, 401),
    ({"Authorization": "Bearer " + "x" * 7000}, None, 401),
    ({}, None, 401), ({}, "", 401), ({}, "wrong", 401), ({}, 5, 401), ({}, [KEY], 401),
])
@pytest.mark.parametrize("path", ["/v1/page", "/v1/batch"])
async def test_write_keys(  # noqa: PLR0917
    client: Any, sink: MemorySink, path: str, headers: dict[str, str], in_body: Any, status: int
) -> None:
    content = {**PAGE, "batch": [PAGE]} if path == "/v1/batch" else dict(PAGE)
    content.pop("type")
    if in_body is not None:
        content["writeKey"] = in_body
    async with client.post(path, json=content, headers=headers) as answer:
        assert status == answer.status
        assert ("code" in await answer.json()) == (status != 200)
    assert (status == 200) == bool(sink.sent)


@pytest.mark.parametrize(("path", "raw", "status", "code"), [
    ("/v1/track", b"", 400, "not_json"),
    ("/v1/track", b"{", 400, "not_json"),
    ("/v1/track", b"[]", 400, "not_an_object"),
    ("/v1/track", b'{"\xff":1}', 400, "text_not_unicode"),
    ("/v1/track", b"[" * 100_000, 400, "not_an_object"),
    ("/v1/track", b'{"a":' * 50_000, 400, "too_deep"),
    ("/v1/track", b'{"event":"x"}', 400, "identifier_missing"),
    ("/v1/track", b'{"event":"x","userId":"u","a":"\\ud800"}', 400, "not_json"),
    ("/v1/track", b'{"event":"x","userId":"u","a":"' + b"x" * ITEM_BYTES_MAX + b'"}', 413,
     "item_too_large"),
    ("/v1/batch", b"", 400, "not_json"),
    ("/v1/batch", b"\xef\xbb\xbf{}", 400, "not_json"),
    ("/v1/batch", b"{}", 400, "batch_empty"),
    ("/v1/batch", b'{"batch":null}', 400, "batch_empty"),
    ("/v1/batch", b'{"batch":[]}', 400, "batch_empty"),
    ("/v1/batch", b'{"batch":{}}', 400, "field_kind"),
    ("/v1/batch", b'{"batch":"x"}', 400, "field_kind"),
    ("/v1/batch", b'{"batch":[1],"context":[]}', 400, "field_kind"),
    ("/v1/batch", b'{"batch":[1],"context":{"a":"\xff"}}', 400, "text_not_unicode"),
    ("/v1/batch", b'{"batch":[1],"context":{"a":1e999}}', 400, "number_out_of_range"),
    ("/v1/batch", b'{"batch":[1],"writeKey":"\xff"}', 400, "text_not_unicode"),
    ("/v1/batch", b'{"batch":[' + b"1," * BATCH_ITEMS_MAX + b"1]}", 413, "batch_too_large"),
    ("/v1/batch", b'{"batch":[' + b"[" * 100_000, 400, "too_deep"),
    ("/v1/batch", b'{"batch":[1],"context":{"a":"' + b"x" * SHARED_BYTES_MAX + b'"}}', 413,
     "shared_too_large"),
    ("/v1/batch", b" " * (BODY_BYTES_MAX + 1), 413, "body_too_large"),
])
async def test_requests_refused_as_a_whole(  # noqa: PLR0917
    client: Any, sink: MemorySink, path: str, raw: bytes, status: int, code: str
) -> None:
    found, answer, response = await post(client, path, raw)
    assert (status, code) == (found, answer["code"])
    assert answer["message"]
    assert "*" == response.headers["Access-Control-Allow-Origin"]
    assert not sink.events()


async def test_the_limits_themselves_are_taken(client: Any, sink: MemorySink) -> None:
    items = [PAGE] * BATCH_ITEMS_MAX
    status, answer, _ = await post(client, "/v1/batch", {"batch": items})
    assert (200, BATCH_ITEMS_MAX) == (status, answer["accepted"])
    raw = json.dumps({"batch": [PAGE]}).encode()
    assert 200 == (await post(client, "/v1/batch", raw.ljust(BODY_BYTES_MAX)))[0]
    head = b'{"userId":"u","a":"'
    item = head + b"x" * (ITEM_BYTES_MAX - len(head) - 2) + b'"}'
    assert 200 == (await post(client, "/v1/page", item))[0]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded",
                                  "application/json;charset=UTF-8", "nonsense", "text/html"])
async def test_any_content_type_is_json(client: Any, kind: str) -> None:
    assert 200 == (await post(client, "/v1/page", PAGE, **{"Content-Type": kind}))[0]


@pytest.mark.parametrize(("encoding", "pack"), [
    ("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress),
    ("deflate", lambda data: zlib.compress(data, wbits=-15)), ("identity", bytes)])
async def test_packed_bodies(client: Any, sink: MemorySink, encoding: str, pack: Any) -> None:
    raw = pack(json.dumps({"batch": [PAGE] * 100}).encode())
    assert 200 == (await post(client, "/v1/batch", raw, **{"Content-Encoding": encoding}))[0]
    assert 100 == len(sink.events())


@pytest.mark.parametrize(("raw", "encoding", "status", "code"), [
    (gzip.compress(b" " * (BODY_BYTES_MAX + 1)), "gzip", 413, "body_too_large"),
    (gzip.compress(b" " * 50_000_000), "gzip", 413, "body_too_large"),
    (zlib.compress(b" " * 50_000_000), "deflate", 413, "body_too_large"),
    (gzip.compress(gzip.compress(b"{}")), "gzip, gzip", 400, "encoding_unsupported"),
    (b"{}", "snappy", 400, "encoding_unsupported"),
    (b"{}", "gzip", 400, "body_unreadable"),
    (gzip.compress(json.dumps([*range(999)]).encode())[:999], "gzip", 400, "body_unreadable"),
    (gzip.compress(b"{}")[:-1], "gzip", 400, "body_unreadable"),
    (gzip.compress(b"{}") * 2, "gzip", 400, "body_unreadable"),
    (gzip.compress(b"{}") + b"x", "gzip", 400, "body_unreadable"),
    (b"", "gzip", 400, "not_json"),
])
async def test_packed_bodies_that_are_refused(client: Any, raw: bytes, encoding: str, status: int,
                                              code: str) -> None:
    found, answer, _ = await post(client, "/v1/batch", raw, **{"Content-Encoding": encoding})
    assert (status, code) == (found, answer["code"])


async def test_the_limit_holds_while_reading_without_a_length(client: Any) -> None:
    """A body in chunks is cut at the limit, not read to its end."""
    given = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal given
        for _ in range(10_000):
            given += 10_000
            yield b" " * 10_000
            await asyncio.sleep(0)

    try:
        async with client.post("/v1/batch", data=chunks(), headers=AUTH) as answer:
            assert 413 == answer.status
    except ConnectionError:
        pass
    assert given < 20_000_000


@pytest.mark.parametrize(("size", "status"), [(2000, 200), (2001, 413)])
async def test_the_limit_holds_for_a_body_that_comes_with_its_headers(
    sink: MemorySink, size: int, status: int
) -> None:
    """In one piece and without a length."""
    body_ = json.dumps({"userId": "u"}).encode().ljust(size)
    async with serving(sink, limits=Limits(body_bytes_max=2000)) as client:
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(b"POST /v1/page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                     b"Authorization: " + AUTH["Authorization"].encode()
                     + b"\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (size, body_))
        line = await asyncio.wait_for(reader.readline(), WAIT_S_MAX)
        assert f" {status} ".encode() in line
        writer.close()


async def test_a_body_that_does_not_come_is_given_up(client: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(body, "READ_S_MAX", 0.1)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\nAuthorization: "
                 + AUTH["Authorization"].encode() + b"\r\n\r\n{")
    assert b"408" in await asyncio.wait_for(reader.readline(), WAIT_S_MAX)
    writer.close()


async def test_200_waits_for_the_acknowledgement(client: Any, sink: MemorySink) -> None:
    sink.gate.clear()
    answer = asyncio.create_task(post(client, "/v1/batch", {"batch": [PAGE, 5]}))
    await until(lambda: sink.waiting)
    await asyncio.sleep(0.1)
    assert not answer.done()
    sink.gate.set()
    assert 200 == (await answer)[0]


async def test_no_acknowledgement_is_503_and_says_when_to_try_again(
    client: Any, sink: MemorySink
) -> None:
    sink.error = "no broker"
    for path, content in (("/v1/page", PAGE), ("/v1/batch", {"batch": [5]}), ("/v1/page", {})):
        status, answer, response = await post(client, path, content)
        assert (503, "log_unavailable") == (status, answer["code"])
        assert int(response.headers["Retry-After"]) > 0
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]


async def test_preflight_needs_no_key_and_echoes_the_headers(client: Any) -> None:
    for path in ROUTES:
        async with client.options(path, headers={
            "Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,sentat,rsa-x",
        }) as answer:
            assert 200 == answer.status
            assert "authorization,sentat,rsa-x" == answer.headers["Access-Control-Allow-Headers"]
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]
            assert "*" == answer.headers["Access-Control-Allow-Origin"]
            assert int(answer.headers["Access-Control-Max-Age"]) > 0
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v1/track", 405), ("PUT", "/v1/batch", 405), ("POST", "/v1/other", 404),
    ("POST", "/", 404), ("POST", "/v1/track//", 404),
    ("POST", "/V1/TRACK", 404), ("GET", "/v1/%2e%2e/x", 404)])
async def test_other_routes_are_errors_never_redirects(client: Any, method: str, path: str,
                                                       status: int) -> None:
    async with client.request(method, path, headers=AUTH, allow_redirects=False) as answer:
        assert status == answer.status
        assert {"code", "message"} == set(await answer.json())


async def test_a_failure_of_ours_tells_nothing(client: Any, sink: MemorySink, monkeypatch: Any,
                                               caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the answer nor in the log: the text of an exception may hold what was sent."""
    async def broken(_outgoing: Outgoing) -> None:
        raise ValueError("canary@example.com")
    monkeypatch.setattr(sink, "send", broken)
    with caplog.at_level(logging.DEBUG):
        status, answer, _ = await post(client, "/v1/page", PAGE)
    assert (500, "internal_error") == (status, answer["code"])
    assert "canary" not in caplog.text + json.dumps(answer)
    assert ["ValueError"] == [r.__dict__["error"] for r in caplog.records if "error" in r.__dict__]


async def test_health_readiness_and_metrics(client: Any, sink: MemorySink) -> None:
    await post(client, "/v1/batch", {"batch": [PAGE, 5]})
    async with client.get("/healthz") as answer:
        assert 200 == answer.status
    async with client.get("/readyz") as answer:
        assert 200 == answer.status
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert 'footfall_accepted_total{source="web"}' in text
    assert 'footfall_rejected_total{reason="not_an_object",stage="collector"}' in text
    sink.ready = False
    async with client.get("/readyz") as answer:
        assert (503, "log_unavailable") == (answer.status, (await answer.json())["code"])
    async with client.get("/healthz") as answer:
        assert 200 == answer.status


async def test_known_sources_reasons_and_codes_are_there_at_zero(sink: MemorySink) -> None:
    """From a collector's start: `increase()` does not see the step with which a series appears."""
    counters = (RECEIVED, ACCEPTED, REPEATED, UNACKNOWLEDGED, REJECTED, REFUSED)
    for counter in counters:
        counter.clear()

    Collector(sink, KEYS, WriteKeys({"web": KEY, "app": "wk_app"}), Codecs())

    shown = {(s.name, *sorted(s.labels.values())): s.value
             for counter in counters for family in counter.collect()
             for s in family.samples if s.name.endswith("_total")}
    assert dict.fromkeys((
        *((f"footfall_{name}_total", source) for source in ("web", "app", "unsubscribe")
          for name in ("received", "accepted", "repeated", "unacknowledged")),
        *(("footfall_rejected_total", *sorted(("collector", reason))) for reason in COLLECTOR),
        *(("footfall_refused_requests_total", code) for code in CODES)), 0.0) == shown
