"""`footfall.subscribe(...)`: triggers one after another, from where this app left off.

    for trigger in footfall.subscribe("API_KEY", name="cart_abandoned", checkpoint="carts.place"):
        act(trigger)

Decides what counts as done: a trigger whose turn of the loop has ended, for the next one was asked
for. Only then does the checkpoint pass it, so a crash repeats the one in hand and loses none. What
the network does is waited out, with full jitter; what can never work raises `SubscriptionError`.
A gap is never passed over in silence: `on_gap` is called, else it is logged.
"""

from __future__ import annotations

import http.client
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

import msgspec

from footfall import __version__
from footfall.errors import SubscriptionError
from footfall.sdk.checkpoint import Checkpoint
from footfall.sdk.config import HOST
from footfall.sdk.events import EVENT_BYTES_MAX, Event, Parser, TooLargeError
from footfall.sdk.http import target
from footfall.sdk.outcome import delay_s, retry_after_s

log = logging.getLogger("footfall")

PATH = "/v1/triggers/stream"
CHECKPOINT_S = 1.0
#: Without a byte; a heartbeat comes every 15 s.
TIMEOUT_S = 45.0
ERROR_BYTES_MAX = 64 * 1024
Trigger = dict[str, Any]
Gap = dict[str, Any]
Start = Literal["latest", "earliest"]
#: What a field of a trigger's data is compared with.
Value = str | int | float | bool | None


class Asked(NamedTuple):
    """What is asked for, and of whom."""

    url: str
    headers: dict[str, str]
    query: str
    timeout_s: float


def subscribe(api_key: str, host: str | None = None, *, name: str | Iterable[str] = (),
              customer: str = "", where: Mapping[str, Value] | None = None,
              start: Start = "latest", checkpoint: str | Path | None = None,
              checkpoint_s: float = CHECKPOINT_S, on_gap: Callable[[Gap], object] | None = None,
              timeout_s: float = TIMEOUT_S) -> Subscription:
    """Triggers as they come, for `for` and `async for`. docs/subscriptions.md has the options."""
    names = [name] if isinstance(name, str) else list(name)
    query = [("name", one) for one in names if one]
    if customer:
        query.append(("customer", customer))
    query += [(f"data.{path}", _text(value)) for path, value in (where or {}).items()]
    query.append(("start", start))
    if not api_key or not api_key.isprintable() or not api_key.isascii():
        raise SubscriptionError("api_key_unknown", "api_key is empty or no text of ASCII")
    url = host or HOST
    try:
        target(url)
    except ValueError as error:
        raise SubscriptionError("host_invalid", str(error)) from None
    asked = Asked(url, {"Authorization": f"Bearer {api_key}", "Accept": "text/event-stream",
                        "User-Agent": f"footfall-python/{__version__}"},
                  urlencode(query), timeout_s)
    path = Path(checkpoint) if checkpoint is not None else None
    return Subscription(asked, Checkpoint(path, checkpoint_s), on_gap)


class Subscription:
    """Triggers one after another. For one thread, or one task, at a time; `close` from any."""

    def __init__(self, asked: Asked, checkpoint: Checkpoint,
                 on_gap: Callable[[Gap], object] | None) -> None:
        self._asked = asked
        self._checkpoint = checkpoint
        self._on_gap = on_gap
        #: The place of what was read last; that of the trigger in hand, not done yet.
        self._place = checkpoint.place
        self._in_hand = ""
        self._closed = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._parser = Parser()
        self._failures = 0
        self._async: Any = None

    @property
    def cursor(self) -> str:
        """Where the next run begins: all before it is done."""
        return self._checkpoint.place

    def __iter__(self) -> Subscription:
        return self

    def __next__(self) -> Trigger:
        self.done()
        while not self._closed.is_set():
            event = self._event()
            if event is None:
                continue
            self._place = event.id
            if event.name == "trigger":
                self._in_hand = event.id
                return _decoded(event.data)
            if event.name == "gap":
                self._tell(_decoded(event.data))
            self._checkpoint.move(event.id)
        raise StopIteration

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def done(self) -> None:
        """The trigger in hand is done; who asks for the next one need not say so."""
        if self._in_hand:
            self._checkpoint.move(self._in_hand)
            self._in_hand = ""

    def close(self) -> None:
        """End; the trigger in hand is not counted as done."""
        self._closed.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):  # gone already
                connection.sock.shutdown(socket.SHUT_RDWR)
        if self._async is not None:
            self._async.end()
        self._checkpoint.save()

    # -- async -------------------------------------------------------------------------------------

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Trigger:
        from footfall.sdk.async_subscription import Beside

        if self._async is None:
            self._async = Beside(self)
        found: Trigger | None = await self._async.next()
        if found is None:
            raise StopAsyncIteration
        return found

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    # -- the connection ----------------------------------------------------------------------------

    def _event(self) -> Event | None:
        """The next event; None after a failure that was waited out."""
        try:
            answer = self._answer or self._open()
            while True:
                line = answer.readline(EVENT_BYTES_MAX + 1)
                if not line.endswith(b"\n"):
                    if len(line) > EVENT_BYTES_MAX:
                        raise TooLargeError
                    raise ConnectionError("the stream ended")
                event = self._parser.line(line)
                if event is not None:
                    self._failures = 0
                    return event
        except TooLargeError:
            self._drop()
            raise SubscriptionError("event_too_large", "an event of more than "
                                    f"{EVENT_BYTES_MAX} bytes") from None
        except _TryAgainError as error:
            self._wait(error.retry_after_s)
        except (OSError, http.client.HTTPException, ValueError):
            self._wait(0.0)
        except AttributeError:  # of http.client, whose file is gone while it reads
            if not self._closed.is_set():
                raise
        return None

    def _open(self) -> http.client.HTTPResponse:
        parts = target(self._asked.url, PATH)
        kind = http.client.HTTPSConnection if parts.secure else http.client.HTTPConnection
        connection = self._connection = kind(parts.host, parts.port,
                                             timeout=self._asked.timeout_s)
        place = {"Last-Event-ID": self._place} if self._place else {}
        connection.request("GET", f"{parts.path}?{self._asked.query}",
                           headers={**self._asked.headers, **place})
        answer = connection.getresponse()
        is_stream = (answer.headers.get_content_type() == "text/event-stream")
        if answer.status != 200 or not is_stream:
            said = answer.read(ERROR_BYTES_MAX)
            if answer.status in (408, 429) or answer.status >= 500:
                raise _TryAgainError(retry_after_s(answer.headers.get("Retry-After"),
                                                   time.time()))
            self._drop()
            raise _refused(answer.status, said)
        self._answer, self._parser = answer, Parser()
        return answer

    def _wait(self, asked_s: float) -> None:
        """Full jitter: subscribers that were cut together do not come back together."""
        self._drop()
        self._failures += 1
        self._closed.wait(delay_s(self._failures, asked_s, random.random()))  # noqa: S311

    def _drop(self) -> None:
        connection, self._connection, self._answer = self._connection, None, None
        if connection is not None:
            connection.close()

    def _tell(self, gap: Gap) -> None:
        if self._on_gap is not None:
            self._on_gap(gap)
        else:
            log.warning("subscription: triggers may be missing: %s", gap.get("reason"))


class _TryAgainError(Exception):
    """The collector asks to come back."""

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after_s = retry_after


class _Said(msgspec.Struct):
    """What a collector says of an error."""

    code: str = ""
    message: str = ""


def _refused(status: int, body: bytes) -> SubscriptionError:
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = _Said()
    return SubscriptionError(said.code or f"http_{status}",
                             said.message or "this is no collector's stream of triggers")


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SubscriptionError("event_unreadable", "an event is no JSON object") from None


def _text(value: Value) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
