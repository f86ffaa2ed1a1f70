"""What `footfall doctor` looks at of the served view: that Redis answers, keeps what it is given,
and has every partition.

Must never show the address' password.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import ConnectionPool

from footfall import handshake
from footfall.doctor.findings import Finding
from footfall.settings import Settings
from footfall.view.entry import Mark, decode_mark
from footfall.view.store import FAILURES, Store, failure_of

ANSWER_S_MAX = 3.0
#: A view is behind by less than a second; a worker that recovers, for longer.
STALE_S = 60.0
KEEPS = "noeviction"
RELEASE_MIN = 6
PORT = 6379
_TRUST: Final = "add ?ssl_ca_certs=FILE, the authority's certificate, to FOOTFALL_REDIS_URL"
#: As Redis does of its own accord.
_ASKED: Final = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
_OWN: Final = "add ssl_certfile=FILE&ssl_keyfile=FILE to the query of FOOTFALL_REDIS_URL"
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OTHERWISE: Final = "is this its port with TLS? else FOOTFALL_REDIS_URL begins with redis://"


def view(settings: Settings) -> Iterator[Finding]:
    """The view of FOOTFALL_REDIS_URL."""
    if not settings.redis_url:
        yield Finding("view", "redis", "ok", "none is served: customers are read from the workers")
        return
    try:
        policy, release, marks = asyncio.run(_look(settings))
    except FAILURES as error:
        why, _, change = _refusal(settings.redis_url, error).partition("; ")
        yield Finding("view", "redis", "error", why or f"does not answer ({failure_of(error)})",
                      change or "start it, or correct FOOTFALL_REDIS_URL; workers catch up by "
                      "themselves")
        return
    if policy not in ("", KEEPS):
        yield Finding("view", "redis", "warning", f"it throws entries away ({policy})",
                      f"redis-cli CONFIG SET maxmemory-policy {KEEPS}, and give it room for all "
                      "customers", wanted=KEEPS)
    if release:
        yield judged_release(release)
    missing = settings.partitions - len(marks)
    age_s = time.time() - min((mark.at for mark in marks), default=0) / 1000
    if missing:
        yield Finding("view", "partitions", "warning",
                      f"{missing} of {settings.partitions} are not in it",
                      "start workers with this FOOTFALL_REDIS_URL; they fill it")
    elif age_s > STALE_S:
        yield Finding("view", "partitions", "warning", f"the oldest is {age_s:.0f} s old",
                      "look at footfall_view_away and the workers' logs")
    else:
        yield Finding("view", "partitions", "ok",
                      f"all {settings.partitions}, at most {max(age_s, 0):.1f} s old")


def judged_release(release: str) -> Finding:
    """Of Redis."""
    is_old = release.partition(".")[0].isdecimal() and int(release.partition(".")[0]) < RELEASE_MIN
    return Finding("view", "release", "warning" if is_old else "ok", f"Redis {release}",
                   "upgrade it" if is_old else "", wanted=f"Redis {RELEASE_MIN} or later")


def _refusal(url: str, error: BaseException) -> str:
    """Why no TLS came about; "" where it is something else."""
    for name, files in parse_qs(urlsplit(url).query).items():
        if name in _FILES and not Path(files[0]).is_file():
            return f"{name} names {files[0]}, which is no file; correct FOOTFALL_REDIS_URL"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None and url.startswith("rediss://") and failure_of(error) == "connection":
        cause = _said_to_the_silent(url)
    if cause is not None and cause.reason == _ASKED:
        return f"it wants a certificate of ours; {_OWN}"
    if cause is not None:
        return handshake.refusal(
            cause, where="on its server", trust=_TRUST, otherwise=_OTHERWISE)
    if url.startswith("rediss://") and failure_of(error) == "timeout" and _is_plain(url):
        return f"{handshake.NO_TLS} (it answers without); {_OTHERWISE}"
    return ""


def _said_to_the_silent(url: str) -> ssl.SSLError | None:
    """What a server that ended the connection has against the handshake. Its words come after the
    handshake, and are lost where it ends with something of ours unread.
    """
    host, port = _place(url)
    try:
        ours = ConnectionPool.from_url(url).make_connection()  # type: ignore[no-untyped-call]
        with (socket.create_connection((host, port), ANSWER_S_MAX) as plain,
              ours.ssl_context.get().wrap_socket(plain, server_hostname=host) as connection):
            connection.recv(1)
    except ssl.SSLError as error:
        return error
    except OSError:
        pass
    return None


def _is_plain(url: str) -> bool:
    """Whether it answers without TLS. Asked with it, a Redis that has none waits for more."""
    with (contextlib.suppress(OSError),
          socket.create_connection(_place(url), ANSWER_S_MAX) as connection):
        connection.sendall(b"PING\r\n")
        return connection.recv(1) in (b"+", b"-")
    return False


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "localhost", parts.port or PORT


async def _look(settings: Settings) -> tuple[str, str, list[Mark]]:
    store = Store(settings.redis_url, ANSWER_S_MAX)
    try:
        found = await store.marks(range(settings.partitions))
        return await store.policy(), await store.release(), [
            mark for data in found if (mark := decode_mark(data)) is not None]
    finally:
        await store.close()
