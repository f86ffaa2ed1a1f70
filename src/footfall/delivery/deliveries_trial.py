"""One message to one destination, now: whether routes, secrets and the way there are right.

Decides the trigger that is sent: nobody's. Its id begins with `test`, its data have `test: true`,
its customer is none that there can be. Of a trigger given as a file name, data and evidence are
taken, and no identifier: a test of an e-mail must never reach the customer whose trigger it was.
Only whom `--to` names is written to.

2026-11-26: a test is not recorded in footfall.deliveries. It is nobody's, so that it belongs to no
partition; it would count in caps, backlog and health, which are folded from there; and whoever
makes it sees at once what became of it.

It goes out as any message does, by the destination's own channel: addresses are checked, answers
bounded, time limited.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from footfall.delivery.message import Attempt, Channel, Person, RenderError, Resources
from footfall.delivery.routes_row import AnyDestination
from footfall.view.trigger import moment

Opener = Callable[[str, AnyDestination, Resources], Awaitable[Channel]]

ID_PREFIX: Final = "test"
_ID_HEX_BYTES: Final = 14
#: Has the form of a key and is nobody's.
NOBODY: Final = "user_id:AAAAAAAAAAAAAAAAAAAAAA"
#: What a channel may take beyond its own time.
GRACE_S: Final = 2.0
BODY_BYTES_SHOWN: Final = 1_024


class Given(msgspec.Struct):
    """What is taken of a trigger in a file: as `footfall tail triggers --json` shows it."""

    name: str = ""
    data: dict[str, msgspec.Raw] = {}
    evidence: dict[str, msgspec.Raw] = {}


class Trial(NamedTuple):
    """What became of it. `result`: as of attempts; or `not_rendered`."""

    trigger_id: str
    result: str
    reason: str
    code: int = 0
    took_ms: int = 0
    retry_after_s: float | None = None
    detail: str = ""
    body: str = ""


def sample(name: str, given: Given, to: Mapping[str, str], now: int) -> dict[str, Any]:
    """The trigger, as its receivers get it."""
    return {
        "trigger_id": ID_PREFIX + secrets.token_hex(_ID_HEX_BYTES),
        "name": given.name or name,
        "customer_key": NOBODY,
        "ids": dict(to),
        "occurred_at": moment(now),
        "emitted_at": moment(now),
        "config_version": "0:test",
        "held_out": False,
        "data": {**given.data, "test": True},
        "evidence": given.evidence,
    }


async def try_once(name: str, destination: AnyDestination, resources: Resources,
                   trigger: Mapping[str, Any], open_channel: Opener) -> Trial:
    """Render it and send it once; raises `ConfigError` for what the destination names and is not
    there.
    """
    channel = await open_channel(name, destination, resources)
    try:
        return await _try(channel, destination, trigger)
    finally:
        await channel.close()


async def _try(channel: Channel, destination: AnyDestination, trigger: Mapping[str, Any]) -> Trial:
    document = msgspec.json.encode(trigger)
    # Whoever is told: as delivery itself has it.
    decoded = msgspec.json.decode(document)
    ids = decoded["ids"]
    try:
        message = channel.render(decoded, document, Person(ids=ids, traits=ids))
    except RenderError as error:
        return Trial(decoded["trigger_id"], "not_rendered", error.reason, detail=error.detail)
    attempt = Attempt(decoded["trigger_id"], decoded["trigger_id"], decoded["name"], NOBODY, 1,
                      time.time())
    began = time.monotonic()
    try:
        outcome = await asyncio.wait_for(channel.send(message, attempt),
                                         destination.timeout_s + GRACE_S)
        result, reason = outcome.result, outcome.reason
        code, retry_after_s = outcome.code, outcome.retry_after_s
    except TimeoutError:
        result, reason, code, retry_after_s = "retry", "timeout", 0, None
    return Trial(decoded["trigger_id"], result, reason, code,
                 round((time.monotonic() - began) * 1000), retry_after_s, body=message.body)


def cut(text: str) -> str:
    """The first 1 KB."""
    return text.encode()[:BODY_BYTES_SHOWN].decode(errors="ignore")
