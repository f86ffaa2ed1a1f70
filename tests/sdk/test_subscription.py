"""`footfall.subscribe` against a real collector: what is done, repeated, and waited out."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

import footfall
from footfall import SubscriptionError, tables
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.customers import Customers
from footfall.collector.serving import Runner
from footfall.sdk import events, subscription
from footfall.sdk.checkpoint import CURSOR_CHARS_MAX, Checkpoint
from footfall.sdk.events import Event, Parser, TooLargeError
from footfall.subscriptions import frames
from footfall.subscriptions.hub import Hub
from footfall.up.ports import HOST, free_port
from footfall.view.roles import ApiKeys
from footfall.view.why_classes import ExplanationMask
from tests.collector.edge import CODECS, KEYS, MemorySink
from tests.collector.test_customers import OWNER
from tests.sdk.collector import until
from tests.sdk.test_light import HEAVY, modules
from tests.subscriptions.memory import MemoryTopic
from tests.subscriptions.test_hub import QUICK

WAIT_S_MAX = 30.0


class Running:
    """A collector in a thread of its own, which can be stopped and started on the same port."""

    def __init__(self, topic: MemoryTopic) -> None:
        self.topic = topic
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: Runner | None = None

    def start(self) -> None:
        self._do(self._start())

    def stop(self) -> None:
        self._do(self._stop())

    def is_listened_to(self) -> bool:
        """Whether somebody has a place: what comes from now on is theirs."""
        return any(one.is_at_end or one._at.offsets for one in tuple(self._hub._subscribers))

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S_MAX)

    def _do(self, what: Any) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(WAIT_S_MAX)

    async def _start(self) -> None:
        self._hub = Hub(self.topic.reader, CODECS.trigger, ExplanationMask(tables.ALL), QUICK)
        made = Collector(MemorySink(), KEYS, WriteKeys({"web": "k"}), CODECS, hub=self._hub,
                         customers=Customers(KEYS, ApiKeys(OWNER), tables.ALL))
        self._runner = Runner(made.application(), shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@pytest.fixture
def collector() -> Iterator[Running]:
    made = Running(MemoryTopic())
    made.start()
    yield made
    made.end()


@pytest.fixture(autouse=True)
def _no_hanging() -> Iterator[None]:
    """What hangs is told by the time it took."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 2 * WAIT_S_MAX


def subscribe(collector: Running, **options: Any) -> footfall.Subscription:
    return footfall.subscribe(OWNER, collector.url, **{"start": "earliest", **options})


def numbers(triggers: footfall.Subscription, count: int) -> list[int]:
    return [int(next(triggers)["trigger_id"], 16) for _ in range(count)]


def test_triggers_come_one_after_another(collector: Running) -> None:
    for n in range(5):
        collector.topic.put(n, data=b'{"level":"%b"}' % (b"high" if n % 2 else b"low"))
    with subscribe(collector) as triggers:
        assert list(range(5)) == sorted(numbers(triggers, 5))
    with subscribe(collector, where={"level": "high"}) as triggers:
        assert [1, 3] == sorted(numbers(triggers, 2))
    with subscribe(collector, name=["other", "cart_abandoned"], customer="user_id:u1") as triggers:
        assert "cart_abandoned" == next(triggers)["name"]


def test_what_is_in_hand_comes_again_and_what_is_done_does_not(
    collector: Running, tmp_path: Path
) -> None:
    """Over a new process: the file alone says where it was."""
    place = tmp_path / "place"
    for n in range(0, 12, 3):
        collector.topic.put(n)
    with subscribe(collector, checkpoint=place) as triggers:
        assert [0, 3] == numbers(triggers, 2)
    with subscribe(collector, checkpoint=place) as triggers:
        assert [3, 6] == numbers(triggers, 2)
        triggers.done()
    with subscribe(collector, checkpoint=str(place)) as triggers:
        assert [9] == numbers(triggers, 1)


def test_a_collector_that_stops_and_comes_back_is_waited_for(collector: Running) -> None:
    """Nothing twice, nothing missed, though some came while it was away."""
    with subscribe(collector) as triggers:
        found = []
        for turn in range(3):
            for n in range(5):
                collector.topic.put(5 * turn + n)
            found += numbers(triggers, 5)
            collector.stop()
            collector.topic.put(100 + turn)
            collector.start()
            found += numbers(triggers, 1)
        assert sorted([*range(15), 100, 101, 102]) == sorted(found)


def put_when_listened_to(collector: Running, n: int) -> None:
    until(collector.is_listened_to)
    collector.topic.put(n)


def test_a_gap_is_told(collector: Running, tmp_path: Path, caplog: Any) -> None:
    place, gaps = tmp_path / "place", list[Any]()
    with subscribe(collector, checkpoint=place, start="latest", checkpoint_s=0) as triggers:
        collector.topic.put(0)
        threading.Thread(target=put_when_listened_to, args=(collector, 3)).start()
        assert [3] == numbers(triggers, 1)
        triggers.done()
    for n in range(6, 30, 3):
        collector.topic.put(n)
    collector.topic.expire(9, 0, 0)
    collector.stop()
    collector.start()
    before = place.read_text()
    with subscribe(collector, checkpoint=place, on_gap=gaps.append) as triggers:
        assert [27] == numbers(triggers, 1)
    assert ["retention"] == [gap["reason"] for gap in gaps]
    assert "may be missing" not in caplog.text
    place.write_text(before)
    with subscribe(collector, checkpoint=place) as triggers:
        assert [27] == numbers(triggers, 1)
    assert "triggers may be missing: retention" in caplog.text


@pytest.mark.parametrize(("options", "code"), [
    ({"customer": "nobody"}, "identifier_invalid"), ({"start": "yesterday"}, "start_unknown"),
    ({"where": {"": "x"}}, "filter_invalid")])
def test_what_can_never_work_raises(collector: Running, options: dict[str, Any], code: str
                                    ) -> None:
    with pytest.raises(SubscriptionError) as raised, subscribe(collector, **options) as triggers:
        next(triggers)
    assert code == raised.value.code


def test_keys_hosts_and_places_that_are_none(collector: Running, tmp_path: Path) -> None:
    with pytest.raises(SubscriptionError, match="api_key_unknown"):
        next(footfall.subscribe("wrong", collector.url))
    for key in ("", "a\nb", "ü"):
        with pytest.raises(SubscriptionError, match="api_key_unknown"):
            footfall.subscribe(key, collector.url)
    with pytest.raises(SubscriptionError, match="host_invalid"):
        footfall.subscribe("k", "ftp://x")
    place = tmp_path / "place"
    place.write_text("made up")
    with pytest.raises(SubscriptionError, match="cursor_invalid"):
        next(subscribe(collector, checkpoint=place))
    for content in (b"a\nb", b"\xff", b"A" * (CURSOR_CHARS_MAX + 1)):
        place.write_bytes(content)
        with pytest.raises(SubscriptionError, match="checkpoint_failed"):
            subscribe(collector, checkpoint=place)
    with pytest.raises(SubscriptionError, match="checkpoint_failed"):
        Checkpoint(tmp_path / "no" / "such", 0).move("x")


def test_close_from_another_thread_ends_the_loop(collector: Running) -> None:
    with subscribe(collector) as triggers:
        collector.topic.put(1)
        found = []
        for trigger in triggers:
            found.append(trigger)
            threading.Timer(0.3, triggers.close).start()
        assert 1 == len(found)


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])
def test_what_is_no_collector_raises(answer: bytes) -> None:
    """A redirect is not followed: the key would go with it."""
    with answering(answer) as url, pytest.raises(SubscriptionError, match="no collector"):
        next(footfall.subscribe("k", url))


def test_an_event_without_an_end_is_not_kept(monkeypatch: Any) -> None:
    monkeypatch.setattr(subscription, "EVENT_BYTES_MAX", 1_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    with answering(head + b"data: " + b"x" * 5_000) as url:
        with pytest.raises(SubscriptionError, match="event_too_large"):
            next(footfall.subscribe("k", url))


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that answers with these bytes."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://{HOST}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


# -- asyncio ---------------------------------------------------------------------------------------


async def test_the_same_for_asyncio(collector: Running, tmp_path: Path) -> None:
    """A call that is given up loses nothing."""
    place = tmp_path / "place"
    async with subscribe(collector, checkpoint=place) as triggers:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(triggers), 0.3)
        for n in (0, 3, 6):
            collector.topic.put(n)
        found = []
        async for trigger in triggers:
            found.append(int(trigger["trigger_id"], 16))
            if len(found) == 3:
                break
        assert [0, 3, 6] == found
    async with subscribe(collector, checkpoint=place) as triggers:
        assert f"{6:032x}" == (await anext(triggers))["trigger_id"]


async def test_close_ends_a_waiting_task(collector: Running) -> None:
    triggers = subscribe(collector)
    asyncio.get_running_loop().call_later(0.3, triggers.close)
    async with asyncio.timeout(WAIT_S_MAX):
        assert [] == [one async for one in triggers]


async def test_errors_reach_the_task(collector: Running) -> None:
    with pytest.raises(SubscriptionError, match="api_key_unknown"):
        await anext(footfall.subscribe("wrong", collector.url))


# -- the pure parts --------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(["trigger", "gap"]), st.text("ab1", min_size=1),
                          st.text("\r\n:ab\u2028", min_size=1, max_size=9)), max_size=5))
def test_events_are_read_as_the_collector_writes_them(sent: list[tuple[str, str, str]]) -> None:
    stream = frames.opening("c0") + b"".join(
        frames.event(name, place, data.encode()) for name, place, data in sent)
    parser = Parser()
    found = [event for line in stream.splitlines(keepends=True)
             if (event := parser.line(line)) is not None]
    assert Event("", "c0", b"") == found[0]
    assert [(name, place, data.replace("\r\n", "\n").replace("\r", "\n").encode())
            for name, place, data in sent] == [tuple(event) for event in found[1:]]


@given(st.lists(st.binary(max_size=30)))
def test_any_line_is_read(lines: list[bytes]) -> None:
    parser = Parser()
    for line in lines:
        parser.line(line)


def test_an_event_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(events, "EVENT_BYTES_MAX", 10)
    parser = Parser()
    parser.line(b"data: 123456789")
    with pytest.raises(TooLargeError):
        parser.line(b"data: ")


def test_it_needs_nothing_heavy() -> None:
    """Not even asyncio, where nobody awaits."""
    assert set() == modules("import sys, footfall\nfootfall.subscribe('k', 'http://127.0.0.1:1')\n"
                            "print('\\n'.join(sys.modules))") & HEAVY
