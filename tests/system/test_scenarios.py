"""A scenario file gives the same triggers in the test kit and on a real broker, with a real worker.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from footfall.admin import config
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.topics import INTERACTIONS, REJECTED, TRIGGERS
from footfall.query.rendering import readable, trigger
from footfall.testing.delivered import Delivered
from footfall.testing.expectation import TriggerDocument, differences
from footfall.testing.harness import (
    CUSTOMER_KEY_SECRET,
    SOURCE,
    SYSTEM_SECRET,
    Harness,
    installation,
)
from footfall.testing.scenario import ScenarioFile, read
from footfall.testing.spans import ms_of
from footfall.testing.verdict import judged, play, run
from tests.system.shop import Loader
from tests.system.topics import State, Tail, read_all, until
from tests.system.workers import Workers

pytestmark = pytest.mark.kafka

FILE = Path(__file__).with_name("scenarios.yaml")
SOON_S_MAX = 30.0
TRIGGER_ID = re.compile(r"[0-9a-f]{32}")
#: How instants are spelled; another one in each run.
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")


class Broker:
    """Plays a scenario on Kafka, with the clock on the wall."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._loader = Loader(bootstrap)
        self._state = State(bootstrap)
        self._told: list[TriggerDocument] = []

    def send(self, item: Mapping[str, Any], /) -> None:
        """As the collector does; back when the worker has applied it."""
        arrival = Arrival(SOURCE, time.time_ns() // 1_000_000, SOURCE)
        admitted = admit(msgspec.json.encode(item), 0, arrival, installation().keys)
        assert not isinstance(admitted, Rejected), admitted.detail
        self._loader.put(admitted.key, installation().codecs.interaction.encode(admitted.event))
        self._loader.flush()

    def advance(self, span: str, /) -> None:
        """Wait for it, and until what the log holds is applied."""
        time.sleep(ms_of(span) / 1000)
        until(self._state.covered, SOON_S_MAX, "covered")
        self._told = told(self._bootstrap, Counter())

    def deliver(self, said: Delivered, /) -> None:
        """As delivery does, of the newest such trigger told before time last passed: to look for it
        here would put seconds between two deliveries that are at one instant in the kit.
        """
        found = [one for one in self._told if one["name"] == said.trigger]
        newest = max(found, key=lambda one: str(one["emitted_at"]))
        key = newest["customer_key"].encode()
        event = installation().reserved.delivery(
            key, said.payload(newest), time.time_ns() // 1_000_000)
        self._loader.put(key, installation().codecs.interaction.encode(event))
        self._loader.flush()

    def configure(self, document: Mapping[str, Any], /, *, keep: bool) -> None:
        """As `footfall config apply` does."""
        until(self._state.covered, SOON_S_MAX, "covered")
        how = config.change if keep else config.apply
        how(self._bootstrap, SYSTEM_SECRET, dict(document))


def told(bootstrap: str, since: Mapping[int, int], to_others: Collection[str] = ()
         ) -> list[TriggerDocument]:
    """What the topic holds beyond these offsets, each once, but of those customers."""
    decode = installation().codecs.trigger.decode
    found: dict[str, TriggerDocument] = {}
    for entry in read_all(bootstrap, TRIGGERS):
        if entry.offset >= since[entry.partition]:
            one = trigger(decode(entry.value))
            found[one["trigger_id"]] = {"held_out": False, **one, **{
                name: readable(one[name]) for name in ("data", "evidence")}}
    return [one for one in found.values() if one["customer_key"] not in to_others]


def timeless(value: Any) -> Any:
    """Data or evidence less what says when, or how long after; ids of triggers, and the causes of
    waits, come from such.
    """
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if not key.endswith("_ms")}
    if isinstance(value, str) and INSTANT.match(value):
        return "an instant"
    if isinstance(value, str) and TRIGGER_ID.fullmatch(value):
        return "a trigger"
    return [timeless(one) for one in value] if isinstance(value, list) else value


def comparable(triggers: list[TriggerDocument]) -> list[str]:
    """Names, customers, data and evidence, times aside; in no order: partitions have none."""
    return sorted(json.dumps([one["name"], one["customer_key"], one["ids"], one["held_out"],
                              timeless(one["data"]), timeless(one["evidence"])], sort_keys=True)
                  for one in triggers)


def test_a_scenario_file_gives_the_same_triggers_in_the_kit_and_on_kafka(
        footfall_topics: str, workers: Workers) -> None:
    """Names, customers, data and evidence; and the verdict is the same."""
    file = read(FILE)
    worker = workers.start(customer_key_secret=CUSTOMER_KEY_SECRET.decode(),
                           system_secret=SYSTEM_SECRET.decode()).until_ready()
    earlier: set[str] = set()  # customers of the scenarios before: time goes on for them
    for number, scenario in enumerate(file.scenarios):
        tail = Tail(footfall_topics, TRIGGERS)
        since = tail.ends()
        tail.close()
        broker, harness = Broker(footfall_topics), Harness(file.configuration)
        broker.configure(file.configuration, keep=False)
        play(scenario, broker)
        play(scenario, harness)
        # What time alone tells may come late; then it is compared.
        deadline = time.monotonic() + SOON_S_MAX
        while len(there := told(footfall_topics, since, earlier)) < len(harness.triggers):
            assert time.monotonic() < deadline, (scenario.name, comparable(there))
            time.sleep(0.05)
        earlier |= {one["customer_key"] for one in harness.triggers}
        assert comparable(harness.triggers) == comparable(there), scenario.name
        assert len(harness.triggers) > 1, scenario.name
        assert run(file, number).passed, scenario.name
        assert ((), ()) == verdict(file, number, there, harness), scenario.name
    assert [] == read_all(footfall_topics, REJECTED)
    assert len(read_all(footfall_topics, INTERACTIONS)) > 0
    assert 0 == worker.stop()


def verdict(file: ScenarioFile, number: int, there: list[TriggerDocument], harness: Harness
            ) -> tuple[Any, Any]:
    """What is missing and what is too much of the triggers on Kafka; `at` is not looked at."""
    return judged(file, number, there, harness.identifier, lambda expected, one: differences(
        expected._replace(at_ms=None), one, 0))
