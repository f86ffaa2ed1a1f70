"""The risk score at an instant: named factors, each of which only falls as time passes.

Decides what each factor measures, from when on it scores and when it scores in full (docs/tables.md
has the table with sources). Integer arithmetic throughout: measures are in 1/1024, so that every
machine gives the same. A factor's points are its weight, in proportion to where its measure lies
between `free` (nothing) and `full`; the score is their sum, at most 100.

What happened a while ago counts less: half after a half-life, linear between halvings, nothing
after six. With the same facts no factor ever rises with time, so a level falls at one instant that
can be searched (`falls_at`). Nothing computed here is ever stored.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from footfall.events.amount import from_bytes
from footfall.tables.risk_facts import BUCKETS, MINUTE_MS, MINUTES, SEEN_BYTES, first_seen
from footfall.tables.risk_row import Factor, OrderValue, RiskConfig, RiskFacts, Scored
from footfall.tables.risk_signals import FAILED_LOGIN, FAILED_PAYMENT, ORDER, REFUND

SCORE_MAX: Final = 100
#: One of a measure.
UNIT: Final = 1024
#: Half-lives after which something counts no more.
HALVINGS: Final = 6
HOUR: Final = 60
DAY: Final = 24 * HOUR
#: Devices and networks of a customer's first day are its own.
OWN_MINUTES: Final = DAY
#: Earlier orders in the same currency without which an order is compared with nothing.
HISTORY_MIN: Final = 3
REFUNDS_MIN: Final = 2

VELOCITY = Factor("velocity", 60, 300, 0)
PAYMENTS = Factor("failed_payments", 1, 5, 6 * HOUR)
LOGINS = Factor("failed_logins", 2, 10, HOUR)
DEVICE = Factor("new_device", 0, 1, DAY)
NETWORK = Factor("new_network", 0, 2, DAY)
ABOVE = Factor("order_above_history", 3, 10, DAY)
CARDS = Factor("many_cards", 2, 5, DAY)
COUPONS = Factor("many_coupons", 3, 10, DAY)
#: In per cent.
REFUNDS = Factor("refund_rate", 20, 60, 14 * DAY)

FACTORS = (VELOCITY, PAYMENTS, LOGINS, DEVICE, NETWORK, ABOVE, CARDS, COUPONS, REFUNDS)


def scored(facts: RiskFacts, minute: int, config: RiskConfig) -> list[Scored]:
    """Every factor, in the order of `FACTORS`."""
    measures = (
        _velocity(facts, minute),
        _counted(facts, FAILED_PAYMENT, minute, PAYMENTS.half_life),
        _counted(facts, FAILED_LOGIN, minute, LOGINS.half_life),
        _new(facts.devices, minute, DEVICE.half_life),
        _new(facts.networks, minute, NETWORK.half_life),
        _above(facts.values, minute),
        _seen(first_seen(facts.cards), minute, CARDS.half_life),
        _seen(first_seen(facts.coupons), minute, COUPONS.half_life),
        _refund_rate(facts, minute),
    )
    return [Scored(f.name, _points(f, m, points) if m > f.free * UNIT else 0, m)
            for f, m, points in zip(FACTORS, measures, _weights(config), strict=True)]


def total(factors: list[Scored]) -> int:
    """The score."""
    return min(SCORE_MAX, sum(f.points for f in factors))


def at_most(facts: RiskFacts, config: RiskConfig) -> int:
    """What the score cannot exceed at any time, were nothing to age; found without scoring."""
    most = 0
    if sum(facts.counts) > VELOCITY.free:
        most += config.velocity_points
    if len(facts.devices) > SEEN_BYTES:
        most += config.new_device_points
    if len(facts.networks) > SEEN_BYTES:
        most += config.new_network_points
    if len(facts.values) > HISTORY_MIN:
        most += config.order_above_history_points
    if len(facts.cards) > CARDS.free * SEEN_BYTES:
        most += config.many_cards_points
    if len(facts.coupons) > COUPONS.free * SEEN_BYTES:
        most += config.many_coupons_points
    if facts.happened:
        n = [0] * len(BUCKETS)
        for kind, _bucket, more in facts.happened:
            n[kind] += more
        if n[FAILED_PAYMENT] > PAYMENTS.free:
            most += _points(PAYMENTS, n[FAILED_PAYMENT] * UNIT, config.failed_payments_points)
        if n[FAILED_LOGIN] > LOGINS.free:
            most += _points(LOGINS, n[FAILED_LOGIN] * UNIT, config.failed_logins_points)
        if n[REFUND] >= REFUNDS_MIN:
            most += config.refund_rate_points
    return most


def falls_at(facts: RiskFacts, after: int, below: int, config: RiskConfig, known: int = 0) -> int:
    """The first instant (ms) past the minute `after` at which the score is less than `below`
    (at least 1), were nothing else to happen; or `known`, an earlier answer, while the score does
    not fall before it: that spares most of the search, and costs at most a wake too many.
    """
    before = known // MINUTE_MS - 1
    if before >= after and total(scored(facts, before, config)) >= below:
        return known
    step = 1
    while total(scored(facts, after + step, config)) >= below:
        step *= 2
    low, high = after + step // 2, after + step  # not yet fallen (or `after` itself), fallen
    while high - low > 1:
        middle = (low + high) // 2
        if total(scored(facts, middle, config)) >= below:
            low = middle
        else:
            high = middle
    return high * MINUTE_MS


def weight(age: int, half_life: int) -> int:
    """What something of this age in minutes still counts, in 1/1024."""
    if age <= 0:
        return UNIT
    halvings, rest = divmod(age, half_life)
    if halvings >= HALVINGS:
        return 0
    return UNIT * (2 * half_life - rest) // (2 * half_life) >> halvings


@lru_cache(maxsize=16)
def _weights(config: RiskConfig) -> tuple[int, ...]:
    return tuple(getattr(config, f.name + "_points") for f in FACTORS)


def _points(factor: Factor, measure: int, points: int) -> int:
    span = (factor.full - factor.free) * UNIT
    return points * max(0, min(measure - factor.free * UNIT, span)) // span


def _velocity(facts: RiskFacts, minute: int) -> int:
    """Events of the last ten minutes, a minute counting less with its age."""
    age = max(0, minute - facts.minute)
    return sum(n * (MINUTES - back) for back, n in enumerate(facts.counts, age)
               if back < MINUTES) * UNIT // MINUTES


def _counted(facts: RiskFacts, kind: int, minute: int, half_life: int) -> int:
    """A bucket ages from its end."""
    if not facts.happened:
        return 0
    length = BUCKETS[kind][0]
    return sum(c.n * weight(minute - (c.bucket + 1) * length, half_life)
               for c in facts.happened if c.kind == kind)


def _seen(minutes: list[int], minute: int, half_life: int) -> int:
    return sum(weight(minute - seen, half_life) for seen in minutes)


def _new(run: bytes, minute: int, half_life: int) -> int:
    if len(run) <= SEEN_BYTES:
        return 0
    first, *later = first_seen(run)
    return _seen([seen for seen in later if seen - first >= OWN_MINUTES], minute, half_life)


def _above(values: tuple[OrderValue, ...], minute: int) -> int:
    """How many times the median of the orders before it an order is: the most of all."""
    most = 0
    for i in range(HISTORY_MIN, len(values)):
        order = values[i]
        fresh = weight(minute - order.at // MINUTE_MS, ABOVE.half_life)
        if not fresh:
            continue
        before = sorted(from_bytes(v.value) for v in values[:i] if v.currency == order.currency)
        if len(before) >= HISTORY_MIN:
            median = before[(len(before) - 1) // 2]
            most = max(most, from_bytes(order.value) * fresh // median)
    return most


def _refund_rate(facts: RiskFacts, minute: int) -> int:
    """Refunds in per cent of orders, of twelve weeks; a refund counts less with its age."""
    refunds = sum(c.n for c in facts.happened if c.kind == REFUND)
    if refunds < REFUNDS_MIN:
        return 0
    orders = sum(c.n for c in facts.happened if c.kind == ORDER)
    return 100 * _counted(facts, REFUND, minute, REFUNDS.half_life) // max(orders, refunds)
