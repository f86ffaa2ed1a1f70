"""Any view can be laid out, and nothing that was sent can steer a terminal."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from footfall.query.customer_text import ROWS_MAX, text_of

DOCUMENT = {
    "customer_key": "user_id:x", "as_of": "2026-01-01T00:00:02.500Z",
    "clock": "2026-01-01T00:00:00.000Z", "partition": 1, "watermark": 7, "behind_records": 3,
    "config_version": "0:ab",
    "timers": {"cart": {"due": "2026-01-01T00:00:00.000Z", "wake_at": "2026-01-01T00:30:00.000Z"}},
    "source": {"kind": "worker", "url": "http://127.0.0.1:1"}, "tables": {},
}
_plain = st.none() | st.booleans() | st.integers() | st.text()
_json: st.SearchStrategy[Any] = st.recursive(
    _plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=4), inner, max_size=3), max_leaves=12)


def printed(document: dict[str, Any]) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as got:
        console.print(text_of(document))
    return got.get()


def of(view: Any) -> str:
    return printed({**DOCUMENT, "tables": {"cart": view}})


@given(st.dictionaries(st.text(max_size=4), _json, max_size=4))
def test_any_view_is_shown_without_control_characters(view: dict[str, Any]) -> None:
    """Of whatever form; a name, a product or a line break is text."""
    assert all(c.isprintable() or c == "\n" for c in of(view))


def test_age_and_origin_are_told() -> None:
    """Of a live answer and of a copy."""
    assert "2.5 s before" in printed(DOCUMENT)
    copy = {"kind": "changelog", "topic": "t", "asked": []}
    assert "3 records of the log are not in it yet" in printed({**DOCUMENT, "source": copy})
    assert "? records" in printed({**DOCUMENT, "behind_records": None})
    assert "no worker was asked" in printed({**DOCUMENT, "source": copy})


def test_values_lists_and_tables_of_a_view() -> None:
    """Each where its readers look for it."""
    shown = of({"score": 72, "level": "high", "ids": {"user_id": "u1"}, "empty": [],
                "windows": {"1h": {"track": 2}, "24h": {"track": 9}},
                "orders": [{"order_id": f"o{n}", "value": {"EUR": "5"}} for n in range(25)]})
    for said in ("score", "72", "high", "user_id u1", "24h", "o0", "EUR 5",
                 f"... {25 - ROWS_MAX} more", "2026-01-01T00:30:00.000Z"):
        assert said in shown
    assert "o24" not in shown
