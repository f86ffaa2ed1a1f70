"""Who may ingest: a write key names its source.

Decides where a key is looked for: the user name of HTTP Basic, else a bearer token, else `writeKey`
in the body. A header that is there and wrong is not saved by the body. Keys are compared as keyed
hashes under a secret of this process, so that the time a look-up takes tells nothing about a key.
Must never write a key to a log, an answer or a metric.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping

from footfall.collector.answers import RequestError

_KEY_CHARS_MAX = 200


class WriteKeys:
    """The write keys of an installation: source -> key."""

    def __init__(self, write_keys: Mapping[str, str]) -> None:
        self._salt = secrets.token_bytes(32)
        self._sources = {self._hash(key): source for source, key in write_keys.items()}

    @property
    def sources(self) -> list[str]:
        """All sources, by name."""
        return sorted(self._sources.values())

    def source_of_header(self, authorization: str | None) -> str | None:
        """Source of an Authorization header; None without one; raises 401 for a wrong one."""
        if not authorization:
            return None
        scheme, _, credentials = authorization.strip().partition(" ")
        scheme, credentials = scheme.lower(), credentials.strip()
        if scheme == "basic":
            return self._source(_user_name(credentials))
        return self._source(credentials if scheme == "bearer" else "")

    def source_of_body(self, write_key: object) -> str:
        """Source of the body's `writeKey`; raises 401."""
        return self._source(write_key if isinstance(write_key, str) else "")

    def _source(self, key: str) -> str:
        source = self._sources.get(self._hash(key[:_KEY_CHARS_MAX]))
        if source is None:
            raise RequestError(401, "write_key_unknown",
                               "no valid write key; send it as the user name of HTTP Basic, as a "
                               "bearer token, or as writeKey in the body")
        return source

    def _hash(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), key=self._salt).digest()


def _user_name(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
