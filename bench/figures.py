"""How results are summed up and shown: medians, spread, ratios against goals."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(width=140)


def spread(values: Sequence[float]) -> str:
    """`52,000 (49,000-55,000)`: median, lowest, highest."""
    return f"{median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours over theirs, round by round: the drift of the machine is in both."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def ratio_text(values: Sequence[float]) -> str:
    """`1.34 (1.28-1.41)`."""
    return f"{median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def verdict(value: float, goal: float, *, at_least: bool) -> str:
    """`met`, or by how much it is missed."""
    if (value >= goal) if at_least else (value <= goal):
        return f"{goal:g}: met"
    return f"{goal:g}: missed by {abs(value / goal - 1) * 100:.0f} %"


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on the terminal."""
    table = Table(title=title, title_justify="left")
    for n, name in enumerate(columns):
        table.add_column(name, justify="left" if n == 0 else "right")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
