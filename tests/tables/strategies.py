"""What may happen to a customer, for each table: (event, when) in lists, messageIds distinct.

A table without an entry in `EVENTS` fails the law of facts. `JOINING` names the tables whose facts
remember messageIds: for them a repeat, even with other content, must change nothing.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

from footfall.events.interaction import Interaction
from footfall.tables import consent_signals
from footfall.tables.spec import AnyTable, Bound
from tests.tables import events, traits


class Happening(NamedTuple):
    """An event and the time at which steps see it."""

    event: Interaction
    when: int


#: Few values, so that ties, late events and meetings of two operations are common.
_times = st.integers(1_700_000_000_000, 1_700_000_000_012)
_message_ids = st.text("abc", min_size=1, max_size=3)
_carts = st.sampled_from(["", "", "c1", "c2"])
_amounts = st.sampled_from(["0", "1", "2", "0.000000001", "19.99", "-3", "999999999999999999"])
_lines = st.builds(
    events.line, st.sampled_from(["p1", "p2", "ü"]), st.none() | _amounts, _amounts,
    variant=st.sampled_from(["", "", "red"]), name=st.sampled_from(["", "Shirt", "Hemd"]))


@st.composite
def _cart_event(draw: st.DrawFn) -> Interaction:
    action = draw(st.sampled_from([
        "product_added", "product_added", "product_added", "product_removed", "cart_viewed",
        "order_completed", "wishlist_product_added_to_cart", "checkout_started"]))
    one = action.startswith(("product", "wishlist"))
    lines = draw(st.lists(_lines, min_size=int(one), max_size=1 if one else 3))
    return events.commerce(
        action, 0, draw(_message_ids), *lines, cart_id=draw(_carts),
        order_id=draw(st.sampled_from(["", "o1"])), currency=draw(st.sampled_from(["EUR", "USD"])),
        total=draw(st.none() | _amounts), revenue=draw(st.none() | _amounts))


@st.composite
def _order_event(draw: st.DrawFn) -> Interaction:
    made = events.commerce(
        draw(st.sampled_from([
            "order_completed", "order_completed", "order_completed", "order_updated",
            "order_cancelled", "order_refunded", "order_refunded", "order_returned",
            "subscription_renewed", "product_added"])),
        0, draw(_message_ids), *draw(st.lists(_lines, max_size=2)),
        order_id=draw(st.sampled_from(["", "o1", "o2", "o3"])),
        currency=draw(st.sampled_from(["EUR", "USD", ""])),
        total=draw(st.none() | _amounts), revenue=draw(st.none() | _amounts))
    made["channel"] = draw(st.sampled_from(["", "web"]))
    made["personal"] = draw(st.sampled_from([
        b"{}", b'{"properties":{"channel":"POS"}}', b'{"properties":{"renewal":true}}',
        b'{"properties":{"subscription":{"id":1},"channel":7}}']))
    return made


_RISKY = ("Payment Failed", "payment_failed", "Failed Payment", "Login Failed", "Order Refunded",
          "Order Completed", "Payment Info Entered", "Coupon Denied", "Product Viewed")
_PERSONAL = ({}, {"anonymousId": "a1"}, {"anonymousId": "a2"},
             {"context": {"device": {"id": "d1"}, "ip": "192.0.2.1"}},
             {"context": {"device": {"id": "d2"}, "ip": "192.0.2.77"}},
             {"context": {"ip": "2001:db8::1", "device": 7}},
             {"context": {"ip": "nowhere"}, "properties": {"card_fingerprint": "c1"}},
             {"properties": {"card": {"fingerprint": "c2"}, "coupon_id": 5}})


@st.composite
def _risk_event(draw: st.DrawFn) -> Interaction:
    made = events.commerce(
        "order_completed", 0, draw(_message_ids), order_id=draw(st.sampled_from(["", "o1", "o2"])),
        currency=draw(st.sampled_from(["EUR", "USD"])), total=draw(_amounts))
    made["event"] = draw(st.sampled_from(_RISKY))
    if made["event"] != "Order Completed":
        made["commerce"] = None
    made["personal"] = json.dumps(draw(st.sampled_from(_PERSONAL))).encode()
    return made


_minute = 60_000
#: Around the ends of minutes, hours, weeks and half-lives.
_long_times = st.builds(
    lambda n, unit, less: 1_700_000_000_000 + n * unit - less,
    st.integers(0, 12), st.sampled_from([0, 1, _minute, 60 * _minute, 7 * 1440 * _minute]),
    st.sampled_from([0, 1]))


#: On both sides of the ends of minutes, quarter-hours, hours, days, of windows and of idle times.
_visit_times = st.builds(
    lambda days, minutes, ms: 1_700_000_000_000 + days * 86_400_000 + minutes * 60_000 + ms,
    st.sampled_from([0, 0, 0, 0, 1, 2, 7, 8, 30, 31, 366]),
    st.sampled_from([0, 1, 14, 15, 29, 30, 31, 60, 61, 75, 90, 107, 1440, 1441, 1455, 1515]),
    st.sampled_from([0, 0, 1, 59_999]))


@st.composite
def _engagement_event(draw: st.DrawFn) -> Interaction:
    made = events.plain(0, draw(_message_ids), draw(st.sampled_from([
        {}, {"anonymousId": "a1"}, {"anonymousId": "a2", "context": {"os": {"name": "iOS"}}},
        {"anonymousId": "a1", "context": {"device": {"type": "mobile"}, "os": {"name": "iOS"}}},
        {"anonymousId": 5, "context": {"device": {"id": "d" * 70, "type": "t" * 30}}}])))
    made["type"] = draw(st.sampled_from(["page", "track", "other"]))
    made["channel"] = draw(st.sampled_from(["", "web", "c" * 60]))
    return made


@st.composite
def _identity_event(draw: st.DrawFn) -> Interaction:
    named = st.none() | st.sampled_from(["", "u1", "u2", "null", "ä" * 600])
    email = st.sampled_from(["A@b.example", "a@b.example ", "info@b.example", "none", 7])
    event = events.plain(0, draw(_message_ids), {
        "userId": draw(named), "anonymousId": draw(named), "traits": {"email": draw(email)},
        "context": {"traits": {"phone": draw(st.sampled_from(["+49 30 123456", "030", None]))},
                    "externalIds": [{"id": draw(st.sampled_from(["1", "x", "y"])),
                                     "type": draw(st.sampled_from("abcdefg"))}]}})
    event["type"] = draw(st.sampled_from(["identify", "track", "alias", "group"]))
    return event


_TRAITS = (
    {}, None, 7, {"firstName": "Ann"}, {"first_name": "Eve", "plan": {"b": [1, None], "a": 1.5}},
    {"first_name": None, "plan": None}, {"age": 5, "firstName": "B", "first_name": "C"},
    {"long": "ä" * 1_500, "age": "5"}, {"long": "x", "n" * 200: 1})


@st.composite
def _profile_event(draw: st.DrawFn) -> Interaction:
    made = events.plain(0, draw(_message_ids), draw(st.sampled_from([{}, {"userId": "u"}])) | {
        "traits": draw(st.sampled_from(_TRAITS)),
        "context": draw(st.sampled_from([
            None, 5, {"device": 7, "traits": {"plan": "gold"}},
            {"provenance": "declared", "traits": {"plan": "free", "lastName": "X"}},
            {"provenance": "third-party"}, {"provenance": 1, "traits": {"age": None}}]))})
    made["type"] = draw(st.sampled_from(["identify", "identify", "identify", "track", "group"]))
    made["source"] = draw(st.sampled_from(["web", "crm"]))
    return made


_names = st.sampled_from(["ads", "ads", "analytics", "necessary", "*", ""])
_allowed = st.dictionaries(_names, st.sampled_from([True, True, False, False, "false", None]),
                           max_size=3)
_consent_contexts = st.fixed_dictionaries({}, optional={
    "consent": st.builds(lambda a: {"categoryPreferences": a}, _allowed) | st.sampled_from([
        {}, [], "yes", {"categoryPreferences": ["ads"]}]),
    "consentManagement": st.builds(
        lambda allowed, denied: {"allowedConsentIds": allowed, "deniedConsentIds": denied},
        st.lists(_names, max_size=2), st.none() | st.lists(_names, max_size=2)),
    "globalPrivacyControl": st.sampled_from([True, True, False, "1"])})
_consent_properties = st.fixed_dictionaries({}, optional={
    "purposes": st.dictionaries(_names, st.sampled_from(
        [True, False, "granted", "withdrawn", "denied", "maybe"]), max_size=3),
    "purpose": _names | st.just(7), "channel": st.sampled_from(["email", "sms", " SMS", "", 5]),
    # Some end within the times of events, some with the long silences after them.
    "expires_at": st.sampled_from([1_700_000_000_006, 1_700_000_000_006, 1_700_900_000_000,
                                   "2033-01-01T00:00:00Z", "soon", -1]),
    "wording_version": st.sampled_from(["v1", "v2", 3])})
_subjects = st.sampled_from([{"userId": "u1"}, {"userId": "u1", "anonymousId": "a1"},
                             {"userId": "u2"}, {"anonymousId": "a1"}, {"anonymousId": "a2"},
                             {"userId": "null"}])


@st.composite
def _consent_event(draw: st.DrawFn) -> Interaction:
    made = events.plain(0, draw(_message_ids), {
        **draw(_subjects), "context": draw(_consent_contexts),
        "properties": draw(_consent_properties)})
    made["event"] = draw(st.sampled_from(["Seen", "Seen", "Seen", *consent_signals.NAMES]))
    made["source"] = draw(st.sampled_from(["web", "app"]))
    return made


_VALUES = (None, "", "a", "b", "c", "ä" * 60, "ä" * 60 + "b", True, 7, -3, 0.000000001, 1e300,
           "19.90", "x" * 99, 5e17, ["a", "d", "d"], [1, [2, {"x": 3}]], {"a": 1}, [])


@st.composite
def _computed_event(draw: st.DrawFn) -> Interaction:
    made = events.plain(0, draw(_message_ids), {
        "properties": draw(st.sampled_from([None, 7, {}]) | st.fixed_dictionaries(
            {"value": st.sampled_from(_VALUES)}))})
    made["type"] = draw(st.sampled_from(["track", "page"]))
    return made


@st.composite
def _timeline_event(draw: st.DrawFn) -> Interaction:
    made = events.plain(0, draw(_message_ids))
    made["type"] = draw(st.sampled_from(["track", "page", "other"]))
    made["event"] = draw(st.sampled_from(["", "Seen", "ä" * 70]))
    made["channel"] = draw(st.sampled_from(["", "web", "c" * 60]))
    made["source"] = draw(st.sampled_from(["web", "web", "s" * 60]))
    return made


def _happenings(event: st.SearchStrategy[Interaction], times: st.SearchStrategy[int] = _times,
                most: int = 12) -> st.SearchStrategy[list[Happening]]:
    return st.lists(st.builds(Happening, event, times), max_size=most,
                    unique_by=lambda h: h.event["message_id"])


EVENTS: dict[str, st.SearchStrategy[list[Happening]]] = {
    "cart": _happenings(_cart_event()),
    "computed": _happenings(_computed_event(), _visit_times),
    "consent": _happenings(_consent_event()),
    "engagement": _happenings(_engagement_event(), _visit_times),
    "identity": _happenings(_identity_event()),
    "links": st.just([]),  # it takes letters, never events: test_links.py
    "orders": _happenings(_order_event()),
    "profile": _happenings(_profile_event()),
    "risk": _happenings(_risk_event(), _long_times),
    "rules": st.just([]),  # they take no events: test_rules.py
    "segments": st.just([]),
    "timeline": (_happenings(_timeline_event()) | _happenings(_timeline_event(), most=36)),
}

JOINING = frozenset({"cart", "consent", "identity", "links", "profile", "rules", "segments",
                     "timeline"})
#: Of a table whose facts depend on its configuration: one with all that it can do.
CONFIGS = {"computed": traits.EACH}


def config_of(table: AnyTable) -> Any:
    """The configuration under which a table is held to the laws."""
    return CONFIGS.get(table.name) or table.config()


def bound(table: AnyTable) -> Bound:
    """What takes events under it."""
    if table.bind is None:
        return Bound(table.wants, table.observe)
    return table.bind(config_of(table))


