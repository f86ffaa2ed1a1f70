"""docs/events.md says of every reserved event name which tables it moves, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from footfall import tables
from footfall.events import commerce
from footfall.events.interaction import Interaction
from footfall.tables import risk_signals
from footfall.tables.spec import AnyTable
from tests.tables import events
from tests.tables.logs import START

PAGE = (Path(__file__).parents[2] / "docs/events.md").read_text()
PROPERTIES = {"order_id": "o1", "total": "5", "currency": "EUR", "coupon": "X", "product_id": "p1",
              "products": [{"product_id": "p1", "price": "5"}]}


def rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in PAGE.splitlines() if line.startswith("| `")]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


COLUMNS = next(names(line) for line in PAGE.splitlines() if line.startswith("| event |"))
DOCUMENTED = {names(row[0])[0]: dict(zip(COLUMNS, row[1:], strict=True)) for row in rows()}
TABLES = {t.name: t for t in tables.ALL}
#: Its row holds the names themselves; none has a meaning in it.
NAMING = "timeline"


def tracked(name: str) -> Interaction:
    event = events.plain(START, "m1", {"properties": {
        "card_fingerprint": "c", "coupon_id": "X", "renewal": False}})
    event["event"] = name
    event["commerce"] = commerce.read(name, PROPERTIES)
    return event


def after(table: AnyTable, name: str) -> Any:
    facts = table.facts()
    event = tracked(name)
    return table.observe(facts, event, START) if table.wants(event) else facts


def fields(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from fields(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner)


def test_every_reserved_name_is_documented_and_no_other() -> None:
    """Of each action one name, and every name that is a signal of risk."""
    actions = {commerce.ACTIONS.get(commerce.squeeze(name)) for name in DOCUMENTED} - {None}
    assert set(commerce.ACTIONS.values()) == actions
    squeezed = {commerce.squeeze(name) for name in DOCUMENTED}
    assert set() == {n for n in risk_signals.NAMES if commerce.squeeze(n) not in squeezed}
    for name in DOCUMENTED:
        assert commerce.squeeze(name) in commerce.ACTIONS or risk_signals.kind_of(name) is not None


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_name_moves_the_tables_that_are_said_and_no_other(name: str) -> None:
    """Against an event of a name that has no meaning."""
    said = {column for column, cell in DOCUMENTED[name].items() if cell}
    moved = {t.name for t in tables.ALL if after(t, name) != after(t, "Anything")}
    assert said == moved - {NAMING}


@pytest.mark.parametrize("column", COLUMNS)
def test_the_fields_that_are_said_are_shown(column: str) -> None:
    """By the view of that table."""
    table = TABLES[column]
    assert table.view is not None
    shown = set()
    for name in DOCUMENTED:
        view = table.view(after(table, name), table.told(), START, table.config())
        shown |= set(fields(view))
    said = {field for cells in DOCUMENTED.values() for field in names(cells[column])}
    assert set() == said - shown
