"""Sends webhooks: an HTTP POST to an address that was checked, and nowhere else.

The host is looked up once for a connection, every address that it has is judged (`addresses.py`)
and one that may not be called refuses them all; the connection goes to one of these, without a
second look-up, and the socket's own address is judged once more as it is opened, which holds for
URLs that name an address too. An address of this machine is refused even where it is public. TLS
verifies the certificate against the URL's host.

No redirects, no cookies, no proxy and no password from the environment, no compression. Of an
answer the status and two headers are looked at; its body only so far as keeps the connection
usable, up to 1 KB and one second, and never decides anything: the status was said before it.
What cannot be sent is a value; must never raise, log a URL, or take longer than the timeout.

2026-11-26: a signed webhook costs 105 to 130 us of CPU, of which 80 to 90 are aiohttp's, its reader
of answers being compiled; a client of our own was not worth the risk (bench/webhook.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from footfall.delivery.addresses import Allow
from footfall.delivery.answers import DELIVERY, Answer
from footfall.delivery.endpoint import Endpoint
from footfall.delivery.message import ANSWER_BYTES_MAX

#: How long an answer's body may take to let the connection be used again.
DRAIN_S_MAX = 1.0
#: Below the 2 s after which common servers close: a message on a connection that is being closed
#: is an attempt lost. Under load connections are in use again before.
KEEPALIVE_S = 1.5
LOOKUP_KEPT_S = 10
#: Of those that a host has; all are judged.
ADDRESSES_CALLED_MAX = 16
#: What one connection can have the loop read at once: of a receiver that floods with answers that
#: are none (`100 Continue`) more would hold up the others (2026-11-26: four such held the loop
#: for 0.8 s, now for 0.2 s on busy cores).
RECEIVE_BYTES = 16_384
_LINE_BYTES_MAX = 8_190
_HEADERS_MAX = 100
logger = logging.getLogger(__name__)

Reason: TypeAlias = Literal["timeout", "connection", "tls", "dns", "address_refused",
                            "answer_invalid"]
#: Gives the addresses of a host; may block, and raise OSError.
Lookup: TypeAlias = Callable[[str, int], Sequence[str]]


class Failure(NamedTuple):
    """Why there was no answer."""

    reason: Reason


class AddressRefusedError(OSError):
    """An address that may not be called; says what kind it is."""


def addresses_of(host: str, port: int) -> list[str]:
    """What the system's resolver says, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Sender:
    """One destination's connections. Made on the loop that it is used on. `headers`: the same with
    every message; `connections_max`: at a time; `tls`: None for the system's authorities.
    """

    def __init__(self, place: Endpoint, allow: Allow, headers: Mapping[str, str] | None = None, *,
                 timeout_s: float = 15, connections_max: int = 64, lookup: Lookup = addresses_of,
                 tls: ssl.SSLContext | None = None) -> None:
        self._timeout_s = timeout_s
        self._url = URL(place.url, encoded=True)
        assert (self._url.raw_host, self._url.port) == (place.host, place.port)
        guard = Guard(place, allow)
        connector = aiohttp.TCPConnector(
            limit=connections_max, ttl_dns_cache=LOOKUP_KEPT_S, keepalive_timeout=KEEPALIVE_S,
            resolver=_Resolver(guard, lookup), socket_factory=guard.open,
            ssl=True if tls is None else tls)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False, trust_env=False, timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            max_line_size=_LINE_BYTES_MAX, max_field_size=_LINE_BYTES_MAX, max_headers=_HEADERS_MAX)

    async def post(self, headers: Mapping[str, str], body: bytes) -> Answer | Failure:
        """Send once; what is said within the timeout, or why nothing is."""
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._session.post(self._url, data=body, headers=headers,
                                                  allow_redirects=False)
        except Exception as error:
            reason = _reason(error)
            if reason is None:  # the kind alone: texts may hold the URL
                logger.error("sending a webhook failed", extra={"error": type(error).__name__})
            return Failure(reason or "connection")
        await _drain(answer, deadline)
        return Answer(answer.status, answer.headers.get("Retry-After", ""),
                      answer.headers.get(DELIVERY, ""))

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def _drain(answer: aiohttp.ClientResponse, deadline: float) -> None:
    """Take a short body off the connection, so that it can be used again; else close it."""
    content = answer.content
    if not content.is_eof():
        until = min(deadline, asyncio.get_running_loop().time() + DRAIN_S_MAX)
        taken = 0
        with contextlib.suppress(aiohttp.ClientError, OSError):  # TimeoutError is one
            async with asyncio.timeout_at(until):
                while taken <= ANSWER_BYTES_MAX and not content.at_eof():
                    taken += len(await content.read(ANSWER_BYTES_MAX + 1 - taken))
    answer.release()  # closes what has not ended


class Guard:
    """Judges addresses of one endpoint, and opens sockets to those that may be called."""

    def __init__(self, place: Endpoint, allow: Allow) -> None:
        self._host = place.host
        self._port = place.port
        self._allow = allow

    def check(self, address: str) -> None:
        """Raise `AddressRefusedError` for an address that may not be called."""
        why = self._allow.refusal(ip_address(address), self._host, self._port)
        if why:
            raise AddressRefusedError(why)

    def open(self, info: Any) -> socket.socket:
        """A socket for this address; the last place that every connection passes."""
        family, kind, protocol, _, address = info
        self.check(address[0])
        parsed = ip_address(address[0])
        lifted = (self._allow.covers(parsed, self._port)
                  or self._allow.names(self._host, self._port))
        if not lifted and is_own(family, address):
            raise AddressRefusedError("own")
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        return opened


def is_own(family: int, address: tuple[Any, ...]) -> bool:
    """Whether an address is this machine's: what it would be called from is then itself. A datagram
    socket finds that out and sends nothing.
    """
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return ip_address(probe.getsockname()[0]) == ip_address(address[0])
    except OSError:  # no way there: connecting will say so
        return False


class _Resolver(AbstractResolver):
    """Looks hosts up for the connector, which keeps what it is given and asks one at a time."""

    def __init__(self, guard: Guard, lookup: Lookup) -> None:
        self._guard = guard
        self._lookup = lookup

    async def resolve(self, host: str, port: int = 0,
                      family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """The addresses of a host, all of them judged."""
        found = await _apart(self._lookup, host, port)
        if not found:
            raise OSError("no address")
        for address in found:
            self._guard.check(address)
        return [ResolveResult(hostname=host, host=address, port=port, proto=0,
                              family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                              flags=socket.AI_NUMERICHOST)
                for address in found[:ADDRESSES_CALLED_MAX]]

    async def close(self) -> None:
        """Nothing is kept open."""


async def _apart(lookup: Lookup, host: str, port: int) -> Sequence[str]:
    """Call it on a thread of its own: a name server that hangs holds up no other destination, as it
    would on the loop's few shared threads, and not the end of the program either.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Sequence[str]] = loop.create_future()

    def settle(found: Sequence[str], error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)

    def run() -> None:
        found, error = list[str](), None
        try:
            found = list(lookup(host, port))
        except Exception as raised:  # also UnicodeError, of names that are none
            error = raised if isinstance(raised, OSError) else OSError(type(raised).__name__)
        with contextlib.suppress(RuntimeError):  # the program has ended meanwhile
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=run, name="footfall-lookup", daemon=True).start()
    return await future


def _reason(error: Exception) -> Reason | None:
    """A code of docs/delivery.md; None for what must not happen."""
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
            error.os_error, AddressRefusedError):
        return "address_refused"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(error.__cause__, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "answer_invalid"
    # RuntimeError: uvloop's, of a socket or transport that was closed meanwhile.
    return "connection" if isinstance(error, aiohttp.ClientError | OSError | RuntimeError) else None
