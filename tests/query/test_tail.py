"""`footfall tail` on a real broker, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED, TRIGGERS
from tests.events.records import a_rejected, a_trigger, an_interaction

pytestmark = pytest.mark.kafka
CODECS = Codecs()
WAIT_S_MAX = 60


class Tailing:
    """A running `footfall tail`; `ready` returns once it listens."""

    def __init__(self, bootstrap: str, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "footfall", "tail", *arguments], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap})

    def ready(self) -> None:
        assert self.process.stderr is not None
        assert "waiting" in self.process.stderr.readline()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> tuple[str, str, int]:
        out, err = self.process.communicate(timeout=WAIT_S_MAX)
        return out, err, self.process.returncode


@pytest.fixture
def tailing(footfall_topics: str, tmp_path: Path) -> Iterator[object]:
    started: list[Tailing] = []

    def start(*arguments: str) -> Tailing:
        started.append(Tailing(footfall_topics, tmp_path, *arguments))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def send(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for n, value in enumerate(values):
        producer.produce(topic, value, b"user_id:AAAAAAAAAAAAAAAAAAAAAA", n % 4)
    assert 0 == producer.flush(WAIT_S_MAX)


def test_what_comes_after_ready_is_shown_at_once(tailing, footfall_topics) -> None:
    """And nothing that was there before."""
    send(footfall_topics, TRIGGERS, *[CODECS.trigger.encode(a_trigger(trigger_id="old"))] * 4)
    tail = tailing("triggers", "--json")
    tail.ready()
    for n in range(8):
        send(footfall_topics, TRIGGERS, CODECS.trigger.encode(a_trigger(trigger_id=f"new{n}")))
        assert f"new{n}" == json.loads(tail.line())["trigger_id"]


def test_from_beginning_until_idle(tailing, footfall_topics) -> None:
    """Everything, poison shown as such, then exit code 0."""
    send(footfall_topics, INTERACTIONS, CODECS.interaction.encode(an_interaction()), b"poison",
         CODECS.interaction.encode(an_interaction(message_id="m-2")))
    out, _err, code = tailing(
        "interactions", "--json", "--from-beginning", "--idle-exit", "1").end()
    documents = [json.loads(printed) for printed in out.splitlines()]
    assert 0 == code
    assert ["m-1", "m-2"] == sorted(d["message_id"] for d in documents if "message_id" in d)
    assert ["avro_no_magic"] == [d["poison"] for d in documents if "poison" in d]


def test_people_get_a_line_a_record(tailing, footfall_topics) -> None:
    """Without --json."""
    send(footfall_topics, REJECTED, CODECS.rejected.encode(a_rejected()))
    out, _err, code = tailing("rejected", "--from-beginning", "--idle-exit", "1").end()
    assert (0, 1) == (code, out.count("\n"))
    assert "json_invalid" in out


@pytest.mark.parametrize("arguments", [(), ("--held-out",)])
def test_held_out_triggers_are_left_out_unless_asked_for(tailing, footfall_topics, arguments
                                                         ) -> None:
    """Who acts on what is printed must not act on them; that there are some is said once."""
    send(footfall_topics, TRIGGERS, *[CODECS.trigger.encode(a_trigger(**changed)) for changed in (
        {"trigger_id": "t1", "held_out": True}, {"trigger_id": "t2"},
        {"trigger_id": "t3", "held_out": True})])
    out, err, code = tailing("triggers", "--json", "--from-beginning", "--idle-exit", "1",
                             *arguments).end()
    shown = {d["trigger_id"]: d["held_out"] for d in map(json.loads, out.splitlines())}
    told = {"t2": False}
    assert (0, {"t1": True, **told, "t3": True} if arguments else told) == (
        code, {key: shown[key] for key in sorted(shown) if key in ("t1", "t2", "t3")})
    assert (0 if arguments else 1) == err.count("--held-out shows them")


def test_held_out_goes_with_triggers_alone(tailing) -> None:
    """Wrong usage."""
    assert 2 == tailing("rejected", "--held-out").end()[2]


@pytest.mark.parametrize("arguments", [("triggers",), ("triggers", "--json")])
def test_interrupt_is_a_way_to_end(tailing, footfall_topics, arguments) -> None:
    """Ctrl-C: exit code 0, no traceback."""
    tail = tailing(*arguments)
    tail.ready()
    tail.process.send_signal(signal.SIGINT)
    _out, err, code = tail.end()
    assert (0, "") == (code, err)


@pytest.mark.parametrize("arguments", [("triggers",), ("triggers", "--json")])
def test_closed_pipe_is_a_way_to_end(tailing, footfall_topics, arguments) -> None:
    """`tail | head -1`: exit code 0, nothing on standard error."""
    tail = tailing(*arguments)
    tail.ready()
    send(footfall_topics, TRIGGERS, CODECS.trigger.encode(a_trigger()))
    tail.line()
    tail.process.stdout.close()
    for _ in range(3):
        send(footfall_topics, TRIGGERS, CODECS.trigger.encode(a_trigger()))
    assert 0 == tail.process.wait(WAIT_S_MAX)
    assert "" == tail.process.stderr.read()


def test_no_broker_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """Exit code 1."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FOOTFALL_")}
    run = subprocess.run([sys.executable, "-m", "footfall", "tail", "triggers"], cwd=tmp_path,
                         env=environment, capture_output=True, text=True, check=False)
    assert 1 == run.returncode
    assert "start `footfall up`" in run.stderr
