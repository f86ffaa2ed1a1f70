"""The routes beside the seven: images, beacons, and what browser SDKs load first."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.collector import pixel
from footfall.collector.answers import RequestError
from footfall.collector.routes import ALL, PIXELS
from footfall.collector.script import PATH
from footfall.events.admit import CALLS
from tests.collector.edge import AUTH, KEY, NOW, MemorySink, post, serving

ITEM = {"userId": "u1", "messageId": "m1", "event": "Email Opened", "groupId": "g",
        "previousId": "p"}


def packed(content: Any) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", PIXELS)
async def test_a_pixel_is_a_call_answered_with_an_image(
    client: Any, sink: MemorySink, path: str, slash: str
) -> None:
    async with client.get(path + slash, params={"data": packed({**ITEM, "writeKey": KEY})}
                          ) as answer:
        assert (200, "image/gif", pixel.GIF) == (
            answer.status, answer.content_type, await answer.read())
        assert "no-store" == answer.headers["Cache-Control"]
    (event,) = sink.events()
    assert (PIXELS[path], "m1", "web", NOW) == (
        event["type"], event["message_id"], event["source"], event["event_time"])
    assert PIXELS[path] in CALLS


async def test_a_pixel_of_single_parameters(client: Any, sink: MemorySink) -> None:
    """As RudderStack's AMP SDK sends them. It is a browser's: the address is the customer's."""
    async with client.get("/pixel/v1/track", params={
        "writeKey": KEY, "anonymousId": "a1", "event": "Email Opened",
        "properties.subject": "The Daily", "context.page.url": "https://shop.example/?a=1",
    }) as answer:
        assert 200 == answer.status
    (event,) = sink.events()
    personal = json.loads(event["personal"])
    assert {"subject": "The Daily"} == personal["properties"]
    assert {"page": {"url": "https://shop.example/?a=1"}, "ip": "127.0.0.1"} == personal["context"]
    assert "writeKey" not in personal


@pytest.mark.parametrize(("query", "status", "code"), [
    ({"event": "x", "userId": "u"}, 401, "write_key_unknown"),
    ({"event": "x", "userId": "u", "writeKey": "wrong"}, 401, "write_key_unknown"),
    ({"writeKey": KEY, "userId": "u"}, 400, "field_missing"),
    ({"writeKey": KEY, "data": "!"}, 400, "data_unreadable"),
    ({"writeKey": KEY, "data": "{"}, 400, "not_json"),
    ({"writeKey": KEY, "data": packed([1])}, 400, "not_an_object"),
    ({"writeKey": KEY, "event": "x", "event.y": "z"}, 400, "field_kind"),
    ({"writeKey": KEY, "event.y": "z", "event": "x"}, 400, "field_kind"),
    ({"writeKey": KEY, ".".join("a" * 9): "x"}, 400, "too_deep"),
])
async def test_a_pixel_that_is_not_taken_says_so(
    client: Any, sink: MemorySink, query: dict[str, str], status: int, code: str
) -> None:
    """Never an image for what is not in the log."""
    async with client.get("/v1/pixel/track", params=query) as answer:
        assert (status, code) == (answer.status, (await answer.json())["code"])
        assert "*" == answer.headers["Access-Control-Allow-Origin"]
    assert not sink.events()


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4)
       | st.text(max_size=40).map(lambda data: {"data": data}))
def test_any_query_is_an_item_or_refused(query: dict[str, str]) -> None:
    try:
        assert isinstance(pixel.item_of(query.items()), bytes)
    except RequestError as error:
        assert 400 == error.status


@given(st.binary(max_size=40))
def test_both_alphabets_with_padding_or_without(data: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(data).decode()
        for spelling in (text, text.rstrip("=")):
            assert data == pixel.item_of([("data", spelling)])


async def test_a_beacon_has_its_key_in_the_query(client: Any, sink: MemorySink) -> None:
    """On any route; a wrong one is not saved by the body."""
    body = json.dumps({"batch": [{"type": "page", "userId": "u"}]})
    for path in ("/beacon/v1/batch", "/beacon/v1/batch/", "/v1/batch", "/v1/b"):
        async with client.post(path, params={"writeKey": KEY}, data=body,
                               headers={"Content-Type": "text/plain"}) as answer:
            assert (200, 1) == (answer.status, (await answer.json())["accepted"])
    assert 4 == len(sink.events())
    async with client.post("/beacon/v1/batch", params={"writeKey": "wrong"}, data=json.dumps(
            {"batch": [{"type": "page", "userId": "u"}], "writeKey": KEY})) as answer:
        assert 401 == answer.status


async def test_telemetry_of_an_sdk_is_taken_and_not_kept(client: Any, sink: MemorySink) -> None:
    """Without a key: Segment's browser SDK sends none."""
    for path in ("/v1/m", "/v1/m/"):
        async with client.post(path, data='{"series":[{}]}',
                               headers={"Content-Type": "text/plain"}) as answer:
            assert (200, {"success": True}) == (answer.status, await answer.json())
    assert [] == sink.sent


async def test_what_segments_browser_sdk_loads_first(client: Any) -> None:
    host = f"127.0.0.1:{client.port}"
    async with client.get(f"/v1/projects/{KEY}/settings") as answer:
        assert 200 == answer.status
        assert "*" == answer.headers["Access-Control-Allow-Origin"]
        said = await answer.json()
    assert {"apiKey": KEY, "apiHost": f"{host}/v1", "protocol": "http"} == said["integrations"][
        "Segment.io"]
    assert 0 == said["metrics"]["sampleRate"]
    async with client.get("/v1/projects/wrong/settings") as answer:
        assert 401 == answer.status


@pytest.mark.parametrize("path", ["/sourceConfig", "/sourceConfig/"])
async def test_what_rudderstacks_browser_sdk_loads_first(client: Any, path: str) -> None:
    async with client.get(path, params={"writeKey": KEY, "p": "npm"}, headers=AUTH) as answer:
        assert 200 == answer.status
        assert {"id": "web", "name": "web", "config": {}, "destinations": [],
                "enabled": True} == (await answer.json())["source"]
    async with client.get(path) as answer:
        assert 401 == answer.status


@pytest.mark.parametrize(("options", "headers", "url"), [
    ({}, {"X-Forwarded-Proto": "https"}, "http://shop.example"),
    ({"proxies": 1}, {"X-Forwarded-Proto": "https"}, "https://shop.example"),
    ({"public_url": "https://events.shop.example:8443/"}, {}, "https://events.shop.example:8443"),
])
async def test_the_settings_name_the_address_that_browsers_use(
    sink: MemorySink, options: dict[str, Any], headers: dict[str, str], url: str
) -> None:
    async with serving(sink, **options) as client:
        async with client.get(f"/v1/projects/{KEY}/settings",
                              headers={"Host": "shop.example", **headers}) as answer:
            found = (await answer.json())["integrations"]["Segment.io"]
    assert url == f"{found['protocol']}://{found['apiHost'].removesuffix('/v1')}"


async def test_a_host_header_that_is_none_is_not_repeated(client: Any) -> None:
    async with client.get(f"/v1/projects/{KEY}/settings",
                          headers={"Host": "x/<script>"}) as answer:
        assert 400 == answer.status
        assert "script" not in await answer.text()


async def test_every_ingest_route_has_a_preflight_and_no_other(client: Any) -> None:
    for route in ALL:
        path = route.path
        for name, value in (("writeKey", KEY), ("identifier", "user_id:u1"), ("rule", "a_rule"),
                            ("trigger_id", "0" * 32), ("token", "x")):
            path = path.replace(f"{{{name}}}", value)
        for spelling in (path, path + "/"):
            async with client.options(spelling, headers={
                "Origin": "https://shop.example", "Access-Control-Request-Headers": "sentat",
            }) as answer:
                assert (200 if route.is_ingest else 405) == answer.status, spelling
                allowed = answer.headers.get("Access-Control-Allow-Headers")
                assert ("sentat" if route.is_ingest else None) == allowed


async def test_head_sends_nothing(client: Any, sink: MemorySink) -> None:
    """Mail programs look at links; only GET counts as seen."""
    async with client.head("/v1/pixel/track", params={"data": packed(ITEM), "writeKey": KEY}
                           ) as answer:
        assert 405 == answer.status
    assert [] == sink.sent


@pytest.mark.parametrize(("headers", "options", "ip"), [
    ({}, {}, None),
    ({"Origin": "https://shop.example"}, {}, "127.0.0.1"),
    ({"Origin": "https://shop.example", "X-Forwarded-For": "9.9.9.9"}, {}, "127.0.0.1"),
    ({"Origin": "https://shop.example", "X-Forwarded-For": "6.6.6.6, 1.2.3.4"}, {"proxies": 1},
     "1.2.3.4"),
    ({"Origin": "https://shop.example", "X-Forwarded-For": "6.6.6.6, 1.2.3.4,10.0.0.1"},
     {"proxies": 2}, "1.2.3.4"),
    ({"Origin": "https://shop.example", "X-Forwarded-For": "1.2.3.4"}, {"proxies": 2}, "1.2.3.4"),
])
async def test_the_address_is_filled_in_for_browsers(
    sink: MemorySink, headers: dict[str, str], options: dict[str, Any], ip: str | None
) -> None:
    """Under what the item and its batch say; never for a server, whose own it would be."""
    async with serving(sink, **options) as client:
        await post(client, "/v1/page", {"userId": "u", "context": {"a": 1}}, **headers)
        await post(client, "/v1/batch", {"batch": [{"type": "page", "userId": "u"}],
                                         "context": {"ip": "8.8.8.8"}}, **headers)
        await post(client, "/v1/page", {"userId": "u", "context": {"ip": "8.8.4.4"}}, **headers)
    filled, *said = [json.loads(e["personal"])["context"] for e in sink.events()]
    assert ({"a": 1, "ip": ip} if ip else {"a": 1}) == filled
    assert [{"ip": "8.8.8.8"}, {"ip": "8.8.4.4"}] == said


@pytest.mark.parametrize(("header", "filled"), [
    ("1", True), ("0", None), ("true", None), ("", None), ("1, 1", None)])
async def test_global_privacy_control_is_noted_with_every_item(
    client: Any, sink: MemorySink, header: str, filled: bool | None
) -> None:
    """As browsers send it, with any SDK; only `1` has a meaning. The plan then keeps what is
    necessary."""
    said = {"userId": "u", "context": {"consent": {"categoryPreferences": {"Analytics": True}}}}
    await post(client, "/v1/page", said, **{"Sec-GPC": header})
    await post(client, "/v1/batch", {"batch": [{"type": "page", **said}]}, **{"Sec-GPC": header})
    async with client.get("/v1/pixel/page", params={"writeKey": KEY, "userId": "u"},
                          headers={"Sec-GPC": header}) as answer:
        assert 200 == answer.status
    contexts = [json.loads(event["personal"])["context"] for event in sink.events()]
    assert [filled] * 3 == [context.get("globalPrivacyControl") for context in contexts]


# -- the browser script --------------------------------------------------------------------------


@pytest.mark.parametrize("packed", ["gzip, deflate", "identity"])
async def test_the_browser_script_is_served_to_any_page(client: Any, packed: str) -> None:
    async with client.get("/footfall.js", headers={"Accept-Encoding": packed,
                                                   "Origin": "https://shop.example"}) as answer:
        assert (200, "text/javascript", "utf-8") == (
            answer.status, answer.content_type, answer.charset)
        assert PATH.read_bytes() == await answer.read()
        assert packed.startswith("gzip") == ("Content-Encoding" in answer.headers)
        assert "public, max-age=300, must-revalidate" == answer.headers["Cache-Control"]
        assert ("*", "cross-origin", "nosniff", "Accept-Encoding") == tuple(
            answer.headers[name] for name in (
                "Access-Control-Allow-Origin", "Cross-Origin-Resource-Policy",
                "X-Content-Type-Options", "Vary"))


async def test_a_browser_that_has_the_script_is_told_so(client: Any) -> None:
    """Whichever encoding it has; any other is sent anew."""
    async with client.get("/footfall.js") as answer:
        etag = answer.headers["ETag"]
    for known, status in ((etag, 304), (f'"other", {etag}', 304), ("*", 304), ('"other"', 200)):
        async with client.get("/footfall.js", headers={"If-None-Match": known}) as answer:
            assert (status, etag) == (answer.status, answer.headers["ETag"])
            assert (status == 200) == bool(await answer.read())
    async with client.head("/footfall.js") as answer:
        assert 200 == answer.status
