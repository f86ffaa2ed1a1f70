"""The channel `notify` through Apprise, to an HTTP server on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from footfall.delivery.channels import notify, open_channel
from footfall.delivery.message import Message, Outcome, Person, RenderError, Resources
from footfall.delivery.routes_row import NotifyDestination
from footfall.errors import ConfigError
from tests.delivery.channels import DOCUMENT, NOBODY, TRIGGER, attempt

ADA = Person(ids={"phone": "+4917612345678", "email": "ada@shop.test"},
             traits={"first_name": "Ada <b>", "chat": 4711, "nick": "a/b"})
RETRY = Outcome("retry", "notify")


class Peer(ThreadingHTTPServer):
    """Takes notifications; `status` and `delay_s` say how it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        self.released = threading.Event()
        self.released.set()


class _Handler(BaseHTTPRequestHandler):
    server: Peer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, json.loads(body)))
        self.server.released.wait(30)
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.seen.append((self.path, {}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def peer() -> Iterator[Peer]:
    server = Peer()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Any]]:
    """Opens a channel as delivery does; closed when the test ends."""
    made = []

    async def make(url: str, **more: Any) -> Any:
        made.append(await open_channel("team", destination(**more), resources(url)))
        return made[-1]

    yield make
    for channel in made:
        await channel.close()


def destination(**more: Any) -> NotifyDestination:
    return NotifyDestination(**{
        "purpose": "necessary", "url_env": "TEAM_URL", "body": "Cart of {{ data.value }}",
        "timeout_s": 60, **more})


def resources(url: str) -> Resources:
    return Resources(Path(), {"TEAM_URL": url}, allow=("127.0.0.1/32",))


async def test_title_and_body_are_templates(peer: Peer, opened: Callable[..., Any]) -> None:
    """And text, whatever a customer typed."""
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/hook", title="{{ trigger.name }}",
                           body="{{ customer.traits.first_name }}: {{ data.value }}")

    message = channel.render(TRIGGER, DOCUMENT, ADA)
    assert Outcome("sent") == await channel.send(message, attempt())

    [(path, said)] = peer.seen
    assert "/hook" == path
    assert ("cart_abandoned", "Ada <b>: 12.50") == (said["title"], said["message"])
    assert [] == said["attachments"]
    assert channel.needs_person


async def test_who_is_told_without_a_customer_needs_none(
    peer: Peer, opened: Callable[..., Any]
) -> None:
    """A message to one's own team does not wait for the served view."""
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/hook")
    assert not channel.needs_person
    assert "Cart of 12.50" == channel.render(TRIGGER, DOCUMENT, NOBODY).body


@pytest.mark.parametrize(("kind", "expected"), [
    ("phone", "/to/+4917612345678/end"), ("email", "/to/ada@shop.test/end"),
    ("chat", "/to/4711/end")])
async def test_the_recipient_stands_where_the_url_says(
    peer: Peer, opened: Callable[..., Any], kind: str, expected: str
) -> None:
    """An identifier, or a trait of the profile; the host stays what it was."""
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/to/{{to}}/end", to=kind)

    message = channel.render(TRIGGER, DOCUMENT, ADA)
    await channel.send(message, attempt())

    assert [expected] == [path for path, _ in peer.seen]


@pytest.mark.parametrize("kind", ["phone", "nick", "absent"])
async def test_nobody_to_tell_is_a_suppression(
    peer: Peer, opened: Callable[..., Any], kind: str
) -> None:
    """No address, or what is no address; the error says nothing of the customer."""
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/to/{{to}}", to=kind)
    eve = Person(ids={"phone": "+49176,+49177"}, traits={"nick": "a/b"})

    with pytest.raises(RenderError) as refused:
        channel.render(TRIGGER, DOCUMENT, eve)
    assert ("no_address", True) == (refused.value.reason, refused.value.is_suppression)
    assert "+49" not in str(refused.value)


async def test_an_empty_body_is_no_message(peer: Peer, opened: Callable[..., Any]) -> None:
    """No service takes one, so that trying again would be in vain."""
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/hook",
                           body="{% if data.value > 99 %}big{% endif %}")
    with pytest.raises(RenderError, match="render_failed"):
        channel.render(TRIGGER, DOCUMENT, NOBODY)


@pytest.mark.parametrize("status", [400, 404, 500, 302])
async def test_what_the_service_refuses_is_tried_again(
    peer: Peer, opened: Callable[..., Any], status: int
) -> None:
    """Apprise does not say why; a redirect is not followed."""
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/hook")
    peer.status = status

    assert RETRY == await channel.send(Message("x"), attempt())
    assert ["/hook"] == [path for path, _ in peer.seen]


async def test_a_service_that_is_away_is_tried_again(opened: Callable[..., Any]) -> None:
    channel = await opened("json://127.0.0.1:1/hook")
    assert RETRY == await channel.send(Message("x"), attempt())


async def test_a_service_that_hangs_costs_its_time_and_few_threads(
    peer: Peer, opened: Callable[..., Any]
) -> None:
    """What no thread had begun when the time was over is never sent. A thread whose own time is
    over a moment sooner may begin one more.
    """
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/hook", timeout_s=1)
    peer.released.clear()

    began = time.monotonic()
    outcomes = await asyncio.gather(*(
        channel.send(Message(str(number)), attempt()) for number in range(50)))

    assert [RETRY] * 50 == outcomes
    assert time.monotonic() - began < 25  # the peer alone would take 30
    threads = [one for one in threading.enumerate() if one.name.startswith("notify team")]
    assert notify.THREADS_MAX == len(threads)
    while len(peer.seen) < notify.THREADS_MAX and time.monotonic() - began < 25:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    peer.released.set()
    await asyncio.sleep(1)
    assert notify.THREADS_MAX <= len(peer.seen) <= 2 * notify.THREADS_MAX


async def test_neither_logs_nor_errors_name_recipient_or_url(
    peer: Peer, opened: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Apprise itself would log both."""
    caplog.set_level(logging.DEBUG)
    channel = await opened(f"json://127.0.0.1:{peer.server_port}/s3cret/{{to}}", to="phone")
    for logger in ("apprise", "urllib3.connectionpool"):
        assert logging.getLogger(logger).getEffectiveLevel() > logging.CRITICAL
    peer.status = 500
    await channel.send(channel.render(TRIGGER, DOCUMENT, ADA), attempt())
    assert [] == [line for line in caplog.messages if "s3cret" in line or "49176" in line]
    assert 1 == len(peer.seen)


@pytest.mark.parametrize(("url", "more", "said"), [
    ("", {}, "TEAM_URL is not set"),
    ("json://10.0.0.1/s3cret", {}, "delivery_allow"),
    ("file:///s3cret", {}, "not one that delivery may use"),
    ("json://127.0.0.1/s3cret/{to}", {}, "belong together"),
    ("json://127.0.0.1/s3cret", {"to": "phone"}, "belong together"),
    ("pagerduty://s3cret", {}, "no URL of pagerduty"),
    ("json://127.0.0.1/s3cret", {"body": "{{ secret }}"}, "no variable secret"),
], ids=["not set", "host", "service", "no to", "no place", "unreadable", "template"])
async def test_what_cannot_work_is_told_at_once(url: str, more: dict[str, Any], said: str) -> None:
    """With the destination's name, without the URL."""
    with pytest.raises(ConfigError, match=said) as refused:
        await open_channel("team", destination(**more), resources(url))
    assert str(refused.value).startswith("team: ")
    assert "s3cret" not in str(refused.value)


async def test_without_apprise_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own install has none of it."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"footfall\[notify\]"):
        await open_channel("team", destination(), resources("slack://T1/B2/C3"))
