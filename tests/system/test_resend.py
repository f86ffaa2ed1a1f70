"""Sent again by real processes: to a new destination, killed in the middle, each once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from footfall.cli import footfall
from footfall.events import topics
from footfall.events.codec import Codecs
from tests.delivery.endpoint import Endpoint, Got
from tests.system.test_delivery import Teller, start
from tests.system.topics import read_all, until
from tests.system.workers import PATHS, Workers

pytestmark = pytest.mark.kafka

SENT_S_MAX = 120.0
SOME = 400
KILLS = 3
CODEC = Codecs().delivery


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def routes_for(folder: Path, endpoint: Endpoint) -> Path:
    """Everything to crm; `new` is there, and no route takes anything to it."""
    path = folder / "routes.yaml"
    path.write_text("destinations:\n" + "".join(
        f"  {name}: {{channel: webhook, purpose: necessary, "
        f"url: 'http://127.0.0.1:{endpoint.port}/{name}'}}\n"
        for name in ("crm", "new")) + "routes:\n  - {triggers: '*', to: [crm]}\n")
    return path


class Administrator:
    """Whoever runs the commands."""

    def __init__(self, bootstrap: str, routes: Path) -> None:
        self._environment = {"FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
                             "FOOTFALL_ROUTES": str(routes)}

    def run(self, *arguments: str) -> dict[str, Any]:
        done = CliRunner().invoke(footfall, [*arguments, "--json"], env=self._environment)
        assert 0 == done.exit_code, (done.output, done.exception)
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def started(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The same as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "footfall", *arguments], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._environment, "PYTHONPATH": os.pathsep.join(PATHS)})


def bodies(endpoint: Endpoint, path: str) -> list[Got]:
    return [got for got in endpoint.got if got.path == path]


def test_a_new_destination_gets_the_past_once_though_killed(
        footfall_topics: str, workers: Workers, endpoint: Endpoint, tmp_path: Path) -> None:
    """The command is killed some times while it writes, delivery once; resumed under its name the
    run sends each trigger once to the new destination, with the bytes that the other one got, and
    then once more to that one: byte for byte. What is live is counted as before.
    """
    routes = routes_for(tmp_path, endpoint)
    administrator = Administrator(footfall_topics, routes)
    teller = Teller(footfall_topics)
    worker = start(workers, routes, endpoint)
    for n in range(SOME):
        teller.tell(n)
    teller.end()
    until(lambda: len(bodies(endpoint, "crm")) >= SOME, SENT_S_MAX, "sent live")

    run = ("replay", "resend", "--since", "1h", "--to", "new", "--run", "past", "--yes")
    for n in range(KILLS):
        process = administrator.started(*run, "--rate", "30")
        until(lambda n=n: len(bodies(endpoint, "new")) > n * 40 + 10, SENT_S_MAX, "some sent")
        process.send_signal(signal.SIGKILL)
        assert -signal.SIGKILL == process.wait()
        if n == 1:
            worker.kill()
            worker = start(workers, routes, endpoint).until_ready()
    report = administrator.run(*run)
    assert 0 < report["begun"] < SOME
    assert 0 < report["left_out"].get("done", 0) + report["left_out"].get("pending", 0)
    until(lambda: teller.ids == {got.webhook_id for got in bodies(endpoint, "new")}, SENT_S_MAX,
          "all sent")
    again = administrator.run(*run)
    assert (0, SOME) == (again["begun"], sum(again["left_out"].values()))

    administrator.run("replay", "resend", "--outcome", "sent", "--to", "crm", "--run", "again",
                      "--yes")
    until(lambda: len(bodies(endpoint, "crm")) >= 2 * SOME, SENT_S_MAX, "sent again")
    time.sleep(1)
    assert 0 == worker.stop()

    live = {got.webhook_id: got.body for got in bodies(endpoint, "crm")[:SOME]}
    assert teller.ids == live.keys()
    assert dict.fromkeys(live, 2) == Counter(g.webhook_id for g in bodies(endpoint, "crm"))
    for path in ("crm", "new"):
        assert live == {got.webhook_id: got.body for got in bodies(endpoint, path)}
    # Delivery was killed in between: an attempt whose end it did not record was made again.
    sent = Counter((record["destination"], record["run"]) for record in (
        CODEC.decode(entry.value) for entry in read_all(footfall_topics, topics.DELIVERIES))
        if record["status"] == "sent")
    assert {("crm", ""): SOME, ("new", "past"): SOME, ("crm", "again"): SOME} == sent
    crm, new = administrator.run("deliveries", "summary")["destinations"]
    assert ({"sent": SOME}, {"sent": SOME}) == (crm["statuses"], crm["resent"]["statuses"])
    assert ({}, {"sent": SOME}) == (new["statuses"], new["resent"]["statuses"])
