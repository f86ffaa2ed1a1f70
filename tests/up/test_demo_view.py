"""The live view fits its terminal, and counts what it says."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from footfall.up.demo_levels import levels_of
from footfall.up.demo_line import Shown
from footfall.up.demo_seen import Seen
from footfall.up.demo_view import COLOURS, foot_of, view

ROOT = Path(__file__).parents[2]
FOOT = foot_of("http://127.0.0.1:8080", "wk-0123456789abcdef01234567", 5)


def drawn(seen: Seen, now_s: float, columns: int, lines: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=columns, height=lines, highlight=False)
    console.print(view(seen, now_s, 60, FOOT, lines))
    return out.getvalue().splitlines()


def busy() -> Seen:
    """A minute of a shop, with all names and levels."""
    seen = Seen(0.0)
    for second in range(60):
        seen.sent(float(second), 40)
        for name in COLOURS:
            seen.told(second + 0.5, Shown(name, "customer-00001", "", "x" * 300))
    seen.told(59.9, Shown("cart_abandoned", "you", "", "yours"))
    seen.levels = {("engagement", level): 3 for level in ("none", "low", "medium", "high")} | {
        ("risk", level): 4 for level in ("low", "elevated", "high")}
    return seen


@pytest.mark.parametrize(("columns", "lines"), [
    (80, 16), (80, 24), (80, 30), (80, 40), (120, 50), (200, 60)])
def test_it_fits_and_the_foot_is_whole(columns: int, lines: int) -> None:
    text = drawn(busy(), 60, columns, lines)

    assert len(text) < lines, "one line is left for the cursor"
    assert all(len(line) <= columns for line in text)
    shown = "\n".join(line.rstrip() for line in text)
    assert "curl -u wk-0123456789abcdef01234567: \\\n  http://127.0.0.1:8080/v1/track" in shown
    assert "yours" in text[-1]


def test_rates_are_of_the_last_seconds() -> None:
    seen = busy()

    assert 40 == seen.events_a_second(59.9)
    assert 60 == seen.triggers_a_minute(60)["customer_dormant"]
    assert 30 == seen.triggers_a_minute(90)["customer_dormant"]
    assert 0 == seen.events_a_second(100)
    assert 0 == seen.triggers_a_minute(200).total()
    assert 60 * 40 == seen.posted
    assert 60 * len(COLOURS) + 1 == seen.counts.total()


def test_the_watchers_own_triggers_stay() -> None:
    seen = busy()
    for n in range(100):
        seen.told(61, Shown("session_started", f"browser-00001-{n}", "", ""))

    assert ["yours"] == [shown.text for _, shown in seen.own]


def test_levels_are_added_up_over_workers() -> None:
    text = ('# TYPE footfall_rows gauge\nfootfall_rows{table="risk",level="high"} 2.0\n'
            'footfall_rows{table="cart",level=""} 9.0\n')
    found = levels_of([text, text])

    assert 4 == found["risk", "high"]
    assert 0 == found["risk", "low"]
    assert {"engagement", "risk"} == {table for table, _ in found}


def test_the_picture_is_one_of_the_view() -> None:
    """docs/demo.svg, which README.md shows: all names, and nothing loaded from elsewhere."""
    svg = (ROOT / "docs/demo.svg").read_text()

    assert set() == {name for name in COLOURS if name not in svg}
    assert "curl" in svg
    assert [] == re.findall(r"url\(\"?http", svg)
    assert "docs/demo.svg" in (ROOT / "README.md").read_text()
