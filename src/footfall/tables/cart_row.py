"""The row of carts as data: operations, carts, what was told of them, and a cart as it stands.

Decides fields and their order, which is that of the stored bytes, and the configuration's limits.
What is done with them is in the other files of the table. Stays interpreted (setup.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec

#: (event time, messageId): where something stands among the events of a customer.
Mark = tuple[int, str]


class Operation(NamedTuple):
    """One change of a cart. The order of fields is the order in which they are replayed.

    `content` is MessagePack of a `Content`; empty where no product is named.
    """

    at: int
    message_id: str
    kind: int
    content: bytes


class Product(NamedTuple):
    """A line as an operation has it; amounts as shortest two's complement of 10^-9."""

    product_id: str
    variant: str
    sku: str
    name: str
    price: bytes | None
    quantity: bytes


class Content(NamedTuple):
    """What an operation says; `cut`: a limit shortened it."""

    currency: str
    products: list[Product]
    cut: bool


class Order(NamedTuple):
    """A completed order. `value` (10^-18): its total, else its revenue, else that of its lines."""

    at: int
    message_id: str
    cart_id: str
    order_id: str
    currency: str
    value: bytes


class Cart(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One cart: its operations since the last absolute one (which comes first), never none.

    `cut`: the newest operation that a limit dropped since then.
    """

    cart_id: str
    operations: tuple[Operation, ...]
    cut: Mark | None = None

    @property
    def last(self) -> Mark:
        """Its last activity."""
        newest = self.operations[-1]
        return newest.at, newest.message_id


class CartFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Carts sorted by cart_id, the newest orders sorted by time.

    `emptied`: the newest order that named no cart. `cut_at`: last activity of the newest cart that
    the limits on carts dropped, ms; -1 when none was.
    """

    carts: tuple[Cart, ...] = ()
    orders: tuple[Order, ...] = ()
    emptied: Mark | None = None
    cut_at: int = -1


@dataclass(slots=True)
class CartLine:
    """One product in a cart."""

    product_id: str
    variant: str
    sku: str = ""
    name: str = ""
    price: int | None = None
    currency: str = ""
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class CartState:
    """A cart as it stands: lines in the order they came, value per currency, last activity in ms.

    `limited`: a limit dropped some of what happened to it.
    """

    lines: list[CartLine]
    value: dict[str, int]
    last_activity: int
    limited: bool


class CartConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`idle_s`: how long a cart must be left alone to be abandoned, seconds; at most 90 days."""

    idle_s: Annotated[float, msgspec.Meta(ge=0.001, le=7_776_000)] = 1800.0


class Abandonment(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An abandonment that was told: its cause, how far it covers the cart, and what it followed."""

    deadline: int
    covers: int
    last: Mark
    recovered: bool = False


class ToldCart(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One cart. `pending`: the first deadline of the quiet stretch not yet told; 0 for none."""

    cart_id: str
    pending: int
    abandonment: Abandonment | None


class CartTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Carts sorted by cart_id. `forgotten`: up to where abandonments were dropped by the limit;
    a cart that is not listed counts as told up to there, so that none is told twice.
    """

    carts: tuple[ToldCart, ...] = ()
    forgotten: int = -1
