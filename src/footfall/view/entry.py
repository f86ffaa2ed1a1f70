"""What the served view holds, as bytes: one entry a customer, one mark a partition. Pure.

Both begin with a head of `HEAD_BYTES` digits, generation and offset, which compare as text: a
script in Redis replaces an entry only by a higher one, and knows no more of it than that. An entry
is the customer's record as the changelog has it, under its watermark. A mark says up to where a
partition's records are all in the view, and with which clock and configuration they are read.
Decides the bytes and nothing else. Keys hold a customer_key, never an identifier (law 6).
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import msgspec

from footfall.errors import DecodeError
from footfall.tables.record import header
from footfall.tables.stored import HEADER, PartitionState, packed, unpacked

PREFIX = b"footfall:view:"
#: What is no customer's.
OURS = PREFIX + b"$"
PARTITION = OURS + b"partition:"
SESSION = OURS + b"session:"
#: The index of triggers: a trigger by its id, and a customer's trigger_ids by when they fired.
TRIGGER = OURS + b"trigger:"
TRIGGERS_OF = OURS + b"triggers:"
HEAD_BYTES = 32
_HEAD = b"%010d.%020d."
_PARTITION_BYTES = 6
_AT = HEAD_BYTES + _PARTITION_BYTES


class Head(NamedTuple):
    """What entries and marks are compared by: cut-over generation, then offset in the log."""

    generation: int
    offset: int


class Entry(NamedTuple):
    """One customer's."""

    generation: int
    partition: int
    #: As the changelog has it.
    record: bytes


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """Of one partition: every record with a watermark below `next_offset` is in the view. All that
    was applied before `at` (ms, the worker's wall clock) is; `behind` log records were not applied
    then (None: not known).
    """

    generation: int
    next_offset: int
    clock: int
    config_number: int
    config_content: bytes
    at: int
    behind: int | None


def key_of(customer_key: bytes) -> bytes:
    """Where a customer's entry is."""
    return PREFIX + customer_key


def mark_key(partition: int) -> bytes:
    """Where a partition's mark is."""
    return PARTITION + b"%d" % partition


def head(generation: int, offset: int) -> bytes:
    """The head of an entry or a mark; also what one is compared with."""
    return _HEAD % (generation, offset)


def head_of(data: bytes) -> Head | None:
    """Inverse of `head`; None for what is none: nothing, or not ours."""
    generation, offset = data[:10], data[11:31]
    if len(data) < HEAD_BYTES or not (generation.isdigit() and offset.isdigit()):
        return None
    return Head(int(generation), int(offset))


def encode(generation: int, partition: int, record: bytes) -> bytes:
    """An entry of a record of the changelog."""
    return b"%b%05d.%b" % (head(generation, header(record)[0]), partition, record)


def decode(data: bytes) -> Entry:
    """Inverse of `encode`; raises `DecodeError`."""
    found = head_of(data)
    partition = data[HEAD_BYTES : _AT - 1]
    if found is None or not partition.isdigit() or len(data) < _AT + HEADER.size:
        raise DecodeError("view_invalid", "not an entry of the served view")
    return Entry(found.generation, int(partition), data[_AT:])


def partition_of(data: bytes) -> int:
    """The partition in the head of an entry, of which no more need be there; -1: it is none."""
    digits = data[HEAD_BYTES : _AT - 1]
    return int(digits) if digits.isdigit() else -1


def mark(generation: int, state: PartitionState, at: int, behind: int | None) -> Mark:
    """The mark of a partition whose records are all in the view as of `state`."""
    return Mark(generation, state.next_offset, state.clock, state.config_number,
                state.config_content, at, behind)


def encode_mark(said: Mark) -> bytes:
    """Value of a mark."""
    body = msgspec.structs.replace(said, config_content=packed(said.config_content))
    return head(said.generation, said.next_offset) + msgspec.msgpack.encode(body)


def decode_mark(data: bytes) -> Mark | None:
    """Inverse of `encode_mark`; None for what is none."""
    try:
        said = _mark.decode(data[HEAD_BYTES:])
        return msgspec.structs.replace(said, config_content=unpacked(said.config_content))
    except (msgspec.MsgspecError, zlib.error):
        return None


_mark = msgspec.msgpack.Decoder(Mark)
