"""How workers are asked over HTTP: where they are, and one GET.

Decides that a host name may stand for several workers (containers that are scaled) and that an
answer has a limit in time and size. Must never follow a redirect or a proxy: the API key goes with
the question.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from footfall.errors import SettingsError

ANSWER_S_MAX = 3.0
ANSWER_BYTES_MAX = 32 << 20
_object = msgspec.json.Decoder(dict[str, Any])


def addresses(worker_urls: str) -> Iterator[tuple[SplitResult, str]]:
    """(URL, IP address) of every worker: a host name may stand for several. Raises
    `SettingsError` for what is no HTTP address.
    """
    for text in filter(None, (part.strip() for part in worker_urls.split(","))):
        try:
            url = urlsplit(text)
            port = url.port or 80
        except ValueError:
            url, port = SplitResult("", "", "", "", ""), 0
        if url.scheme != "http" or not url.hostname:
            raise SettingsError(f"FOOTFALL_WORKER_URLS: {text!r} is not http://HOST:PORT")
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
