"""docs/collector.md names every reason, code, route and event that the code knows."""

from __future__ import annotations

import re
from pathlib import Path

from footfall.collector.answers import CODES
from footfall.collector.routes import ROUTES
from footfall.events.commerce import ACTIONS

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


def test_every_commerce_event_is_documented() -> None:
    words = DOCS.replace("\n", " ").lower()
    assert set() == {action for action in ACTIONS.values()
                     if not all(word in words for word in action.split("_"))}
