"""What is admitted to the log, what is refused, and that nothing else can happen."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from footfall.errors import Rejected
from footfall.events.admit import CALLS, CHANNEL_CHARS_MAX, DEPTH_MAX, admit, field_of
from footfall.events.arrival import ITEM_BYTES_MAX, Admitted, Arrival
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.fields import TEXT_CHARS_MAX
from footfall.events.identifiers import identifiers
from footfall.events.interaction import MESSAGE_ID_CHARS_MAX

NOW = 1_795_428_000_000
KEYS = CustomerKeys(b"a secret of sixteen bytes or more")
BATCH = Arrival("web", NOW, "request")
CODECS = Codecs()
SECRET = "canary@example.com"


def admitted(raw: bytes | dict[str, Any], arrival: Arrival = BATCH, n: int = 0) -> Admitted:
    raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    found = admit(raw, n, arrival, KEYS)
    assert isinstance(found, Admitted), found
    assert found.event == CODECS.interaction.decode(CODECS.interaction.encode(found.event))
    return found


def refused(raw: bytes | dict[str, Any], arrival: Arrival = BATCH) -> Rejected:
    raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    found = admit(raw, 0, arrival, KEYS)
    assert isinstance(found, Rejected), found
    assert ("collector", "web", NOW, raw) == (
        found.stage, found.source, found.rejected_at, found.payload)
    return found


def test_a_track_call() -> None:
    key, event, _ = admitted({
        "type": "track", "event": "Signed Up", "userId": "u1", "anonymousId": None,
        "messageId": "m1", "timestamp": "2026-11-23T09:59:59.500Z", "channel": "server",
        "writeKey": "k", "properties": {"plan": "pro"}, "_metadata": {"a": 1}})
    assert KEYS.of("user_id", "u1") == key
    assert {
        "type": "track", "event": "Signed Up", "message_id": "m1", "event_time": NOW - 500,
        "received_at": NOW, "source": "web", "channel": "server", "commerce": None, "system": None,
        "key_id": None,
        "personal": b'{"userId":"u1","anonymousId":null,"timestamp":"2026-11-23T09:59:59.500Z",'
                    b'"properties":{"plan": "pro"},"_metadata":{"a": 1}}',
    } == event
    assert {"user_id": "u1"} == identifiers(event)


@pytest.mark.parametrize(("item", "event", "kept"), [
    ({"type": "page", "name": "Home", "event": "e"}, "Home", {"event": "e"}),
    ({"type": "screen", "name": "Start"}, "Start", {}),
    ({"type": "page"}, "", {}),
    ({"type": "page", "name": None}, "", {}),
    ({"type": "identify", "name": "N", "traits": {"a": 1}}, "", {"name": "N", "traits": {"a": 1}}),
    ({"type": "group", "groupId": "g"}, "", {"groupId": "g"}),
    ({"type": "alias", "previousId": "p"}, "", {"previousId": "p"}),
])
def test_what_each_call_holds(item: dict[str, Any], event: str, kept: dict[str, Any]) -> None:
    found = admitted({**item, "userId": "u"}).event
    assert (item["type"], event) == (found["type"], found["event"])
    assert {"userId": "u", **kept} == json.loads(found["personal"])


def test_a_route_gives_the_type() -> None:
    route = BATCH._replace(call="page")
    assert "page" == admitted({"userId": "u"}, route).event["type"]
    assert "page" == admitted({"userId": "u", "type": "page"}, route).event["type"]
    assert "type_conflict" == refused({"userId": "u", "type": "track"}, route).reason
    assert "type_reserved" == refused({"userId": "u", "type": "$tick"}, route).reason


def test_free_content_survives_exactly() -> None:
    """Big integers, decimals as sent, Unicode, blanks, escapes, duplicate keys."""
    properties = ('{"n":123456789012345678901234567890,"d":1.10,"e":1E+2,"z":-0.0,"m":-0,'
                  '"u":"Z\\u00fcrich \\ud83d\\ude00 \u4e2d","nul":"\\u0000","s" : [ 1.0 , null ],'
                  '"e\u0301":"nfd","":1,"a.b":2,"__proto__":3,"$set":4,"k":1,"k":2}').encode()
    raw = b'{"type":"page","userId":"u","properties":' + properties + b'}'
    assert b'{"userId":"u","properties":' + properties + b'}' == admitted(raw).event["personal"]


def test_of_duplicate_keys_the_last_holds() -> None:
    key, event, _ = admitted(b'{"type":"page","userId":"a","userId":"b"}')
    assert (KEYS.of("user_id", "b"), b'{"userId":"b"}') == (key, event["personal"])


def test_whole_numbers_as_identifiers_are_taken_as_their_text() -> None:
    key, event, _ = admitted(b'{"type":"page","userId":18446744073709551617,"messageId":7}')
    assert KEYS.of("user_id", "18446744073709551617") == key
    assert ("7", {"user_id": "18446744073709551617"}) == (event["message_id"], identifiers(event))


@pytest.mark.parametrize(("ids", "kind", "value"), [
    ({"userId": "u", "anonymousId": "a"}, "user_id", "u"),
    ({"anonymousId": "a"}, "anonymous_id", "a"),
    ({"userId": None, "anonymousId": "a"}, "anonymous_id", "a"),
    ({"userId": "", "anonymousId": "a"}, "anonymous_id", "a"),
    ({"userId": "null", "anonymousId": "a"}, "anonymous_id", "a"),
    ({"userId": "0", "anonymousId": "a"}, "anonymous_id", "a"),
    ({"userId": 0, "anonymousId": 5}, "anonymous_id", "5"),
    ({"userId": " u "}, "user_id", " u "),
])
def test_the_key_is_that_of_the_highest_identifier(ids: dict[str, Any], kind: str,
                                                   value: str) -> None:
    assert KEYS.of(kind, value) == admitted({"type": "page", **ids}).key


def test_an_item_without_message_id_is_named_by_request_and_number() -> None:
    assert "request-3" == admitted({"type": "page", "userId": "u"}, n=3).event["message_id"]
    assert "request-3" == admitted(
        {"type": "page", "userId": "u", "messageId": None}, n=3).event["message_id"]


@pytest.mark.parametrize(("item", "expected"), [
    ({"timestamp": NOW - 5, "originalTimestamp": NOW - 9}, NOW - 5),
    ({"originalTimestamp": NOW - 9}, NOW - 9),
    ({"timestamp": None, "originalTimestamp": NOW - 9}, NOW - 9),
    ({}, NOW),
    ({"timestamp": NOW + 3_600_000, "sentAt": NOW + 3_600_000}, NOW),
])
def test_which_time_is_taken(item: dict[str, Any], expected: int) -> None:
    assert expected == admitted({"type": "page", "userId": "u", **item}).event["event_time"]


def test_sent_at_of_the_batch_goes_before_the_items_own() -> None:
    """It is newer: an item may have waited in the SDK's queue."""
    arrival = BATCH._replace(sent_at="2026-11-23T11:00:00Z")
    item = {"type": "page", "userId": "u", "timestamp": NOW + 3_590_000}
    assert NOW - 10_000 == admitted({**item, "sentAt": NOW}, arrival).event["event_time"]
    found = admitted(item, arrival).event
    assert (NOW - 10_000, "2026-11-23T11:00:00Z") == (
        found["event_time"], json.loads(found["personal"])["sentAt"])


def test_what_a_batch_says_of_all_items_is_merged_under_each() -> None:
    arrival = BATCH._replace(shared={
        "context": {"library": msgspec.Raw(b'{"name":"x"}'), "ip": msgspec.Raw(b'"1"')},
        "integrations": {"All": msgspec.Raw(b"false")}})
    found = json.loads(admitted(
        {"type": "page", "userId": "u", "context": {"ip": "2", "os": 1.5}}, arrival
    ).event["personal"])
    assert {"userId": "u", "context": {"library": {"name": "x"}, "ip": "2", "os": 1.5},
            "integrations": {"All": False}} == found
    found = json.loads(admitted({"type": "page", "userId": "u", "context": None}, arrival
                                ).event["personal"])
    assert {"library": {"name": "x"}, "ip": "1"} == found["context"]


@pytest.mark.parametrize(("item", "reason", "field"), [
    ({}, "type_unknown", "type"),
    ({"type": "trick"}, "type_unknown", "type"),
    ({"type": "Track"}, "type_unknown", "type"),
    ({"type": "batch"}, "type_unknown", "type"),
    ({"type": 5}, "field_kind", "type"),
    ({"type": "$handoff"}, "type_reserved", "type"),
    ({"type": "track"}, "field_missing", "event"),
    ({"type": "track", "event": ""}, "field_missing", "event"),
    ({"type": "track", "event": None}, "field_missing", "event"),
    ({"type": "track", "event": 5}, "field_kind", "event"),
    ({"type": "page", "name": ["x"]}, "field_kind", "name"),
    ({"type": "group"}, "field_missing", "groupId"),
    ({"type": "alias"}, "field_missing", "previousId"),
    ({"type": "page", "userId": None}, "identifier_missing", "userId"),
    ({"type": "page", "userId": "undefined"}, "identifier_blocked", "userId"),
    ({"type": "page", "userId": "  "}, "identifier_blocked", "userId"),
    ({"type": "page", "userId": None, "anonymousId": "guest"}, "identifier_blocked", "anonymousId"),
    ({"type": "page", "userId": True}, "field_kind", "userId"),
    ({"type": "page", "userId": 1.5}, "field_kind", "userId"),
    ({"type": "page", "userId": {"id": SECRET}}, "field_kind", "userId"),
    ({"type": "page", "messageId": ""}, "message_id_length", "messageId"),
    ({"type": "page", "messageId": []}, "field_kind", "messageId"),
    ({"type": "page", "properties": [SECRET]}, "field_kind", "properties"),
    ({"type": "page", "traits": SECRET}, "field_kind", "traits"),
    ({"type": "page", "context": 5}, "field_kind", "context"),
    ({"type": "page", "integrations": True}, "field_kind", "integrations"),
    ({"type": "page", "channel": 5}, "field_kind", "channel"),
    ({"type": "page", "timestamp": SECRET}, "time_unreadable", "timestamp"),
    ({"type": "page", "originalTimestamp": 5}, "time_out_of_range", "originalTimestamp"),
    ({"type": "track", "event": "Order Completed", "properties": {"total": SECRET}},
     "amount_unreadable", "properties.total"),
])
def test_refusals_name_the_field_and_never_the_value(item: dict[str, Any], reason: str,
                                                     field: str) -> None:
    found = refused({"userId": SECRET, **item})
    assert (reason, field) == (found.reason, field_of(found))
    assert SECRET not in found.detail


@pytest.mark.parametrize(("raw", "reason"), [
    (b"", "not_json"),
    (b"{", "not_json"),
    (b"\xef\xbb\xbf{}", "not_json"),
    (b'{"a":NaN}', "not_json"),
    (b'{"a":-Infinity}', "not_json"),
    (b'{"a":"\\ud83d"}', "not_json"),
    (b'{"a":"\\ude00\\ud83d"}', "not_json"),
    (b"{'a':1}", "not_json"),
    (b'{"a":01}', "not_json"),
    (b'{"a":1}{}', "not_json"),
    ("{}".encode("utf-16"), "not_json"),
    (b'{"a":"\xff"}', "text_not_unicode"),
    (b'{"\xff":1}', "text_not_unicode"),
    (b'{"a":"\xed\xa0\x80"}', "text_not_unicode"),
    (b'{"a":1e999}', "number_out_of_range"),
    (b'{"a":1e-99999999999999999999}', "number_out_of_range"),
    (b'{"a":' + b"1" * 5000 + b"}", "number_out_of_range"),
    (b"[]", "not_an_object"),
    (b"null", "not_an_object"),
    (b'"x"', "not_an_object"),
    (b"[" * 10_000, "too_deep"),
    (b'{"a":' * 6_000, "too_deep"),
])
def test_bytes_that_are_refused(raw: bytes, reason: str) -> None:
    found = refused(raw)
    assert (reason, "item") == (found.reason, field_of(found))


def nested(depth: int) -> bytes:
    return b'{"type":"page","userId":"u","a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def sized(size: int) -> bytes:
    head = b'{"type":"page","userId":"u","a":"'
    return head + b"x" * (size - len(head) - 2) + b'"}'


@pytest.mark.parametrize(("make", "limit", "reason"), [
    (nested, DEPTH_MAX, "too_deep"),
    (sized, ITEM_BYTES_MAX, "item_too_large"),
    (lambda n: {"userId": "u", "type": "page", "messageId": "m" * n}, MESSAGE_ID_CHARS_MAX,
     "message_id_length"),
    (lambda n: {"userId": "u" * n, "type": "page"}, TEXT_CHARS_MAX, "field_length"),
    (lambda n: {"anonymousId": "é" * n, "type": "page"}, TEXT_CHARS_MAX, "field_length"),
    (lambda n: {"userId": "u", "type": "group", "groupId": "g" * n}, TEXT_CHARS_MAX,
     "field_length"),
    (lambda n: {"userId": "u", "type": "alias", "previousId": "g" * n}, TEXT_CHARS_MAX,
     "field_length"),
    (lambda n: {"userId": "u", "type": "track", "event": "g" * n}, TEXT_CHARS_MAX, "field_length"),
    (lambda n: {"userId": "u", "type": "page", "name": "g" * n}, TEXT_CHARS_MAX, "field_length"),
    (lambda n: {"userId": "u", "type": "page", "channel": "g" * n}, CHANNEL_CHARS_MAX,
     "field_length"),
])
def test_each_limit_and_one_more(make: Any, limit: int, reason: str) -> None:
    admitted(make(limit))
    assert reason == refused(make(limit + 1)).reason


def test_many_brackets_in_a_flat_item_are_not_depth() -> None:
    admitted({"type": "page", "userId": "u", "a": [[]] * 1000, "b": "[" * 1000})


KEYS_SEEN = st.sampled_from([
    "type", "event", "name", "userId", "anonymousId", "previousId", "groupId", "messageId",
    "channel", "writeKey", "timestamp", "originalTimestamp", "sentAt", "properties", "traits",
    "context", "integrations", "products", "price", "quantity", "currency", "total", "cart_id"])
LEAVES = (st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
          | st.sampled_from([*CALLS, "Product Added", "Cart Viewed", "Order Completed", "$tick",
                             "1.10", "2026-11-23T10:00:00Z"]))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4)
                      | st.dictionaries(KEYS_SEEN | st.text(), inner, max_size=6), max_leaves=20)
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from([*CALLS, "$tick"]) | VALUES},
    optional={"event": st.sampled_from(["Product Added", "Cart Viewed", "x"]) | VALUES,
              "userId": st.text() | VALUES, "anonymousId": st.text() | VALUES,
              "properties": VALUES, "timestamp": VALUES, "context": VALUES, "messageId": VALUES,
              "groupId": VALUES, "previousId": VALUES, "sentAt": VALUES})
#: What the envelope holds, or what admit writes itself.
ENVELOPE = {"type", "event", "name", "messageId", "channel", "writeKey", "userId", "anonymousId",
            "previousId", "groupId"}


def settle(raw: bytes) -> Admitted | Rejected:
    found = admit(raw, 0, BATCH, KEYS)
    if isinstance(found, Rejected):
        assert raw == found.payload
        assert found.reason and field_of(found)
    else:
        assert found.event == CODECS.interaction.decode(CODECS.interaction.encode(found.event))
    return found


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b'{"type":"page","userId":"u","a":1e400}')
def test_arbitrary_bytes_are_admitted_or_rejected(raw: bytes) -> None:
    settle(raw)


@settings(max_examples=300, deadline=None)
@given(ITEMS | VALUES, st.booleans())
def test_arbitrary_json_is_admitted_or_rejected_and_stays_exact(item: Any, ascii: bool) -> None:
    text = json.dumps(item, ensure_ascii=ascii, allow_nan=True)
    found = settle(text.encode("utf-8", "surrogatepass"))
    if isinstance(found, Admitted):
        free = {k: v for k, v in item.items() if k not in ENVELOPE}
        sent = json.loads(json.dumps(free), parse_float=Decimal)
        kept = json.loads(found.event["personal"], parse_float=Decimal)
        assert sent == {k: v for k, v in kept.items() if k not in ENVELOPE}


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-10**40, 10**40))
def test_numbers_keep_their_spelling(number: float) -> None:
    assert math.isfinite(number)
    raw = b'{"type":"page","userId":"u","n":' + repr(number).encode() + b"}"
    assert b'{"userId":"u","n":' + repr(number).encode() + b"}" == admitted(raw).event["personal"]
