"""The timeline of a customer: newest first, from whatever views there are."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from footfall.query.customer_timeline import LINES_MAX, TOLD, interactions, told
from tests.query.test_customer_text import DOCUMENT, printed


def at(n: int) -> str:
    return f"2026-01-01T00:{n:02}:00.000Z"


TABLES: dict[str, Any] = {
    "cart": {"carts": [], "abandonments": [{"cart_id": "c1", "deadline": at(3)}]},
    "orders": {"orders": [
        {"order_id": "o1", "completed_at": at(5), "cancelled_at": None, "value": {"EUR": "9"}},
        {"order_id": "o2", "completed_at": at(1), "cancelled_at": at(2), "currency": "EUR",
         "value": "7"}]},
    "links": {"record": [{"at": at(4), "what": "merged", "customer_key": "user_id:x"}]},
    "risk": {"level": {"masked": "personal"}, "level_since": {"masked": "personal"}},
    "engagement": {"masked": "sensitive"},
    "timeline": {"events": [{"event": "Product {0.__class__}", "at": at(6)},
                            {"event": "Product Added", "at": at(7)}]},
}


def test_it_is_what_happened_newest_first() -> None:
    """Of every table that says when; what is masked has no time."""
    document = {**DOCUMENT, "tables": TABLES}
    assert ["Product Added", "Product {0.__class__}"] == [
        line["event"] for line in interactions(document)]
    assert [(at(5), "order completed o1 9 EUR"), (at(4), "merged user_id:x"),
            (at(3), "cart abandoned c1"), (at(2), "order cancelled o2"),
            (at(1), "order completed o2 7 EUR")] == [
        (line["at"], line["what"]) for line in told(document)]
    shown = printed(document)
    assert shown.index("newest interactions") < shown.index("told and merged")
    assert 1 == shown.count("Product Added"), "the table itself is not shown twice"
    assert "masked personal" in shown


def test_each_part_is_bounded_and_may_be_empty() -> None:
    rows = [{"event": n, "at": at(n % 60)} for n in range(100)]
    assert LINES_MAX == len(interactions({"tables": {"timeline": rows}}))
    assert [] == interactions({"tables": {}}) == told({"tables": {}})
    assert "newest" not in printed({**DOCUMENT, "tables": {"cart": {}}})


_any: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.text(max_size=5) | st.just(at(1)) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["at", "deadline", "level_since", "abandonments", "record", "orders"]),
        inner, max_size=3), max_leaves=8)


@given(st.dictionaries(st.sampled_from([*{m.table for m in TOLD}, "timeline"]), _any))
def test_no_form_of_a_view_is_an_error(views: dict[str, Any]) -> None:
    document = {"tables": views}
    assert all(isinstance(line["at"], str) for line in [*interactions(document), *told(document)])
