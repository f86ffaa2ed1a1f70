"""Sends batches to a collector over HTTP, one connection, kept open.

The standard library's client: an app that only sends needs no HTTP library. Decides what counts as
no answer: any failure of the network, and an answer that is not HTTP or has no end. A kept
connection that the other side has closed meanwhile is opened anew at once, without counting as a
failure. Must never follow a redirect, and never raise for what the network does.
"""

from __future__ import annotations

import gzip
import http.client
import os
import time
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from footfall import __version__
from footfall.sdk.outcome import Again, Outcome, judge

# The first look-up of a host name imports this codec. A fork at that moment, by another thread,
# would leave the child with a module lock that nobody gives back (2026-11-25: one of 100 forks).
"".encode("idna")

PATH = "/v1/batch"
ANSWER_BYTES_MAX = 4 * 1024 * 1024
#: The fastest: a batch is sent once and read once.
GZIP_LEVEL = 1
_HEAD = b'{"batch":['
_TAIL = b'],"sentAt":"%s"}'
#: What a body has beside its items, and each item beside itself.
ENVELOPE_BYTES = len(_HEAD) + len(_TAIL) + 40
SEPARATOR_BYTES = 1


class Target(NamedTuple):
    """Where a collector is."""

    secure: bool
    host: str
    port: int | None
    path: str


def target(url: str, path: str = PATH) -> Target:
    """The parts of a URL; raises ValueError."""
    parts = urlsplit(url if "//" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("host is not a URL such as https://collector.example.org")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("host is a URL with a user, a query or a fragment; give only where it is")
    return Target(parts.scheme == "https", parts.hostname, parts.port,
                  parts.path.rstrip("/") + path)


class HttpTransport:
    """A collector. For one thread at a time."""

    def __init__(self, url: str, write_key: str, timeout_s: float, packed: bool) -> None:
        self._target = target(url)
        self._timeout_s = timeout_s
        self._packed = packed
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {
            "Authorization": "Basic " + b64encode(f"{write_key}:".encode()).decode(),
            "Content-Type": "application/json",
            "User-Agent": f"footfall-python/{__version__}",
        }
        if packed:
            self._headers["Content-Encoding"] = "gzip"

    def deliver(self, items: Sequence[bytes]) -> Outcome:
        """Send the items as one batch."""
        sent_at = datetime.now(UTC).isoformat(timespec="milliseconds").encode()
        body = _HEAD + b",".join(items) + _TAIL % sent_at
        if self._packed:
            body = gzip.compress(body, GZIP_LEVEL)
        for fresh in (self._connection is None, True):
            try:
                return self._exchange(body, len(items))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                if fresh or isinstance(error, TimeoutError):
                    return Again(f"network_{type(error).__name__}")
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connection; the next batch opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def forget(self) -> None:
        """In a forked child: close this process's end; the parent's stays open."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.sock is not None:
            os.close(connection.sock.detach())

    def _exchange(self, body: bytes, items: int) -> Outcome:
        connection = self._connection
        if connection is None:
            kind = (http.client.HTTPSConnection if self._target.secure
                    else http.client.HTTPConnection)
            connection = self._connection = kind(
                self._target.host, self._target.port, timeout=self._timeout_s)
        connection.request("POST", self._target.path, body, self._headers)
        answer = connection.getresponse()
        content = answer.read(ANSWER_BYTES_MAX)
        if not answer.isclosed():  # longer than any answer of a collector
            self.close()
        return judge(answer.status, answer.headers.get("Retry-After"), content, items, time.time())
