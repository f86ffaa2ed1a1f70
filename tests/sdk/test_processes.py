"""What survives the end of a process, a fork, a server that is away. Real processes throughout."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from footfall import Client
from footfall.up.ports import free_port
from tests.sdk.collector import Answer, FakeCollector, until

RUN_S_MAX = 120


@pytest.fixture
def collector() -> Any:
    with FakeCollector() as collector:
        yield collector


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A script that ends by itself."""
    return subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True,
                          text=True, capture_output=True, timeout=RUN_S_MAX)


# -- the end of a process ------------------------------------------------------------------------

SHORT = """
import sys
from footfall import Client
client = Client("k", sys.argv[1], exit_s_max=60)
for n in range(250):
    client.track("u", str(n))
{ending}
"""


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "raise SystemExit", "1 / 0"])
def test_a_short_script_sends_all(collector: FakeCollector, ending: str) -> None:
    """Without flush or close, however it ends by itself."""
    subprocess.run([sys.executable, "-c", SHORT.format(ending=ending), collector.url],
                   check=False, capture_output=True, timeout=RUN_S_MAX)
    assert [str(n) for n in range(250)] == collector.events


def test_the_first_call_may_come_at_exit(collector: FakeCollector) -> None:
    """No thread can be started then, so the end itself sends."""
    run("""
import atexit, sys
from footfall import Client
client = Client("k", sys.argv[1], exit_s_max=60)
atexit.register(lambda: client.track("u", "last"))
""", collector.url)
    assert ["last"] == collector.events


def test_the_end_waits_no_longer_than_it_says() -> None:
    """With a dead server; what is lost is told."""
    done = run("""
import atexit, sys, time
atexit.register(lambda: print(time.monotonic() - began))
from footfall import Client
client = Client("k", sys.argv[1], exit_s_max=1.0,
                on_error=lambda error, items: print(error.reason, len(items)))
for n in range(250):
    client.track("u", str(n))
began = time.monotonic()
""", f"http://127.0.0.1:{free_port()}")
    told, took = done.stdout.splitlines()
    assert "closed 250" == told
    assert 0.9 < float(took) < 4, "it would wait five seconds by itself"


# -- forks ---------------------------------------------------------------------------------------

FORK = """
import os, sys
from footfall import Client
client = Client("k", sys.argv[1], spool=sys.argv[2] or None, exit_s_max=60)
for n in range(150):
    client.track("parent", str(n))
children = []
for c in range(3):
    pid = os.fork()
    if not pid:
        for n in range(150):
            client.track(f"child{c}", str(n))
        counts = client.counts()
        assert counts.queued == 150, counts
        sys.exit(0)
    children.append(pid)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0
client.track("parent", "150")
assert client.flush(60)
assert client.counts().accepted == 151
"""


@pytest.mark.parametrize("spooled", [False, True])
def test_a_fork_after_use(collector: FakeCollector, tmp_path: Path, spooled: bool) -> None:
    """Parent and children each send their own, once, in order; messageIds differ."""
    run(FORK, collector.url, tmp_path / "spool" if spooled else "")
    sent = {name: [i["event"] for i in collector.items if i["userId"] == name]
            for name in ("parent", "child0", "child1", "child2")}
    assert [str(n) for n in range(151)] == sent.pop("parent")
    assert [[str(n) for n in range(150)]] * 3 == list(sent.values())
    assert len(collector.items) == len({item["messageId"] for item in collector.items})


def test_a_fork_while_other_threads_call(collector: FakeCollector) -> None:
    """Whatever locks are held at that moment, the child is not stuck."""
    run("""
import os, sys, threading
from footfall import Client
client = Client("k", sys.argv[1], max_queue_size=1_000_000, upload_interval=0.01)
stop = threading.Event()
def call():
    while not stop.is_set():
        client.track("parent", "e")
threads = [threading.Thread(target=call) for _ in range(3)]
[t.start() for t in threads]
pids = []
for n in range(20):
    pid = os.fork()
    if not pid:
        client.track("child", str(n))
        ok = client.flush(60)
        os._exit(0 if ok else 1)
    pids.append(pid)
states = [os.waitpid(pid, 0)[1] for pid in pids]
stop.set()
[t.join() for t in threads]
assert states == [0] * 20, states
client.close(0.1)
""", collector.url)
    assert {str(n) for n in range(20)} == {
        item["event"] for item in collector.items if item["userId"] == "child"}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing(collector: FakeCollector, tmp_path: Path, method: str) -> None:
    """They end without atexit; what they called is sent all the same."""
    script = tmp_path / "script.py"
    script.write_text("""
import multiprocessing, sys
from footfall import Client
client = Client("k", sys.argv[1], exit_s_max=60)

def work(n):
    client.track("worker", str(n))

if __name__ == "__main__":
    client.track("parent", "0")
    context = multiprocessing.get_context(sys.argv[2])
    workers = [context.Process(target=work, args=(n,)) for n in range(4)]
    [w.start() for w in workers]
    [w.join() for w in workers]
""")
    subprocess.run([sys.executable, str(script), collector.url, method], check=True,
                   timeout=RUN_S_MAX)
    assert sorted("0123") == sorted(
        item["event"] for item in collector.items if item["userId"] == "worker")


# -- kill -9 and a server that is away -----------------------------------------------------------

#: Prints a line when `track` has returned: the ledger.
TALKER = """
import sys
from footfall import Client
client = Client("k", sys.argv[1], spool=sys.argv[2] or None, upload_interval=0.05)
for n in range(1_000_000):
    assert client.track("u", str(n)).success
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def killed(url: str, spool: object, after: int,
           is_enough: Callable[[], object] = lambda: True) -> int:
    """How many calls had returned when the process was killed."""
    with subprocess.Popen([sys.executable, "-c", TALKER, url, str(spool)],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= after and is_enough():
                process.send_signal(signal.SIGKILL)
                break
        return int(line) + 1 + len(re.findall(rb"\n", process.stdout.read()))


@pytest.mark.parametrize("after", [0, 700, 3_000])
def test_kill_9_with_a_spool_loses_nothing(tmp_path: Path, after: int) -> None:
    """The server is up, away, up: every call that returned arrives, in order, none twice."""
    port = free_port()
    url, spool = f"http://127.0.0.1:{port}", tmp_path / "spool"
    with FakeCollector(port) as collector:
        calls = killed(url, spool, after)
        before = list(collector.items)
    with FakeCollector(port) as collector, Client("k", url, spool=spool) as client:
        assert client.flush(60)
        counts = client.counts()
        assert counts.recovered == counts.accepted == len(collector.items)
        assert {} == counts.dropped
        after_items = list(collector.items)
    ids = dict.fromkeys(item["messageId"] for item in before + after_items)
    events = {item["messageId"]: item["event"] for item in before + after_items}
    assert calls <= len(ids) <= calls + 1
    assert [str(n) for n in range(len(ids))] == [events[i] for i in ids]
    repeated = {i["messageId"] for i in before} & {i["messageId"] for i in after_items}
    assert len(repeated) <= 100  # one batch that was answered, but not yet acknowledged


def test_kill_9_without_a_spool_loses_what_was_queued(collector: FakeCollector) -> None:
    """The docs say so; what arrived is a beginning without a gap."""
    calls = killed(collector.url, "", 3_000, lambda: collector.items)
    events = collector.events  # once: what was under way may still come
    assert 0 < len(events) <= calls + 1
    assert [str(n) for n in range(len(events))] == events


@pytest.mark.parametrize("away_s", [1.0, pytest.param(600.0, marks=pytest.mark.chaos)])
def test_a_server_away_longer_than_all_retries_loses_nothing_with_a_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away_s: float
) -> None:
    """Retries have no end while the items are safe; the order holds through it."""
    monkeypatch.setattr("footfall.sdk.outcome.BACKOFF_S_MAX", away_s / 20)
    port = free_port()
    with Client("k", f"http://127.0.0.1:{port}", spool=tmp_path, max_retries=2,
                max_queue_size=10) as client:
        for n in range(2_000):
            assert client.track("u", str(n)).success
        time.sleep(away_s)
        assert (2_000, {}) == (client.counts().waiting, client.counts().dropped)
        with FakeCollector(port, Answer(503)) as collector:
            until(lambda: len(collector.requests) > 5, away_s + 30)
        with FakeCollector(port) as collector:
            assert client.flush(away_s + 60)
            assert [str(n) for n in range(2_000)] == collector.events
        assert (2_000, 0, {}) == (client.counts().accepted, client.counts().waiting,
                                  client.counts().dropped)


def test_losses_without_a_spool_equal_the_counters() -> None:
    """Queue full, retries at their end, closed: each call has one end."""
    with FakeCollector(then=Answer(503)) as collector:
        client = Client("k", collector.url, max_queue_size=300, max_retries=0)
        calls = 0
        while sum(client.counts().dropped.get(r, 0)
                  for r in ("queue_full", "retries_exhausted")) < 500:
            client.track("u", str(calls))
            calls += 1
        collector.then = Answer(200)
        for _ in range(100):
            client.track("u", str(calls))
            calls += 1
        client.flush()
        client.track("u", "x")
        collector.then = Answer(503)
        client.close(0)
        counts = client.counts()
        assert calls + 1 == counts.accepted + sum(counts.dropped.values())
        assert len(collector.items) == counts.accepted
        assert 0 == counts.waiting


def test_a_spool_that_is_full_drops_and_tells(tmp_path: Path) -> None:
    with Client("k", f"http://127.0.0.1:{free_port()}", spool=tmp_path, exit_s_max=0,
                spool_bytes_max=8 * 1024 * 1024) as client:
        calls = 0
        while client.track("u", "e", {"x": "y" * 30_000}).success:
            calls += 1
        assert 8 * 1024 * 1024 // 31_000 <= calls <= 8 * 1024 * 1024 // 30_000
        assert {"spool_full": 1} == client.counts().dropped
        client.close(0)
        assert calls == client.counts().waiting or client.counts().waiting == 0


def test_processes_share_a_spool_folder(collector: FakeCollector, tmp_path: Path) -> None:
    """Each has a slot; the next start sends what all dead ones left."""
    away = f"http://127.0.0.1:{free_port()}"
    script = """
import os, sys
from footfall import Client
client = Client("k", sys.argv[1], spool=sys.argv[2])
client.track("u", sys.argv[3])
print("called", flush=True)
sys.stdin.read()
os._exit(9)
"""
    processes = [subprocess.Popen([sys.executable, "-c", script, away, str(tmp_path), str(n)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                 for n in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline()
    assert ["0", "1", "2"] == sorted(slot.name for slot in tmp_path.iterdir())
    for process in processes:
        process.communicate()
    with Client("k", collector.url, spool=tmp_path) as client:
        client.track("u", "3")
        assert client.flush()
        assert (3, 4) == (client.counts().recovered, client.counts().accepted)
    assert sorted("0123") == sorted(collector.events)
    assert "3" == collector.events[-1]


@pytest.mark.parametrize("where", ["tail", "middle"])
def test_a_damaged_spool_is_told_and_the_rest_is_sent(
    collector: FakeCollector, tmp_path: Path, where: str
) -> None:
    client = Client("k", f"http://127.0.0.1:{free_port()}", spool=tmp_path)
    for n in range(20):
        client.track("u", str(n))
    client.close(0)
    (file,) = (tmp_path / "0").glob("*.spool")
    content = bytearray(file.read_bytes())
    content[-5 if where == "tail" else len(content) // 2] ^= 1
    file.write_bytes(content)
    told: list[str] = []
    with Client("k", collector.url, spool=tmp_path,
                on_error=lambda error, _items: told.append(error.reason)) as client:
        assert client.flush()
        reason = "spool_cut" if where == "tail" else "spool_damaged"
        assert ([reason], {reason: 1}) == (told, client.counts().dropped)
        assert (20, 19) == (client.counts().recovered, client.counts().accepted)
    assert 19 == len(collector.items)


def test_every_call_is_fsynced_where_that_is_asked(
    collector: FakeCollector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`spool_sync_s=0`: when `track` returns the disk has it; else within a second."""
    synced: list[float] = []
    fdatasync = os.fdatasync

    def counted(file: int) -> None:
        synced.append(time.monotonic())
        fdatasync(file)

    monkeypatch.setattr(os, "fdatasync", counted)
    with Client("k", collector.url, spool=tmp_path / "a", spool_sync_s=0) as client:
        for n in range(5):
            client.track("u", str(n))
            assert len(synced) > n
    synced.clear()
    with Client("k", f"http://127.0.0.1:{free_port()}", spool=tmp_path / "b",
                spool_sync_s=0.2) as client:
        client.track("u", "1")
        began = time.monotonic()
        until(lambda: synced)
        client.track("u", "2")
        until(lambda: len(synced) > 1)
        assert synced[1] - began < 10
        client.close(0)
