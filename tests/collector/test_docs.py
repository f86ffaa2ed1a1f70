"""docs/collector.md names every reason, code, route and event that the code knows."""

from __future__ import annotations

import re
from pathlib import Path

from footfall.collector import openapi
from footfall.collector.answers import CODES
from footfall.collector.limits import Limits
from footfall.collector.routes import ROUTES
from footfall.events.admit import CALLS
from footfall.events.commerce import ACTIONS
from tests.test_docs import names, rows, section

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/collector.md").read_text()


def test_every_reason_and_code_is_documented() -> None:
    code = "".join(file.read_text() for folder in ("events", "collector")
                   for file in (ROOT / "src/footfall" / folder).glob("*.py"))
    named = set(re.findall(r'FieldError\(\s*"([a-z_]+)"', code))
    named |= set(re.findall(r'RequestError\(\s*\d+,\s*"([a-z_]+)"', code))
    assert len(named) > 25
    assert set() == {name for name in named if f"`{name}`" not in DOCS}


def test_every_code_of_a_request_is_listed() -> None:
    """As the page has them, and all that are raised here: metrics show them at 0 from the start."""
    code = "".join(file.read_text() for file in (ROOT / "src/footfall/collector").glob("*.py"))
    table = DOCS.partition("| code of a whole request |")[2].partition("\n\n")[0]
    said = " ".join(row.split("|")[1] for row in table.splitlines()[2:])
    assert set(re.findall(r"`([a-z_]+)`", said)) == set(CODES)
    assert set(re.findall(r'RequestError\(\s*\d+,\s*"([a-z_]+)"', code)) <= set(CODES)


def test_every_route_is_documented() -> None:
    long = {path for path in ROUTES if len(path) > 5}
    assert set() == {path for path in long if path.removeprefix("/v1/") not in DOCS}


def test_every_member_of_an_item_is_documented() -> None:
    """All that the OpenAPI document names, and no other; so are the texts that have a limit."""
    schemas = openapi.document(Limits())["components"]["schemas"]
    parts = [schemas["Item"], *(part for name in ("TypedItem", *map(str.capitalize, CALLS))
                                for part in schemas[name]["allOf"])]
    table = {name: row for row in rows(section(DOCS, "What is accepted").partition("\n- ")[0])
             for name in names(row[0])}
    assert {name for part in parts for name in part.get("properties", {})} == table.keys()
    for part in parts:
        for name, schema in part.get("properties", {}).items():
            if "maxLength" in schema:
                assert f"{schema['maxLength']} characters" in table[name][2], name


def test_every_commerce_event_is_documented() -> None:
    words = DOCS.replace("\n", " ").lower()
    assert set() == {action for action in ACTIONS.values()
                     if not all(word in words for word in action.split("_"))}
