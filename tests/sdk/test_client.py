"""From calls to a server: batches, retries, drops, ends. Against a small real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import threading
import time
from typing import Any

import pytest

from footfall import AsyncClient, Client, DroppedError
from footfall.errors import SettingsError
from footfall.sdk import sender as sending
from footfall.up.ports import free_port
from tests.sdk.collector import Answer, FakeCollector, results, until

#: Of what ends at once or within a second; what waits for the network takes ten and more.
WAIT_S_MAX = 6.0


@pytest.fixture
def collector() -> Any:
    with FakeCollector() as collector:
        yield collector


def senders() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "footfall-sender"}


def sums(client: Client) -> int:
    """All calls and recovered items, from where they ended."""
    counts = client.counts()
    return (counts.accepted + counts.duplicate + counts.waiting + sum(counts.dropped.values()))


# -- batches -------------------------------------------------------------------------------------


def test_a_request_is_what_the_contract_says(collector: FakeCollector) -> None:
    with Client("key", collector.url + "/") as client:
        client.track("u1", "e")
    (request,) = collector.requests
    assert "/v1/batch" == request.path
    assert "Basic " + base64.b64encode(b"key:").decode() == request.headers["Authorization"]
    assert "gzip" == request.headers["Content-Encoding"]
    assert {"batch", "sentAt"} == request.body.keys()


def test_batches_end_at_a_count(collector: FakeCollector) -> None:
    with Client("k", collector.url, upload_size=10, upload_interval=30) as client:
        for n in range(25):
            client.track("u", f"{n}")
        until(lambda: len(collector.items) == 20)
        time.sleep(0.1)
        assert [10, 10] == [len(r.body["batch"]) for r in collector.requests]
        assert client.flush()
        assert [str(n) for n in range(25)] == collector.events


@pytest.mark.parametrize("packed", [True, False])
def test_batches_end_at_a_size(collector: FakeCollector, packed: bool) -> None:
    """No body is larger than the limit, and each is as full as it can be."""
    with Client("k", collector.url, upload_interval=30, gzip=packed) as client:
        for n in range(100):
            client.track("u", f"{n}", {"x": "y" * 30_000})
        assert client.flush()
    sizes = [request.size for request in collector.requests]
    assert max(sizes) <= 475_000
    assert min(sizes[:-1]) > 475_000 - 31_000
    assert [str(n) for n in range(100)] == collector.events


def test_batches_end_at_a_time(collector: FakeCollector) -> None:
    """So long after the first item."""
    with Client("k", collector.url, upload_interval=1.0) as client:
        began = time.monotonic()
        client.track("u", "1")
        client.track("u", "2")
        until(lambda: collector.requests)
        assert 0.95 < collector.requests[0].at - began
        until(lambda: client.counts().accepted == 2)
    assert 1 == len(collector.requests)


def test_one_connection_is_kept(collector: FakeCollector) -> None:
    with Client("k", collector.url) as client:
        for n in range(5):
            client.track("u", f"{n}")
            assert client.flush()
    assert (5, 1) == (len(collector.requests), collector.connections)


def test_a_kept_connection_that_was_closed_costs_no_retry() -> None:
    """A server closes idle connections; the next batch opens another at once."""
    first = FakeCollector(free_port())
    with Client("k", first.url, max_retries=0) as client:
        client.track("u", "1")
        assert client.flush()
        first.stop()
        with FakeCollector(first.port) as second:
            client.track("u", "2")
            assert client.flush()
            assert ["2"] == second.events
        assert {} == client.counts().dropped


def test_many_threads(collector: FakeCollector) -> None:
    """Each thread's items arrive in its order, all once."""
    with Client("k", collector.url, max_queue_size=100_000) as client:
        def call(name: str) -> None:
            for n in range(500):
                client.track(name, f"{n}")

        threads = [threading.Thread(target=call, args=(f"t{t}",)) for t in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush()
    for t in range(8):
        assert [str(n) for n in range(500)] == [
            item["event"] for item in collector.items if item["userId"] == f"t{t}"]


# -- retries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_retried_with_the_same_message_ids(collector: FakeCollector, status: int) -> None:
    collector.answers = [Answer(status), Answer(status)]
    with Client("k", collector.url) as client:
        for n in range(3):
            client.track("u", f"{n}")
        assert client.flush()
        assert (3, {}) == (client.counts().accepted, client.counts().dropped)
    ids = [[item["messageId"] for item in r.body["batch"]] for r in collector.requests]
    assert 3 == len(ids)
    assert ids[0] == ids[1] == ids[2]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413])
def test_not_retried(collector: FakeCollector, status: int) -> None:
    """All other answers are final: the batch is dropped, counted and told, the next one goes."""
    told: list[tuple[DroppedError, list[dict[str, Any]]]] = []
    collector.answers = [Answer(status)]
    with Client("k", collector.url, on_error=lambda *args: told.append(args)) as client:
        client.track("u", "1")
        client.track("u", "2")
        assert client.flush()
        assert {f"http_{status}": 2} == client.counts().dropped
        ((error, items),) = told
        assert (status, ["1", "2"]) == (error.status, [item["event"] for item in items])
        client.track("u", "3")
    assert ["3"] == collector.events
    assert 2 == len(collector.requests)


@pytest.mark.parametrize("end", ["flush", "close"])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(collector: FakeCollector, status: int, end: str) -> None:
    """Also while the client closes: the collector is not asked before."""
    collector.answers = [Answer(status, {"Retry-After": "2"})]
    client = Client("k", collector.url)
    client.track("u", "1")
    until(lambda: collector.requests)
    getattr(client, end)(timeout_s=10)
    first, second = collector.requests
    assert second.at - first.at >= 2.0
    assert 1 == client.counts().accepted
    client.close()


def test_it_gives_up_after_so_many_retries(collector: FakeCollector) -> None:
    collector.then = Answer(503)
    with Client("k", collector.url, max_retries=2) as client:
        client.track("u", "1")
        assert client.flush()
        assert {"retries_exhausted": 1} == client.counts().dropped
    assert 3 == len(collector.requests)


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"", b"[]", b'"yes"', b"null"])
def test_a_200_of_something_else_is_no_answer(collector: FakeCollector, body: bytes) -> None:
    """A proxy's log-in page takes nothing: the items are sent again."""
    collector.answers = [Answer(200, {}, body)]
    with Client("k", collector.url) as client:
        client.track("u", "1")
        assert client.flush()
        assert 1 == client.counts().accepted
    assert 2 == len(collector.requests)


def test_what_the_collector_says_of_each_item(collector: FakeCollector) -> None:
    """A rejected one is told with the collector's reason; its neighbours are accepted."""
    told: list[tuple[str, str, list[str]]] = []

    def on_error(error: DroppedError, items: list[dict[str, Any]]) -> None:
        told.append((error.reason, error.detail, [item["event"] for item in items]))
        raise RuntimeError("a mistake of the app")

    collector.answers = [results(
        {"status": "accepted", "messageId": "m"}, {"status": "duplicate"},
        {"status": "rejected", "reason": "currency_unreadable", "field": "currency",
         "detail": "currency is not three letters"})]
    with Client("k", collector.url, on_error=on_error) as client:
        for n in range(3):
            client.track("u", f"{n}")
        assert client.flush()
        counts = client.counts()
        assert (1, 1, {"currency_unreadable": 1}) == (
            counts.accepted, counts.duplicate, counts.dropped)
    assert [("currency_unreadable", "currency is not three letters", ["2"])] == told


def test_an_item_that_is_not_json_costs_no_neighbour(collector: FakeCollector) -> None:
    """One that only the wire would refuse: it would spoil the whole body."""
    from decimal import Decimal

    with Client("k", collector.url) as client:
        client.track("u", "1")
        client.track("u", "2", {"x": Decimal("NaN")})
        client.track("u", "3")
        assert client.flush()
        assert {"unencodable": 1} == client.counts().dropped
    assert ["1", "3"] == collector.events


# -- never raises, never blocks ------------------------------------------------------------------


def test_a_full_queue_drops_and_tells(collector: FakeCollector) -> None:
    """At its limit and not before; no call raises or waits."""
    collector.gate.clear()
    told: list[str] = []
    with Client("k", collector.url, max_queue_size=50, upload_size=10,
                on_error=lambda error, _items: told.append(error.reason)) as client:
        began = time.monotonic()
        states = [client.track("u", f"{n}").success for n in range(80)]
        assert time.monotonic() - began < WAIT_S_MAX
        assert [True] * 50 + [False] * 30 == states
        assert {"queue_full": 30} == client.counts().dropped
        assert ["queue_full"] * 30 == told
        assert 80 == sums(client)
        collector.gate.set()


def test_on_error_may_call_the_client(collector: FakeCollector) -> None:
    """Even while the queue is full: what it calls is counted and not told again."""
    client = Client("k", f"http://127.0.0.1:{free_port()}", max_queue_size=1,
                    on_error=lambda *_: client.track("u", "told"))
    client.track("u", "1")
    client.track("u", "2")
    assert {"queue_full": 2} == client.counts().dropped
    client.close(0)


def test_a_dead_server_blocks_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Calls return at once; flush and close within their bounds; what is lost is counted."""
    client = Client("k", f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    for n in range(1000):
        assert client.track("secret-user", f"{n}").success
    assert time.monotonic() - began < WAIT_S_MAX
    began = time.monotonic()
    assert not client.flush(0.5)
    assert time.monotonic() - began < WAIT_S_MAX
    began = time.monotonic()
    client.close(0.5)
    assert time.monotonic() - began < WAIT_S_MAX
    assert ({"closed": 1000}, 0) == (client.counts().dropped, client.counts().waiting)
    assert "closed" in caplog.text
    assert "secret-user" not in caplog.text


def test_a_server_that_never_answers_blocks_nobody() -> None:
    """It accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client("k", f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.3,
                        max_retries=0)
        client.track("u", "1")
        assert client.flush(20)
        assert {"retries_exhausted": 1} == client.counts().dropped
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client("k", f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=20)
        client.track("u", "2")
        began = time.monotonic()
        client.close(0.2)
        assert time.monotonic() - began < WAIT_S_MAX


def test_the_server_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the retries nothing is lost and the order holds."""
    monkeypatch.setattr("footfall.sdk.outcome.BACKOFF_S", 0.1)
    port = free_port()
    with Client("k", f"http://127.0.0.1:{port}", upload_interval=0.05) as client:
        for n in range(50):
            client.track("u", f"{n}")
            time.sleep(0.01)
        with FakeCollector(port) as collector:
            assert client.flush()
            assert [str(n) for n in range(50)] == collector.events
            assert (50, {}) == (client.counts().accepted, client.counts().dropped)


def test_a_mistake_of_ours_ends_no_sender(
    collector: FakeCollector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception where none should be is logged by its kind, and the items are sent again."""
    judge, calls = sending.is_json, []

    def broken(item: bytes) -> bool:
        calls.append(item)
        if len(calls) == 1:
            raise RuntimeError("with a user-4711 in it")
        return judge(item)

    monkeypatch.setattr(sending, "is_json", broken)
    with Client("k", collector.url, upload_interval=0.05) as client:
        client.track("u", "1")
        assert client.flush()
    assert ["1"] == collector.events
    assert "RuntimeError" in caplog.text
    assert "4711" not in caplog.text


def test_closed_means_closed(collector: FakeCollector) -> None:
    client = Client("k", collector.url)
    client.track("u", "1")
    client.close()
    client.close()
    assert not client.track("u", "2").success
    assert {"closed": 1} == client.counts().dropped
    assert ["1"] == collector.events


def test_an_answer_that_comes_after_the_close_changes_no_count(collector: FakeCollector) -> None:
    """The batch under way was told as closed: each item has one end."""
    collector.gate.clear()
    before = senders()
    client = Client("k", collector.url, upload_interval=0)
    client.track("u", "1")
    until(lambda: collector.requests)
    client.close(0.1)
    assert {"closed": 1} == client.counts().dropped
    collector.gate.set()
    until(lambda: collector.answered and senders() <= before)
    assert (0, {"closed": 1}) == (client.counts().accepted, client.counts().dropped)


# -- modes ---------------------------------------------------------------------------------------


def test_sync_mode_sends_within_the_call(collector: FakeCollector) -> None:
    before = senders()  # of clients that were closed while they waited for an answer
    with Client("k", collector.url, sync_mode=True) as client:
        assert client.track("u", "1").success
        assert ["1"] == collector.events
        collector.answers = [Answer(503)]
        assert client.track("u", "2").success
        collector.answers = [Answer(400)]
        assert not client.track("u", "3").success
        assert {"http_400": 1} == client.counts().dropped
        assert senders() <= before


def test_sync_mode_is_bounded_and_raises_if_asked() -> None:
    """For `timeout` seconds at most."""
    with Client("k", f"http://127.0.0.1:{free_port()}", sync_mode=True, timeout=0.5,
                strict=True) as client:
        began = time.monotonic()
        with pytest.raises(DroppedError, match="retries_exhausted"):
            client.track("u", "1")
        assert time.monotonic() - began < WAIT_S_MAX
        assert 1 == sums(client)


def test_sync_mode_in_threads_is_bounded() -> None:
    """Each call waits `timeout` at most, however many wait together; all have one end."""
    with FakeCollector(then=Answer(503)) as collector:
        client = Client("k", collector.url, sync_mode=True, timeout=1.0)
        took: list[float] = []

        def call() -> None:
            began = time.monotonic()
            client.track("u", "1")
            took.append(time.monotonic() - began)

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(took) < WAIT_S_MAX, "one after another they would take eight seconds"
        client.close(0)
        assert (8, 0) == (sum(client.counts().dropped.values()), client.counts().waiting)


def test_flush_sends_where_no_thread_can_be_started(
    collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of an interpreter, from 3.12 on."""
    client = Client("k", collector.url)
    with monkeypatch.context() as patch:
        start = threading.Thread.start

        def refused(thread: threading.Thread) -> None:
            if thread.name == "footfall-sender":
                raise RuntimeError("can't create new thread at interpreter shutdown")
            start(thread)

        patch.setattr(threading.Thread, "start", refused)
        client.track("u", "1")
        began = time.monotonic()
        assert client.flush()
        assert time.monotonic() - began < WAIT_S_MAX
    client.track("u", "2")
    client.close()
    assert ["1", "2"] == collector.events


def test_send_false_sends_nothing(collector: FakeCollector) -> None:
    with Client("k", collector.url, send=False) as client:
        assert client.track("u", "1").success
        assert not client.track("", "1").success
    assert [] == collector.requests


async def test_async_client(collector: FakeCollector) -> None:
    """The loop goes on while it flushes."""
    collector.gate.clear()
    async with AsyncClient("k", collector.url) as client:
        client.track("u", "1")
        client.commerce.cart_viewed("u")
        flushing = asyncio.create_task(client.flush())
        for _ in range(10):
            await asyncio.sleep(0.01)
            assert not flushing.done()
        collector.gate.set()
        assert await flushing
        assert 2 == client.counts().accepted
    with pytest.raises(SettingsError):
        AsyncClient("k", collector.url, sync_mode=True)


@pytest.mark.parametrize(("options", "named"), [
    ({"write_key": ""}, "write_key"), ({"host": "ftp://x"}, "host"), ({"host": "http://"}, "host"),
    ({"upload_size": 0}, "upload_size"), ({"upload_size": 2501}, "upload_size"),
    ({"max_queue_size": 0}, "max_queue_size"), ({"proxies": {}}, "proxies"),
    ({"on_error": 5}, "on_error"), ({"timeout": 0}, "timeout"), ({"transport": "pigeon"}, "pigeon"),
    ({"transport": "kafka"}, "bootstrap_servers"), ({"spool": "/dev/null/x"}, "spool"),
    ({"spool_bytes_max": 5, "spool": "x"}, "spool_bytes_max"),
])
def test_a_wrong_option_is_told_when_the_client_is_made(
    options: dict[str, Any], named: str
) -> None:
    """And only then."""
    with pytest.raises(SettingsError, match=named):
        Client(**{"write_key": "k", **options})


def test_debug_logs_no_content(
    collector: FakeCollector, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "footfall"):
        with Client("k", collector.url, debug=True) as client:
            client.track("user-4711", "event-4711", {"p": "prop-4711"})
    assert "track" in caplog.text
    assert "4711" not in caplog.text


def test_results_of_another_length_are_no_answer(collector: FakeCollector) -> None:
    collector.answers = [Answer(body=json.dumps({"results": []}).encode())]
    with Client("k", collector.url) as client:
        client.track("u", "1")
        assert client.flush()
    assert 2 == len(collector.requests)
