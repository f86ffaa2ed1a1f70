"""`integrations` of an event: what a trigger carries of it, and what that allows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.routes_row import NAME_PATTERN
from footfall.events import integrations
from footfall.events.integrations import BYTES_MAX, NOBODY, allows, carried


def item(said: Any) -> bytes:
    return json.dumps({"userId": "u1", "integrations": said}).encode()


@pytest.mark.parametrize(("said", "crm", "webhook", "mail"), [
    # said, and whether destinations crm and hook (both webhooks) and mail (an email) are allowed
    (None, True, True, True),
    ({}, True, True, True),
    ({"All": True}, True, True, True),
    ({"All": False}, False, False, False),
    ({"All": False, "crm": True}, True, False, False),
    ({"All": False, "webhook": True}, True, True, False),
    ({"All": False, "webhook": True, "crm": False}, False, True, False),
    ({"webhook": False}, False, False, True),
    ({"webhook": False, "crm": True}, True, False, True),
    ({"crm": False}, False, True, True),
    ({"all": False}, True, True, True),
    ({"All": False, "CRM": True, "Webhook": True}, False, False, False),
    ({"All": False, "crm": {"clientId": "7"}, "email": 0}, True, False, True),
    ({"All": {"x": 1}, "email": False}, True, True, False),
    ({"Google Analytics": False}, True, True, True),
], ids=repr)
def test_who_is_allowed(said: Any, crm: bool, webhook: bool, mail: bool) -> None:
    """Case by case; capitals count, as at Segment."""
    made, is_cut = carried(item(said))
    assert not is_cut
    assert (crm, webhook, mail) == (
        allows(made, "crm", "webhook"), allows(made, "hook", "webhook"),
        allows(made, "mail", "email"))


def test_options_and_names_of_others_are_left_out() -> None:
    """They may hold anything, and a trigger's envelope nothing personal."""
    made, _ = carried(item({"crm": False, "Facebook Pixel": {"email": "a@b.example"},
                            "a@b.example": False, "email": {"to": "a@b.example"}}))
    assert b'{"crm":false,"email":true}' == made


@pytest.mark.parametrize("personal", [
    b"", b"{", b"[]", b"{}", b"\xff", item(None), item(5), item([False]), item("All"),
    b'{"integrations":' + b"[" * 5_000, item({"All": True, "crm": True})],
    ids=lambda personal: repr(personal[:20]))
def test_what_says_nothing_is_not_carried(personal: bytes) -> None:
    assert (b"", False) == carried(personal)


def test_what_is_too_long_allows_nobody() -> None:
    """Whoever names so many asks for restraint; less would let something through."""
    said = {f"destination-{n:050}": False for n in range(40)}
    assert (NOBODY, True) == carried(item(said))
    assert not allows(NOBODY, "crm", "webhook")


@given(st.dictionaries(st.sampled_from(["All", "crm", "webhook", "x", "X y"]) | st.text(),
                       st.booleans() | st.none() | st.integers() | st.dictionaries(
                           st.text(), st.booleans())))
def test_what_is_carried_says_what_was_said(said: dict[str, Any]) -> None:
    """By the words of Segment's own check, for names that a destination can have."""
    made, is_cut = carried(item(said))
    assert len(made) <= BYTES_MAX
    for name in ("crm", "webhook", "x", "y"):
        allowed = said[name] is not False if name in said else said.get("All") is not False
        assert is_cut or allowed == allows(made, name, "email")


@pytest.mark.parametrize("made", [b"[]", b"{", b'{"crm":5}', b"\xff", b"null"])
def test_what_is_not_ours_allows_all(made: bytes) -> None:
    assert allows(made, "crm", "webhook")


def test_names_are_those_of_destinations() -> None:
    assert NAME_PATTERN == integrations.NAME_PATTERN
