"""Who may ingest: a write key names its source, and a source says what it may send.

Decides where a key is looked for: the user name of HTTP Basic, else a bearer token, else
`?writeKey=`, else `writeKey` in the body. What is there and wrong is not saved by what comes after
it. A source has at most two keys at once, so that one can be replaced without a gap.
How a key is configured and looked up is in `key_hashes.py`. Must never write a key to a log, an
answer or a metric.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from footfall.collector.answers import RequestError
from footfall.errors import SettingsError
from footfall.key_hashes import KEYS_MAX, KeyHashes, digest_of
from footfall.settings import SourceSettings

SOURCE_CHARS_MAX = 100
#: Spellings of right headers that are recognised at once; each password beside a key is another.
HEADERS_MAX = 1_000
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^/?#\s]+", re.IGNORECASE)


class Source(NamedTuple):
    """A source as requests are judged by it. Empty sets mean: whatever comes."""

    name: str
    events: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def check_origin(self, origin: str | None) -> None:
        """Raises 403 where a page may not send for this source. Servers and apps name no origin.

        `null` is what pages without an origin of their own say (sandboxed frames, files): since
        anybody can make one, it has to be allowed by name.
        """
        if origin is None or (not self.origins and origin != "null"):
            return
        if origin.lower() not in self.origins:
            raise RequestError(403, "origin_not_allowed", "this page may not send with this write "
                               "key; add its origin to `origins` of the source")


class WriteKeys:
    """The sources of an installation by their keys; raises `SettingsError` naming the source."""

    def __init__(self, write_keys: Mapping[str, str],
                 sources: Mapping[str, SourceSettings] | None = None) -> None:
        self._sources: KeyHashes[Source] = KeyHashes()
        #: Authorization headers that were right, hashed like the keys.
        self._headers: dict[bytes, Source] = {}
        given = dict(sources or {})
        for name in {**write_keys, **given}:
            said = given.get(name, SourceSettings())
            source = Source(_checked(name), frozenset(said.events), frozenset(said.calls),
                            frozenset(_origins(name, said.origins)))
            keys = [*write_keys.get(name, "").split(), *said.write_keys]
            if not 1 <= len(keys) <= KEYS_MAX:
                raise SettingsError(f"sources: {name} has {len(keys)} write keys; 1 or {KEYS_MAX}")
            for key in keys:
                known = self._sources.add(digest_of(f"sources: a write key of {name}", key), source)
                if known is not source:
                    raise SettingsError(f"sources: {name} and {known.name} share a write key")

    @property
    def sources(self) -> list[str]:
        """All sources, by name."""
        return sorted({source.name for source in self._sources.holders()})

    def source_of_header(self, authorization: str | None) -> Source | None:
        """Source of an Authorization header; None without one; raises 401 for a wrong one."""
        if not authorization:
            return None
        hashed = self._sources.hash(authorization.encode("utf-8", "surrogateescape"))
        found = self._headers.get(hashed)
        if found is None:
            found = self._source_of_header(authorization)
            if len(self._headers) < HEADERS_MAX:
                self._headers[hashed] = found
        return found

    def _source_of_header(self, authorization: str) -> Source:
        scheme, _, credentials = authorization.strip().partition(" ")
        scheme, credentials = scheme.lower(), credentials.strip()
        if scheme == "basic":
            return self.source_of(_user_name(credentials))
        return self.source_of(credentials if scheme == "bearer" else "")

    def source_of(self, write_key: object) -> Source:
        """Source of a key that stands in a body, a query or a path; raises 401."""
        found = self._sources.get(write_key if isinstance(write_key, str) else "")
        if found is None:
            raise RequestError(401, "write_key_unknown",
                               "no valid write key; send it as the user name of HTTP Basic, as a "
                               "bearer token, or as writeKey in the query or the body")
        return found


def _checked(name: str) -> str:
    if not 1 <= len(name) <= SOURCE_CHARS_MAX:
        raise SettingsError(f"sources: a name has {len(name)} characters; 1 to {SOURCE_CHARS_MAX}")
    return name


def _origins(name: str, origins: list[str]) -> Iterator[str]:
    for origin in origins:
        if _ORIGIN.fullmatch(origin) is None:
            raise SettingsError(f"sources: {name}: an origin is scheme://host[:port] without a "
                                "path, or null")
        yield origin.lower()


def _user_name(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""
