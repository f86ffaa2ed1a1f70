"""What became of a delivery is told by its own key alone, and only somebody's doing is activity."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from footfall.errors import DecodeError, Rejected
from footfall.events import outcomes
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import DELIVERY, Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import DeliveryPayload, Outcome
from tests.events.records import an_interaction

KEY = b"user_id:AAAAAAAAAAAAAAAAAAAAAA"
AT = 1_790_000_000_000
RESERVED = Reserved(b"the secret of these tests")
CODEC = Codecs().interaction
DEAD = DeliveryPayload("dead", "crm", "webhook", "webhook", "necessary", "cart_abandoned", "0" * 32,
                       "gone", 2)


def written(payload: DeliveryPayload = DEAD, at: int = AT) -> Interaction:
    return CODEC.decode(CODEC.encode(RESERVED.delivery(KEY, payload, at)))


def changed(event: Interaction, /, **members: Any) -> Interaction:
    return {**event, **members}  # type: ignore[typeddict-item]


def refused(event: Interaction, key: bytes = KEY) -> str:
    with pytest.raises(DecodeError) as error:
        RESERVED.read_delivery(event, key)
    return error.value.reason


def test_an_outcome_is_read_as_an_interaction_of_its_own() -> None:
    """Through the wire; what is not said by the payload is nothing."""
    seen = RESERVED.read_delivery(written(), KEY)
    assert (DELIVERY, "delivery_dead", "crm", "webhook", AT, 3) == (
        seen["type"], seen["event"], seen["source"], seen["channel"], seen["event_time"],
        seen["depth"])
    assert {"properties": {
        "outcome": "dead", "destination": "crm", "channel": "webhook", "medium": "webhook",
        "purpose": "necessary", "trigger": "cart_abandoned", "trigger_id": "0" * 32,
        "reason": "gone", "depth": 2}} == json.loads(seen["personal"])


def test_only_the_payload_counts_for_only_it_is_signed() -> None:
    """Whoever copies a record with another envelope, or with personal data, changes nothing."""
    event = written()
    seen = RESERVED.read_delivery(event, KEY)
    other = changed(event, event="delivery_opened", message_id="m", event_time=5, channel="x",
                    source="y", commerce=an_interaction()["commerce"])
    assert seen == RESERVED.read_delivery(other, KEY)
    assert "reserved_forged" == refused(changed(event, personal=b'{"userId":"u1"}'))


def test_what_is_not_ours_is_forged() -> None:
    """No MAC, another secret's, another customer's, another payload."""
    event = written()
    system = event["system"]
    assert system is not None
    payload = msgspec.msgpack.encode(msgspec.structs.replace(DEAD, outcome="opened", at=AT))
    for one in (
            changed(event, system=None),
            changed(event, system={**system, "mac": b"\0" * 16}),
            changed(event, system={**system, "payload": payload}),
            Reserved(b"another secret of others").delivery(KEY, DEAD, AT)):
        assert "reserved_forged" == refused(one)
    assert "reserved_forged" == refused(event, b"user_id:BBBBBBBBBBBBBBBBBBBBBB")


@pytest.mark.parametrize("harm", [
    {"outcome": "held"}, {"depth": -1}, {"depth": 1_001}, {"destination": "d" * 101}], ids=repr)
def test_a_payload_beyond_its_limits_is_unreadable(harm: dict[str, Any]) -> None:
    """Written by other code of ours."""
    assert "reserved_unreadable" == refused(written(msgspec.structs.replace(DEAD, **harm)))


def test_the_same_outcome_has_the_same_id_and_no_other_has_it() -> None:
    """Whenever it is told, and whatever else is said of it; who has not the secret cannot know it.
    """
    mine = written()["message_id"]
    again = msgspec.structs.replace(DEAD, reason="aborted", depth=0, medium="", purpose="ads")
    assert mine == written(again, AT + 5)["message_id"]
    others = [msgspec.structs.replace(DEAD, **other) for other in (
        {"outcome": "sent"}, {"destination": "other"}, {"trigger_id": "1" * 32})]
    ids = {written(one)["message_id"] for one in others}
    ids.add(Reserved(b"another secret of others").delivery(KEY, DEAD, AT)["message_id"])
    assert 4 == len(ids - {mine})


def test_a_passed_outcome_is_the_one_that_was_read() -> None:
    """At another customer's key, in a handoff that has a MAC of its own."""
    event = written()
    assert RESERVED.read_delivery(event, KEY) == RESERVED.passed_delivery(event)


def test_collectors_take_no_outcome_from_anybody() -> None:
    """Neither as the reserved type nor as the call that rules name it by."""
    keys = CustomerKeys(b"a secret for tests only")
    for kind, reason in ((DELIVERY, "type_reserved"), (outcomes.CALL, "type_unknown")):
        raw = json.dumps({"type": kind, "userId": "u1", "event": "delivery_opened"}).encode()
        answer = admit(raw, 0, Arrival("web", AT, "0"), keys)
        assert isinstance(answer, Rejected)
        assert reason == answer.reason


def test_there_is_one_list_of_outcomes() -> None:
    """What a payload may say and what has a name."""
    assert get_args(Outcome) == outcomes.OUTCOMES


@pytest.mark.parametrize("outcome", outcomes.OUTCOMES)
def test_only_opened_and_clicked_are_somebodys_doing(outcome: Outcome) -> None:
    seen = RESERVED.read_delivery(written(msgspec.structs.replace(DEAD, outcome=outcome)), KEY)
    assert (outcome in ("opened", "clicked")) == outcomes.is_activity(seen)


@pytest.mark.parametrize(("name", "is_activity"), [
    ("Email Delivered", False), ("email_delivered", False), ("deliveredEmail", False),
    ("Email Bounced", False), ("Email Marked as Spam", False),
    ("Push Notification Received", False), ("push notification bounced", False),
    ("Email Opened", True), ("Email Link Clicked", True),
    ("Push Notification Tapped", True), ("Unsubscribed", True), ("", True)])
def test_tracked_events_of_messages(name: str, is_activity: bool) -> None:
    """As they are spelt elsewhere; a page of such a name is a visit."""
    assert is_activity == outcomes.is_activity(an_interaction(event=name))
    assert outcomes.is_activity(an_interaction(type="page", event=name))
