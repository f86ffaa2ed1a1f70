"""Orders recounted by pandas from raw messages: money, intervals, refunds; none of our code."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables import orders, orders_row
from footfall.tables.orders_facts import merge
from footfall.tables.orders_row import OrdersFacts
from footfall.tables.spec import NoConfig
from tests.tables import events
from tests.tables.logs import START

DAY = 86_400_000


class Message(NamedTuple):
    """One message as a shop sends it; `products` are (price, quantity)."""

    action: str
    day: int
    message_id: str
    order_id: str
    currency: str
    total: str | None
    products: list[tuple[str, str]]


_amounts = st.decimals(0, 10_000, places=3).map(str)
_messages = st.builds(
    Message,
    st.sampled_from(["order_completed", "order_completed", "order_completed", "order_updated",
                     "order_refunded", "order_cancelled", "order_returned"]),
    st.integers(0, 40), st.text("abcdef", min_size=1, max_size=4),
    st.sampled_from(["", "", "o1", "o2", "o3", "o4"]),
    st.sampled_from(["EUR", "EUR", "USD"]), st.none() | _amounts,
    st.lists(st.tuples(_amounts, st.sampled_from(["1", "2", "0.5"])), max_size=2))
_histories = st.lists(_messages, max_size=40, unique_by=lambda m: m.message_id)


def recount(messages: list[Message]) -> dict[str, Any]:
    """What the view must say of money and time, by the definitions of docs/tables.md."""
    frame = pd.DataFrame(messages, columns=Message._fields)
    frame["order"] = frame.order_id.where(frame.order_id != "", "message " + frame.message_id)
    frame["amount"] = [
        Fraction(m.total) if m.total is not None else
        sum((Fraction(p) * Fraction(q) for p, q in m.products), Fraction(0)) if m.products else None
        for m in messages]
    counted: list[dict[str, Any]] = []
    refunds: list[dict[str, Any]] = []
    for _order, said in frame.sort_values(["day", "message_id"]).groupby("order"):
        if (said.action == "order_cancelled").any():
            continue
        done = said[said.action == "order_completed"]
        states = said[said.action.isin(["order_completed", "order_updated"])]
        stating = states[states.amount.notna()]
        last = (stating if len(stating) else done).tail(1)
        currency = last.currency.iloc[0] if len(last) else ""
        value = last.amount.iloc[0] if len(stating) else None
        if len(done):
            counted.append({"day": done.day.min(), "currency": currency, "value": value})
        back = said[said.action == "order_refunded"]
        own = Fraction(0)
        rest = False
        for amount, products, its in zip(back.amount, back.products, back.currency, strict=True):
            given = Fraction(0) if pd.isna(amount) else amount
            refunds.append({"currency": its, "amount": given, "n": 1})
            own += given if its == currency else 0
            rest = rest or (pd.isna(amount) and not products)
        if rest and len(done) and value is not None and value > own:
            refunds.append({"currency": currency, "amount": value - own, "n": 0})
    made = pd.DataFrame(counted, columns=["day", "currency", "value"])
    gone = pd.DataFrame(refunds, columns=["currency", "amount", "n"])
    valued = made[made.value.notna()]
    days = made.day.sort_values()
    money = {}
    for name in sorted({*valued.currency, *gone.currency}):
        values = valued[valued.currency == name].value
        back = gone[gone.currency == name]
        money[name] = (len(values), sum(values, Fraction(0)), int(back.n.sum()),
                       sum(back.amount, Fraction(0)))
    spans = days.diff().dropna()
    return {
        "count": len(made), "money": money,
        "span_days": ([] if spans.empty else
                      [len(spans), Fraction(int(spans.sum()), len(spans)), int(spans.iloc[-1])]),
        "first": None if days.empty else int(days.iloc[0]),
        "last": None if days.empty else int(days.iloc[-1]),
    }


def interaction(message: Message) -> Any:
    return events.commerce(
        message.action, START + message.day * DAY, message.message_id,
        *(events.line(f"p{n}", p, q) for n, (p, q) in enumerate(message.products)),
        order_id=message.order_id, currency=message.currency, total=message.total)


def facts_of(messages: list[Message]) -> OrdersFacts:
    facts = OrdersFacts()
    for message in messages:
        event = interaction(message)
        facts = orders.TABLE.observe(facts, event, event["event_time"])
    return facts


@settings(deadline=None, max_examples=250)
@given(_histories, st.randoms(use_true_random=False))
def test_the_view_is_what_pandas_counts(messages: list[Message], random: Any) -> None:
    """For any order of arrival and over two identities that join."""
    expected = recount(messages)
    shuffled = random.sample(messages, len(messages))
    cut = random.randint(0, len(messages))
    facts = merge(facts_of(shuffled[:cut]), facts_of(shuffled[cut:]))
    assert orders.TABLE.view is not None
    view: Any = orders.TABLE.view(facts, orders_row.OrdersTold(), START + 50 * DAY, NoConfig())

    assert expected["count"] == view["count"]
    assert expected["money"] == {
        c: (m["orders"], Fraction(m["value"]), m["refunds"], Fraction(m["refunded"]))
        for c, m in view["by_currency"].items()}
    for m in view["by_currency"].values():
        if m["orders"]:
            average = Fraction(m["value"]) / m["orders"]
            assert abs(average - Fraction(m["average"])) <= Fraction(1, 2 * 10**18)
    spans = view["intervals"]
    if expected["span_days"]:
        count, mean, last = expected["span_days"]
        assert (count, round(mean * DAY), last * DAY) == (
            spans["count"], spans["mean_ms"], spans["last_ms"])
    else:
        assert (0, None) == (spans["count"], spans["mean_ms"])
    last = expected["last"]
    assert (None if last is None else (50 - last) * DAY) == view["since_last_ms"]
    assert not view["limited"]


@settings(deadline=None, max_examples=25)
@given(st.integers(101, 260), st.randoms(use_true_random=False))
def test_more_orders_than_are_kept_add_up_for_any_order_and_split(n: int, random: Any) -> None:
    """Orders of one message each: what is closed is still counted, exactly, everywhere."""
    messages = [Message("order_completed", random.randint(0, 500), f"m{i}",
                        random.choice(["", f"o{i}"]), random.choice(["EUR", "USD"]),
                        f"{random.randint(0, 10**6)}.{random.randint(0, 99):02}",
                        [("1", "1")] * random.choice([0, 0, 1, 30])) for i in range(n)]
    expected = recount(messages)
    whole = facts_of(messages)
    parts: list[list[Message]] = [[], [], []]
    for message in random.sample(messages, n):
        parts[random.randint(0, 2)].append(message)
    a, b, c = (facts_of(part) for part in parts)

    assert whole == merge(merge(a, b), c) == merge(b, merge(c, a))
    assert len(whole.orders) == 100
    view: Any = orders.orders_reading.view(whole, None, START, None)
    assert expected["count"] == view["count"] == n
    assert expected["money"] == {
        c: (m["orders"], Fraction(m["value"]), m["refunds"], Fraction(m["refunded"]))
        for c, m in view["by_currency"].items()}
    assert expected["span_days"][0] == view["intervals"]["count"]
    assert round(expected["span_days"][1] * DAY) == view["intervals"]["mean_ms"]
    assert orders.TABLE.limited is not None and orders.TABLE.limited(whole)
