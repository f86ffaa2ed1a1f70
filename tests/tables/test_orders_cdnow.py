"""The real orders of the CDNOW data set, through the real fold, against pandas.

CDNOW: every purchase, January 1997 to June 1998, of 23,570 customers of a music shop (Fader and
Hardie 2001); the file comes with the package `lifetimes`, which need not be imported.
"""

from __future__ import annotations

from fractions import Fraction
from importlib.metadata import distribution

import pandas as pd

from footfall.tables import orders
from footfall.tables.fold import Fold
from footfall.tables.orders_facts import ORDERS_MAX, OrdersFacts, is_limited
from footfall.tables.orders_reading import money as read_money
from footfall.tables.orders_reading import summary
from tests.tables import events
from tests.tables.logs import CODECS, KEYS, RESERVED, START, Entry
from tests.tables.test_orders_recount import DAY

ROWS = 69_659


def _read() -> pd.DataFrame:
    path = distribution("lifetimes").locate_file("lifetimes/datasets/CDNOW_master.txt")
    frame = pd.read_csv(str(path), sep=r"\s+", dtype=str)
    assert ROWS == len(frame)
    frame["day"] = (pd.to_datetime(frame["date"], format="%Y%m%d")
                    - pd.Timestamp("1997-01-01")).dt.days
    frame["cents"] = [int(Fraction(v) * 100) for v in frame["dollar_value"]]
    return frame


def test_orders_money_and_intervals_of_every_customer_are_those_of_pandas() -> None:
    """All 69,659 rows, most of them late: the log has them in the order of the file."""
    frame = _read()
    fold = orders_fold()
    at = START + 600 * DAY
    customers = {name: KEYS.of("user_id", name) for name in frame["customer_id"].unique()}
    encode = CODECS.interaction.encode
    rows = zip(frame["customer_id"], frame["day"], frame["dollar_value"], strict=True)
    for n, (customer, day, value) in enumerate(rows):
        event = events.ordered(START + int(day) * DAY, f"row-{n}", currency="USD", total=value)
        fold.apply(Entry(n, at, customers[customer], encode(event)))

    told = sum(count for (what, _), count in fold.counts.items() if what == "trigger")
    assert len(customers) == told
    frame["span"] = frame.sort_values("day", kind="stable").groupby("customer_id")["day"].diff()
    groups = frame.sort_values("day", kind="stable").groupby("customer_id")
    expected = groups.agg(
        orders=("day", "size"), first=("day", "min"), last=("day", "max"), cents=("cents", "sum"),
        spans=("span", "count"), span_sum=("span", "sum"), span_last=("span", "last"))
    for found in expected.itertuples():
        row = fold.row(customers[found.Index], "orders")
        assert row is not None
        facts: OrdersFacts = row.facts
        counted, money = summary(facts), read_money(facts)
        assert (found.orders, found.spans) == (counted.count, max(counted.count - 1, 0))
        assert {"USD": (found.orders, found.cents * 10**16)} == {
            c: (m["orders"], m["value"]) for c, m in money.items()}
        assert (found.first * DAY + START, found.last * DAY + START) == (
            counted.first, counted.last)
        assert (found.orders > ORDERS_MAX) == is_limited(facts)
        if found.spans:
            assert (int(found.span_sum) * DAY, int(found.span_last) * DAY) == (
                counted.interval_sum, counted.interval_last)
    assert 8 == sum(expected.orders > ORDERS_MAX)


def orders_fold() -> Fold:
    """A fold of the one table."""
    return Fold(0, (orders.TABLE,), codecs=CODECS, keys=KEYS, reserved=RESERVED, topic="log")
