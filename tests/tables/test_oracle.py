"""The oracle of the kill tests and the real fold: two codes, one result, over random logs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.tables import events
from tests.tables.held import carts_held
from tests.tables.logs import ANNA, BERT, START, Appended, config, fold, tick, triggers

#: Steps of append time, around the idle time (2 s or 20 s), the grace, lateness and settling.
_steps = st.sampled_from([0, 0, 1, 300, 1_000, 1_700, 2_400, 2_600, 5_400, 5_600, 9_000, 30_000])
_late = st.sampled_from([0, 0, 0, 1, 300, 1_000, 4_000, 7_000, 60_000, -1_000])


@st.composite
def _logs(draw: st.DrawFn) -> list[Appended]:
    at = START
    log = [config(at, 1, idle_s=2)]
    for n in range(draw(st.integers(1, 25))):
        at += draw(_steps)
        kind = draw(st.integers(0, 15))
        if kind == 0:
            log.append(tick(at))
        elif kind == 1:
            number = draw(st.sampled_from([0, n + 2]))
            log.append(config(at, number, idle_s=draw(st.sampled_from([2, 20]))))
        else:
            when = at - draw(_late)
            repeat = n and not draw(st.integers(0, 9))
            event = _event(draw, when, f"m{draw(st.integers(0, n - 1)) if repeat else n}")
            log.append(Appended(at, draw(st.sampled_from([ANNA, ANNA, BERT])), event))
    return log


def _event(draw: st.DrawFn, when: int, message_id: str) -> Any:
    cart_id = draw(st.sampled_from(["", "c1", "c2"]))
    product = draw(st.sampled_from(["p1", "p2"]))
    price = draw(st.sampled_from([None, "10", "0.01"]))
    quantity = draw(st.sampled_from(["0", "1", "2.5"]))
    action = draw(st.integers(0, 9))
    if action < 5:
        return events.added(when, message_id, product, price, quantity, cart_id=cart_id)
    if action == 5:
        return events.removed(when, message_id, product, quantity, cart_id=cart_id)
    if action == 6:
        lines = [events.line("p3", price, quantity)] * draw(st.integers(0, 2))
        return events.viewed(when, message_id, lines, cart_id=cart_id)
    if action == 7:
        return events.plain(when, message_id)
    return events.ordered(when, message_id, cart_id=cart_id, order_id="o", total="5")


@settings(deadline=None, max_examples=400)
@given(_logs())
def test_the_fold_gives_what_the_oracle_expects(log: list[Appended]) -> None:
    """Carts and triggers of two customers: ticks, late events, outages, configuration."""
    log = [*log, tick(log[-1].at + 30_000), tick(log[-1].at + 60_000), tick(log[-1].at + 200_000)]
    expected = oracle.fold(log)
    folded = fold(log)
    told = triggers(folded)
    got = {(t["customer_key"].encode(), t["name"], t["data"]["cart_id"],
            _deadline(t)) for t in told}
    assert expected.triggers == got
    assert len({t["trigger_id"] for t in told}) == len(told) == len(got)
    held = {key: carts_held(folded.row(key, "cart")) for key in (ANNA, BERT)}
    assert expected.carts == {key: carts for key, carts in held.items() if carts}


def _deadline(told: dict[str, Any]) -> int:
    moment = told["evidence"]["deadline"]
    return round(msgspec.convert(moment, datetime).timestamp() * 1000)
