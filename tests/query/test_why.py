"""`footfall why` and `footfall why-not` as a user runs them: index, topic, worker."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from footfall.admin.scan import Span
from footfall.events.codec import Codecs
from footfall.events.topics import DELIVERIES, TRIGGERS
from footfall.query.why import parts
from footfall.stream.partition import partition_of
from footfall.view import entry
from footfall.view.store import Indexed, Store
from tests.events.records import a_delivery, a_trigger
from tests.query.test_customer import Setting
from tests.redis_server import RedisServer
from tests.system.workers import CUSTOMER_KEY_SECRET
from tests.tables.logs import ANNA

CODECS = Codecs()
EVIDENCE = {"rule": "win_back", "version": 3, "on": {"trigger": "cart_abandoned",
                                                     "trigger_id": "e" * 32},
            "conditions": [{"condition": {"field": "orders.count", "at_least": 3}, "value": "4",
                            "holds": True}], "cooldown": "7d", "fired_before": None}
AN_ID = "0123456789abcdef" * 2


@given(st.dictionaries(st.integers(0, 3), st.tuples(st.integers(0, 500), st.integers(0, 500)),
                       max_size=4), st.integers(1, 60))
def test_the_topic_is_read_once_from_its_end(bounds: dict[int, tuple[int, int]], first: int
                                             ) -> None:
    """Every offset in one part; of a partition the newest first; the parts double."""
    spans = {p: Span(low, low + length) for p, (low, length) in bounds.items()}
    read: dict[int, list[int]] = {p: [] for p in spans}
    for n, part in enumerate(parts(spans, first)):
        for p, span in part.items():
            assert 0 < span.end - span.low <= first * 2**n
            read[p] = [*range(span.low, span.end), *read[p]]
    assert {p: list(range(*span)) for p, span in spans.items()} == read


def run(bootstrap: str, folder: Path, *arguments: str, redis: str = ""
        ) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "footfall", *arguments], cwd=folder, capture_output=True, text=True,
        timeout=60, check=False,
        env={**os.environ, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
             "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET, "FOOTFALL_REDIS_URL": redis})


def send(bootstrap: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    for n, value in enumerate(values):
        producer.produce(TRIGGERS, value, ANNA, n % 4)
    assert 0 == producer.flush(20)


def of_rule(trigger_id: str, **changed: Any) -> bytes:
    return CODECS.trigger.encode(a_trigger(
        trigger_id=trigger_id, customer_key=ANNA.decode(), name="win_back",
        evidence=msgspec.json.encode(EVIDENCE), **changed))


@pytest.mark.kafka
def test_a_trigger_is_found_in_the_topic(footfall_topics: str, tmp_path: Path) -> None:
    """By its id or the beginning of it, among others and what is no trigger."""
    others = [of_rule(f"{n:032x}") for n in range(9_000)]
    send(footfall_topics, of_rule(AN_ID), b"no trigger", *others)
    for given_id in (AN_ID, AN_ID[:8], AN_ID[:8].upper()):
        done = run(footfall_topics, tmp_path, "why", given_id, "--json")
        assert 0 == done.returncode, done.stderr
        shown = json.loads(done.stdout)
        assert (AN_ID, "topic", "e" * 32) == (
            shown["trigger_id"], shown["source"]["kind"], shown["caused_by"]["trigger_id"])
    people = run(footfall_topics, tmp_path, "why", AN_ID)
    for said in ("win_back", "orders.count at_least 3", "holds", "cooldown", "e" * 32,
                 ANNA.decode()):
        assert said in people.stdout.replace("\n", "")
    masked = run(footfall_topics, tmp_path, "why", AN_ID, "--json", "--role", "marketer")
    assert {"user_id": {"masked": "personal"}} == json.loads(masked.stdout)["ids"]

    unknown = run(footfall_topics, tmp_path, "why", "f" * 32)
    assert (1, "") == (unknown.returncode, unknown.stdout)
    assert "no trigger" in unknown.stderr and "--days" in unknown.stderr
    for bad in ("0123", "x" * 32, "0" * 33):
        assert 2 == run(footfall_topics, tmp_path, "why", bad).returncode


@pytest.mark.kafka
def test_the_index_is_read_first_and_filled_again(
        footfall_topics: str, tmp_path: Path, own_redis: Callable[..., RedisServer]) -> None:
    """Where it does not have a trigger, or is away, the topic is read."""
    redis = own_redis()
    now = time.time_ns() // 1_000_000
    in_index, in_topic = "a" * 32, "b" * 32

    async def index() -> None:
        store = Store(redis.url)
        await store.begin()
        await store.index([Indexed(in_index, ANNA, now, of_rule(in_index))], now)
        await store.close()

    def source(trigger_id: str) -> str:
        done = run(footfall_topics, tmp_path, "why", trigger_id, "--json", redis=redis.url)
        assert 0 == done.returncode, done.stderr
        kind: str = json.loads(done.stdout)["source"]["kind"]
        return kind

    asyncio.run(index())
    send(footfall_topics, of_rule(in_topic, emitted_at=now), b"no trigger", of_rule("c" * 32))
    assert ["index", "topic"] == [source(in_index), source(in_topic)]
    redis.client().flushall()
    done = run(footfall_topics, tmp_path, "view", "rebuild", redis=redis.url)
    assert 0 == done.returncode and "triggers" in done.stdout, done.stderr
    assert "index" == source(in_topic)
    assert None is redis.client().get(entry.TRIGGER + b"c" * 32), "it is too old"
    redis.kill()
    assert "topic" == source(in_topic)


@pytest.mark.kafka
def test_what_became_of_a_trigger_is_said(footfall_topics: str, tmp_path: Path) -> None:
    """Of each destination, from the account of its customer; of others nothing."""
    now = time.time_ns() // 1_000_000
    send(footfall_topics, of_rule(AN_ID, emitted_at=now), of_rule("1" * 32, emitted_at=now))
    mine = {"trigger_id": AN_ID, "customer_key": ANNA.decode(), "emitted_at": now}
    producer = Producer({"bootstrap.servers": footfall_topics, "linger.ms": 0})
    for record in (
            a_delivery(**mine), a_delivery(**mine, status="sent", attempt=1, code=204),
            a_delivery(**mine, destination="mail", status="suppressed", trigger_offset=7,
                       reason="consent_withdrawn"),
            a_delivery(**{**mine, "trigger_id": "c" * 32}, destination="other")):
        producer.produce(DELIVERIES, CODECS.delivery.encode(record), ANNA, partition_of(ANNA, 4))
    assert 0 == producer.flush(20)

    done = run(footfall_topics, tmp_path, "why", AN_ID, "--json", "--role", "marketer")
    shown = json.loads(done.stdout)["deliveries"]
    assert [("crm", "sent", ""), ("mail", "suppressed", "consent_withdrawn")] == [
        (one["destination"], one["status"], one["reason"]) for one in shown]
    assert "withdrawn consent" in shown[1]["text"]
    people = run(footfall_topics, tmp_path, "why", AN_ID).stdout
    assert "consent_withdrawn" in people and "it is there" in people
    nothing = run(footfall_topics, tmp_path, "why", "1" * 32, "--json")
    assert [] == json.loads(nothing.stdout)["deliveries"]
    cut = run(footfall_topics, tmp_path, "why", AN_ID, "--json", "--records-max", "2")
    assert None is json.loads(cut.stdout)["deliveries"], cut.stderr


@pytest.mark.kafka
def test_why_not_asks_the_worker_that_owns_the_customer(footfall_topics: str, tmp_path: Path
                                                        ) -> None:
    """Of a rule that there is not it says so; of a customer nobody knows, too."""
    setting = Setting(footfall_topics, tmp_path)
    try:
        setting.worker()
        setting.send("ann", "Product Added", "m1", product_id="p1")
        setting.until_shown("ann")
        environment = {"FOOTFALL_API_KEY": "a key that may read",
                       "FOOTFALL_WORKER_URLS": ",".join(setting.urls)}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            unknown = run(footfall_topics, tmp_path, "why-not", "no such/rule", "user_id:ann")
            assert (1, "") == (unknown.returncode, unknown.stdout)
            assert "no rule has this name" in unknown.stderr
            nobody = run(footfall_topics, tmp_path, "why-not", "win_back", "user_id:nobody")
            assert 1 == nobody.returncode and "nothing is held" in nobody.stderr
            assert 2 == run(footfall_topics, tmp_path, "why-not", "win_back", "x").returncode
    finally:
        setting.workers.end()
