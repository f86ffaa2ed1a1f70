"""Bodies: the document byte for byte, thin, templates; limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from footfall.delivery.message import MESSAGE_BYTES_MAX, Person, RenderError
from footfall.delivery.rendering import THIN_FIELDS, Body
from footfall.errors import ConfigError

NOBODY = Person()
DATA = b'{"value": 12.50, "items": 3}'
TRIGGER: dict[str, Any] = {
    "trigger_id": "ab" * 16, "name": "cart_abandoned", "customer_key": "user_id:cd",
    "ids": {"user_id": "u1"}, "occurred_at": "2026-11-26T07:00:00.000Z",
    "emitted_at": "2026-11-26T07:00:01.000Z", "config_version": "0:0", "held_out": False,
    "data": msgspec.Raw(DATA), "evidence": msgspec.Raw(b"{}"),
}
DOCUMENT = msgspec.json.encode(TRIGGER)


def test_the_document_is_the_body_byte_for_byte(tmp_path: Path) -> None:
    """Also the digits of its numbers, and no customer is looked up for it."""
    body = Body(False, "", tmp_path)

    assert DOCUMENT == body.text(TRIGGER, DOCUMENT, NOBODY).encode()
    assert DATA in DOCUMENT
    assert not body.needs_person


def test_a_thin_body_has_nothing_of_the_customer(tmp_path: Path) -> None:
    """The five fields alone, in their order."""
    text = Body(True, "", tmp_path).text(TRIGGER, DOCUMENT, NOBODY)

    assert list(THIN_FIELDS) == list(msgspec.json.decode(text))
    assert "u1" not in text


def test_a_body_that_is_too_large_is_refused_by_bytes(tmp_path: Path) -> None:
    """At the limit it goes; one byte more (half the characters) is a render error."""
    body = Body(False, "", tmp_path)
    document = b'"' + "é".encode() * ((MESSAGE_BYTES_MAX - 2) // 2) + b'"'

    assert MESSAGE_BYTES_MAX == len(body.text(TRIGGER, document, NOBODY).encode())
    with pytest.raises(RenderError) as refused:
        body.text(TRIGGER, document + b" ", NOBODY)
    assert "message_too_large" == refused.value.reason


def test_thin_and_template_exclude_each_other(tmp_path: Path) -> None:
    """Nobody has to guess which of the two wins."""
    with pytest.raises(ConfigError, match="thin and template"):
        Body(True, "body.liquid", tmp_path)


def test_a_template_makes_the_body_of_trigger_and_customer(tmp_path: Path) -> None:
    """With the digits of the document; the customer must be looked up for it."""
    (tmp_path / "body.liquid").write_text("{{ data.value }} {{ customer.traits.first_name }}")
    body = Body(False, "body.liquid", tmp_path)

    assert "12.50 Ada" == body.text(TRIGGER, DOCUMENT, Person(traits={"first_name": "Ada"}))
    assert body.needs_person


def test_a_template_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """When the destination is opened, not when the first trigger fires."""
    with pytest.raises(ConfigError, match=r"absent\.liquid"):
        Body(False, "absent.liquid", tmp_path)
