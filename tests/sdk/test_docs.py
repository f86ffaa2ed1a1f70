"""docs/sdk.md has every option with its default, every reason, every call."""

from __future__ import annotations

import inspect

from footfall import Client
from footfall.sdk.commerce import Commerce
from footfall.sdk.config import Config
from footfall.sdk.drops import REASONS
from tests.test_docs import default_text, names, page, rows, section

TEXT = page("sdk.md")


def test_options_are_documented_with_their_defaults() -> None:
    """All of them, and no other."""
    documented = {names(row[0])[0]: row[1] for row in rows(section(TEXT, "Options"))}
    assert set(Config.__struct_fields__) == documented.keys()
    made = Config(write_key="", host="http://127.0.0.1:8080")
    for name, shown in documented.items():
        value = getattr(made, name)
        expected = "none" if value in (None, "") else str(value).lower() if isinstance(
            value, bool) else default_text(value)
        assert expected == shown.strip("`"), name


def test_reasons_are_documented() -> None:
    """All of them, and no other but the collector's."""
    heading = "What is dropped, when, and how it is told"
    documented = {names(row[0])[0] for row in rows(section(TEXT, heading))}
    assert {*REASONS, "http_400"} == documented


def test_calls_are_documented() -> None:
    shown = " ".join(row[0] for row in rows(section(TEXT, "Calls")))
    for name, _ in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_"):
            assert f"`{name}(" in shown or f"`{name}`" in TEXT, name
    helpers = [n for n in vars(Commerce) if not n.startswith("_")]
    assert f"and {len(helpers) - 1} more" in shown
