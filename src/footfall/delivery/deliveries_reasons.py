"""What each reason of a delivery means, as a sentence. Pure.

Decides the words for people; the code alone is for programs. Must never name a value of the
customer's. docs/deliveries.md says what to do about each.
"""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    # suppressed, held
    "held_out": "the customer is in the part held out for comparison",
    "integrations": "what caused it names integrations, and this destination is none of them",
    "consent_denied": "the customer has refused its purpose",
    "consent_withdrawn": "the customer has withdrawn consent to its purpose",
    "consent_expired": "the customer's consent to its purpose had expired",
    "consent_unknown": "nothing is known of the customer's consent to its purpose",
    "no_address": "the customer has no address there",
    "frequency_cap": "the customer had as many messages as the destination's cap allows",
    "quiet_hours": "it was quiet hours where the customer is",
    "expired": "it was too late for it to be of use",
    "too_deep": "it came of deliveries that came of deliveries, too many times",
    # dead
    "retries_exhausted": "every attempt of the schedule failed",
    "gone": "the receiver says that there is nobody any more",
    "aborted": "the receiver wants no more attempts",
    "refused": "the receiver refuses it for good",
    "render_failed": "no message could be made of the trigger",
    "message_too_large": "the message is larger than one may be",
    "backlog_full": "more waited for the destination than is kept",
    "destination_disabled": "the destination is disabled",
    "destination_unknown": "the routes do not have the destination any more",
    # failed
    "timeout": "no answer came in time",
    "connection": "no connection was to be had, or it broke",
    "tls": "the receiver's certificate or encryption is not right",
    "dns": "the receiver's name leads nowhere",
    "address_refused": "the receiver's address is private or reserved",
    "status": "the receiver answered with an error",
    "throttled": "the receiver asks for a pause",
    "redirect": "the receiver answered that it is elsewhere, and that is not followed",
    "answer_invalid": "the receiver's answer is none",
    "internal": "a fault of Footfall while it was sent",
    "smtp_temporary": "the mail server puts it off",
    "broker": "the Kafka cluster did not take it",
    "redis": "Redis did not take it",
    "notify": "the service did not take it",
}


def text_of(reason: str) -> str:
    """The sentence of a reason; "" for none, and for one that this Footfall does not know."""
    return TEXTS.get(reason, "")
