"""Traits with a documented name in their normal form; what does not fit is shown, with why."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.tables import profile, profile_kinds
from footfall.tables.profile_kinds import CHANNELS, KINDS, MARITAL_STATUS, SPELLINGS
from tests.tables.logs import START

DOCS = Path(__file__).parents[2] / "docs/tables.md"
#: Segment's, as its Spec: Identify lists them.
RESERVED = {"address", "age", "avatar", "birthday", "company", "createdAt", "description", "email",
            "firstName", "gender", "id", "lastName", "name", "phone", "title", "username",
            "website"}


def shown(name: str, value: Any) -> dict[str, Any]:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return profile.shown(name, text, START)


FITS: tuple[tuple[str, Any, Any], ...] = (
    ("address", {"postalCode": 10115, "street": " A 1 ", "floor": 2, "city": None},
     {"city": None, "floor": 2, "postal_code": "10115", "street": "A 1"}),
    ("age", 0, 0), ("age", 150, 150), ("age", " 42 ", 42), ("age", 42.0, 42),
    ("avatar", "HTTPS://cdn.example/a.png?x=1", "HTTPS://cdn.example/a.png?x=1"),
    ("birthday", "1990-12-31", "1990-12-31"), ("birthday", "1850-01-01", "1850-01-01"),
    ("birthday", "2023-11-14", "2023-11-14"),
    ("birthday", "1990-12-31T23:30:00-05:00", "1990-12-31"),
    ("company", "Acme", {"name": "Acme"}),
    ("company", {"id": 7, "employeeCount": "12", "plan": "x"},
     {"employee_count": 12, "id": "7", "plan": "x"}),
    ("created_at", "2024-02-29", "2024-02-29T00:00:00.000Z"),
    ("created_at", "2024-02-29T01:00:00+01:00", "2024-02-29T00:00:00.000Z"),
    ("created_at", 1_700_000_000, "2023-11-14T22:13:20.000Z"),
    ("created_at", 1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
    ("description", "  a b ", "a b"),
    ("email", " Ann@Shop.Example ", "ann@shop.example"),
    ("email", "a" * 242 + "@b.example.x", "a" * 242 + "@b.example.x"),
    ("first_name", "Ann", "Ann"), ("last_name", "X", "X"), ("name", "Ann X", "Ann X"),
    ("gender", "f", "f"), ("title", "Dr", "Dr"), ("id", 5, "5"), ("id", "u5", "u5"),
    ("username", "ann", "ann"), ("username", 7, "7"),
    ("phone", "+49 (30) 123-45678", "+493012345678"),
    ("website", "http://a.example", "http://a.example"),
    ("household_size", 100, 100), ("children", 0, 0), ("children", "2", 2),
    *(("marital_status", status.upper(), status) for status in MARITAL_STATUS),
    ("education", "MSc", "MSc"), ("job_title", "Baker", "Baker"), ("industry", "Food", "Food"),
    ("employer", "Acme", "Acme"), ("income_band", "30000-50000 EUR", "30000-50000 EUR"),
    ("city", "Köln", "Köln"), ("region", "NRW", "NRW"), ("country", "de", "DE"),
    ("postal_code", 50667, "50667"), ("postal_code", "EC1A 1BB", "EC1A 1BB"),
    ("timezone", "Europe/Berlin", "Europe/Berlin"), ("timezone", "UTC", "UTC"),
    ("timezone", "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    *(("preferred_channel", channel, channel) for channel in CHANNELS),
    ("preferred_channel", "In-App", "in_app"),
    ("language", "EN_gb", "en-GB"), ("language", "zh-hant-tw", "zh-Hant-TW"),
    ("language", "es-419", "es-419"), ("language", "de", "de"),
    ("lifestyle", ["vegan", " runner ", "vegan", ""], ["vegan", "runner"]),
    ("lifestyle", "vegan, runner", ["vegan", "runner"]),
)
MISFITS: tuple[tuple[str, Any, str], ...] = (
    ("address", "A 1", "is a string; send an object of city, country"),
    ("address", {"city": 7}, "has a member city that is a whole number; send a string"),
    ("age", 151, "is not 0 to 150"), ("age", -1, "is not 0 to 150"),
    ("age", 41.5, "is a number with a fraction; send a whole number"),
    ("age", True, "is a boolean"), ("age", "old", "is a string; send a whole number"),
    ("avatar", "a.png", "is no URL"), ("website", "shop.example", "is no URL"),
    ("birthday", "31.12.1990", "is no day"), ("birthday", "1990-02-30", "day that does not exist"),
    ("birthday", "1849-12-31", "is before the year 1850"),
    ("birthday", "2023-11-15", "lies in the future"), ("birthday", 19901231, "is a whole number"),
    ("company", 5, "is a whole number; send an object of name, id"),
    ("company", {"employee_count": 10_000_001}, "employee_count that is not 0 to 10,000,000"),
    ("created_at", "yesterday", "is a string that is no time"), ("created_at", 1.5, "is a number"),
    ("created_at", -5, "is not a time from 1970"), ("created_at", True, "is a boolean"),
    ("description", "  ", "is empty; send null"), ("name", {"first": "A"}, "is an object"),
    ("email", "ann@shop", "is no e-mail address"), ("email", "a b@c.example", "is no e-mail"),
    ("email", "a" * 243 + "@b.example.x", "is no e-mail address"),
    ("phone", "030 1234567", "is no number with a country's code"),
    ("phone", "+1 23456", "is no number with a country's code"),
    ("id", 1.5, "is a number with a fraction"), ("household_size", 101, "is not 0 to 100"),
    ("children", 51, "is not 0 to 50"), ("children", ["Tim"], "is an array"),
    ("marital_status", "it is complicated", "is none of single, married"),
    ("country", "Germany", "is not the two letters"), ("country", "D1", "is not the two letters"),
    ("timezone", "Berlin time", "is no name"), ("timezone", "+01:00", "is no name"),
    ("preferred_channel", "fax", "is none of email, sms"),
    ("language", "English please", "is no BCP 47 tag"), ("lifestyle", 5, "is a whole number"),
    ("lifestyle", ["vegan", 5], "holds a whole number"),
)


def test_every_documented_trait_is_here() -> None:
    """With a value that fits; and, of all but free texts, one that does not."""
    assert KINDS.keys() == {name for name, _value, _normal in FITS}
    assert {"reserved", "family", "education", "career", "income", "location", "preference",
            "lifestyle"} == {kind.group for kind in KINDS.values()}
    texts = {name for name, kind in KINDS.items() if kind.read is profile_kinds._text}
    labels = {name for name, kind in KINDS.items() if kind.read is profile_kinds._label}
    assert KINDS.keys() - texts - labels <= {name for name, _value, _reason in MISFITS}


def test_segments_reserved_traits_are_all_known() -> None:
    assert {SPELLINGS.get(name, name) for name in RESERVED} == {
        name for name, kind in KINDS.items() if kind.group == "reserved"}


def test_the_documents_name_every_trait() -> None:
    (section,) = re.findall(r"^## profile\n(.*?)^## ", DOCS.read_text(), re.M | re.S)
    named = set(re.findall(r"`(\w+)`", section))
    assert KINDS.keys() <= named
    assert {*CHANNELS, *MARITAL_STATUS, *(kind.group for kind in KINDS.values())} <= named


@pytest.mark.parametrize(("name", "value", "normal"), FITS)
def test_a_value_that_fits_is_shown_in_its_normal_form(name: str, value: Any, normal: Any) -> None:
    seen = shown(name, value)
    assert (normal, True, KINDS[name].group) == (seen["value"], seen["valid"], seen["group"])
    assert type(normal) is type(seen["value"]) and "reason" not in seen
    is_as_sent = json.dumps(value) == json.dumps(normal)
    assert is_as_sent == ("sent" not in seen)


@pytest.mark.parametrize(("name", "value", "reason"), MISFITS)
def test_a_value_that_does_not_fit_is_shown_as_sent_with_why(name: str, value: Any, reason: str
                                                             ) -> None:
    seen = shown(name, value)
    assert (value, False) == (seen["value"], seen["valid"])
    assert reason in seen["reason"]
    assert str(value) not in seen["reason"] or isinstance(value, bool)


def test_other_traits_are_shown_as_they_are() -> None:
    assert {"value": [1, None, "x"], "group": "custom"} == shown("plans", [1, None, "x"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.sampled_from([*KINDS, "custom"]), JSON)
def test_any_value_can_be_shown(name: str, value: Any) -> None:
    """And what is shown is JSON without loss: with `sent`, if need be."""
    seen = shown(name, value)
    assert seen == json.loads(json.dumps(seen))
    assert seen.get("valid") in ({None} if name == "custom" else {True, False})
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if "sent" in seen:
        assert text == seen["sent"]
    else:
        assert value == seen["value"]


@pytest.mark.parametrize(("text", "value"), [
    ("0.1", 0.1), ("1.10", 1.1), ("1E400", "1E+400"), ("9007199254740992", 9007199254740992),
    ("9007199254740993", "9007199254740993"), ("-9007199254740993", "-9007199254740993"),
    ("0.10000000000000000001", "0.10000000000000000001"), ("1e9999999999999999999999", ...)])
def test_numbers_are_shown_without_loss(text: str, value: Any) -> None:
    """As numbers where every reader of JSON takes them for the same, else as text."""
    seen = profile.shown("score", text, START)
    assert (text if value is ... else value) == seen["value"]
    if isinstance(seen["value"], float):
        assert Decimal(text) == Decimal(repr(seen["value"]))
    assert json.dumps(seen["value"]) == text or text == seen["sent"]
