"""Footfall on the comparators' workload: their topic, their schema, their reducer, as one table.

Every law is on: messageIds, watermarks, a timer for each open cart, `$partition`, rejects. Reads
BOOT, TOPIC and N; prints one JSON line when N events are durable, not only processed.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parent / "comparators"))

from common import BOOT, PARTS, SCHEMA, TOPIC, apply, new_state
from counted import make_topics, run_counted

from footfall.errors import DecodeError
from footfall.events import avro
from footfall.settings import Settings
from footfall.stream.app import create
from footfall.tables.spec import Announcement, NoConfig, TableSpec, Trigger, wants_all

IDLE_MS = 1_800_000
NOW = int(time.time() * 1000) + 60_000
APP_ID = f"bench-footfall-{int(time.time())}"


class Told(msgspec.Struct, array_like=True, frozen=True):
    fired: tuple[int, float] | None = None


class Facts(msgspec.Struct, array_like=True):
    state: dict[str, Any] = msgspec.field(default_factory=new_state)
    trigger: Any = None
    #: When the open cart was last added to, ms; 0: none. The workload's own `ts` is made up.
    cart_at: int = 0


def observe(facts: Facts, event: Any, when: int) -> Facts:
    state, cart_at = facts.state, facts.cart_at
    trigger = apply(state, event)  # in place: a step's facts are nobody else's
    if event["type"] == "product_added":
        cart_at = when
    elif event["type"] == "order_completed":
        cart_at = 0
    return Facts(state, trigger, cart_at)


def announce(told: Told, facts: Facts, _now: int, _config: NoConfig, fired: Any) -> Announcement:
    due = facts.cart_at + IDLE_MS if facts.cart_at and fired is None else None
    trigger = facts.trigger
    if trigger is None:
        return Announcement(told, due)
    facts.trigger = None
    what = {"score": str(trigger["score"])}
    return Announcement(told, due, (
        Trigger("risk_high", (trigger["ts"],), trigger["ts"], what, what),))


WORKLOAD: Any = TableSpec(
    name="bench", version=1, facts=Facts, told=Told, config=NoConfig, wants=wants_all,
    observe=observe, announce=announce, merge_facts=lambda a, _b: a, merge_told=lambda a, _b: a,
    kept_decoded=True)

_reader = avro.reader(SCHEMA)
assert _reader is not None
_read = _reader


def decode(value: bytes | None) -> Any:
    """As `events.codec.Codec.decode`, for the comparators' schema; they read it with fastavro."""
    data = value or b""
    try:
        event, end = _read(data, 5)
    except Exception as error:
        raise DecodeError("avro_invalid", type(error).__name__) from None
    if end != len(data):
        raise DecodeError("avro_trailing", "bytes after the record")
    event["received_at"] = NOW
    event["personal"] = b""  # theirs carries nothing that is not read
    event["event_time"] = NOW  # not before it was appended: so it is as recent as the append
    return event


def main() -> None:
    make_topics(APP_ID)
    settings = Settings(
        kafka_bootstrap_servers=BOOT, customer_key_secret="0123456789abcdef",
        system_secret="0123456789abcdef", partitions=PARTS,
        checkpoint_s=float(os.environ.get("CHECKPOINT_S", "0.5")))
    app = create(settings, (WORKLOAD,), app_id=APP_ID, log_topic=TOPIC, decode=decode,
                 is_key=lambda key: key is not None)
    run_counted(app, "footfall")


if __name__ == "__main__":
    main()
