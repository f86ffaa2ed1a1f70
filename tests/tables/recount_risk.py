"""The risk score recounted by pandas from raw events, by docs/tables.md alone."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

import pandas as pd

MINUTE = 60_000
HOUR, DAY = 60, 1440
#: factor -> (weight, from, full), measures in ones.
FACTORS = {
    "velocity": (25, 60, 300), "failed_payments": (40, 1, 5), "failed_logins": (40, 2, 10),
    "new_device": (10, 0, 1), "new_network": (8, 0, 2), "order_above_history": (20, 3, 10),
    "many_cards": (30, 2, 5), "many_coupons": (15, 3, 10), "refund_rate": (15, 20, 60),
}


class Raw(NamedTuple):
    """One event as an app sends it; `n` of it at once. Empty text: not sent."""

    at: int
    name: str
    device: str = ""
    network: str = ""
    card: str = ""
    coupon: str = ""
    order_id: str = ""
    total: str = ""
    currency: str = ""
    n: int = 1


def recount(raws: Sequence[Raw], minute: int) -> dict[str, tuple[int, Fraction]]:
    """factor -> (points, measure) at a minute since the epoch; measures in whole 1024ths."""
    frame = pd.DataFrame(raws, columns=Raw._fields)
    frame["minute"] = frame["at"] // MINUTE
    newest = int(frame["minute"].max())
    recent = frame[minute - frame["minute"] < 10]
    velocity = floor(Fraction(int((recent["n"] * (10 - (minute - recent["minute"]))).sum())
                              * 1024, 10))

    def happened(*names: str) -> pd.DataFrame:
        return frame[frame["name"].isin(names)]

    def bucketed(found: pd.DataFrame, length: int, half: int) -> int:
        ends = (found["minute"] // length + 1) * length
        return sum(weight(minute - end, half) * n for end, n in zip(ends, found["n"], strict=True))

    def first(column: str, found: pd.DataFrame = frame) -> pd.Series[Any]:
        return found[found[column] != ""].groupby(column)["minute"].min().sort_values()

    def fresh(seen: pd.Series[Any]) -> int:
        return sum(weight(minute - int(m), DAY) for m in seen)

    def foreign(seen: pd.Series[Any]) -> int:
        return fresh(seen[seen - seen.min() >= DAY]) if len(seen) else 0

    orders = happened("Order Completed")
    weeks = (newest - 84 * DAY) // (7 * DAY)
    kept = frame[frame["minute"] // (7 * DAY) >= weeks]
    refunds = kept[kept["name"] == "Order Refunded"]
    count = int(refunds["n"].sum())
    bought = int(kept[kept["name"] == "Order Completed"]["n"].sum())
    rate = 100 * bucketed(refunds, 7 * DAY, 14 * DAY) // max(count, bought) if count >= 2 else 0
    measures = {
        "velocity": velocity,
        "failed_payments": bucketed(happened("Payment Failed"), HOUR, 6 * HOUR),
        "failed_logins": bucketed(happened("Login Failed"), 15, HOUR),
        "new_device": foreign(first("device")), "new_network": foreign(first("network")),
        "order_above_history": _above(orders, minute),
        "many_cards": fresh(first("card")), "many_coupons": fresh(first("coupon")),
        "refund_rate": rate,
    }
    found = {}
    for name, (most, free, full) in FACTORS.items():
        share = (Fraction(measures[name], 1024) - free) / (full - free)
        points = floor(most * max(Fraction(0), min(share, Fraction(1))))
        found[name] = points, Fraction(measures[name], 1024)
    return found


def score(raws: Sequence[Raw], minute: int) -> int:
    """The sum of all points, at most 100."""
    return min(100, sum(points for points, _measure in recount(raws, minute).values()))


def weight(age: int, half: int) -> int:
    """1024 halved every half-life, linear between; nothing after six."""
    if age <= 0:
        return 1024
    if age >= 6 * half:
        return 0
    whole = age // half
    line = floor(1024 * (1 - Fraction(age - whole * half, 2 * half)))
    return floor(Fraction(line, 2**whole))


def _above(orders: pd.DataFrame, minute: int) -> int:
    above_zero = [Fraction(total) > 0 for total in orders["total"]]
    told = orders[pd.Series(above_zero, orders.index, dtype=bool)]  # zero says nothing
    latest = told.sort_values("at").groupby("order_id").tail(1)
    values = sorted((at, currency, Fraction(total)) for at, currency, total in
                    zip(latest["at"], latest["currency"], latest["total"], strict=True))[-16:]
    most = 0
    for i, (at, currency, value) in enumerate(values):
        before = sorted(v for _at, c, v in values[:i] if c == currency)
        if len(before) >= 3:
            median = before[(len(before) - 1) // 2]
            most = max(most, floor(value * weight(minute - at // MINUTE, DAY) / median))
    return most
