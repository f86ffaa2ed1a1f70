"""The place of a subscriber in the topic of triggers, as text that means nothing to them. Pure.

One cursor covers all partitions: of each the next offset, with the topic's id, so that the cursor
of a topic that was deleted and made again is known as such. A check guards against text that was
cut or made up; it is no signature: a cursor grants nothing, whoever reads shows their API key.
Decides what is no cursor. Must never let a text of the client grow into more than its own size.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

#: A header of a request may have 8,190 bytes.
CURSOR_CHARS_MAX = 8_000
#: Their offsets fit into that, up to 34,359,738,367 in each.
PARTITIONS_MAX = 1_000
TOPIC_ID_BYTES = 16
OFFSET_MAX = 2**63 - 1
_VERSION = b"\x01"
_CHECK_BYTES = 4
_HEAD_BYTES = len(_VERSION) + TOPIC_ID_BYTES
_MORE = 0x80


class CursorError(ValueError):
    """A text that is no cursor."""


class Cursor(NamedTuple):
    """A topic by its id, and of each partition the next offset."""

    topic_id: bytes
    offsets: tuple[int, ...]


def encode(topic_id: bytes, offsets: Iterable[int]) -> str:
    """The text of a cursor; of the same place always the same."""
    data = bytearray(_VERSION + topic_id)
    for offset in offsets:
        left = offset
        while left >= _MORE:
            data.append(left & 0x7F | _MORE)
            left >>= 7
        data.append(left)
    return base64.urlsafe_b64encode(data + _check(data)).rstrip(b"=").decode()


def decode(text: str) -> Cursor:
    """The cursor of a text; raises `CursorError`."""
    if len(text) > CURSOR_CHARS_MAX:
        raise CursorError(f"a cursor has {CURSOR_CHARS_MAX} characters at most")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise CursorError("it is not in the alphabet of a cursor") from None
    said, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if len(said) < _HEAD_BYTES or said[:1] != _VERSION or check != _check(said):
        raise CursorError("it was cut or is none")
    cursor = Cursor(said[1:_HEAD_BYTES], tuple(_numbers(said[_HEAD_BYTES:])))
    if encode(*cursor) != text:  # one place has one text
        raise CursorError("it is not as it was given")
    return cursor


def _check(data: bytes | bytearray) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECK_BYTES).digest()


def _numbers(data: bytes) -> Iterable[int]:
    value = shift = count = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        if value > OFFSET_MAX:
            raise CursorError("an offset is beyond any of Kafka's")
        if byte & _MORE:
            shift += 7
            continue
        count += 1
        if count > PARTITIONS_MAX:
            raise CursorError(f"it has more than {PARTITIONS_MAX} partitions")
        yield value
        value = shift = 0
    if shift:
        raise CursorError("its last offset is cut")
