"""docs/delivery-more.md: keys, services, examples, and its consumer on a real broker."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from footfall.delivery.channels import notify_address, open_channel
from footfall.delivery.message import Message, Outcome, Resources
from footfall.delivery.routes_row import (
    AnyDestination,
    Destination,
    KafkaDestination,
    NotifyDestination,
    RedisDestination,
)
from tests.delivery.channels import attempt
from tests.delivery.channels.test_kafka import new_topic
from tests.test_docs import names, page, rows, section

TEXT = page("delivery-more.md")
KAFKA, REDIS, NOTIFY = "Kafka", "Redis Stream", "Messengers, SMS and others"


@pytest.mark.parametrize(("heading", "struct"), [
    (KAFKA, KafkaDestination), (REDIS, RedisDestination), (NOTIFY, NotifyDestination)])
def test_keys_are_documented(heading: str, struct: type[Destination]) -> None:
    """All that the destination has besides those of all, and no other."""
    own = set(struct.__struct_fields__) - set(Destination.__struct_fields__)
    assert own == {name for row in rows(section(TEXT, heading)) for name in names(row[0])}


@pytest.mark.parametrize("heading", [KAFKA, REDIS, NOTIFY])
def test_examples_are_destinations(heading: str) -> None:
    """As routes.yaml is read."""
    [block] = re.findall(r"```yaml\n(.*?)```", section(TEXT, heading), re.DOTALL)
    read = YAML(typ="safe", pure=True).load(block)["destinations"]
    found = msgspec.convert(read, dict[str, AnyDestination])
    assert read.keys() == found.keys()


def test_services_and_options_of_apprise_are_documented() -> None:
    """Each under its head, and no other."""
    text = section(TEXT, NOTIFY)
    lists = {start: set(names(re.split(r"^- \*\*", text.partition(f"- **{start}")[2],
                                       flags=re.MULTILINE)[0]))
             for start in ("Services whose host is", "Services whose host stands", "Refused")}
    assert notify_address.HOSTED == lists["Services whose host is"]
    domains = {f"*{domain}" for ends in notify_address.DOMAINS.values() for domain in ends}
    assert {*notify_address.DOMAINS, *domains, "delivery_allow"} == lists[
        "Services whose host stands"]
    assert notify_address.OPTIONS_REFUSED | {"template"} == lists["Refused"]


class Reader:
    """The documented consumer, in a process of its own."""

    def __init__(self, folder: Path, bootstrap: str, topic: str) -> None:
        [source] = re.findall(r"```python\n(.*?)```", section(TEXT, KAFKA), re.DOTALL)
        program = folder / "consumer.py"
        program.write_text(source)
        self.topic = topic
        self._command = [sys.executable, str(program), bootstrap, topic, str(folder / "state.db")]
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, env=dict(os.environ))

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def lines(self) -> list[str]:
        return self._output.read_text().splitlines()

    async def has(self, expected: list[str]) -> None:
        """Wait until it has acted so, and a little longer: for what it must not do."""
        until = time.monotonic() + 60
        while len(self.lines()) < len(expected):
            assert time.monotonic() < until, self.lines()
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        assert expected == self.lines()


@pytest.fixture
def reader(tmp_path: Path, kafka: str) -> Iterator[Reader]:
    made = Reader(tmp_path, kafka, new_topic(kafka))
    yield made
    made.kill()


async def test_the_consumer_acts_once_on_what_is_there_twice(
    reader: Reader, kafka: str, tmp_path: Path
) -> None:
    """Also on a repeat that comes after it was killed: it goes on where its own state stands."""
    channel = await open_channel("crm", KafkaDestination(
        purpose="necessary", topic=reader.topic), Resources(
            tmp_path, {}, kafka_bootstrap_servers=kafka))

    async def send(*ids: str) -> None:
        for one in ids:
            headers = {"footfall-trigger-id": one, "footfall-trigger": "cart_abandoned"}
            assert Outcome("sent") == await channel.send(Message(one, headers), attempt(one))

    reader.start()
    await send("a", "b", "a")
    await reader.has(["a", "b"])
    reader.kill()
    await send("b", "c")
    reader.start()
    await reader.has(["a", "b", "c"])
    await channel.close()
