"""A worker says how it is: partitions, its place in the group, clocks, the view; of nobody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from footfall.health import readiness
from footfall.stream.engine import Engine
from tests.stream.live import batch, engine_of, feed
from tests.tables import events
from tests.tables.logs import ANNA, START, Appended

CANARY = "canary@example.com"


def answer(engine: Engine) -> tuple[int, dict[str, Any]]:
    """As `/readyz` gives it."""
    return readiness(engine.parts(), **engine.state())


def test_a_worker_with_its_partitions_is_ready() -> None:
    """They are named, and so is one that stands by."""
    status, said = answer(engine_of(owned=(0, 2)))
    assert (200, [0, 2]) == (status, said["partitions"])
    assert "has recovered 2 of 4: 0, 2" == said["parts"]["partitions"]["reason"]
    status, said = answer(engine_of(owned=()))
    assert (200, []) == (status, said["partitions"])
    assert said["parts"]["partitions"]["reason"].startswith("stands by")


@pytest.mark.parametrize(("change", "code"), [
    ({"gate": False, "is_ready": False}, "recovering"),
    ({"is_ready": False}, "recovering"), ({"is_member": lambda: False}, "not_a_member")])
def test_without_partitions_or_a_place_in_the_group_it_is_not(
        change: dict[str, Any], code: str) -> None:
    engine = engine_of(owned=(0,))
    for name, value in change.items():
        setattr(engine.consumer, name, value)
    status, said = answer(engine)
    assert (503, code) == (status, said["code"])


async def test_a_partition_that_is_held_is_told_and_the_others_go_on() -> None:
    """A record of a broker whose clock is an hour ahead."""
    engine = engine_of(owned=(0,))
    ahead = SimpleNamespace(offset=0, timestamp=10**14, key=b"$tick", value=b"", timestamp_type=1)
    await engine.process(batch(engine, 0, [ahead]))

    status, said = answer(engine)

    assert 200 == status
    assert (False, False) == (said["parts"]["clock"]["ok"], said["parts"]["clock"]["needed"])
    assert "partitions 0 are held" in said["parts"]["clock"]["reason"]


@pytest.mark.parametrize(("skew_ms", "text"), [
    (None, "is not known"), (12.0, "0.012 s ahead of"), (-1500.0, "1.500 s behind")])
def test_the_clock_of_the_brokers_is_told_as_last_seen(skew_ms: float | None, text: str) -> None:
    """In words, and in seconds for programs."""
    engine = engine_of(owned=(0,))
    engine.broker_skew_ms = skew_ms
    _status, said = answer(engine)
    assert text in said["parts"]["clock"]["reason"]
    assert (skew_ms and skew_ms / 1000) == said.get("broker_clock_ahead_s")


@pytest.mark.parametrize(("state", "ok"), [("current", True), ("catching_up", True),
                                           ("away", False)])
def test_the_view_is_told_and_a_worker_is_ready_without_it(state: str, ok: bool) -> None:
    engine = engine_of(owned=(0,))
    engine.views = SimpleNamespace(state=lambda: state)  # type: ignore[assignment]
    status, said = answer(engine)
    assert (200, state, ok) == (status, said["view"], said["parts"]["view"]["ok"])


def test_nothing_of_a_customer_is_in_it() -> None:
    """Whatever they did: neither identifiers, nor keys, nor what they bought (law 6)."""
    engine = engine_of(owned=range(4))
    event = events.added(START, "canary-message", "canary product", "9.90")
    feed(engine, [Appended(START, ANNA, event), Appended(
        START, ANNA, events.plain(START, "m2", {"userId": CANARY}))])
    said = str(answer(engine))
    assert "canary" not in said and ANNA.decode() not in said
