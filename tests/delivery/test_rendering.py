"""Bodies: the document byte for byte, thin, templates; limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from footfall.delivery.message import MESSAGE_BYTES_MAX, Person, RenderError
from footfall.delivery.rendering import (
    TEMPLATE_BYTES_MAX,
    THIN_FIELDS,
    Body,
    read_template,
    variables,
)
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


def test_templates_see_the_trigger_its_data_and_the_customer() -> None:
    """Decoded, so that a template can go into them."""
    person = Person(ids={"email": "a@shop.test"}, traits={"first_name": "Ada"})

    seen = variables(TRIGGER, person)

    assert {"value": 12.5, "items": 3} == seen["data"] == seen["trigger"]["data"]
    assert {"ids": {"email": "a@shop.test"}, "traits": {"first_name": "Ada"}} == seen["customer"]


def test_thin_and_template_exclude_each_other(tmp_path: Path) -> None:
    """Nobody has to guess which of the two wins."""
    with pytest.raises(ConfigError, match="thin and template"):
        Body(True, "body.liquid", tmp_path)


@pytest.mark.parametrize("file", ["../secret", "/etc/hostname", "a/../../secret", "absent.liquid"])
def test_a_template_is_a_file_of_the_folder(tmp_path: Path, file: str) -> None:
    """Any other is refused, and the refusal names key and file."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "secret").write_text("s3cret")
    with pytest.raises(ConfigError, match="template: ") as refused:
        read_template(tmp_path / "routes", file)
    assert repr(file) in str(refused.value)
    assert ("template",) == refused.value.path


@pytest.mark.parametrize("data", [b"x" * (TEMPLATE_BYTES_MAX + 1), b"\xff\xfe"],
                         ids=["large", "binary"])
def test_a_template_has_bounds(tmp_path: Path, data: bytes) -> None:
    """Of size, and of what is text."""
    (tmp_path / "body.liquid").write_bytes(data)
    with pytest.raises(ConfigError, match=r"'body\.liquid' is"):
        read_template(tmp_path, "body.liquid")
