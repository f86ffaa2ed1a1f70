"""What a record looks like in a spool's file, and what is readable of a damaged one. Pure.

A frame: marker, CRC-32, length, number, payload. The CRC covers all that follows it, the number
too: a record that turns up in the wrong place is no record. Numbers rise by one, so the numbers on
both sides of an unreadable stretch say how many records it held.
Marker: its first byte is in no UTF-8 text. What a customer sent can so never pass for a frame when
a reader looks for the next one behind a damage.
Must never give out a record whose CRC does not fit, and never stop at one either: what is readable
behind it is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

MARKER = b"\xffFS\x01"
PAYLOAD_BYTES_MAX = 1024 * 1024
_HEAD = struct.Struct("<4sIIQ")
_CHECKED = struct.Struct("<IQ")
HEAD_BYTES = _HEAD.size
_CHECKED_AT = HEAD_BYTES - _CHECKED.size


class Frame(NamedTuple):
    """A readable record and where it ends."""

    number: int
    payload: bytes
    end: int


class Gap(NamedTuple):
    """An unreadable stretch of a file: from, to."""

    start: int
    end: int


def frame(number: int, payload: bytes) -> bytes:
    """The bytes of one record."""
    checked = _CHECKED.pack(len(payload), number)
    crc = zlib.crc32(payload, zlib.crc32(checked))
    return _HEAD.pack(MARKER, crc, len(payload), number) + payload


def read_frame(data: bytes, at: int) -> Frame | None:
    """The record that begins here; None where none does, or where it is not whole."""
    if at + HEAD_BYTES > len(data):
        return None
    marker, crc, length, number = _HEAD.unpack_from(data, at)
    end = at + HEAD_BYTES + length
    if marker != MARKER or length > PAYLOAD_BYTES_MAX or end > len(data):
        return None
    payload = data[at + HEAD_BYTES:end]
    if zlib.crc32(payload, zlib.crc32(data[at + _CHECKED_AT:at + HEAD_BYTES])) != crc:
        return None
    return Frame(number, payload, end)


def scan(data: bytes, above: int) -> Iterator[Frame | Gap]:
    """Everything in a file, in order; numbers begin above `above` and rise."""
    at = 0
    while at < len(data):
        found = read_frame(data, at)
        if found is not None and found.number > above:
            yield found
            above, at = found.number, found.end
            continue
        start = at
        at = _next(data, at + 1, above)
        yield Gap(start, at)


def markers(data: bytes) -> int:
    """How many records have begun in a stretch that cannot be read; at least one is told."""
    return max(1, data.count(MARKER))


def _next(data: bytes, at: int, above: int) -> int:
    """Where the next readable record begins, or the end."""
    while True:
        at = data.find(MARKER, at)
        if at < 0:
            return len(data)
        found = read_frame(data, at)
        if found is not None and found.number > above:
            return at
        at += 1
