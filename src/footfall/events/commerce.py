"""What an e-commerce event says of a cart or an order (Segment's version 2, and its aliases).

Decides which names are such events, where their products stand and what an amount may be. Names are
matched as Segment's own list does: any case, blanks or underscores or neither, object first
(version 2: "Product Added") or action first (version 1: "Added Product").
An amount that cannot be read exactly is refused: a cart with a guessed value is worse than none.
Must never change `properties`: they travel beside this as they were sent.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from footfall.events import amount
from footfall.events.fields import Document, FieldError, kind_of, label
from footfall.events.interaction import Commerce, Line

#: Products of one cart or order.
LINES_MAX: Final = 250
#: Pieces of one product; more is taken for a mistake.
QUANTITY_MAX: Final = 1_000_000

#: Object and action of each event. Those of `_ONE` name their product in `properties` itself.
_EVENTS = (
    ("product", "added"), ("product", "removed"), ("cart", "viewed"),
    ("checkout", "started"), ("checkout step", "viewed"), ("checkout step", "completed"),
    ("payment info", "entered"),
    ("order", "updated"), ("order", "completed"), ("order", "refunded"), ("order", "cancelled"),
    ("order", "returned"), ("subscription", "renewed"),  # ours: Segment has no name for these two
    ("coupon", "entered"), ("coupon", "applied"), ("coupon", "denied"), ("coupon", "removed"),
    ("wishlist product", "added to cart"),
)
_ONE = frozenset({"product_added", "product_removed", "wishlist_product_added_to_cart"})
_ABSOLUTE_CART: Final = "cart_viewed"
#: Field of the commerce record -> the properties that may state it, in the order they are asked.
_STATED = {
    "cart_id": ("cart_id", "cartId"), "order_id": ("order_id", "orderId"),
    "checkout_id": ("checkout_id", "checkoutId"), "currency": ("currency",),
    "coupon": ("coupon",), "total": ("total",), "revenue": ("revenue",),
}
#: The same of a line, of the product.
_STATED_OF_LINE = {
    "product_id": ("product_id", "productId", "id", "sku"), "variant": ("variant",),
    "sku": ("sku",), "name": ("name",), "category": ("category",), "price": ("price",),
    "quantity": ("quantity",),
}


def squeeze(name: str) -> str:
    """A name less what spellings differ in."""
    return name.replace(" ", "").replace("_", "").lower()


@lru_cache(maxsize=16_384)
def squeezed(name: str) -> str:
    """The same of a name that comes again and again."""
    return squeeze(name)


#: Squeezed name -> action.
ACTIONS = {
    squeeze(name): f"{thing} {done}".replace(" ", "_")
    for thing, done in _EVENTS
    for name in (f"{thing} {done}", f"{done} {thing}")
} | {"ordercanceled": "order_cancelled", "canceledorder": "order_cancelled"}

NUMERAL = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,3})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)


def read(event: str, properties: Document | None) -> Commerce | None:
    """The commerce record of a tracked event; None for all others. Raises `FieldError`."""
    action = ACTIONS.get(squeeze(event))
    if action is None:
        return None
    given = properties or {}
    if action == _ABSOLUTE_CART and given.get("products") is None:
        return None  # it says nothing of the cart's content: taken as absolute it would empty it
    return {
        "action": action,
        "cart_id": _label(given, "cart_id"),
        "order_id": _label(given, "order_id"),
        "checkout_id": _label(given, "checkout_id"),
        "currency": _currency(given),
        "coupon": _label(given, "coupon"),
        "total": _amount(given, "total"),
        "revenue": _amount(given, "revenue"),
        "lines": _lines(action, given),
    }


def names_of(action: str) -> frozenset[str]:
    """The names, squeezed, of the events that have an action."""
    return frozenset(name for name, named in ACTIONS.items() if named == action)


def paths_of(action: str, *fields: str) -> frozenset[str]:
    """Where in an item the fields of a commerce record (`total`, `lines.price`) are read from."""
    roots = ("properties.products", "properties") if action in _ONE else ("properties.products",)
    found = set()
    for field in fields:
        of, _, inner = field.rpartition(".")
        if of:
            found |= {f"{root}.{name}" for root in roots for name in _STATED_OF_LINE[inner]}
        else:
            found |= {f"properties.{name}" for name in _STATED[field]}
    return frozenset(found)


def _lines(action: str, given: Document) -> list[Line]:
    products = given.get("products")
    if action in _ONE and (products is None or _product_id(given, "properties.")):
        return [_line(given, "properties.")]
    if products is None:
        return []
    if not isinstance(products, list):
        raise FieldError("field_kind", "properties.products",
                         f"is {kind_of(products)}; send an array of products")
    if len(products) > LINES_MAX:
        raise FieldError("lines_too_many", "properties.products",
                         f"has {len(products)} products; at most {LINES_MAX}")
    return [_product(product, f"properties.products[{n}]") for n, product in enumerate(products)]


def _product(product: Any, path: str) -> Line:
    if not isinstance(product, dict):
        raise FieldError("field_kind", path, f"is {kind_of(product)}; send an object")
    return _line(product, path + ".")


def _line(product: Document, path: str) -> Line:
    return {
        "product_id": _product_id(product, path),
        "variant": label(product, _STATED_OF_LINE["variant"], path) or "",
        "sku": label(product, _STATED_OF_LINE["sku"], path) or "",
        "name": label(product, _STATED_OF_LINE["name"], path) or "",
        "category": label(product, _STATED_OF_LINE["category"], path) or "",
        "price": _amount(product, "price", path),
        "quantity": _quantity(product, path),
    }


def _product_id(product: Document, path: str) -> str:
    return label(product, _STATED_OF_LINE["product_id"], path) or ""


def _quantity(product: Document, path: str) -> bytes:
    value = product.get("quantity")
    if value is None:
        return _ONE_PIECE
    units = _units(value, path + "quantity")
    if not 0 <= units <= QUANTITY_MAX * amount.ONE:
        raise FieldError("quantity_out_of_range", path + "quantity",
                         f"is not 0 to {QUANTITY_MAX}; take products away with Product Removed")
    return amount.to_bytes(units)


def _amount(given: Document, name: str, path: str = "properties.") -> bytes | None:
    value = given.get(name)
    return None if value is None else amount.to_bytes(_units(value, path + name))


def _units(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise FieldError("amount_unreadable", path, f"is {kind_of(value)}; send a number")
    if isinstance(value, str) and NUMERAL.fullmatch(value) is None:
        raise FieldError("amount_unreadable", path,
                         "is a string that is no number; send 19.90 or \"19.90\"")
    try:
        return amount.parse(value)
    except ValueError as error:
        raise FieldError("amount_out_of_range", path, f"{error}") from None


def _currency(given: Document) -> str:
    value = _label(given, "currency")
    if value and _CURRENCY.fullmatch(value) is None:
        raise FieldError("currency_unreadable", "properties.currency",
                         "is not the three letters of ISO 4217; send EUR, USD, ...")
    return value.upper()


def _label(given: Document, field: str) -> str:
    return label(given, _STATED[field], "properties.") or ""


_ONE_PIECE = amount.to_bytes(amount.ONE)
