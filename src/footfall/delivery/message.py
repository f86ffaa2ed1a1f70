"""What is sent, by whom, and what became of it: the words that channels and delivery share.

A channel decides what a message looks like and what an answer means. It must never decide whether
or when something is sent, keep anything of a message, or let an error of the world out of `send`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from footfall.tables.consent_row import EVERY, ConsentFacts

#: Of a message as it is kept for retries: body, headers, recipient.
MESSAGE_BYTES_MAX = 262_144
#: Of an answer that is looked at.
ANSWER_BYTES_MAX = 1_024

#: sent: it is there. retry: it may be tried again. dead: trying again cannot help. gone: nobody is
#: there any more, the destination is to be disabled.
Result = Literal["sent", "retry", "dead", "gone"]


class Message(msgspec.Struct, frozen=True):
    """A rendered message: the same at every attempt. `to`: the recipient's address, "" where the
    destination itself is the recipient.
    """

    body: str
    headers: dict[str, str] = {}
    to: str = ""


class Attempt(NamedTuple):
    """One try. `message_id` is the same at each try of one trigger to one destination and holds no
    point; `at` is the wall clock, in seconds.
    """

    message_id: str
    trigger_id: str
    name: str
    customer_key: str
    number: int
    at: float


class Outcome(NamedTuple):
    """What became of an attempt. `reason`: "" or a code of docs/delivery.md. `code`: of HTTP or
    SMTP, 0 for none.
    """

    result: Result
    reason: str = ""
    code: int = 0
    retry_after_s: float | None = None


class RenderError(Exception):
    """A message that cannot be made of this trigger and customer: reason and, without anything of
    the customer, detail. `is_suppression`: nothing is broken, there is just nobody to tell.
    """

    def __init__(self, reason: str, detail: str = "", *, is_suppression: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.is_suppression = is_suppression


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as of now, from the served view. `traits`: JSON values by name."""

    ids: Mapping[str, str] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)
    consent: ConsentFacts | None = None
    #: By their profile; "": not known.
    zone: str = ""
    #: Purposes that Global Privacy Control denies, by the configuration of their partition.
    gpc_denies: tuple[str, ...] = (EVERY,)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a channel may use. `folder`: where the files that a destination names are."""

    folder: Path
    environment: Mapping[str, str]
    #: Addresses and networks that may be called though they are private: `delivery_allow`.
    allow: tuple[str, ...] = ()
    kafka_bootstrap_servers: str = ""
    redis_url: str = ""
    #: How customers reach the collector, for links in messages; "": they cannot.
    public_url: str = ""
    #: Links by which customers unsubscribe are made and read under it.
    customer_key_secret: bytes = b""


class Channel(Protocol):
    """One destination's way out. Made by an `open_` function of its module, which raises
    `ConfigError` for what the destination names and is not there.
    """

    #: Whether `render` needs to know the customer.
    needs_person: bool

    def render(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        """The message of a trigger (`document`: as JSON, byte for byte); raises `RenderError`."""

    async def send(self, message: Message, attempt: Attempt) -> Outcome:
        """Try once, within the destination's time."""

    async def close(self) -> None:
        """Let go of connections."""
