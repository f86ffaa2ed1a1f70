"""docs/why.md has every reason, member, code and limit."""

from __future__ import annotations

import re
from pathlib import Path

from footfall.query.why_command import DAYS, RECORDS_MAX
from footfall.stream.trigger_sending import WAITING_BYTES_MAX
from footfall.tables.rules_outcomes import OUTCOMES
from footfall.tables.rules_told import RulesTold
from footfall.view.store import TRIGGER_AGE_MS_MAX, TRIGGERS_OF_CUSTOMER_MAX
from footfall.view.why import FIRED_MAX, TRIGGER_ID_CHARS, TRIGGER_ID_CHARS_LEAST, why
from footfall.view.why_not import UNSEEN, why_not
from tests.events.records import a_trigger
from tests.tables.logs import ANNA
from tests.test_docs import names, page, rows, section
from tests.view.test_why_not import NOW, held

ROOT = Path(__file__).parents[2]
DOCS = page("why.md")


def test_every_reason_has_its_line() -> None:
    """And no other; each outcome has a reason of its own."""
    table = section(DOCS, "Why a rule did not fire").partition("| member")[0]
    said = [name for row in rows(table) for name in names(row[0])]
    reasons = [reason for reason, _text in OUTCOMES.values()]
    assert len(reasons) == len(set(reasons))
    assert {*reasons, UNSEEN} == set(said) - {"reason"}


def test_every_member_is_named() -> None:
    """Those of a trigger are in docs/triggers.md."""
    shown = why(a_trigger())
    named = set(re.findall(r"`(\w+)`", DOCS + page("triggers.md")))
    assert set() == {*shown, "source"} - named
    answer = why_not(ANNA, held(RulesTold(), {"name": "offer", "holdout_percent": 5}), "offer", NOW)
    of_rule = {"rule", "version", "on", "unless", "expires", "group", "holdout_percent", "owner"}
    assert set() == answer.keys() - named - of_rule


def test_every_code_has_its_line() -> None:
    code = "".join((ROOT / f"src/footfall/collector/{name}.py").read_text()
                   for name in ("customers", "lookup", "why"))
    raised = set(re.findall(r'RequestError\((\d+), "([a-z_]+)"', code))
    raised.discard(("400", "include_unknown"))
    said = {(status, name) for status, cell in re.findall(
        r"^\| (\d+)[^|]*\| ([^|]+) \|", DOCS, re.MULTILINE) for name in names(cell)}
    assert raised == said


def test_limits_are_those_of_the_code() -> None:
    assert f"of the last {TRIGGER_AGE_MS_MAX // 86_400_000} days" in DOCS
    assert f"the newest {TRIGGERS_OF_CUSTOMER_MAX}." in DOCS
    assert f"up to {WAITING_BYTES_MAX >> 20} MiB a worker" in DOCS
    assert f"{DAYS} days back" in DOCS and f"first {TRIGGER_ID_CHARS_LEAST} characters" in DOCS
    assert f"the newest {FIRED_MAX} triggers" in DOCS and f"no {TRIGGER_ID_CHARS} char" in DOCS
    commands = page("commands.md")
    assert f"default {DAYS} |" in commands and f"default {RECORDS_MAX:,}" in commands
    assert f"{TRIGGER_ID_CHARS_LEAST} characters or more" in commands
