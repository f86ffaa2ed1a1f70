"""The demo is a test: what the seed's shop leads to is a golden file, and a recount agrees.

After a change that is meant: python -m tests.up.test_demo_rehearsal writes the file anew.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from footfall.up.demo_config import IDLE_S
from footfall.up.demo_line import describe
from footfall.up.demo_rehearsal import Rehearsal, Told
from footfall.up.shop import shop
from footfall.up.shop_visitor import Action
from footfall.view.trigger import trigger

GOLDEN = Path(__file__).parents[1] / "golden/demo.json"
OPEN_S = 120.0
SEEDS = (1, 7)


@cache
def played(seed: int) -> list[Told]:
    """Two minutes, and what time brings in the minute after."""
    return list(Rehearsal(IDLE_S).play(shop(seed, OPEN_S, IDLE_S), OPEN_S + 60))


def counted(seed: int) -> dict[str, int]:
    """Trigger name -> how many; of changes of level each by its new level."""
    names: Counter[str] = Counter()
    for told in played(seed):
        data = json.loads(told.record["data"])
        level = data.get("level") or data.get("to")
        names[f"{told.record['name']} {level}" if level else told.record["name"]] += 1
    return dict(sorted(names.items()))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeds_triggers_are_those_of_the_golden_file(seed: int) -> None:
    assert json.loads(GOLDEN.read_text())[str(seed)] == counted(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_recount_of_what_was_sent_agrees(seed: int) -> None:
    """From the items alone, without a table."""
    actions = list(shop(seed, OPEN_S, IDLE_S))
    names = Counter(told.record["name"] for told in played(seed))
    customers = {who(action) for action in actions}
    ordered = {who(a) for a in actions if a.item.get("event") == "Order Completed"}

    assert len({a.left for a in actions} - {""}) == names["cart_abandoned"]
    assert len({a.recovered for a in actions} - {""}) == names["cart_recovered"]
    assert len(ordered) == names["order_completed_first"]
    assert names["order_refunded"] == sum(
        a.item.get("event") == "Order Refunded" for a in actions)
    assert len(customers) == names["session_started"]


@pytest.mark.parametrize("seed", SEEDS)
def test_cheats_and_nobody_else_are_told_as_risky(seed: int) -> None:
    """Those with six failed payments or ten failed logins, recounted from the items."""
    failed = Counter((who(a), a.item["event"]) for a in shop(seed, OPEN_S, IDLE_S)
                     if a.item.get("event") in ("Payment Failed", "Login Failed"))
    cheats = {who for (who, event), n in failed.items()
              if n >= (6 if event == "Payment Failed" else 10)}
    told = {describe(t.record).customer for t in played(seed)
            if t.record["name"] == "risk_level_changed"}
    # An intruder is nobody before it signs in.
    assert len(told) >= len(cheats) - 3
    assert len(cheats) > 3
    assert told <= cheats


def test_the_first_trigger_comes_within_a_minute() -> None:
    assert played(1)[0].at_s < 60


def test_what_the_foot_promises_comes() -> None:
    """The item of the curl line, sent by somebody new."""
    item: dict[str, Any] = {
        "type": "track", "messageId": "m1", "userId": "you", "event": "Product Added",
        "properties": {"product_id": "p1", "price": "9.90", "quantity": 1, "currency": "EUR"}}
    told = Rehearsal(IDLE_S).play([Action(1.0, 1.0, item)], 10)
    came = {t.record["name"]: t.at_s for t in told}

    assert {"session_started", "engagement_level_changed", "cart_abandoned"} == came.keys()
    assert came["session_started"] == came["engagement_level_changed"] == 1.0
    assert 1 + IDLE_S < came["cart_abandoned"] < 1 + IDLE_S + 1


def test_every_trigger_of_the_demo_has_its_line() -> None:
    for told in played(1):
        assert describe(told.record).text
        assert trigger(told.record)["trigger_id"]
    assert len(played(1)) == len({told.record["trigger_id"] for told in played(1)})


def who(action: Action) -> str:
    """Whose record an item belongs to."""
    return str(action.item.get("userId") or action.item["anonymousId"])


if __name__ == "__main__":
    text = json.dumps({str(seed): counted(seed) for seed in SEEDS}, indent=2)
    GOLDEN.write_text(text + "\n")
