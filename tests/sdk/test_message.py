"""The forms of calls, and what becomes of what is given."""

from __future__ import annotations

import enum
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segment.analytics.client import Client as SegmentClient

from footfall import Client, DroppedError
from footfall.sdk.message import ITEM_BYTES_MAX, MessageIds

WHEN = datetime(2026, 11, 25, 12, 0, 0, 123_000, tzinfo=UTC)
#: The documented forms of segment-analytics-python: by position and by keyword.
FORMS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("identify", ("u1", {"plan": "pro"}), {}),
    ("identify", (), {"user_id": "u1", "traits": {"a": 1}, "context": {"ip": "8.8.8.8"},
                      "timestamp": WHEN, "anonymous_id": "a1", "integrations": {"All": True},
                      "message_id": "m1"}),
    ("track", ("u1", "Signed Up", {"plan": "pro"}), {}),
    ("track", ("u1", "Signed Up", {"p": 1}, {"ip": "1.1.1.1"}, WHEN, "a1", {"All": False}), {}),
    ("track", (), {"anonymous_id": "a1", "event": "Seen", "properties": {"n": [1, {"x": None}]}}),
    ("track", (123, "Number"), {"message_id": "m2"}),
    ("alias", ("old", "new"), {}),
    ("alias", (), {"previous_id": "old", "user_id": "new", "context": {}, "timestamp": WHEN}),
    ("group", ("u1", "g1", {"name": "Initech"}), {}),
    ("group", (), {"user_id": "u1", "group_id": "5", "traits": {}}),
    ("page", ("u1", "Docs", "Python", {"url": "x"}), {}),
    ("page", (), {"user_id": "u1", "name": "Python"}),
    ("screen", ("u1", "Docs", "Python", {"k": "v"}), {}),
    ("screen", ("u1",), {"category": "c"}),
]


@pytest.fixture
def client() -> Any:
    client = Client(test_mode=True)
    yield client
    client.close()


def decoded(client: Client, **kwargs: Any) -> dict[str, Any]:
    """A tracked item as it goes over the wire."""
    from footfall.sdk.message import encode

    client.track("u1", "e", **kwargs)
    return json.loads(encode(client.calls[-1])[0], parse_float=str)


@pytest.mark.parametrize(("method", "args", "kwargs"), FORMS)
def test_calls_are_those_of_segments_sdk(
    client: Client, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """The same call makes the same item, less what is null, plus the channel; ids are text."""
    segment = SegmentClient("k", send=False)
    ours = getattr(client, method)(*args, **kwargs)
    theirs = getattr(segment, method)(*args, **kwargs)
    assert (True, True) == (ours[0], theirs[0])
    expected = {name: value for name, value in theirs[1].items() if value not in (None, {})}
    found = {name: value for name, value in ours[1].items() if value != {}}
    assert "server" == found.pop("channel")
    assert {"footfall-python"} == {found["context"].pop("library")["name"]}
    expected["context"].pop("library")
    if "message_id" not in kwargs:
        assert found.pop("messageId") != expected.pop("messageId")
    if WHEN not in (*args, *kwargs.values()):
        ours_at, theirs_at = (datetime.fromisoformat(m.pop("timestamp")) for m in (found, expected))
        assert abs(ours_at - theirs_at) < timedelta(seconds=5)
    assert expected == found


def test_the_module_is_segments_module() -> None:
    """`from footfall import analytics` in the place of `import segment.analytics as analytics`."""
    import segment.analytics as theirs

    from footfall import analytics as ours

    functions = {"track", "identify", "group", "alias", "page", "screen", "flush", "join",
                 "shutdown"}
    assert functions <= {name for name in dir(ours) if callable(getattr(ours, name))}
    options = {name for name in dir(theirs) if not name.startswith("_")
               and not callable(getattr(theirs, name)) and not hasattr(getattr(theirs, name),
                                                                       "__path__")}
    unknown = {n for n in options if n.startswith("oauth")} | {
        "VERSION", "log_handler", "client", "consumer", "request", "utils", "version",
        "oauth_manager"}
    assert set() == {name for name in options - unknown if not hasattr(ours, name)}
    ours.send, ours.write_key = False, "k"
    assert ours.track("u1", "e").success
    assert ours.page(user_id="u1", name="n").message["name"] == "n"
    ours.shutdown()
    ours.default_client = None


def test_amounts_keep_every_digit(client: Client) -> None:
    item = decoded(client, properties={"price": Decimal("1234567890123.10"), "big": 2**70})
    assert {"price": "1234567890123.10", "big": 2**70} == item["properties"]


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    __slots__ = ()


def test_what_apps_put_into_properties(client: Client) -> None:
    """Times, ids, enums, sets, subclasses: each as what it means."""
    item = decoded(client, properties={
        "at": WHEN, "id": UUID(int=1), "colour": Colour.RED, "tags": {"a"}, "text": Text("t"),
        "none": None, "nan": float("nan"), 5: "number key", "deep": {"x": (1, 2)}})
    assert {"at": "2026-11-25T12:00:00.123000Z", "id": str(UUID(int=1)), "colour": "red",
            "tags": ["a"], "text": "t", "none": None, "nan": None, "5": "number key",
            "deep": {"x": [1, 2]}} == item["properties"]


def test_a_value_that_json_cannot_hold_costs_only_itself(client: Client) -> None:
    """And is counted."""
    item = decoded(client, properties={"good": 1, "bad": object(), "list": [1, object(), 3],
                                       "half": "\ud800", None: 2, Decimal("1.5"): 3})
    assert {"good": 1, "list": [1, 3], "?": 2, "1.5": 3} == item["properties"]
    assert 4 == client.counts().values_left_out


def test_times(client: Client) -> None:
    """Naive ones: near now they are local, as `datetime.now()` made them; others are UTC."""
    zone = timezone(timedelta(hours=2))
    for given_time, expected in (
        (WHEN, "2026-11-25T12:00:00.123+00:00"),
        (WHEN.astimezone(zone), "2026-11-25T14:00:00.123+02:00"),
        (datetime(2020, 1, 1), "2020-01-01T00:00:00.000+00:00"),
        ("2026-11-25T12:00:00Z", "2026-11-25T12:00:00Z"),
        (1_764_072_000_000, 1_764_072_000_000),
    ):
        assert expected == client.track("u", "e", timestamp=given_time).message["timestamp"]
    local = client.track("u", "e", timestamp=datetime.now()).message["timestamp"]
    assert abs(datetime.fromisoformat(local) - datetime.now(UTC)) < timedelta(seconds=5)


BAD: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = [
    ("identifier_missing", "track", (), {"event": "e"}),
    ("identifier_missing", "identify", ("",), {}),
    ("identifier_missing", "alias", ("old",), {}),
    ("field_missing", "track", ("u1",), {}),
    ("field_missing", "track", ("u1", ""), {}),
    ("field_missing", "alias", (), {"user_id": "u1"}),
    ("field_missing", "group", ("u1",), {}),
    ("field_kind", "track", ("u1", 5), {}),
    ("field_kind", "track", (["u1"], "e"), {}),
    ("field_kind", "track", (True, "e"), {}),
    ("field_kind", "track", ("u1", "e", [1]), {}),
    ("field_kind", "track", ("u1", "e", {}, "context"), {}),
    ("field_kind", "track", ("u1", "e"), {"timestamp": 1.5}),
    ("field_kind", "page", ("u1",), {"name": 5}),
    ("field_kind", "identify", ("u1", "traits"), {}),
    ("item_too_large", "track", ("u1", "e", {"x": "y" * ITEM_BYTES_MAX}), {}),
]


@pytest.mark.parametrize(("reason", "method", "args", "kwargs"), BAD)
def test_a_bad_call_is_told_and_does_not_raise(
    reason: str, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Unless `strict`; the reason is counted and given to `on_error`, without any value."""
    told: list[DroppedError] = []
    with Client(test_mode=True, on_error=lambda error, _items: told.append(error)) as client:
        assert not getattr(client, method)(*args, **kwargs).success
        assert {reason: 1} == client.counts().dropped
        assert [reason] == [error.reason for error in told]
        assert "u1" not in str(told[0])
        assert not client.calls
    with Client(test_mode=True, strict=True) as client:
        with pytest.raises(DroppedError, match=reason):
            getattr(client, method)(*args, **kwargs)


def test_recursion_is_a_bad_item(client: Client) -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    assert not client.track("u1", "e", loop).success
    assert {"unencodable": 1} == client.counts().dropped


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() |
    st.decimals() | st.datetimes() | st.uuids() | st.builds(object),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text() | st.integers() | st.none() | st.tuples(), inner, max_size=4), max_leaves=12)


@given(st.lists(anything, min_size=8, max_size=8))
@settings(max_examples=300, deadline=None)
def test_nothing_that_is_given_ever_raises(values: list[Any]) -> None:
    """Of whatever kind, in whatever place."""
    with Client(test_mode=True) as client:
        client.track(*values)
        client.identify(*values[:7])
        client.group(*values)
        client.alias(*values[:6])
        client.page(*values)
        client.consent(*values[:6])
        client.commerce.product_added(values[0], product_id=values[1], properties=values[2])
        counts = client.counts()
        assert 7 == len(client.calls) + sum(counts.dropped.values())


def test_what_a_decision_says_more(client: Client) -> None:
    """A channel and words are in the properties: the object in the context is for every channel."""
    client.consent("u1", {"news": True}, channel="email", wording_version="v2", expires_at=WHEN)
    client.consent("u1", {"news": "withdrawn", "ads": False})
    client.consent("u1", {"ads": True}, context={"ip": "::1"}, wording_version=3)
    on_channel, worded, plain = client.calls
    assert {"purposes": {"news": True}, "channel": "email", "wording_version": "v2",
            "expires_at": "2026-11-25T12:00:00.123+00:00"} == on_channel["properties"]
    assert {"purposes": {"news": "withdrawn", "ads": False}} == worded["properties"]
    assert "consent" not in {**on_channel["context"], **worded["context"]}
    assert ({"wording_version": 3}, {"categoryPreferences": {"ads": True}}, "::1") == (
        plain["properties"], plain["context"]["consent"], plain["context"]["ip"])


@pytest.mark.parametrize(("given", "field"), [
    ({"purposes": ["ads"]}, "purposes"), ({"purposes": {}, "expires_at": 1.5}, "expires_at")])
def test_a_decision_of_another_kind_is_refused(given: dict[str, Any], field: str) -> None:
    with Client(test_mode=True, strict=True) as client, pytest.raises(DroppedError, match=field):
        client.consent("u1", **given)


def test_message_ids_differ() -> None:
    ids = [MessageIds() for _ in range(3)]
    made = [i.new() for i in ids for _ in range(1000)]
    assert 3000 == len(set(made))
    assert max(map(len, made)) <= 100


def test_the_item_is_taken_as_it_is_at_the_call() -> None:
    """What the app does to its dictionary later changes nothing."""
    from tests.sdk.collector import FakeCollector

    with FakeCollector() as collector, Client("k", collector.url) as client:
        properties = {"n": 1}
        client.track("u1", "e", properties)
        properties["n"] = 2
        client.flush()
        assert [1] == [item["properties"]["n"] for item in collector.items]


def test_consent_and_commerce(client: Client) -> None:
    client.consent("u1", {"email": True, "ads": False})
    client.commerce.product_added("u1", product_id="p1", price=Decimal("9.90"), quantity=2,
                                  cart_id="c1", currency="EUR", properties={"gift": True})
    client.commerce.order_completed(anonymous_id="a1", order_id="o1", total="19.80",
                                    products=[{"product_id": "p1"}], timestamp=WHEN)
    consent, added, order = client.calls
    assert "Segment Consent Preference Updated" == consent["event"]
    assert {"categoryPreferences": {"email": True, "ads": False}} == consent["context"]["consent"]
    assert ("Product Added", {"product_id": "p1", "price": Decimal("9.90"), "quantity": 2,
                              "cart_id": "c1", "currency": "EUR", "gift": True}) == (
        added["event"], added["properties"])
    assert ("a1", "2026-11-25T12:00:00.123+00:00") == (order["anonymousId"], order["timestamp"])
    assert {"order_id": "o1", "total": "19.80", "products": [{"product_id": "p1"}]} == (
        order["properties"])


def test_every_commerce_helper_sends_an_event_with_a_meaning(client: Client) -> None:
    """The collector reads its products, or the tables its name."""
    from footfall.events.commerce import ACTIONS, squeeze

    helpers = [name for name in dir(client.commerce) if not name.startswith("_")]
    for name in helpers:
        getattr(client.commerce, name)("u1")
    sent = {squeeze(call["event"]) for call in client.calls}
    assert {squeeze(name) for name in helpers} == sent
    free = {"productviewed", "productaddedtowishlist", "paymentfailed"}
    assert set() == sent - ACTIONS.keys() - free
    assert len(helpers) == len(set(ACTIONS.values())) + len(free)


def test_the_time_of_a_call_is_now(client: Client) -> None:
    """Also over the end of a second; never before the call, never after."""
    for _ in range(40):
        before = datetime.now(UTC) - timedelta(milliseconds=1)
        stated = datetime.fromisoformat(client.track("u", "e").message["timestamp"])
        assert before <= stated <= datetime.now(UTC)
        time.sleep(0.03)
