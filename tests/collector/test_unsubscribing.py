"""The link of a message: a page that changes nothing, and a click that is in the log when it is
answered.
"""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from footfall.collector.unsubscribing import BODY_BYTES_MAX
from footfall.events.unsubscribe import TOKEN_CHARS_MAX, Ask, Links
from tests.collector.edge import AUTH, KEYS, NOW, MemorySink, serving

ASK = Ask("email", "anna@shop.example", "marketing", "email", NOW - 1)
LINK = f"/v1/unsubscribe/{Links(KEYS).token(ASK)}"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


class Page(HTMLParser):
    """What a browser without scripts sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_looking_changes_nothing(client: Any, sink: MemorySink, method: str, slash: str
                                       ) -> None:
    """Whoever opens the links of a mail unsubscribes nobody (P11)."""
    async with client.request(method, LINK + slash) as answer:
        assert (200, "text/html", "utf-8") == (answer.status, answer.content_type, answer.charset)

    assert [] == sink.sent


async def test_the_page_needs_nothing_and_shows_nobody(client: Any) -> None:
    """One form that posts to where it came from; no script, no address of anybody else."""
    async with client.get(LINK) as answer:
        page, headers = Page(await answer.text()), answer.headers

    assert {"html", "head", "meta", "title", "body", "h1", "p", "form", "input", "button"} == {
        tag for tag, _ in page.tags}
    assert [{"method": "post"}] == [given for tag, given in page.tags if tag == "form"]
    assert [{"type": "hidden", "name": "List-Unsubscribe", "value": "One-Click"}] == [
        given for tag, given in page.tags if tag == "input"]
    assert "“marketing”" in page.text
    assert "anna" not in page.text
    assert ("no-store", "no-referrer", "nosniff", "noindex") == tuple(headers[name] for name in (
        "Cache-Control", "Referrer-Policy", "X-Content-Type-Options", "X-Robots-Tag"))
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Access-Control-Allow-Origin" not in headers
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("posted", [
    {"data": ONE_CLICK}, {"data": b""}, {"json": {"x": 1}}, {"data": b"\0" * BODY_BYTES_MAX},
    {"data": ONE_CLICK, "headers": {"Origin": "null"}},
    {"data": ONE_CLICK, "headers": {"Authorization": "Basic wrong"}}],
    ids=["form", "empty", "json", "most", "origin", "key"])
async def test_a_click_is_in_the_log_when_it_is_answered(
    client: Any, sink: MemorySink, posted: dict[str, Any]
) -> None:
    """Under the identifier of the token alone, with purpose and channel of the message."""
    async with client.post(LINK, allow_redirects=False, **posted) as answer:
        assert (200, "text/html") == (answer.status, answer.content_type)
        assert "You are unsubscribed" in await answer.text()

    (record,) = sink.sent[0].interactions
    (event,) = sink.events()
    assert KEYS.of("email", "anna@shop.example") == record["key"]
    assert ("track", "Unsubscribed", "unsubscribe", NOW, NOW) == tuple(
        event[name] for name in ("type", "event", "source", "event_time", "received_at"))
    assert {"context": {"traits": {"email": "anna@shop.example"}},
            "properties": {"purpose": "marketing", "channel": "email",
                           "message_issued_at": NOW - 1}} == json.loads(event["personal"])


async def test_a_repeat_is_a_duplicate(client: Any, sink: MemorySink) -> None:
    """It is answered alike and not written again."""
    for _ in range(3):
        async with client.post(LINK, data=ONE_CLICK) as answer:
            assert 200 == answer.status

    assert 1 == len(sink.events())


async def test_a_form_with_files_is_a_click(client: Any, sink: MemorySink) -> None:
    """RFC 8058 lets programs send multipart/form-data."""
    import aiohttp

    with aiohttp.MultipartWriter("form-data") as form:
        form.append("One-Click", {"Content-Disposition":
                                  'form-data; name="List-Unsubscribe"'})
        async with client.post(LINK, data=form) as answer:
            assert 200 == answer.status

    assert 1 == len(sink.events())


@pytest.mark.parametrize("token", [
    "x", LINK[17:-1], LINK[17:] + "A", LINK[17:].swapcase(), "A" * TOKEN_CHARS_MAX, "A" * 7_000,
    "%00", "%ff", "..%2f..%2fetc", "%3Cscript%3E", "ü"])
@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_link_that_is_none_is_refused(client: Any, sink: MemorySink, method: str,
                                              token: str) -> None:
    """400, never an error of ours, and nothing of it is repeated."""
    from yarl import URL

    path = URL(f"http://127.0.0.1:{client.port}/v1/unsubscribe/{token}", encoded=token != "ü")
    async with client.session.request(method, path) as answer:
        said = await answer.text()
        assert (400, "token_invalid") == (answer.status, json.loads(said)["code"])
    assert "script" not in said
    assert [] == sink.sent


async def test_a_link_of_another_installation_is_refused(client: Any, sink: MemorySink) -> None:
    """A token is authentic under one secret alone."""
    from footfall.events.customer_key import CustomerKeys

    token = Links(CustomerKeys(b"another secret of that length")).token(ASK)
    async with client.post(f"/v1/unsubscribe/{token}", data=ONE_CLICK) as answer:
        assert 400 == answer.status
    assert [] == sink.sent


async def test_what_the_log_has_not_is_not_promised(client: Any, sink: MemorySink) -> None:
    """503 while the log is away, so that mail programs send it again; then it is taken."""
    sink.error = "the log is away"
    async with client.post(LINK, data=ONE_CLICK) as answer:
        assert (503, True) == (answer.status, "Retry-After" in answer.headers)
    sink.error = ""
    async with client.post(LINK, data=ONE_CLICK) as answer:
        assert 200 == answer.status

    assert 1 == len(sink.events())


async def test_a_body_that_is_too_long_is_refused(client: Any, sink: MemorySink) -> None:
    """One byte over the limit."""
    async with client.post(LINK, data=b"x" * (BODY_BYTES_MAX + 1)) as answer:
        assert 413 == answer.status
    assert [] == sink.sent


async def test_what_stands_in_a_token_is_escaped(client: Any) -> None:
    """A purpose may have any name; the page shows it as text."""
    hostile = '<script>{0.__class__}"&{}'
    token = Links(KEYS).token(Ask("user_id", "u", hostile, "sms", NOW))
    for method in ("get", "post"):
        async with client.request(method, f"/v1/unsubscribe/{token}") as answer:
            page = Page(await answer.text())
        assert "script" not in {tag for tag, _ in page.tags}
        assert f"“{hostile}”" in page.text


async def test_no_plan_keeps_a_refusal_out(sink: MemorySink) -> None:
    """A tracking plan that lets nothing through lets a click through."""
    class Closed:
        def apply(self, *_given: object) -> list[Any]:
            raise AssertionError("the plan was asked")

    async with serving(sink, plan=Closed()) as client:
        async with client.post(LINK, data=ONE_CLICK, headers=AUTH) as answer:
            assert 200 == answer.status

    assert 1 == len(sink.events())
