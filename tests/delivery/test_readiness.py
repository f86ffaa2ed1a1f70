"""Delivery says how it is: its log, its destinations, the view; names of routes, of nobody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from footfall.delivery.health import Health, disabled
from footfall.health import readiness
from tests.delivery.desk import Desk
from tests.delivery.log import KEYS

TWO = """
destinations:
  crm: {channel: webhook, url: "https://canary.example/x", purpose: necessary}
  news: {channel: webhook, url: "https://other.example/x", purpose: marketing}
routes:
  - {triggers: [cart_abandoned], to: [crm, news]}
"""


def answer(desk: Desk) -> tuple[int, dict[str, Any]]:
    return readiness(desk.engine.parts(), **desk.engine.state())


async def test_a_log_that_is_not_read_to_its_end_is_told() -> None:
    """Until it is; the process is ready all the same, as the others' partitions go on."""
    desk = Desk(TWO)
    status, said = answer(desk)
    assert (200, False) == (status, said["parts"]["log"]["ok"])
    assert "partitions 0, 1 are not read to their end" in said["parts"]["log"]["reason"]
    await desk.flow()
    for partition in desk.engine.partitions.values():
        partition.is_caught_up = True
    assert answer(desk)[1]["parts"]["log"]["ok"]


def test_destinations_that_get_nothing_are_named_with_why() -> None:
    desk = Desk(TWO)
    assert "all 2 get what is sent" == answer(desk)[1]["parts"]["destinations"]["reason"]
    desk.engine.lanes["crm"].health = disabled(Health(), "gone", desk.at)
    desk.engine.lanes["news"].health = Health(failures=9, open_until=desk.at + 9_000, open_ms=9_000)
    status, said = answer(desk)
    assert (200, False) == (status, said["parts"]["destinations"]["ok"])
    reason = said["parts"]["destinations"]["reason"]
    assert "crm: disabled" in reason and "news: failing" in reason


@pytest.mark.parametrize(("marked", "ok", "text"), [
    (None, False, "FOOTFALL_REDIS_URL"), ([], False, "nothing was heard of 2 of 2"),
    ([0], False, "nothing was heard of 1 of 2"), ([0, 1], True, "asked for news")])
def test_the_view_is_told_where_a_destination_needs_it(
        marked: list[int] | None, ok: bool, text: str) -> None:
    """By how many partitions it has said nothing of for too long."""
    desk = Desk(TWO)
    desk.engine.lanes["news"].needs_person = True
    desk.engine.lanes["crm"].needs_person = False
    if marked is not None:
        marks = {n: SimpleNamespace(at=desk.at - (0 if n in marked else 6_000)) for n in range(2)}
        desk.engine._served = SimpleNamespace(partitions=2, marks=marks)  # type: ignore[assignment]
    view = answer(desk)[1]["parts"]["view"]
    assert ok is view["ok"] and text in view["reason"]


async def test_nothing_of_a_customer_is_in_it() -> None:
    """Nor where messages go: an address may hold a token."""
    desk = Desk(TWO)
    desk.tell(KEYS[0], "canary cause", data={"email": "canary@example.com"})
    await desk.flow()
    said = str(answer(desk))
    assert "canary" not in said and KEYS[0] not in said
