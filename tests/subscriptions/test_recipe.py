"""What docs/subscriptions.md tells those who read Kafka themselves, run as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from footfall.events.topics import TRIGGERS
from footfall.up.process import until
from tests.events.records import a_trigger
from tests.subscriptions.memory import CODECS
from tests.test_docs import page, section

WAIT_S_MAX = 40.0
ACT = 'def act(trigger):\n    print(int(trigger["trigger_id"], 16), flush=True)\n\n\n'


def recipe() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", section(page("subscriptions.md"),
                                                         "From Kafka itself"), re.DOTALL)
    return ACT + code


@contextmanager
def consuming(bootstrap: str, folder: Path, output: Path) -> Iterator[None]:
    """The recipe as a program of its own; killed at the end, as it may be at any time."""
    program = folder / "recipe.py"
    code = recipe().replace("127.0.0.1:9092", bootstrap)
    # Of whoever is killed the group waits so long.
    program.write_text(code.replace('"group.id"', '"session.timeout.ms": 6_000, "group.id"'))
    with output.open("wb") as out:
        process = subprocess.Popen([sys.executable, str(program)], stdout=out, stderr=out,
                                   stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def send(bootstrap: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for value in values:
        producer.produce(TRIGGERS, value, b"k", 0)
    assert 0 == producer.flush(WAIT_S_MAX)


def trigger(n: int, **changed: object) -> bytes:
    return CODECS.trigger.encode(a_trigger(trigger_id=f"{n:032x}", **changed))


def committed(bootstrap: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "checkout"})
    try:
        (place,) = consumer.committed([TopicPartition(TRIGGERS, 0)], timeout=WAIT_S_MAX)
        return int(place.offset)
    finally:
        consumer.close()


@pytest.mark.kafka
def test_the_recipe_acts_on_each_trigger_and_goes_on_where_it_was(
    footfall_topics: str, tmp_path: Path
) -> None:
    """Not on a repeat, on what is held out, or on what nobody can read; nor again after a kill."""
    send(footfall_topics, trigger(1), trigger(2), trigger(1), trigger(3, held_out=True),
         b"no trigger", trigger(4))
    for name, end, expected in (("first", 6, [1, 2, 4]), ("second", 8, [5, 6])):
        output = tmp_path / name
        with consuming(footfall_topics, tmp_path, output):
            deadline = time.monotonic() + WAIT_S_MAX
            while committed(footfall_topics) < end:
                assert until(deadline, 0.2) > 0, output.read_text()
        assert expected == [int(line) for line in output.read_text().splitlines()]
        if name == "first":
            send(footfall_topics, trigger(5), trigger(6))
