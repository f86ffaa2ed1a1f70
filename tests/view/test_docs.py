"""docs/view.md names every role with its clearance, every class, code and header."""

from __future__ import annotations

import re
from pathlib import Path

from footfall.collector.customers import ETAG_MS, OUTCOMES
from footfall.collector.lookup import OWNERS_WAITING_MAX
from footfall.events.schema_rules import CLASSES
from footfall.stream.view_sending import WAITING_MAX
from footfall.stream.views import CHECKPOINT_S_MAX
from footfall.view.pointers import HOPS_MAX
from footfall.view.roles import CLEARANCES
from tests.test_docs import names, page, rows, section

ROOT = Path(__file__).parents[2]
DOCS = page("view.md")


def test_every_role_has_its_line() -> None:
    """With what it sees up to."""
    said = {names(row[0])[0]: names(row[1])[0] for row in rows(section(DOCS, "Roles"))
            if len(row) == 3}
    assert dict(CLEARANCES) == said
    classes = {names(row[0])[0] for row in rows(section(DOCS, "Roles")) if len(row) == 2}
    assert set(CLASSES) - {"public"} == classes


def test_every_code_has_its_line() -> None:
    """Of those that the route raises itself."""
    code = "".join((ROOT / f"src/footfall/collector/{name}.py").read_text()
                   for name in ("customers", "lookup"))
    raised = set(re.findall(r'RequestError\((\d+), "([a-z_]+)"', code))
    said = {(status, code) for status, code in re.findall(
        r"^\| (\d+)[^|]*\| `([a-z_]+)`", DOCS, re.MULTILINE)}
    assert raised == said


def test_limits_are_those_of_the_code() -> None:
    assert f"at most {HOPS_MAX})" in DOCS
    assert f"{OWNERS_WAITING_MAX} customers are already waiting" in DOCS
    assert f"{WAITING_MAX:,} records a partition" in DOCS
    assert f"at most {CHECKPOINT_S_MAX:g} s" in DOCS
    assert ETAG_MS == 60_000 and "at most a minute old" in DOCS


def test_every_outcome_of_a_read_is_documented() -> None:
    row = next(r for r in rows(page("metrics.md")) if "footfall_view_reads_total" in r[0])
    assert set(OUTCOMES) == set(names(row[3]))
