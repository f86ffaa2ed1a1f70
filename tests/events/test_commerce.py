"""What e-commerce events say, and which of them are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from footfall.events import amount, commerce
from footfall.events.commerce import LINES_MAX, QUANTITY_MAX
from footfall.events.fields import TEXT_CHARS_MAX, FieldError


def read(event: str, **properties: Any) -> Any:
    return commerce.read(event, properties)


@pytest.mark.parametrize(("event", "action"), [
    ("Product Added", "product_added"),
    ("Added Product", "product_added"),
    ("product added", "product_added"),
    ("ADDED_PRODUCT", "product_added"),
    ("product_added", "product_added"),
    ("ProductAdded", "product_added"),
    ("Removed Product", "product_removed"),
    ("Product Removed", "product_removed"),
    ("Completed Order", "order_completed"),
    ("Order Completed", "order_completed"),
    ("Order Cancelled", "order_cancelled"),
    ("Order Canceled", "order_cancelled"),
    ("Order Refunded", "order_refunded"),
    ("Started Checkout", "checkout_started"),
    ("Viewed Checkout Step", "checkout_step_viewed"),
    ("Completed Checkout Step", "checkout_step_completed"),
    ("Entered Payment Info", "payment_info_entered"),
    ("Coupon Applied", "coupon_applied"),
    ("Wishlist Product Added to Cart", "wishlist_product_added_to_cart"),
])
def test_names_and_aliases(event: str, action: str) -> None:
    assert action == read(event)["action"]


@pytest.mark.parametrize("event", ["Product Viewed", "Products Searched", "Signed Up", "", "$x",
                                   "Product Added to Wishlist", "Product  Addedd"])
def test_other_events_have_no_commerce(event: str) -> None:
    assert read(event, product_id="p", price="no number") is None


def test_product_added_names_one_product_at_the_level_of_properties() -> None:
    found = read("Product Added", cart_id="c1", product_id="p1", variant="red", sku="s",
                 name="Shoe", category="Shoes", price=Decimal("19.90"), quantity=2,
                 currency="eur", coupon="X")
    assert ("c1", "EUR", "X", "") == (
        found["cart_id"], found["currency"], found["coupon"], found["order_id"])
    assert [{
        "product_id": "p1", "variant": "red", "sku": "s", "name": "Shoe", "category": "Shoes",
        "price": amount.to_bytes(19_900_000_000), "quantity": amount.to_bytes(2_000_000_000),
    }] == found["lines"]


@pytest.mark.parametrize("product", [
    {"product_id": "p1"}, {"productId": "p1"}, {"id": "p1"}, {"sku": "p1"},
    {"product_id": None, "sku": "p1"}])
def test_spellings_of_the_product(product: dict[str, Any]) -> None:
    assert "p1" == read("Product Added", **product)["lines"][0]["product_id"]


def test_whole_numbers_are_taken_as_their_text() -> None:
    found = read("Order Completed", order_id=12345678901234567890, products=[{"product_id": 7}])
    assert "12345678901234567890" == found["order_id"]
    assert "7" == found["lines"][0]["product_id"]


def test_product_added_takes_a_list_where_no_product_is_named() -> None:
    found = read("Product Added", products=[{"sku": "a"}, {"sku": "b"}])
    assert ["a", "b"] == [line["product_id"] for line in found["lines"]]


def test_orders_hold_their_products_total_and_revenue() -> None:
    found = read("Order Completed", order_id="o", cart_id="c", checkout_id="k", total="27.50",
                 revenue=25, products=[{"product_id": "a", "price": "1e1"}, {"product_id": "b"}])
    assert 27_500_000_000 == amount.from_bytes(found["total"])
    assert 25_000_000_000 == amount.from_bytes(found["revenue"])
    assert [10_000_000_000, None] == [
        line["price"] and amount.from_bytes(line["price"]) for line in found["lines"]]
    assert [amount.ONE] * 2 == [amount.from_bytes(line["quantity"]) for line in found["lines"]]


def test_cart_viewed_without_products_says_nothing_of_the_cart() -> None:
    """Absolute and empty would empty it; an empty list does."""
    assert read("Cart Viewed", cart_id="c") is None
    assert [] == read("Cart Viewed", cart_id="c", products=[])["lines"]


@pytest.mark.parametrize(("value", "units"), [
    (0, 0), (-1, -amount.ONE), ("-1.50", -1_500_000_000), ("+2", 2 * amount.ONE),
    (Decimal("0.1"), 100_000_000), ("0.0000000005", 0), ("0.0000000015", 2),
    (10**18 - 1, (10**18 - 1) * amount.ONE), ("1e-300", 0),
])
def test_amounts_are_exact(value: Any, units: int) -> None:
    assert units == amount.from_bytes(read("Order Completed", total=value)["total"])


@pytest.mark.parametrize(("properties", "field", "reason"), [
    ({"total": "ten"}, "properties.total", "amount_unreadable"),
    ({"total": ""}, "properties.total", "amount_unreadable"),
    ({"total": "$5"}, "properties.total", "amount_unreadable"),
    ({"total": "1_000"}, "properties.total", "amount_unreadable"),
    ({"total": " 5"}, "properties.total", "amount_unreadable"),
    ({"total": "\u0665"}, "properties.total", "amount_unreadable"),
    ({"total": "NaN"}, "properties.total", "amount_unreadable"),
    ({"total": "Infinity"}, "properties.total", "amount_unreadable"),
    ({"total": "1e1000"}, "properties.total", "amount_unreadable"),
    ({"total": True}, "properties.total", "amount_unreadable"),
    ({"total": []}, "properties.total", "amount_unreadable"),
    ({"revenue": 10**18}, "properties.revenue", "amount_out_of_range"),
    ({"revenue": "1e18"}, "properties.revenue", "amount_out_of_range"),
    ({"revenue": "9" * 400}, "properties.revenue", "amount_out_of_range"),
    ({"products": [{}, {"price": "x"}]}, "properties.products[1].price", "amount_unreadable"),
    ({"products": [{"quantity": -1}]}, "properties.products[0].quantity", "quantity_out_of_range"),
    ({"products": [{"quantity": QUANTITY_MAX + 1}]}, "properties.products[0].quantity",
     "quantity_out_of_range"),
    ({"products": [{"product_id": 1.5}]}, "properties.products[0].product_id", "field_kind"),
    ({"products": ["p1"]}, "properties.products[0]", "field_kind"),
    ({"products": {"a": 1}}, "properties.products", "field_kind"),
    ({"products": [{}] * (LINES_MAX + 1)}, "properties.products", "lines_too_many"),
    ({"currency": "€"}, "properties.currency", "currency_unreadable"),
    ({"currency": "EURO"}, "properties.currency", "currency_unreadable"),
    ({"cart_id": {}}, "properties.cart_id", "field_kind"),
    ({"cart_id": "x" * (TEXT_CHARS_MAX + 1)}, "properties.cart_id", "field_length"),
    ({"cart_id": 10**4000}, "properties.cart_id", "field_length"),
])
def test_what_is_refused_names_its_field(properties: dict[str, Any], field: str,
                                         reason: str) -> None:
    with pytest.raises(FieldError) as refused:
        read("Order Completed", **properties)
    assert (reason, field) == (refused.value.reason, refused.value.detail.partition(" ")[0])


def test_limits_themselves_are_taken() -> None:
    found = read("Cart Viewed", cart_id="x" * TEXT_CHARS_MAX,
                 products=[{"quantity": QUANTITY_MAX}, {"quantity": 0}] + [{}] * (LINES_MAX - 2))
    assert LINES_MAX == len(found["lines"])
