"""The worker stays a Faust app: it can be listed, and runs users' own agents beside its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from footfall.admin import config
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.events.codec import Codecs, TriggerRecord
from footfall.events.customer_key import CustomerKeys
from footfall.events.topics import INTERACTIONS, TRIGGERS
from tests.system.topics import until
from tests.system.workers import CUSTOMER_KEY_SECRET, SYSTEM_SECRET, Worker, Workers

FAUST = [sys.executable, "-m", "faust", "-A", "footfall.stream.app"]
NO_BROKER = {"FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
             "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET,
             "FOOTFALL_SYSTEM_SECRET": SYSTEM_SECRET}
#: README's agent, which writes what it gets to a file; past the first 50 only once it may.
AGENT = """
import asyncio, os
from footfall.stream.app import app

@app.agent(app.topic("footfall.triggers", value_serializer="raw"))
async def remind(triggers):
    seen = 0
    async for value in triggers:
        trigger = app.engine.codecs.trigger.decode(value)
        with open("seen", "a") as file:
            print(os.getpid(), trigger["trigger_id"], trigger["name"], file=file)
        seen += 1
        while seen >= 50 and not os.path.exists("may go on"):
            await asyncio.sleep(0.02)
"""
SEEN_S_MAX = 60.0


def run(command: list[str], folder: Path) -> str:
    """Its output; it must end with 0."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **NO_BROKER}, text=True,
                          capture_output=True, timeout=60, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_faust_lists_the_agent_and_the_table(tmp_path: Path) -> None:
    """`faust -A footfall.stream.app` works, without a broker."""
    assert "interactions" in run([*FAUST, "agents"], tmp_path)
    assert "customers" in run([*FAUST, "tables"], tmp_path)


def test_no_pickle_codec_is_reachable(tmp_path: Path) -> None:
    """Nobody who may write a topic can have code run here, whatever a user's topic asks for."""
    code = """
from footfall.stream.app import app
from faust.serializers import codecs
assert not [name for name in codecs.codecs if "pickle" in name], codecs.codecs
for name in ("pickle", "pickle_restricted", "pickle_fickling", "pickle|json", "json|pickle"):
    try:
        codecs.loads(name, b"gASVAAAAAAAAAC4=")
    except (KeyError, TypeError):
        print("refused", name)
"""
    assert 5 == run([sys.executable, "-W", "ignore", "-c", code], tmp_path).count("refused")


def test_missing_module_is_told(tmp_path: Path) -> None:
    """With its name and where it is looked for."""
    done = subprocess.run([sys.executable, "-m", "footfall", "worker", "--agents", "nowhere"],
                          cwd=tmp_path, env={**os.environ, **NO_BROKER}, text=True,
                          capture_output=True, timeout=60, check=False)
    assert 1 == done.returncode
    assert "--agents nowhere" in done.stderr and "Traceback" not in done.stderr


def test_users_table_is_refused(tmp_path: Path) -> None:
    """It would be empty after every restart: a worker recovers customer records, nothing else."""
    (tmp_path / "counts.py").write_text(
        "from footfall.stream.app import app\n"
        "counts = app.Table('counts', default=int, partitions=12)\n")
    done = subprocess.run([sys.executable, "-m", "footfall", "worker", "--agents", "counts"],
                          cwd=tmp_path, env={**os.environ, **NO_BROKER}, text=True,
                          capture_output=True, timeout=60, check=False)
    assert 1 == done.returncode
    assert "Faust table 'counts'" in done.stderr


class Shop:
    """Writes to a broker's topics, and reads what the user's agent wrote to its file."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap,
                                   "partitioner": "murmur2_random"})
        self._codecs = Codecs()
        self._keys = CustomerKeys(CUSTOMER_KEY_SECRET.encode())
        self._file = folder / "seen"

    def put_triggers(self, numbers: range) -> set[str]:
        """Triggers straight into their topic; their ids."""
        for n in numbers:
            record: TriggerRecord = {
                "trigger_id": f"t{n}", "name": "made_up", "customer_key": "", "occurred_at": 0,
                "emitted_at": 0, "config_version": "", "data": b"{}", "evidence": b"{}",
                "key_id": None, "personal": b"{}", "held_out": False, "depth": 0,
                "integrations": b""}
            self._producer.produce(TRIGGERS, self._codecs.trigger.encode(record), str(n))
        assert 0 == self._producer.flush(30)
        return {f"t{n}" for n in numbers}

    def leave_a_cart(self) -> None:
        """One Product Added, as the collector writes it."""
        item = (b'{"userId":"u1","event":"Product Added","messageId":"m1",'
                b'"properties":{"product_id":"p1"}}')
        arrival = Arrival("test", time.time_ns() // 1_000_000, "r", "track")
        admitted = admit(item, 0, arrival, self._keys)
        assert isinstance(admitted, Admitted)
        self._producer.produce(INTERACTIONS, self._codecs.interaction.encode(admitted.event),
                               admitted.key)
        assert 0 == self._producer.flush(30)

    def seen(self) -> list[tuple[int, str, str]]:
        """(pid, trigger id, name), in the order in which the agent had them."""
        if not self._file.exists():
            return []
        lines = self._file.read_text().splitlines()
        return [(int(pid), trigger_id, name) for pid, trigger_id, name in map(str.split, lines)]

    def names(self) -> list[str]:
        """Of all triggers seen."""
        return [name for _pid, _trigger_id, name in self.seen()]

    def ids(self) -> set[str]:
        """Of all triggers seen."""
        return {trigger_id for _pid, trigger_id, _name in self.seen()}


@pytest.fixture
def start(footfall_topics: str, tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    """Starts a worker with the user's module, which lies in the current folder."""
    (tmp_path / "reminders.py").write_text(AGENT)
    workers = Workers(footfall_topics, tmp_path)
    yield lambda: workers.start("one", arguments=["--agents", "reminders"])
    workers.end()


@pytest.mark.kafka
def test_users_agent_gets_triggers_of_the_same_process(
        footfall_topics: str, tmp_path: Path, start: Callable[[], Worker]) -> None:
    """A cart is left, the worker tells it, the agent beside it has it. No port is opened, and
    nothing is left in the current folder.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), {"cart": {"idle_s": 0.5}})
    shop = Shop(footfall_topics, tmp_path)
    worker = start().until_ready()
    shop.leave_a_cart()
    until(lambda: "cart_abandoned" in shop.names() or not worker.runs, SEEN_S_MAX, "a trigger")

    assert 1 == shop.names().count("cart_abandoned")
    pid = shop.seen()[0][0]
    assert b"\0footfall\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert [] == listening(pid)
    assert not (tmp_path / "footfall-data").exists()
    assert 0 == worker.stop()


@pytest.mark.kafka
def test_users_agent_loses_no_trigger_over_restarts(
        footfall_topics: str, tmp_path: Path, start: Callable[[], Worker]) -> None:
    """Killed in the middle: each is seen once or again. Stopped cleanly: none is seen again."""
    shop = Shop(footfall_topics, tmp_path)
    worker = start().until_ready()
    sent = shop.put_triggers(range(100))
    until(lambda: len(shop.seen()) > 20, SEEN_S_MAX, "some triggers")
    worker.kill()
    assert len(shop.ids()) < len(sent)
    (tmp_path / "may go on").touch()
    sent |= shop.put_triggers(range(100, 120))

    worker = start().until_ready()
    until(lambda: sent <= shop.ids(), SEEN_S_MAX, "every trigger")
    assert 0 == worker.stop()

    before = len(shop.seen())
    worker = start().until_ready()
    last = shop.put_triggers(range(120, 121))
    until(lambda: last <= shop.ids(), SEEN_S_MAX, "the last trigger")
    assert before + 1 == len(shop.seen())


def listening(pid: int) -> list[str]:
    """Addresses on which a process listens."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:  # it has been closed meanwhile
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                found.append(fields[1])
    return found
