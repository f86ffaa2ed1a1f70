"""Steps and what is next, and the record that begins a delivery anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from footfall.delivery.deliveries_account import OVER, PENDING, Place
from footfall.delivery.deliveries_reasons import TEXTS, text_of
from footfall.delivery.deliveries_redrive import kept_in, redriven
from footfall.delivery.deliveries_shown import Step, in_full
from footfall.delivery.deliveries_text import age_text, list_text, show_text
from footfall.events.codec import DeliveryRecord
from tests.events.records import AT, a_delivery

MESSAGE = b'{"body":"Hello\\u001b[2J\\nyou","headers":{"content-type":"text/plain"},"to":"a@b.c"}'
BOTH = b'{"trigger":{"trigger_id":"t","n":1.10},"message":' + MESSAGE + b"}"


def full(*changes: dict[str, Any], is_disabled: bool = False, with_body: bool = False
         ) -> dict[str, Any]:
    steps = [Step(a_delivery(**changed), Place(2, n, AT + n)) for n, changed in enumerate(changes)]
    return in_full(steps, is_disabled, with_body=with_body)


@pytest.mark.parametrize(("changed", "expected"), [
    ({"status": "queued"}, "it is sent at 2026-09-21T14:13:20.133Z"),
    ({"status": "queued", "due_at": 0}, "it is sent as soon as it may"),
    ({"status": "sending", "attempt": 2}, "attempt 2 has begun"),
    ({"status": "failed", "attempt": 2}, "attempt 3 at 2026-09-21T14:13:20.133Z"),
    ({"status": "held"}, "looked at again at 2026"),
    ({"status": "redriven"}, "begins anew"),
    ({"status": "resent"}, "goes again"),
    ({"status": "sent"}, "it is there"),
    ({"status": "suppressed"}, "not to be sent"),
    ({"status": "dead"}, "footfall deliveries redrive"),
    ({"status": "of another Footfall"}, "not known"),
])
def test_what_comes_next(changed: dict[str, Any], expected: str) -> None:
    """By the last step."""
    assert expected in full(changed)["next"]


@pytest.mark.parametrize("status", [*PENDING, *OVER])
def test_of_a_disabled_destination(status: str) -> None:
    """What has not ended will be dead."""
    assert (status in PENDING) == (
        "footfall deliveries enable crm" in full({"status": status}, is_disabled=True)["next"])


def test_personal_content_is_shown_on_request_alone() -> None:
    """In either form."""
    steps = ({}, {"status": "dead", "attempt": 1, "personal": BOTH})
    for with_body in (False, True):
        shown = full(*steps, with_body=with_body)
        assert with_body == (b"a@b.c" in msgspec.json.encode(shown))
        console = Console(record=True, width=200)
        console.print(show_text({"trigger": "t", "trigger_id": "i", "customer_key": "k",
                                 "emitted_at": None, "deliveries": [shown]}))
        text = console.export_text()
        assert with_body == ("a@b.c" in text)
        assert "\x1b" not in text
        if with_body:
            assert ["Hello\\x1b[2J", "you"] == [
                line.strip() for line in text.splitlines() if "Hello" in line or "you" in line]
            assert '"n":1.10' in text, "no number changes"


def test_steps_are_shown_in_full_on_a_narrow_terminal() -> None:
    """Also when something goes on."""
    shown = full({"status": "failed", "reason": "smtp_temporary", "attempt": 7, "code": 451,
                  "took_ms": 15_000})
    console = Console(record=True, width=60)
    console.print(show_text({"trigger": "t", "trigger_id": "i", "customer_key": "k",
                             "emitted_at": None, "deliveries": [shown]}))
    text = " ".join(console.export_text().split())
    assert "attempt 7 451 15000 ms smtp_temporary goes on at 2026-09-21T14:13:20.133Z" in text


@pytest.mark.parametrize(("seconds", "expected"), [
    (0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"),
    (172_799, "47 h"), (172_800, "2 d")])
def test_ages(seconds: int, expected: str) -> None:
    """As people say them."""
    assert expected == age_text(seconds)


def test_text_of_records_is_no_markup() -> None:
    """Nor an order to the terminal."""
    row = {**full({"status": "dead", "reason": "[bold]x\x1b"}), "trigger": "[/]"}
    console = Console(record=True, width=80, soft_wrap=True)
    console.print(list_text([row]))
    (line,) = console.export_text().splitlines()
    assert "[bold]x\\x1b" in line
    assert line.endswith("  00000000")


@pytest.mark.parametrize("personal", [b"[]", b"{", b"\xff", b""])
def test_unreadable_content_is_none(personal: bytes) -> None:
    """It fails nothing."""
    (step,) = full({"personal": personal}, with_body=True)["steps"]
    assert None is step["personal"]


def test_a_redriven_one_has_what_the_dead_one_had() -> None:
    """Byte for byte; the rest begins anew."""
    dead = a_delivery(status="dead", reason="gone", attempt=9, code=410, took_ms=5, personal=BOTH,
                      depth=2)
    begun = redriven(dead, kept_in(dead), AT + 99)
    assert {**dead, "status": "redriven", "reason": "", "attempt": 0, "at": AT + 99,
            "due_at": AT + 99, "code": 0, "took_ms": 0, "routes_version": ""} == begun


@pytest.mark.parametrize(("personal", "expected"), [
    (b'{"trigger":{"n":1.10}}', b'{"trigger":{"n":1.10}}'),
    (b'{"message":{}, "other":1, "trigger": {"n":1}}', b'{"trigger":{"n":1},"message":{}}'),
    (b'{"trigger":{"n":1},"message":null}', b'{"trigger":{"n":1}}'),
    (b'{"message":{}}', None), (b'{"trigger":"x"}', None), (b"{", None), (b"[]", None),
    (b"", None),
])
def test_what_is_kept(personal: bytes, expected: bytes | None) -> None:
    """Trigger and message where they are; without a trigger there is nothing to begin with."""
    dead = a_delivery(status="dead", personal=personal)
    begun = redriven(dead, kept_in(dead), AT)
    assert expected == (None if begun is None else begun["personal"])


def test_what_is_encrypted_goes_on_as_it_is() -> None:
    """With the key it is under."""
    dead: DeliveryRecord = a_delivery(status="dead", personal=b"\x00\x01", key_id="k1")
    begun = redriven(dead, kept_in(dead), AT)
    assert begun is not None
    assert ("k1", b"\x00\x01") == (begun["key_id"], begun["personal"])


DOCS = Path(__file__).parents[2] / "docs"


def test_every_reason_has_a_sentence_and_advice() -> None:
    """Those of both pages; a destination's own have none."""
    advice = (DOCS / "deliveries.md").read_text().partition("## What a reason asks for")[2]
    advised = {name for row in re.findall(r"^\| (`[^|]+) \|", advice, re.MULTILINE)
               for name in re.findall(r"`([a-z_]+)`", row)}
    assert TEXTS.keys() == advised
    table = (DOCS / "delivery.md").read_text().partition("## Reasons")[2].partition("\n## ")[0]
    documented = {name for name, statuses in re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", table,
                                                        re.MULTILINE) if statuses != "disabled"}
    assert TEXTS.keys() == documented
    assert "" == text_of("of_another_footfall")
