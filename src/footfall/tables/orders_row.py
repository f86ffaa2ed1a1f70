"""The row of orders as data: what was stated, refunds, sums, orders, and what was told.

Decides fields and their order, which is that of the stored bytes, and what an order says of itself.
What is done with them is in the other files of the table. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

#: (time, order_id, messageId): where an order stands among those of a customer.
Mark = tuple[int, str, str]


class Stated(NamedTuple):
    """What the newest message that states an order says. The order of fields decides which it is.

    `value` (10^-18) is its total, else its revenue, else that of its lines; b"" where none was
    sent. `lines` is MessagePack of `Lines`; `dropped` is its size where a limit dropped it.
    """

    informed: bool
    at: int
    message_id: str
    currency: str
    value: bytes
    channel: str
    kind: int
    lines: bytes
    dropped: int = 0


class Refund(NamedTuple):
    """Money that went back. `amount` (10^-18) is b"" where none was sent; `rest`: all that is left.
    """

    at: int
    message_id: str
    currency: str
    amount: bytes
    rest: bool


class OrderLine(NamedTuple):
    """A product of an order; amounts as shortest two's complement of 10^-9."""

    product_id: str
    variant: str
    name: str
    price: bytes | None
    quantity: bytes


class Lines(NamedTuple):
    """The products of an order; `sent` is how many there were."""

    sent: int
    products: list[OrderLine]


class Sum(NamedTuple):
    """Orders and refunds of one currency, added up; amounts (10^-18)."""

    currency: str
    orders: int
    value: bytes
    refunds: int
    refunded: bytes


class Order(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One order: least times in ms, -1 where it did not happen; refunds sorted by time.

    `message_id` is that of the only message of an order without an id, else "". `older`: refunds
    that the limit on them dropped, added up.
    """

    order_id: str
    message_id: str = ""
    completed: int = -1
    stated: Stated | None = None
    cancelled: int = -1
    returned: int = -1
    refunds: tuple[Refund, ...] = ()
    older: tuple[Sum, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is one of the customer's orders: completed, and not cancelled."""
        return self.completed >= 0 > self.cancelled

    @property
    def at(self) -> int:
        """When it was completed or, not known, when it was first spoken of."""
        if self.completed >= 0:
            return self.completed
        times = [self.cancelled, self.returned, *(r.at for r in self.refunds[:1])]
        if self.stated is not None:
            times.append(self.stated.at)
        return min((t for t in times if t >= 0), default=0)


class Properties(msgspec.Struct):
    """Free properties that say what an order is and where it was made."""

    channel: str | None = None
    sales_channel: str | None = None
    renewal: bool | None = None
    subscription: Any = None
    subscription_id: str | int | None = None


class Closed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Orders that the limits dropped. `cut`: the newest of them; `first`, `last`: when the orders
    that count were completed, ms, -1 for none; `sums` sorted by currency.
    """

    cut: Mark
    orders: int = 0
    first: int = -1
    last: int = -1
    sums: tuple[Sum, ...] = ()


class OrdersFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Orders sorted by `mark_of`."""

    orders: tuple[Order, ...] = ()
    closed: Closed | None = None


class OrdersTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`first`: whether the first order was told. `refunds`: hashes of the messageIds of refunds
    that were told and are still kept, sorted.
    """

    first: bool = False
    refunds: tuple[bytes, ...] = ()
