"""What became of a delivery, as the log tells it (`$delivery`), and what is a customer's own doing.

Decides which outcomes there are and what their events are called; what tables see of one: its
payload alone, which the MAC covers, never the envelope around it; which outcomes, and which tracked
events that providers send, were done to a customer and not by one, so that no table of activity
sees them; and how deep triggers may follow from each other's deliveries. Must never be given
anything personal: destinations, reasons and names are the installation's own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from footfall.events.commerce import squeeze
from footfall.events.interaction import DELIVERY, Interaction
from footfall.events.reserved_row import DeliveryPayload

#: How an outcome's event is called: before the outcome itself.
PREFIX: Final = "delivery_"
OUTCOMES: Final = ("sent", "dead", "suppressed", "delivered", "opened", "clicked", "bounced",
                   "complained")
NAMES: Final = tuple(f"{PREFIX}{outcome}" for outcome in OUTCOMES)
#: The call that rules and computed traits name it by.
CALL: Final = "delivery"
#: A trigger of this depth is delivered nowhere, and no rule fires one that would be deeper.
DEPTH_MAX: Final = 5

#: Somebody opened or clicked. All else is a machine's word.
_ACTIVE: Final = frozenset({f"{PREFIX}opened", f"{PREFIX}clicked"})
#: Tracked events of messages in which the customer did nothing, or nothing here.
PASSIVE: Final = ("Email Delivered", "Email Bounced", "Email Marked as Spam",
                  "Push Notification Received", "Push Notification Bounced")
_REMEMBERED: Final = 16_384


def _turned(name: str) -> str:
    """The last word first: "Email Bounced" -> "Bounced Email"."""
    rest, _, last = name.rpartition(" ")
    return f"{last} {rest}"


_PASSIVE: Final = frozenset(squeeze(spelling) for name in PASSIVE
                            for spelling in (name, _turned(name)))


def is_activity(event: Interaction) -> bool:
    """Whether the customer did something: true of all but what messages merely met with."""
    kind = event["type"]
    if kind == "track":
        return not _is_passive(event["event"])
    return kind != DELIVERY or event["event"] in _ACTIVE


def seen(payload: DeliveryPayload, message_id: str) -> Interaction:
    """An outcome as tables see it: an interaction at the destination, by its channel."""
    return {
        "type": DELIVERY, "event": PREFIX + payload.outcome, "message_id": message_id,
        "event_time": payload.at, "received_at": payload.at, "source": payload.destination,
        "channel": payload.channel, "commerce": None, "system": None, "key_id": None,
        "personal": msgspec.json.encode({"properties": {
            "outcome": payload.outcome, "destination": payload.destination,
            "channel": payload.channel, "medium": payload.medium, "purpose": payload.purpose,
            "trigger": payload.trigger, "trigger_id": payload.trigger_id,
            "reason": payload.reason, "depth": payload.depth}}),
        "depth": payload.depth + 1,
    }


@lru_cache(maxsize=_REMEMBERED)
def _is_passive(name: str) -> bool:
    return squeeze(name) in _PASSIVE
