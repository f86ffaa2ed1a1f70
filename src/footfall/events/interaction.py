"""What the decoded log record looks like: typed dictionaries, as fastavro gives them.

A dictionary and not a class, because building an object for each record costs more than a step.
Field meanings stand in schemas/interaction.avsc. Amounts are Avro decimals, still as bytes:
`amount.from_bytes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NotRequired, TypedDict

if TYPE_CHECKING:
    from footfall.events.personal_row import Personal

#: Reserved types: only workers and the administrator may write them (law 5).
TICK = "$tick"
HANDOFF = "$handoff"
CONFIG = "$config"
UNMERGE = "$unmerge"
#: From here on a partition's state is another one: that of a changelog made anew.
CUTOVER = "$cutover"
#: What became of a delivery; like an import it is stepped like an interaction.
DELIVERY = "$delivery"
#: An interaction of the past, from a file: stepped as the interaction it is, and told to nobody.
IMPORT = "$import"
#: What a collector found wrong with interactions by its tracking plan. It is nobody's: it has a key
#: of its own and steps no customer, so it needs no MAC.
VIOLATION = "violation"
VIOLATION_KEY = b"$violation"

MESSAGE_ID_CHARS_MAX = 100

#: Where the type stands in a record's bytes: behind magic and schema id.
TYPE_AT: Final = 5


def type_bytes(kind: str) -> bytes:
    """How a record of this type goes on at `TYPE_AT`: it is known without being decoded."""
    return bytes([2 * len(kind)]) + kind.encode()


class Line(TypedDict):
    """One product of a cart or an order."""

    product_id: str
    variant: str
    sku: str
    name: str
    category: str
    price: bytes | None
    quantity: bytes


class Commerce(TypedDict):
    """What an e-commerce event says of a cart or an order."""

    action: str
    cart_id: str
    order_id: str
    checkout_id: str
    currency: str
    coupon: str
    total: bytes | None
    revenue: bytes | None
    lines: list[Line]


class System(TypedDict):
    """What only a worker or the administrator may write."""

    mac: bytes
    payload: bytes


class Interaction(TypedDict):
    """One record of the log."""

    type: str
    event: str
    message_id: str
    event_time: int
    received_at: int
    source: str
    channel: str
    commerce: Commerce | None
    system: System | None
    key_id: str | None
    personal: bytes
    #: What tables read of `personal`, once it was asked for: `personal.read`. Not on the wire.
    read: NotRequired[Personal]
    #: Whom it names, once it was asked for: `identifiers.identifiers`. Not on the wire.
    named: NotRequired[dict[str, str]]
    #: How deep a trigger is that this causes; absent: 0. Not on the wire.
    depth: NotRequired[int]
