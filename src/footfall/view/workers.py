"""How workers are asked over HTTP: where they are, one GET, and which of them knows a customer.

Decides that a host name may stand for several workers (containers that are scaled), that an answer
has a limit in time and size, and that the word of the worker which owns a customer is final, also
where it knows nobody. Must never follow a redirect or a proxy: the API key goes with
the question.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import msgspec

from footfall.errors import SettingsError

ANSWER_S_MAX = 3.0
ANSWER_BYTES_MAX = 32 << 20
_object = msgspec.json.Decoder(dict[str, Any])

#: What each worker asked said instead of the customer: {"url": ..., "answer": a code}.
Asked = list[dict[str, str]]


class Told(NamedTuple):
    """What the workers say of a customer: its document, or that the owner knows nobody; neither
    where no owner answered.
    """

    found: dict[str, Any] | None
    is_unknown: bool
    asked: Asked


def ask(worker_urls: str, api_key: str, key: bytes, question: str = "") -> Told:
    """Ask every worker that is known until the owner answers; `question`: a path below the
    customer's own. Raises `SettingsError` where one does not know the API key.
    """
    asked: Asked = []
    for url, address in addresses(worker_urls) if api_key else ():
        try:
            status, answer = get(url, address, f"/customers/{key.decode()}{question}",
                                 api_key)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError):
            status, answer = 0, {"code": "not_reached"}
        if status == http.client.OK:
            source = {"kind": "worker", "url": url.geturl()}
            return Told({"source": source, **answer}, False, asked)
        if status == http.client.UNAUTHORIZED:
            raise SettingsError(f"the worker at {url.geturl()} does not know this API key: set "
                                "FOOTFALL_API_KEY to the one that it was started with")
        code = str(answer.get("code", status))
        if code == "customer_unknown":
            return Told(None, True, asked)
        asked.append({"url": url.geturl(), "answer": code})
    return Told(None, False, asked)


def addresses(worker_urls: str, variable: str = "FOOTFALL_WORKER_URLS"
              ) -> Iterator[tuple[SplitResult, str]]:
    """(URL, IP address) of every worker: a host name may stand for several. Raises
    `SettingsError`, naming the variable, for what is no HTTP address.
    """
    for text in filter(None, (part.strip() for part in worker_urls.split(","))):
        try:
            url = urlsplit(text)
            port = url.port or 80
        except ValueError:
            url, port = SplitResult("", "", "", "", ""), 0
        if url.scheme != "http" or not url.hostname:
            raise SettingsError(f"{variable}: {text!r} is not http://HOST:PORT")
        with contextlib.suppress(OSError):  # a name that is not known: nobody there
            found = socket.getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
            for address in dict.fromkeys(str(info[4][0]) for info in found):
                yield url, address


def get(url: SplitResult, address: str, path: str, api_key: str = "") -> tuple[int, dict[str, Any]]:
    """(status, JSON object) of one GET; raises OSError, HTTPException and MsgspecError."""
    connection = http.client.HTTPConnection(address, url.port or 80, timeout=ANSWER_S_MAX)
    try:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        connection.request("GET", url.path.rstrip("/") + path, headers=headers)
        answer = connection.getresponse()
        body = answer.read(ANSWER_BYTES_MAX)
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, _object.decode(body) if is_json else {}
    finally:
        connection.close()
