"""One question over HTTP: what answered, and what its clock showed.

Decides that nobody is followed anywhere else, that an answer has a limit in time and size, and what
mends a handshake of TLS that failed. An answer's Date header has whole seconds: it bounds how far
that clock is from ours, and no more.
"""

from __future__ import annotations

import base64
import email.utils
import http.client
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from footfall import handshake
from footfall.doctor.settings import without_password

ANSWER_S_MAX = 3.0
ANSWER_BYTES_MAX = 8 << 20
_TRUST: Final = ("set SSL_CERT_FILE to a file with the authority's certificate and those that were "
                 "trusted so far, for all programs")
_OTHERWISE: Final = "is TLS spoken there? else its URL begins with http://"


class Ahead(NamedTuple):
    """How far another clock is ahead of ours, in seconds: between these. Behind is negative."""

    least: float
    most: float


class Answer(NamedTuple):
    """`status` 0: nobody answered, and `why`; `change` where that is known to mend it. `said`: the
    JSON, where it is one.
    """

    status: int
    said: Any = None
    ahead: Ahead | None = None
    why: str = ""
    change: str = ""


#: A question by a URL, and the one of its name's addresses that is asked.
Question = Callable[[str, str], Answer]


def ask(url: str, path: str = "", *, address: str = "", api_key: str = "",
        tls: ssl.SSLContext | None = None) -> Answer:
    """One GET. `address`: which of a name's is asked. `tls`: whom we trust; else the system's."""
    parts = urlsplit(url)
    try:
        connection = _connection(parts, address, tls)
    except ValueError:
        return Answer(0, why="is no URL")
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else _login(parts)
    try:
        asked_at = time.time()
        connection.request("GET", (parts.path.rstrip("/") + path) or "/", headers=headers)
        answer = connection.getresponse()
        ahead = between(answer.headers.get("Date", ""), asked_at, time.time())
        return Answer(answer.status, _json(answer.read(ANSWER_BYTES_MAX)), ahead)
    except ssl.SSLError as error:
        why, _, change = handshake.refusal(
            error, where="there", trust=_TRUST, otherwise=_OTHERWISE).partition("; ")
        return Answer(0, why=why, change=change)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, why=reason(error))
    finally:
        connection.close()


def readyz(url: str, address: str = "") -> Answer:
    """What a program says of itself."""
    return ask(url, "/readyz", address=address)


def once(question: Question) -> Question:
    """The same, put once to each: a probe that comes second, or meanwhile, has the first's answer.
    """
    answers: dict[tuple[str, str], Answer] = {}
    locks: dict[tuple[str, str], threading.Lock] = {}

    def answer(url: str, address: str) -> Answer:
        with locks.setdefault((url, address), threading.Lock()):
            if (url, address) not in answers:
                answers[url, address] = question(url, address)
            return answers[url, address]

    return answer


def between(date: str, asked_at: float, answered_at: float) -> Ahead | None:
    """By a Date header; None where there is none."""
    try:
        shown = email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
    return Ahead(shown - answered_at, shown + 1 - asked_at)


def reason(error: Exception) -> str:
    """Why there is no answer, in words; never with the address' password."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__).lower()


def shown(url: str) -> str:
    """A URL as it may be shown."""
    return without_password(url).rstrip("/")


def _connection(parts: SplitResult, address: str, tls: ssl.SSLContext | None
                ) -> http.client.HTTPConnection:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(parts.scheme)
    host = address or parts.hostname
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=ANSWER_S_MAX, context=tls)
    return http.client.HTTPConnection(host, parts.port, timeout=ANSWER_S_MAX)


def _login(parts: SplitResult) -> dict[str, str]:
    if not parts.username:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
