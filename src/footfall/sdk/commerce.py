"""Typed calls for the e-commerce events that Footfall's tables read (docs/events.md).

Decides names and spellings, so that a cart is not lost to a typing error: a type checker sees a
wrong one. Amounts are best Decimals or numerals in a string. What is not declared here goes into
`properties`. Must never judge a value: the collector does, and its answer is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, Required, TypedDict, Unpack

from footfall.sdk.message import Call, Id, Time, Values, merged

Amount = Decimal | int | str | float


class Track(Protocol):
    """`Client.track`."""

    def __call__(self, user_id: Id | None, event: str | None, properties: Values | None,
                 context: Values | None, timestamp: Time | None, anonymous_id: Id | None,
                 integrations: Values | None, message_id: object) -> Call:
        """What a customer did."""


class Who(TypedDict, total=False):
    """What every call may say."""

    anonymous_id: Id | None
    context: Values | None
    timestamp: Time | None
    integrations: Values | None
    message_id: object
    #: More properties, as they are.
    properties: Values | None


class Product(TypedDict, total=False):
    """One product of a cart or an order."""

    product_id: Required[str]
    sku: str
    name: str
    category: str
    brand: str
    variant: str
    price: Amount
    quantity: int
    coupon: str
    position: int
    url: str
    image_url: str


class OneProduct(Product, Who, total=False):
    """A call about one product."""

    cart_id: str
    currency: str


class Cart(Who, total=False):
    """A call about a cart or a checkout."""

    cart_id: str
    checkout_id: str
    order_id: str
    products: Sequence[Product]
    value: Amount
    currency: str
    coupon: str
    step: int
    payment_method: str
    shipping_method: str


class Order(Cart, total=False):
    """A call about an order."""

    affiliation: str
    subtotal: Amount
    total: Amount
    revenue: Amount
    shipping: Amount
    tax: Amount
    discount: Amount


class Coupon(Who, total=False):
    """A call about a coupon."""

    coupon_id: Required[str]
    coupon_name: str
    cart_id: str
    order_id: str
    discount: Amount
    reason: str


_WHO = ("context", "timestamp", "anonymous_id", "integrations", "message_id")


class Commerce:
    """The e-commerce events, one method each."""

    def __init__(self, track: Track) -> None:
        self._track = track

    def product_viewed(self, user_id: Id | None = None, **given: Unpack[OneProduct]) -> Call:
        """Product Viewed."""
        return self._send("Product Viewed", user_id, given)

    def product_added(self, user_id: Id | None = None, **given: Unpack[OneProduct]) -> Call:
        """Product Added, to a cart."""
        return self._send("Product Added", user_id, given)

    def product_removed(self, user_id: Id | None = None, **given: Unpack[OneProduct]) -> Call:
        """Product Removed, from a cart."""
        return self._send("Product Removed", user_id, given)

    def product_added_to_wishlist(self, user_id: Id | None = None,
                                  **given: Unpack[OneProduct]) -> Call:
        """Product Added to Wishlist."""
        return self._send("Product Added to Wishlist", user_id, given)

    def wishlist_product_added_to_cart(self, user_id: Id | None = None,
                                       **given: Unpack[OneProduct]) -> Call:
        """Wishlist Product Added to Cart."""
        return self._send("Wishlist Product Added to Cart", user_id, given)

    def cart_viewed(self, user_id: Id | None = None, **given: Unpack[Cart]) -> Call:
        """Cart Viewed; an empty list of products says that the cart is empty."""
        return self._send("Cart Viewed", user_id, given)

    def checkout_started(self, user_id: Id | None = None, **given: Unpack[Order]) -> Call:
        """Checkout Started."""
        return self._send("Checkout Started", user_id, given)

    def checkout_step_viewed(self, user_id: Id | None = None, **given: Unpack[Cart]) -> Call:
        """Checkout Step Viewed."""
        return self._send("Checkout Step Viewed", user_id, given)

    def checkout_step_completed(self, user_id: Id | None = None, **given: Unpack[Cart]) -> Call:
        """Checkout Step Completed."""
        return self._send("Checkout Step Completed", user_id, given)

    def payment_info_entered(self, user_id: Id | None = None, **given: Unpack[Cart]) -> Call:
        """Payment Info Entered."""
        return self._send("Payment Info Entered", user_id, given)

    def payment_failed(self, user_id: Id | None = None, **given: Unpack[Cart]) -> Call:
        """Payment Failed."""
        return self._send("Payment Failed", user_id, given)

    def order_updated(self, user_id: Id | None = None, **given: Unpack[Order]) -> Call:
        """Order Updated."""
        return self._send("Order Updated", user_id, given)

    def order_completed(self, user_id: Id | None = None, **given: Unpack[Order]) -> Call:
        """Order Completed."""
        return self._send("Order Completed", user_id, given)

    def order_cancelled(self, user_id: Id | None = None, **given: Unpack[Order]) -> Call:
        """Order Cancelled."""
        return self._send("Order Cancelled", user_id, given)

    def order_refunded(self, user_id: Id | None = None, **given: Unpack[Order]) -> Call:
        """Order Refunded, in part where it names products."""
        return self._send("Order Refunded", user_id, given)

    def order_returned(self, user_id: Id | None = None, **given: Unpack[Order]) -> Call:
        """Order Returned."""
        return self._send("Order Returned", user_id, given)

    def subscription_renewed(self, user_id: Id | None = None, **given: Unpack[Order]) -> Call:
        """Subscription Renewed."""
        return self._send("Subscription Renewed", user_id, given)

    def coupon_entered(self, user_id: Id | None = None, **given: Unpack[Coupon]) -> Call:
        """Coupon Entered."""
        return self._send("Coupon Entered", user_id, given)

    def coupon_applied(self, user_id: Id | None = None, **given: Unpack[Coupon]) -> Call:
        """Coupon Applied."""
        return self._send("Coupon Applied", user_id, given)

    def coupon_denied(self, user_id: Id | None = None, **given: Unpack[Coupon]) -> Call:
        """Coupon Denied."""
        return self._send("Coupon Denied", user_id, given)

    def coupon_removed(self, user_id: Id | None = None, **given: Unpack[Coupon]) -> Call:
        """Coupon Removed."""
        return self._send("Coupon Removed", user_id, given)

    def _send(self, event: str, user_id: Id | None, given: Mapping[str, Any]) -> Call:
        context, timestamp, anonymous_id, integrations, message_id = map(given.get, _WHO)
        declared = {name: value for name, value in given.items() if name not in _OURS}
        properties = merged(given.get("properties") or {}, declared)
        return self._track(user_id, event, properties, context, timestamp, anonymous_id,
                           integrations, message_id)


_OURS = frozenset({*_WHO, "properties"})
