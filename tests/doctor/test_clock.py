"""How far clocks differ is found out without writing, and never said more exactly than known."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Producer

from footfall.admin.cluster import admin_client
from footfall.doctor import asking, clock
from footfall.doctor.asking import Ahead
from footfall.doctor.clock import HELD_S, between, clocks, judged, of_brokers
from footfall.events.topics import INTERACTIONS
from footfall.health import Part
from footfall.health_serving import HealthServing, beside
from footfall.settings import Settings
from footfall.stream.unit import AHEAD_MS_MAX
from footfall.up.ports import HOST, free_port

OPEN = math.inf
WAIT_S_MAX = 60.0


@pytest.mark.parametrize(("ahead", "status", "text"), [
    (Ahead(-0.1, 0.3), "ok", "0.1 s ahead of this one, give or take 0.2 s"),
    (Ahead(4.9, 5.9), "ok", "5.4 s ahead of"), (Ahead(5.1, 6.1), "warning", "5.6 s ahead of"),
    (Ahead(59.0, 61.0), "warning", "60.0 s ahead of"),
    (Ahead(60.5, 60.5), "error", "60.5 s ahead of this one: what is appended there is held"),
    (Ahead(60.5, OPEN), "error", "60.5 s ahead of this one, or more"),
    (Ahead(6.0, OPEN), "warning", "6.0 s ahead of this one, or more"),
    (Ahead(-600.0, OPEN), "ok", "not known to be ahead of this one"),
    (Ahead(-90.0, -89.0), "warning", "89.5 s behind this one, give or take 0.5 s")])
def test_what_a_distance_means(ahead: Ahead, status: str, text: str) -> None:
    """By what is certain of it; ahead by more than law 4 allows is an error."""
    one = judged("broker 1", ahead)
    assert status == one.status and one.found.startswith(text)
    assert bool(one.change) == (status != "ok")
    assert (None if ahead.most == OPEN else ahead.most) == one.details["ahead_s_max"]


def test_the_bound_is_that_of_workers() -> None:
    assert AHEAD_MS_MAX == HELD_S * 1000


@pytest.mark.parametrize(("first", "second", "apart"), [
    (Ahead(0, 1), Ahead(0, 1), None), (Ahead(7, 8), Ahead(0, 1), 6.0),
    (Ahead(5, 8), Ahead(0, 1), None), (Ahead(100, OPEN), Ahead(0, 1), None)])
def test_brokers_are_held_against_each_other(first: Ahead, second: Ahead, apart: float | None
                                             ) -> None:
    """By what is certain of both."""
    told = list(between({1: first, 2: second}))
    assert ([] if apart is None else [apart]) == [one.details["apart_s"] for one in told]


@pytest.mark.parametrize(("date", "ahead"), [
    (formatdate(1_000, usegmt=True), Ahead(-0.5, 1.0)), ("", None), ("yesterday", None),
    (formatdate(1_090, usegmt=True), Ahead(89.5, 91.0))])
def test_a_date_bounds_a_clock_by_its_second(date: str, ahead: Ahead | None) -> None:
    """Asked at 1,000 s, answered half a second later."""
    assert ahead == asking.between(date, 1_000.0, 1_000.5)


@contextmanager
def traffic(bootstrap: str) -> Iterator[None]:
    """A record every 50 ms, from a first one on that is there."""
    enough, flowing = threading.Event(), threading.Event()

    def send() -> None:
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        while not enough.wait(0.05):
            producer.produce(INTERACTIONS, b"x", partition=0,
                             on_delivery=lambda *_: flowing.set())
            producer.poll(0)
        producer.flush(10)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert flowing.wait(WAIT_S_MAX)
        yield
    finally:
        enough.set()
        thread.join()


def skewed(monkeypatch: pytest.MonkeyPatch, off_s: float) -> None:
    """This machine's clock, as the doctor reads it, is so far behind all others."""
    monkeypatch.setattr(clock, "time", SimpleNamespace(
        time=lambda: time.time() - off_s, monotonic=time.monotonic, sleep=time.sleep))


@pytest.mark.kafka
@pytest.mark.parametrize("off_s", [0.0, 90.0, -90.0])
def test_with_traffic_both_bounds_are_known(
        footfall_topics: str, monkeypatch: pytest.MonkeyPatch, off_s: float) -> None:
    """Of a real broker, and the truth lies between them; it and we share one clock here."""
    skewed(monkeypatch, off_s)
    with traffic(footfall_topics):
        admin, deadline = admin_client(footfall_topics), time.monotonic() + WAIT_S_MAX
        [(_broker, ahead)] = of_brokers(admin).items()
        # Two looks at least, between which a record came: a busy machine may have had one.
        while ahead.most == OPEN and time.monotonic() < deadline:
            [(_broker, ahead)] = of_brokers(admin).items()
    assert ahead.least <= off_s + 0.001 and off_s - 0.001 <= ahead.most
    assert ahead.most - ahead.least < 5, "a question takes less, also on a busy machine"


@pytest.mark.kafka
def test_without_traffic_it_is_known_whether_a_broker_is_ahead(
        footfall_topics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the newest record, and nothing more; of an empty log nothing is said."""
    admin = admin_client(footfall_topics)
    assert {} == of_brokers(admin, 0.1)
    producer = Producer({"bootstrap.servers": footfall_topics})
    producer.produce(INTERACTIONS, b"x", partition=0)
    assert 0 == producer.flush(30)
    skewed(monkeypatch, 100.0)
    [(_broker, ahead)] = of_brokers(admin, 0.1).items()
    assert ahead.most == OPEN and 60 < ahead.least < 100.001


def test_programs_tell_their_clocks_and_the_brokers() -> None:
    """At `/readyz`: by the Date of the answer, and by what they saw at their last append."""
    port = free_port()
    told: dict[str, Any] = {"broker_clock_ahead_s": 61.5}
    serving = HealthServing(HOST, port, lambda: {"log": Part(True, "well")}, more=lambda: told)
    settings = Settings(worker_urls=f"http://{HOST}:{port}", http_port=free_port())
    with beside(serving):
        worker, brokers = list(clocks(settings))
    assert (f"worker {HOST}:{port}", "ok") == (worker.subject, worker.status)
    assert (f"brokers by worker {HOST}:{port}", "error") == (brokers.subject, brokers.status)
