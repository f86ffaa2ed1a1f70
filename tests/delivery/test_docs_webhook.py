"""docs/delivery-webhooks.md says what the code does, and its example verifies what is sent."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from footfall.delivery import addresses, signing
from footfall.delivery.answers import ABORT, Answer, outcome_of
from footfall.delivery.channels import webhook
from footfall.delivery.http import Reason
from footfall.delivery.routes_row import Retry, WebhookDestination
from tests.delivery.test_signing import BODY, NEW, OLD, OTHER, key
from tests.test_docs import default_text, names, page, rows, section

TEXT = page("delivery-webhooks.md")
UNITS = {86_400: "h", 3_600: "h", 60: "min", 1: "s"}


@pytest.fixture
def is_ours(tmp_path: Path) -> Callable[..., bool]:
    """The function of the example, as a receiver would copy it."""
    file = tmp_path / "receiver.py"
    file.write_text(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0])
    spec = importlib.util.spec_from_file_location("receiver", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., bool] = module.is_ours
    return found


def test_the_example_accepts_what_is_signed_with_either_key(is_ours: Callable[..., bool]) -> None:
    """And nothing else: another secret, body, time or id, and headers that are not there."""
    made = signing.headers([key(NEW), key(OLD)], "ab" * 16, time.time(), BODY)

    assert [True, True, False] == [is_ours(made, BODY, secret) for secret in (NEW, OLD, OTHER)]
    assert not is_ours(made, BODY + b" ", NEW)
    earlier = str(int(made["webhook-timestamp"]) - 1)
    for name, value in (("webhook-id", "other"), ("webhook-timestamp", earlier),
                        ("webhook-timestamp", "now"), ("webhook-signature", "v1,"),
                        ("webhook-signature", "ü")):
        assert not is_ours({**made, name: value}, BODY, NEW)
        assert not is_ours({k: v for k, v in made.items() if k != name}, BODY, NEW)
    late = signing.headers([key(NEW)], "ab" * 16, time.time() - 301, BODY)
    assert not is_ours(late, BODY, NEW)


def test_the_table_of_answers_is_that_of_the_code() -> None:
    """Every status from 200 to 599, with and without the header."""
    table = {code: names(row[2]) for row in rows(section(TEXT, "What answers mean"))
             if len(row) == 3 for code in names(row[0])}
    for status in range(200, 600):
        found = outcome_of(Answer(status), 0)
        shown = table.get(str(status)) or table[f"{status // 100}xx"]
        assert ([found.reason] if found.reason else []) == shown, status
        assert ("sent" == found.result) == (shown == []), status
        aborted = outcome_of(Answer(status, "", ABORT), 0)
        if "dead" == aborted.result:
            assert [aborted.reason] == table["webhook-delivery: abort-message"]


def test_reasons_of_no_answer_are_documented() -> None:
    """All of them, and no other."""
    documented = {names(row[0])[0] for row in rows(section(TEXT, "What answers mean"))
                  if len(row) == 2}

    assert set(Reason.__args__) == documented  # type: ignore[attr-defined]


def test_the_default_schedule_is_documented() -> None:
    """In the words of the page."""
    words = []
    for delay in Retry().delays_s:
        unit = next(seconds for seconds in (3_600, 60, 1) if delay >= seconds)
        words.append(f"{delay / unit:g} {UNITS[unit]}")

    assert f"after {', '.join(words[:-1])} and {words[-1]}" in TEXT


def test_kinds_of_addresses_are_documented() -> None:
    """All of them, and no other."""
    table = [row for row in rows(section(TEXT, "Where a webhook may go")) if "." not in row[0]
             and ":" not in row[0]]
    known = {name for network in (addresses.CLOSED_4, addresses.CLOSED_6) for _, name in network}

    assert {*known, "zone", "own", "port", "reserved", "embedded"} == {
        name for row in table for name in names(row[0])}


def test_entries_that_are_shown_can_be_written() -> None:
    """Each of the table of delivery_allow."""
    table = [row for row in rows(section(TEXT, "Where a webhook may go"))
             if "." in row[0] or ":" in row[0]]
    entries = [entry for row in table for entry in names(row[0])]

    assert 8 == len(entries)
    addresses.allowed(entries)


def test_keys_of_a_destination_are_documented_with_their_defaults() -> None:
    """Those of a webhook alone; the others are every destination's."""
    own = [field for field in msgspec.structs.fields(WebhookDestination)
           if field.name in WebhookDestination.__annotations__]
    documented = {names(row[0])[0]: row[1].strip("`") for row in rows(TEXT.partition("\n## ")[0])}

    assert {field.name: _shown(field) for field in own} == documented


def _shown(field: Any) -> str:
    if field.required:
        return ""
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return str(default_text(default)).lower() if default else (
        "false" if default is False else "none")


def test_headers_that_are_refused_are_documented() -> None:
    """All of them, and no other."""
    sentence = re.search(r"`headers` may not have (.*?)\. Nothing", TEXT, re.DOTALL)
    assert sentence is not None

    assert {*webhook.OURS, "webhook-"} == {name.lower() for name in names(sentence[1])}
