"""The row of risk as data: counts, values, signals, factors, and what was told.

Decides fields and their order, which is that of the stored bytes, and the configuration's limits.
What is done with them is in the other files of the table. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

#: Levels, as `RiskTold` has them.
LOW, ELEVATED, HIGH = range(3)

Points = Annotated[int, msgspec.Meta(ge=0, le=100)]
Threshold = Annotated[int, msgspec.Meta(ge=1, le=100)]


class OrderValue(NamedTuple):
    """One order for the comparison with others. `value` (10^-18) is above zero."""

    at: int
    order: bytes
    currency: str
    value: bytes


class Signal(NamedTuple):
    """What an event with a signal says: its kind; card and coupon, b"" for none."""

    kind: int
    card: bytes
    coupon: bytes
    order: OrderValue | None


class Card(msgspec.Struct):
    """`properties.card`."""

    fingerprint: str | None = None


class Properties(msgspec.Struct):
    """Free properties that name a card or a coupon."""

    card_fingerprint: str | None = None
    payment_fingerprint: str | None = None
    card: Card | None = None
    coupon: str | None = None
    coupon_id: str | int | None = None
    coupon_code: str | None = None


class Count(NamedTuple):
    """Signals of a kind in one bucket: minutes since the epoch divided by its length."""

    kind: int
    bucket: int
    n: int


class RiskFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`minute`: the greatest event time, minutes since the epoch. `counts`: events in it, in the
    one before, ...; never ends in 0. Devices and so on are sorted runs of `SEEN_BYTES`.
    """

    minute: int = 0
    counts: tuple[int, ...] = ()
    devices: bytes = b""
    networks: bytes = b""
    cards: bytes = b""
    coupons: bytes = b""
    happened: tuple[Count, ...] = ()
    values: tuple[OrderValue, ...] = ()
    cut: bool = False


class RiskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`*_from`: the score at which a level begins; `*_until`: below it the level ends. `*_points`:
    how much a factor can give.
    """

    elevated_from: Threshold = 40
    elevated_until: Threshold = 30
    high_from: Threshold = 70
    high_until: Threshold = 55
    velocity_points: Points = 25
    failed_payments_points: Points = 40
    failed_logins_points: Points = 40
    new_device_points: Points = 10
    new_network_points: Points = 8
    order_above_history_points: Points = 20
    many_cards_points: Points = 30
    many_coupons_points: Points = 15
    refund_rate_points: Points = 15

    def __post_init__(self) -> None:
        """Refuse levels that overlap the wrong way: they would rise and fall at once."""
        if not (self.elevated_until <= self.elevated_from < self.high_from
                and self.elevated_until <= self.high_until <= self.high_from):
            raise ValueError("must hold: elevated_until <= elevated_from < high_from, and "
                             "elevated_until <= high_until <= high_from")


class Factor(NamedTuple):
    """Where a factor begins and where it is full; `half_life` in minutes, 0: a window."""

    name: str
    free: int
    full: int
    half_life: int


class Scored(NamedTuple):
    """A factor at an instant; `measure` in 1/1024."""

    name: str
    points: int
    measure: int


class RiskTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The level last told, the instant of its cause (ms), and the deadline of its fall as last
    known (ms, 0 for none): it cannot fall before.
    """

    level: int = LOW
    at: int = 0
    due: int = 0
