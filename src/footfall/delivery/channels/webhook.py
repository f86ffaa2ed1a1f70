"""Triggers as HTTP requests, signed by Standard Webhooks.

Decides which headers a message has and what an operator may add to them. The body and its type are
the message's, the same at every attempt; id, time and signature are the attempt's; what the
operator added is the destination's and in no record, for it may be a password. Where a request may
go is `endpoint.py`'s and `http.py`'s to say, what an answer means `answers.py`'s. Must never let a
header be forged, or an error out of `send`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from footfall import __version__
from footfall.delivery import signing
from footfall.delivery.addresses import allowed
from footfall.delivery.answers import outcome_of
from footfall.delivery.endpoint import check, endpoint
from footfall.delivery.http import Failure, Sender
from footfall.delivery.message import (
    Attempt,
    Message,
    Outcome,
    Person,
    RenderError,
    Resources,
)
from footfall.delivery.rendering import Body
from footfall.delivery.routes_row import WebhookDestination
from footfall.errors import ConfigError

CONTENT_TYPE = "Content-Type"
USER_AGENT = f"Footfall/{__version__}"
HEADER_CHARACTERS_MAX = 4_096
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_JSON_TYPE = re.compile(r"application/(?:[^;]*\+)?json\s*(?:;|$)", re.IGNORECASE)
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
#: Set by what is sent, or by how: another value of them would be another request.
OURS = frozenset((
    "host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection",
    "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect"))
OURS_BEGIN = "webhook-"


async def open_channel(name: str, destination: WebhookDestination, resources: Resources
                       ) -> WebhookChannel:
    """The channel; raises `ConfigError` for a URL that may not be called, a secret that is not
    there, headers that are not an operator's to set.
    """
    try:
        place, allow = endpoint(destination.url), allowed(resources.allow)
        check(place, allow)
        check_headers(destination.headers)
        if not _is_value(destination.content_type):
            raise ConfigError("content_type is no value of a header: printable ASCII, one line",
                              ("content_type",))
        keys = [signing.secret_of(variable, resources.environment)
                for variable in destination.secret_env]
        body = Body(destination.thin, destination.template, resources.folder)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}", error.path) from None
    sender = Sender(place, allow, {"User-Agent": USER_AGENT, **destination.headers},
                    timeout_s=destination.timeout_s, connections_max=destination.concurrency_max)
    return WebhookChannel(sender, keys, body, destination.content_type)


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse constant headers that would break or forge a request; raises `ConfigError`, which
    never says a value.
    """
    seen: set[str] = set()
    for name, value in headers.items():
        path = ("headers", name)
        folded = name.lower()
        if not _NAME.fullmatch(name):
            raise ConfigError(f"headers: {name[:100]!r} is no name of a header", path)
        if folded in OURS or folded.startswith(OURS_BEGIN):
            raise ConfigError(f"headers: {name} is set by Footfall; leave it out "
                              "(`content_type` is a key of its own)", path)
        if folded in seen:
            raise ConfigError(f"headers: {name} is there twice", path)
        seen.add(folded)
        if not _is_value(value):
            raise ConfigError(f"headers: the value of {name} is not 1 to {HEADER_CHARACTERS_MAX} "
                              "printable ASCII characters on one line", path)


class WebhookChannel:
    """One endpoint. `keys`: none, one, or the new and the old one while they are being changed."""

    def __init__(self, sender: Sender, keys: Sequence[bytes], body: Body, content_type: str
                 ) -> None:
        self.needs_person = body.needs_person
        self._sender = sender
        self._keys = tuple(keys)
        self._body = body
        self._headers = {CONTENT_TYPE: content_type}
        #: The document is JSON as it is.
        self._is_json = body.needs_person and bool(_JSON_TYPE.match(content_type))

    def render(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        """The body and its type."""
        text = self._body.text(trigger, document, person)
        if self._is_json and not _is_json(text):
            raise RenderError("render_failed", "what the template makes is no JSON, though "
                              "content_type says so; put values in with the filter `json`")
        return Message(text, self._headers)

    async def send(self, message: Message, attempt: Attempt) -> Outcome:
        """Post it, signed for this attempt."""
        body = message.body.encode()
        headers = signing.headers(self._keys, attempt.message_id, attempt.at, body)
        headers.update(message.headers)
        answer = await self._sender.post(headers, body)
        if isinstance(answer, Failure):
            return Outcome("retry", answer.reason)
        return outcome_of(answer, attempt.at)

    async def close(self) -> None:
        """Close the connections."""
        await self._sender.close()


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _is_value(text: str) -> bool:
    return len(text) <= HEADER_CHARACTERS_MAX and bool(_VALUE.fullmatch(text))
