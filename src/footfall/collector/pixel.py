"""A tracking pixel: a call whose item stands in the query of a GET, answered with an image.

Decides how a query becomes an item: `data` is its JSON, in base64 (either alphabet, padding or
none) or as it is; without `data` every parameter is a member, a dot in its name goes one object
down (`properties.subject=...`), and all values are texts. Both forms are those of Segment's and
RudderStack's pixels.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import msgspec

from footfall.collector.answers import RequestError

#: One transparent dot.
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
DATA = "data"
_PARTS_MAX = 8


def item_of(query: Iterable[tuple[str, str]]) -> bytes:
    """The item as JSON; raises `RequestError`."""
    given = dict(query)
    if DATA in given:
        return _decoded(given[DATA])
    item: dict[str, Any] = {}
    for name, value in given.items():
        if name != "writeKey":
            _put(item, name, value)
    try:
        return msgspec.json.encode(item)
    except UnicodeEncodeError:
        raise RequestError(400, "text_not_unicode", "the query is not UTF-8") from None


def _put(item: dict[str, Any], name: str, value: str) -> None:
    *path, last = name.split(".")
    if len(path) >= _PARTS_MAX:
        raise RequestError(400, "too_deep", f"a parameter's name has more than {_PARTS_MAX} parts")
    for part in path:
        item = item.setdefault(part, {})
        if not isinstance(item, dict):
            break
    if not isinstance(item, dict) or last in item:
        raise RequestError(400, "field_kind", "a parameter is both a value and an object, or named "
                           "twice")
    item[last] = value


def _decoded(data: str) -> bytes:
    raw = data.strip().encode("utf-8", "surrogateescape")
    if raw.startswith(b"{"):
        return raw
    packed = raw.replace(b" ", b"+").translate(_URL_SAFE).rstrip(b"=")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(400, "data_unreadable", "data is neither JSON nor base64",
                           DATA) from None


_URL_SAFE = bytes.maketrans(b"-_", b"+/")
