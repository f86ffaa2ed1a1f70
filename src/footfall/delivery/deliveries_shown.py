"""Deliveries and their steps as people and programs read them, and what comes next. Pure.

Decides the JSON form of both (docs/deliveries.md), and the sentence on what will happen: it is that
of the last step recorded, and of no rule worked out anew. Body, headers and recipient are left out
unless they are asked for: they are the customer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from footfall.delivery.deliveries_account import Account, Delivery, Place
from footfall.delivery.deliveries_reasons import text_of
from footfall.events.codec import TIME_MAX, DeliveryRecord
from footfall.view.trigger import Document, moment

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Step(NamedTuple):
    """A record of footfall.deliveries, and where it is."""

    record: DeliveryRecord
    place: Place


def shown(one: Delivery) -> Document:
    """A delivery as it is now."""
    return {
        "trigger_id": one.trigger_id,
        "trigger": one.trigger,
        "customer_key": one.customer_key,
        "destination": one.destination,
        "channel": one.channel,
        "medium": one.medium,
        "purpose": one.purpose,
        "status": one.status,
        "reason": one.reason,
        "text": text_of(one.reason),
        "attempt": one.attempt,
        "redriven": one.redriven,
        "runs": list(one.runs),
        "code": one.code or None,
        "took_ms": one.took_ms or None,
        "at": instant_or_none(one.at),
        "due_at": instant_or_none(one.due_at),
        "emitted_at": instant_or_none(one.emitted_at),
        "partition": one.place.partition,
        "offset": one.place.offset,
        "recorded_at": instant_or_none(one.place.appended_at),
    }


def in_full(steps: Iterable[Step], is_disabled: bool, *, with_body: bool) -> Document:
    """One delivery with all of its steps, which are in the order of the log."""
    account = Account()
    listed = []
    delivery = None
    for record, place in steps:
        delivery = account.take(record, place) or delivery
        listed.append(_step(record, place, with_body=with_body))
    assert delivery is not None
    return {**shown(delivery), "next": next_of(delivery, is_disabled), "steps": listed}


def next_of(one: Delivery, is_disabled: bool = False) -> str:
    """What will happen, as a sentence."""
    due = instant_or_none(one.due_at)
    at = f"at {due}" if due else "as soon as it may"
    if is_disabled and one.is_pending:
        return ("its destination is disabled: it is dead when delivery comes to it, unless "
                f"`footfall deliveries enable {one.destination}` comes first")
    sentences = {
        "queued": f"it is sent {at}",
        "sending": (f"attempt {one.attempt} has begun, and how it ended is not recorded yet: where "
                    "it never is, delivery tries again with the same bytes under the same id"),
        "failed": f"attempt {one.attempt + 1} {at}",
        "held": f"it is looked at again {at}",
        "redriven": f"it begins anew, with attempt 1, {at}",
        "resent": f"it goes again, with attempt 1, {at}",
        "sent": "nothing: it is there",
        "suppressed": "nothing: it is not to be sent",
        "dead": "nothing, until somebody lets `footfall deliveries redrive` begin it anew",
    }
    return sentences.get(one.status, "not known to this Footfall")


def instant_or_none(milliseconds: int) -> str | None:
    """0 stands for none; a record may hold anything."""
    return moment(milliseconds) if 0 < milliseconds <= TIME_MAX else None


def _step(record: DeliveryRecord, place: Place, *, with_body: bool) -> Document:
    step: Document = {
        "at": instant_or_none(record["at"]),
        "status": record["status"],
        "reason": record["reason"],
        "attempt": record["attempt"],
        "code": record["code"] or None,
        "took_ms": record["took_ms"] or None,
        "due_at": instant_or_none(record["due_at"]),
        "routes_version": record["routes_version"],
        "depth": record["depth"],
        "run": record["run"] or None,
        "recorded_at": instant_or_none(place.appended_at),
        "partition": place.partition,
        "offset": place.offset,
    }
    if with_body:
        step["personal"] = personal_of(record)
    return step


def personal_of(record: DeliveryRecord) -> Mapping[str, msgspec.Raw] | None:
    """`trigger` and `message` of a step, byte for byte; None where it has none, or nobody here can
    read it.
    """
    if record["key_id"] is not None or not record["personal"]:
        return None
    try:
        return _members.decode(record["personal"])
    except (msgspec.MsgspecError, RecursionError):
        return None
