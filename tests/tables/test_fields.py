"""Fields of tables: what conditions may ask, of rows made at random."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall import tables
from footfall.errors import MisfitError
from footfall.events.amount import ONE
from footfall.tables import cart, consent, engagement, orders
from footfall.tables.spec import AnyTable, FieldSpec
from tests.tables import events
from tests.tables.strategies import EVENTS, Happening, config_of
from tests.tables.test_laws import fold

#: Names that are data, as documented, and one that each is.
NAMED = {
    "cart": ("value.EUR", "value.USD"),
    "consent": ("ads", "ads.email", "necessary"),
    "identity": ("has_email", "has_user_id", "has_a"),
    "orders": ("total.EUR", "total.USD"),
    "profile": ("traits.plan", "traits.firstName", "traits.age", "traits.long"),
}
KINDS = ("text", "texts", "flag", "number", "instant", "any")
every_table = pytest.mark.parametrize(
    "table", [t for t in tables.ALL if t.fields or t.field_of], ids=lambda t: t.name)


def fields_of(table: AnyTable) -> dict[str, FieldSpec]:
    """All fields of a table, of those whose names are data some."""
    config = config_of(table)
    names = NAMED.get(table.name, ())
    if table.name == "computed":
        names = tuple(said.name for said in config.definitions)
    found = dict(table.fields)
    if table.field_of is not None:
        found |= {name: table.field_of(name, config) for name in names}
    return found


def is_of(kind: str, value: Any) -> bool:
    """Whether a value is of a kind; none is of each."""
    texts = isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value is None or {
        "text": isinstance(value, str), "texts": texts, "flag": isinstance(value, bool),
        "number": whole, "instant": whole,
        "any": texts or isinstance(value, str | int)}[kind]


@every_table
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_value_is_of_its_kind_and_stays_until_it_may_change(table: AnyTable, data: st.DataObject
                                                              ) -> None:
    """A field gives what its kind says; between now and `changes_at`, which is later, the same."""
    happenings = data.draw(EVENTS[table.name])
    facts, config = fold(table, happenings), config_of(table)
    newest = max((h.when for h in happenings), default=1_700_000_000_000)
    now = newest + data.draw(st.sampled_from(
        [0, 1, 6, 59_999, 3_600_000, 86_400_000, 2 * 86_400_000, 20 * 86_400_000]))
    told = table.announce(table.told(), facts, now, config, None).told
    part = data.draw(st.integers(0, 1_000))
    for name, field in fields_of(table).items():
        value = field.read(facts, told, now, config)

        assert field.kind in KINDS
        assert is_of(field.kind, value), (name, value)
        assert not field.values or value in field.values
        changes = None if field.changes_at is None else field.changes_at(facts, told, now, config)
        assert changes is None or changes > now, name
        end = now + 400 * 86_400_000 if changes is None else changes - 1
        for at in (now + (end - now) * part // 1_000, end):
            assert value == field.read(facts, told, at, config), (name, at - now)


@every_table
def test_an_unknown_name_is_refused(table: AnyTable) -> None:
    """A name that is no field of the table says so, with what is known."""
    if table.field_of is not None:
        for name in ("", "nope.", ".", "value.", "total.eur", "has_", "traits."):
            if table.name != "consent" or name in ("", ".", "nope."):
                with pytest.raises(MisfitError, match=r"known|declared|such as"):
                    table.field_of(name, config_of(table))


def read(table: AnyTable, name: str, happenings: list[Happening], now: int) -> Any:
    """A field after some events."""
    facts, config = fold(table, happenings), config_of(table)
    field = table.fields.get(name) or (table.field_of and table.field_of(name, config))
    assert field
    return field.read(facts, table.announce(table.told(), facts, now, config, None).told, now,
                      config)


def test_carts_and_orders_are_exact() -> None:
    """Values are exact in 10^-9, whatever the currency."""
    added = Happening(events.commerce("product_added", 0, "m", events.line("p", "19.99", "3"),
                                      cart_id="c", currency="EUR"), 1_000)
    bought = Happening(events.commerce("order_completed", 0, "n", order_id="o", currency="EUR",
                                       total="120.50"), 2_000)

    assert read(cart.TABLE, "value.EUR", [added], 1_000) == 59_970_000_000
    assert read(cart.TABLE, "value.USD", [added], 1_000) == 0
    assert read(cart.TABLE, "count", [added], 1_000) == ONE
    assert read(cart.TABLE, "last_activity", [added], 1_000) == 1_000
    assert read(orders.TABLE, "total.EUR", [bought], 2_000) == 120_500_000_000
    assert read(orders.TABLE, "count", [bought], 2_000) == ONE
    assert read(orders.TABLE, "last_at", [bought], 2_000) == 2_000


def test_a_streak_ends_by_itself_and_unknown_consent_is_unknown() -> None:
    """A streak lasts until the end of the day after its last one."""
    day = 86_400_000
    visits = [Happening(events.plain(0, f"m{n}"), (20_000 + n) * day) for n in range(3)]
    at = (20_004) * day

    assert read(engagement.TABLE, "streak_days", visits, at - 1) == 3 * ONE
    assert read(engagement.TABLE, "streak_days", visits, at) == 0
    assert read(consent.TABLE, "ads.email", [], 0) == "unknown"


def test_the_fields_are_documented() -> None:
    """docs/rules.md has a line for each field, with its kind."""
    shown = Path("docs/rules.md").read_text().partition("## Fields")[2].partition("\n## ")[0]
    for table in tables.ALL:
        for name, field in table.fields.items():
            values = f": {', '.join(field.values)}" if field.values else ""
            assert f"| `{table.name}.{name}` | {field.kind}{values} | {field.about} |" in shown
        if table.field_of is not None:
            assert f"| `{table.name}." in shown
