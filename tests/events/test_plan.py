"""The tracking plan: what is kept, omitted and rejected, by schema, consent and strictness."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.collector import plan_folder
from footfall.errors import ConfigError, Found, Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.events.customer_key import CustomerKeys
from footfall.events.plan import Plan
from footfall.events.plan_rule import PROPERTIES_MAX, Document, rule_of

KEYS = CustomerKeys(b"a secret of sixteen bytes or more")
NOW = 1_795_428_000_000
NEEDED = {"class": "public", "purpose": "necessary"}
VIEWED: dict[str, Any] = {
    "event": "Product Viewed",
    "schema": {"type": "object", "required": ["sku"], "properties": {
        "sku": {"type": "string", **NEEDED},
        "price": {"type": "number", "minimum": 0, **NEEDED},
        "search": {"type": "string", "class": "personal", "purpose": "Analytics"},
        "by": {"type": "object", **NEEDED, "properties": {
            "email": {"type": "string", "class": "personal", "purpose": "Marketing"},
            "age": {"type": "integer", "class": "sensitive", "purpose": "Analytics"}}},
        "lines": {"type": "array", **NEEDED, "items": {"type": "object", "properties": {
            "q": {"type": "integer", **NEEDED},
            "note": {"class": "personal", "purpose": "Marketing"}}}},
        "free": {"type": "object", **NEEDED}}},
}
IDENTIFY: dict[str, Any] = {"call": "identify", "schema": {"properties": {
    "email": {"type": "string", "class": "personal", "purpose": "Marketing"},
    "plan": {"class": "internal", "purpose": "necessary"}}}}


def plan_of(*documents: dict[str, Any]) -> Plan:
    return Plan(rule_of(Document(**document)) for document in documents)


def viewed(**more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(VIEWED), **more}


def admitted(plan: Plan, properties: Any, context: Any = None, batch: Any = None, **item: Any
             ) -> Admitted | Rejected:
    item = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": properties,
            "context": context, **item}
    shared = {"context": {k: msgspec.Raw(json.dumps(v).encode()) for k, v in batch.items()}
              } if batch else {}
    raw = json.dumps(item, separators=(",", ":")).encode()
    return admit(raw, 0, Arrival("web", NOW, "r", shared=shared, plan=plan), KEYS)


def kept(found: Admitted | Rejected, member: str = "properties") -> Any:
    assert isinstance(found, Admitted), found
    return json.loads(found.event["personal"])[member]


def counted(found: Admitted | Rejected) -> list[str]:
    assert isinstance(found, Admitted), found
    return sorted(one.finding for one in found.found)


GOOD = {"sku": "A", "price": 1.5, "search": "x", "by": {"email": "e", "age": 4},
        "lines": [{"q": 1, "note": "n"}, {"q": 2}], "free": {"a": [1]}, "more": 7}


def test_what_fits_is_kept_to_the_byte() -> None:
    """Its spelling too: numbers keep every digit."""
    for violation in ("allow", "omit", "reject"):
        raw = b'{"type":"track","event":"Product Viewed","userId":"u","properties":' \
              b'{"sku": "A",  "price": 1.50, "free": {"n": 1e2}}}'
        found = admit(raw, 0, Arrival("web", NOW, "r", plan=plan_of(viewed(violation=violation))),
                      KEYS)
        assert isinstance(found, Admitted)
        assert (b'{"sku": "A",  "price": 1.50, "free": {"n": 1e2}}' in found.event["personal"],
                ()) == (True, tuple(found.found))


@pytest.mark.parametrize(("change", "left", "violations"), [
    ({"price": -1}, {"price": None}, 1),
    ({"price": "1", "search": 5}, {"price": None, "search": None}, 2),
    ({"by": {"email": 5, "age": 4}}, {"by": {"age": 4}}, 1),
    ({"by": 5}, {"by": None}, 1),
    ({"lines": [{"q": 1}, {"q": "x", "note": "n"}]}, {"lines": [{"q": 1}, {"note": "n"}]}, 1),
    ({"lines": [{"q": 1}, 7]}, {"lines": [{"q": 1}]}, 1),
    ({"sku": None}, {"sku": None}, 1),
])
def test_what_does_not_fit(change: dict[str, Any], left: dict[str, Any], violations: int) -> None:
    """`allow` keeps it, `omit` takes that place out and nothing beside it, `reject` rejects."""
    given_ = {**GOOD, **change}
    found = admitted(plan_of(viewed()), given_)
    assert (given_, ["violated"] * violations) == (kept(found), counted(found))
    found = admitted(plan_of(viewed(violation="omit")), given_)
    expected = {k: v for k, v in {**GOOD, **left}.items() if v is not None}
    assert (expected, ["violated"] * violations) == (kept(found), counted(found))
    found = admitted(plan_of(viewed(violation="reject")), given_)
    assert isinstance(found, Rejected)
    assert "plan_violated" == found.reason
    assert found.detail.startswith(f"properties.{next(iter(change))}")


def test_what_is_missing_is_counted_or_rejected() -> None:
    for properties in ({}, None, {"price": 1}):
        for violation in ("allow", "omit"):
            found = admitted(plan_of(viewed(violation=violation)), properties)
            assert (properties, ["violated"]) == (kept(found), counted(found))
        found = admitted(plan_of(viewed(violation="reject")), properties)
        assert isinstance(found, Rejected)


def test_a_rejection_names_no_name_that_the_plan_does_not_declare() -> None:
    """What a sender calls its properties may be anything, an address too."""
    schema = {"additionalProperties": {"type": "integer"}, "properties": {}}
    found = admitted(plan_of(viewed(violation="reject", schema=schema)), {"a@b.example": "x"})
    assert isinstance(found, Rejected)
    assert "a@b.example" not in found.detail


def test_a_strict_plan_keeps_what_it_declares() -> None:
    """At every depth that it describes; an object that declares none is free inside."""
    given_ = {**GOOD, "by": {"email": "e", "x": 1}, "lines": [{"q": 1, "y": 2}]}
    found = admitted(plan_of(viewed(undeclared="omit")), given_)
    assert ["undeclared"] * 3 == counted(found)
    expected = {**given_, "by": {"email": "e"}, "lines": [{"q": 1}]}
    del expected["more"]
    assert expected == kept(found)


WITHOUT_MARKETING = {**GOOD, "by": {"age": 4}, "lines": [{"q": 1}, {"q": 2}]}
NECESSARY = {**GOOD, "by": {}, "lines": [{"q": 1}, {"q": 2}]}
del NECESSARY["search"]


@pytest.mark.parametrize(("context", "batch", "expected"), [
    (None, None, GOOD),
    ({}, None, GOOD),
    ({"consent": None}, None, GOOD),
    ({"consent": {"categoryPreferences": {"Analytics": True, "Marketing": True}}}, None, GOOD),
    ({"consent": {"categoryPreferences": {"Analytics": True, "Marketing": False}}}, None,
     WITHOUT_MARKETING),
    ({"consent": {"categoryPreferences": {"Analytics": True}}}, None, WITHOUT_MARKETING),
    ({"consentManagement": {"allowedConsentIds": ["Analytics"]}}, None, WITHOUT_MARKETING),
    ({"consent": {"categoryPreferences": {"Analytics": True, "Marketing": True}},
      "consentManagement": {"allowedConsentIds": ["Analytics"]}}, None, WITHOUT_MARKETING),
    (None, {"consent": {"categoryPreferences": {"Analytics": True}}}, WITHOUT_MARKETING),
    ({"consent": {"categoryPreferences": {"Analytics": True, "Marketing": True}}},
     {"consent": {"categoryPreferences": {}}}, GOOD),
    ({"consent": {"categoryPreferences": {"Analytics": "true", "Marketing": 1}}}, None, NECESSARY),
    ({"consent": {"categoryPreferences": ["Analytics", "Marketing"]}}, None, NECESSARY),
    ({"consent": []}, None, NECESSARY), ({"consent": "yes"}, None, NECESSARY),
    ({"consent": True}, None, NECESSARY), ({"consent": {}}, None, NECESSARY),
    ({"consentManagement": {"allowedConsentIds": "Analytics"}}, None, NECESSARY),
    ({"consent": {"categoryPreferences": {"analytics": True}}}, None, NECESSARY),
    ({"globalPrivacyControl": True}, None, NECESSARY),
    (None, {"globalPrivacyControl": True}, NECESSARY),
    ({"consent": {"categoryPreferences": {"Analytics": True, "Marketing": True}}},
     {"globalPrivacyControl": True}, NECESSARY),
    ({"globalPrivacyControl": False}, None, GOOD), ({"globalPrivacyControl": "1"}, None, GOOD),
])
def test_what_the_items_consent_does_not_cover_never_reaches_the_log(
    context: Any, batch: Any, expected: Any
) -> None:
    """One that cannot be read covers nothing; an item that says nothing of consent loses nothing.
    """
    found = admitted(plan_of(viewed()), GOOD, context, batch)
    assert expected == kept(found)
    assert set(counted(found)) == ({"not_covered"} if expected != GOOD else set())


def test_traits_follow_the_rule_of_identify_wherever_they_stand() -> None:
    """RudderStack's SDKs repeat them in the context of every call; a batch may hold them too."""
    plan = plan_of(IDENTIFY)
    traits = {"email": "e", "plan": "p", "other": 1}
    no = {"consent": {"categoryPreferences": {}}}
    found = admitted(plan, None, no, type="identify", event=None, traits=traits)
    assert ({"plan": "p", "other": 1}, ["not_covered"]) == (kept(found, "traits"), counted(found))
    found = admitted(plan, GOOD, {**no, "traits": traits})
    assert GOOD == kept(found)
    assert {"plan": "p", "other": 1} == kept(found, "context")["traits"]
    found = admitted(plan, GOOD, None, {**no, "traits": traits})
    assert {"plan": "p", "other": 1} == kept(found, "context")["traits"]
    assert [Found("not_covered", "identify", "", "1", "context.traits.email", "consent", "omitted")
            ] == list(found.found)
    found = admitted(plan, GOOD, {"traits": traits})
    assert traits == kept(found, "context")["traits"]


def test_the_version_that_an_item_names_or_the_last() -> None:
    plan = plan_of(*(viewed(version=v, violation="omit", schema={"properties": {
        "sku": {"const": v, **NEEDED}}}) for v in ("9", "10", "2")))
    for stated, expected in ((None, "10"), ("2", "2"), (9, "9"), ("77", "10"), ([], "10")):
        context = {"protocols": {"event_version": stated}} if stated is not None else {}
        for sku in ("2", "9", "10"):
            found = admitted(plan, {"sku": sku}, context)
            assert ({"sku": sku} if sku == expected else {}) == kept(found)


def test_events_without_a_rule_pass() -> None:
    plan = plan_of(viewed(violation="reject"))
    assert {"x": 1} == kept(admitted(plan, {"x": 1}, event="Another"))
    assert {"x": 1} == kept(admitted(plan, {"x": 1}, type="page", name="Product Viewed"))


def test_a_page_has_the_rule_of_its_name_or_of_all_pages() -> None:
    strict = {"call": "page", "undeclared": "omit"}
    plan = plan_of({**strict, "event": "Home", "schema": {"properties": {"a": NEEDED}}},
                   {**strict, "schema": {"properties": {"b": NEEDED}}})
    for name, left in (("Home", {"a": 1}), ("Other", {"b": 2}), (None, {"b": 2})):
        assert left == kept(admitted(plan, {"a": 1, "b": 2}, type="page", name=name))


def test_commerce_is_read_from_what_is_left() -> None:
    """A price that the plan takes out does not reach the envelope on another way."""
    schema = {"properties": {"product_id": {"type": "string", **NEEDED},
                             "price": {"type": "number", "class": "internal", "purpose": "Ads"}}}
    plan = plan_of({"event": "Product Added", "schema": schema})
    for preferences, price in (({"Ads": True}, True), ({}, False)):
        found = admitted(plan, {"product_id": "A", "price": 9.5},
                         {"consent": {"categoryPreferences": preferences}}, event="Product Added")
        assert isinstance(found, Admitted)
        assert price == (b"9.5" in found.event["personal"])
        commerce = found.event["commerce"]
        assert commerce is not None
        assert price == (commerce["lines"][0]["price"] is not None)


@pytest.mark.parametrize(("document", "named"), [
    (viewed(event=""), "event"), (viewed(event="x" * 501), "501"),
    ({**IDENTIFY, "event": "x"}, "identify"),
    (viewed(schema={"type": "nonsense"}), "no JSON Schema"),
    (viewed(schema={"properties": []}), "properties"),
    (viewed(schema={"properties": {"a": {}}}), r"schema\.a: `class`"),
    (viewed(schema={"properties": {"a": {"class": "secret", "purpose": "x"}}}), r"schema\.a"),
    (viewed(schema={"properties": {"a": {"class": "public"}}}), "purpose"),
    (viewed(schema={"properties": {"a": {**NEEDED, "properties": {"b": {}}}}}), r"schema\.a\.b"),
    (viewed(schema={"properties": {"a": {**NEEDED, "items": {"properties": {"b": 1}}}}}),
     r"schema\.a\.b"),
    (viewed(schema={"$ref": "http://127.0.0.1:1/x"}), "outside"),
    (viewed(schema={"properties": {str(n): NEEDED for n in range(PROPERTIES_MAX + 1)}}), "1000"),
])
def test_a_document_that_cannot_be_meant_is_refused(document: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        plan_of(document)


def test_the_limit_of_properties_itself_is_taken() -> None:
    plan_of(viewed(schema={"properties": {str(n): NEEDED for n in range(PROPERTIES_MAX)}}))


def test_one_version_stands_once() -> None:
    with pytest.raises(ConfigError, match="twice"):
        plan_of(viewed(), viewed())


def test_a_folder_is_read_whole_or_not_at_all(tmp_path: Any) -> None:
    """Every error names its file."""
    (tmp_path / "a.json").write_text(json.dumps(VIEWED))
    (tmp_path / "notes.md").write_text("not part of it")
    assert ["Product Viewed"] == [rule.said.event for rule in plan_folder.read(tmp_path).rules]
    for text in ("{", "[]", '{"schema": {}, "evnt": 1}', '{"event": "x"}',
                 '{"event": "x", "schema": {}, "violation": "drop"}',
                 '{"event": "x", "schema": {"properties": {"a": {}}}}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(ConfigError, match=r"b\.json"):
            plan_folder.read(tmp_path)
    with pytest.raises(ConfigError, match="no folder"):
        plan_folder.read(tmp_path / "gone")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["sku", "by", "email", "lines", "q", "x"]) | st.text(), inner,
                      max_size=4), max_leaves=12)


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), VALUES, max_size=6), VALUES,
       st.sampled_from(["allow", "omit", "reject"]), st.sampled_from(["allow", "omit"]))
def test_whatever_comes_is_admitted_or_rejected_and_what_is_left_fits(
    properties: dict[str, Any], consent: Any, violation: str, undeclared: str
) -> None:
    """After `omit` no property is left that does not fit; nothing is added or changed."""
    rule = rule_of(Document(**viewed(violation=violation, undeclared=undeclared)))
    found = admitted(Plan([rule]), properties, {"consent": consent})
    if isinstance(found, Rejected):
        assert "reject" == violation or found.reason != "plan_violated"
        return
    left = kept(found)
    assert left.items() <= properties.items() or found.found
    if violation != "allow":
        assert all(not error.instance_path for error in rule.validator.iter_errors(left))
    if undeclared == "omit":
        assert left.keys() <= VIEWED["schema"]["properties"].keys()
