"""`footfall up` and `footfall demo` as a user runs them: real processes, a real broker."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from footfall.admin.cluster import admin_client
from footfall.events import topics
from footfall.running import Running, running
from footfall.up.demo_broker import DemoBroker
from footfall.up.ports import free_port
from tests.services import GIVEN

pytestmark = pytest.mark.kafka

START_S_MAX = 120.0
#: It stops within 10 s by its own clock; then it has to end.
STOP_S_MAX = 20.0
SEEN_S_MAX = 90.0
IDLE_S = 2.0


class Up:
    """One `footfall up` on a data directory, and what it wrote."""

    def __init__(self, folder: Path, broker: str, port: int) -> None:
        self.data_dir = folder / "data"
        self.screen = folder / f"screen-{time.monotonic_ns()}"
        self.arguments = ["--data-dir", str(self.data_dir), "--broker", broker,
                          "--http-port", str(port)]
        with self.screen.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "footfall", "up", *self.arguments], stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "FOOTFALL_CART_IDLE_S": str(IDLE_S), "FOOTFALL_PARTITIONS": "3"})
        wait_for(lambda: "ready partitions=" in self.text() or self.process.poll() is not None,
                 START_S_MAX)

    @property
    def told(self) -> Running:
        """What other commands find."""
        found = running(self.data_dir)
        assert found is not None, self.text()
        return found

    def text(self) -> str:
        """The screen."""
        return self.screen.read_text()

    def post(self, user: str, event: str, **properties: Any) -> None:
        """One interaction; fails unless the collector accepts it."""
        item = {"userId": user, "event": event, "properties": properties}
        key = base64.b64encode(f"{self.told.write_keys['development']}:".encode()).decode()
        request = urllib.request.Request(
            f"{self.told.http_url}/v1/track", json.dumps(item).encode(),
            {"Authorization": f"Basic {key}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert 200 == answer.status

    def source_of(self, user: str) -> str:
        """Where the customer that HTTP shows comes from; else the code of the error."""
        request = urllib.request.Request(
            f"{self.told.http_url}/v1/customers/user_id:{user}",
            headers={"Authorization": f"Bearer {self.told.api_key}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return str(json.load(answer)["source"]["kind"])
        except urllib.error.HTTPError as error:
            return str(json.load(error)["code"])

    def abandoned(self) -> list[str]:
        """Users with a cart_abandoned, from the start, each trigger once."""
        lines = self.run("tail", "triggers", "--json", "--from-beginning", "--idle-exit", "1")
        found = {t["trigger_id"]: t for t in map(json.loads, lines.splitlines())}
        return sorted(t["ids"]["user_id"] for t in found.values() if t["name"] == "cart_abandoned")

    def run(self, *arguments: str) -> str:
        """Another command, which finds this `up` by its data directory."""
        return subprocess.run(
            [sys.executable, "-m", "footfall", *arguments, "--data-dir", str(self.data_dir)],
            capture_output=True, text=True, timeout=60, check=True).stdout

    def children(self) -> list[int]:
        """Pids of what it runs."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                                capture_output=True, text=True, check=True)
        return [int(pid) for pid in listed.stdout.split() if _lives(int(pid))]

    def pid_of(self, command: str) -> int:
        """The child that runs this command."""
        (pid,) = [p for p in self.children()
                  if f"footfall\0{command}" in Path(f"/proc/{p}/cmdline").read_text()]
        return pid

    def stop(self) -> float:
        """SIGTERM; how long it took until all was gone."""
        children = self.children()
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        took = time.monotonic() - began
        assert 0 == code, self.text()
        assert not [pid for pid in children if _lives(pid)]
        return took


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Up]]:
    """Starts `up` on one data directory, as often as a test likes."""
    port = free_port()
    made: list[Up] = []

    def up(broker: str) -> Up:
        made.append(Up(tmp_path, broker, port))
        if made[-1].process.poll() is not None:
            text = made[-1].text()
            if broker == "kafka" and GIVEN.get("FOOTFALL_TEST_REQUIRE_KAFKA") != "1" \
                    and "Java" in text:
                pytest.skip(f"no Apache Kafka here: {text}")
            pytest.fail(text)
        return made[-1]

    yield up
    for one in made:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.wait(20)


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_up_on_kafka_from_the_first_start_to_the_second(start: Callable[[str], Up]) -> None:
    """A trigger comes, a killed worker comes back, all stops in time, and state is found again."""
    up = start("kafka")
    up.post("ann", "Product Added", product_id="p1", price="9.90", quantity=1)
    wait_for(lambda: ["ann"] == up.abandoned(), SEEN_S_MAX)

    assert ("worker", "customer_unknown") == (up.source_of("ann"), up.source_of("nobody"))
    refused = subprocess.run([sys.executable, "-m", "footfall", "up", *up.arguments],
                             capture_output=True, text=True, timeout=30, check=False)
    assert 1 == refused.returncode
    assert f"another `footfall up` (pid {up.process.pid}" in refused.stderr

    up.post("bob", "Product Added", product_id="p1", price="1", quantity=1)
    os.kill(up.pid_of("worker"), signal.SIGKILL)
    wait_for(lambda: ["ann", "bob"] == up.abandoned(), SEEN_S_MAX)
    assert "worker-1 ended (killed by signal 9)" in up.text()

    assert up.stop() < STOP_S_MAX
    assert running(up.data_dir) is None
    keys = (up.data_dir / "secrets.json").read_text()

    again = start("kafka")
    again.post("ann", "Order Completed", order_id="o1", total="9.90", products=[
        {"product_id": "p1", "price": "9.90", "quantity": 1}])
    wait_for(lambda: "cart_recovered" in again.run(
        "tail", "triggers", "--json", "--from-beginning", "--idle-exit", "1"), SEEN_S_MAX)

    assert keys == (again.data_dir / "secrets.json").read_text()
    wait_for(lambda: ["ann", "bob"] == again.abandoned(), SEEN_S_MAX)
    assert "All topics are as they must be.\n" == subprocess.run(
        [sys.executable, "-m", "footfall", "topics", "check", "--data-dir", str(again.data_dir)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "FOOTFALL_PARTITIONS": "3"}).stdout
    assert again.stop() < STOP_S_MAX


def test_a_killed_up_leaves_nothing_running(start: Callable[[str], Up]) -> None:
    """kill -9: its children end too, and the next `up` starts on the same port."""
    up = start("demo")
    children = up.children()
    assert 3 == len(children)

    up.process.kill()
    up.process.wait()

    wait_for(lambda: not [pid for pid in children if _lives(pid)], SEEN_S_MAX)
    assert start("demo").stop() < STOP_S_MAX


def test_the_demo_brokers_lost_log_is_said_and_the_state_reset(start: Callable[[str], Up]) -> None:
    """The log is gone and the state is not: `up` says so, starts anew, and triggers come again."""
    up = start("demo")
    up.post("ann", "Product Added", product_id="p1", price="1", quantity=1)
    wait_for(lambda: ["ann"] == up.abandoned(), SEEN_S_MAX)
    wait_for(lambda: "view" == up.source_of("ann"), SEEN_S_MAX)
    assert "1 customers, " in up.run("view", "rebuild")
    up.stop()
    broker = DemoBroker(up.data_dir / "demo-broker")
    broker.start()
    admin = admin_client(broker.bootstrap)
    admin.delete_topics([topics.INTERACTIONS])[topics.INTERACTIONS].result()
    time.sleep(2.5)  # it saves every second or two
    broker.stop()

    again = start("demo")

    wait_for(lambda: "The state was reset." in again.text(), SEEN_S_MAX)
    assert "no longer fits the log" in again.text()
    again.post("bob", "Product Added", product_id="p1", price="1", quantity=1)
    wait_for(lambda: ["ann", "bob"] == again.abandoned(), SEEN_S_MAX)
    wait_for(lambda: "view" == again.source_of("bob"), SEEN_S_MAX)
    assert "customer_unknown" == again.source_of("ann"), "the view was made anew, too"


def test_the_demo_shows_every_cart_that_was_left(tmp_path: Path) -> None:
    """Its own count of carts left is that of the triggers, other tables tell, it ends by itself."""
    run = subprocess.run(
        [sys.executable, "-m", "footfall", "demo", "--minutes", "0.5", "--http-port", "0",
         "--seed", "3"],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "FOOTFALL_CART_IDLE_S": "2", "FOOTFALL_PARTITIONS": "3",
             "TMPDIR": str(tmp_path)})

    assert 0 == run.returncode, run.stderr
    ended = re.search(r"Carts left: (\d+), cart_abandoned: (\d+)", run.stdout)
    assert ended is not None, run.stdout
    assert int(ended[1]) == int(ended[2]) > 0
    assert run.stdout.count("  cart_abandoned ") == int(ended[2])
    for name in ("session_started", "engagement_level_changed", "order_completed_first",
                 "customer_dormant"):
        assert f"  {name} " in run.stdout, name
    assert [] == list(tmp_path.iterdir()), "the temporary data directory is removed"


def _lives(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
