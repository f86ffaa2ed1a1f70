"""What is stored of customers and partitions, as data: the types that msgspec reads and writes.

Layout of a record: a fixed header (format version, watermark, next wake_at, marks), so that
recovery need not decode what it reads, then MessagePack of `Stored`. Decides the bytes and nothing
else; `record.py` reads and writes them. Stays interpreted, because msgspec reads a class's own
annotations and mypyc keeps only a part of them (setup.py).
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import Any, Final

import msgspec

FORMAT = 2
#: Of a record that remembers imports: code that would forget them must stop instead.
FORMAT_IMPORTS = 3
NEVER = 0
HEADER = struct.Struct(">BqqQ")
#: Format 1 had no marks.
HEADER_1 = struct.Struct(">Bqq")
PARTITION_KEY = b"$partition"
#: Before the coordinates of a handoff whose contents lie in the changelog.
INFLIGHT_PREFIX: Final = b"$inflight|"
#: Of `PartitionState.moved_to`: nobody may start from this state unless he was sent there.
SHADOW: Final = -1
#: A handoff by its coordinates: receiver, partition and offset of the step that sent it, number.
Coordinates = tuple[bytes, int, int, int]
_PLAIN_BYTES_MAX: Final = 4_096


class Timer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """When a table is stepped by time. `due` is the deadline, `revealed_at` the clock at which it
    was found to be long past (0: it was not); then it settles until `wake_at`.
    """

    wake_at: int
    due: int
    revealed_at: int = 0


class Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One table's part of a record."""

    version: int
    facts: Any
    told: Any


#: A row within a record in memory: as it is stored, or decoded (`TableSpec.kept_decoded`).
Kept = Row | msgspec.Raw


class MovedRow(msgspec.Struct, array_like=True, frozen=True):
    """A row on its way to another customer."""

    row: msgspec.Raw
    timer: Timer | None


class Stored(msgspec.Struct, array_like=True):
    """A record's body. Rows of tables marked `personal` lie inside `personal`, beside `key_id`.
    `imported` and `muted`: what it remembers of imports, in FORMAT_IMPORTS alone.
    """

    senders: list[tuple[int, int, int]]
    ids: bytes
    recent: list[int]
    timers: dict[str, Timer]
    rows: dict[str, msgspec.Raw]
    key_id: str | None
    personal: bytes
    imported: bytes = b""
    muted: bytes = b""


class PartitionState(msgspec.Struct, array_like=True, frozen=True):
    """The `$partition` record: the state of a partition itself as of an offset of its log (law 1).

    `next_offset` is the first not yet read; `last_*` describe the last record read (-1: none).
    `key_fingerprint` tells the secret of the customer keys: under another one every customer would
    be a stranger (law 6). `positions`: of each other topic that is read beside the log, the first
    offset not yet read. `moved_to`: the generation of the changelog in which this partition goes on
    (0: this one; SHADOW: it is being made, and nobody's yet).
    """

    next_offset: int = 0
    clock: int = 0
    config_number: int = 0
    config_content: bytes = b"{}"
    last_offset: int = -1
    last_appended_at: int = 0
    last_checksum: int = 0
    key_fingerprint: str = ""
    positions: dict[str, int] = {}
    moved_to: int = 0

    def encode(self) -> bytes:
        """Changelog value: the watermark in the header is the last offset covered. The content of
        the configuration is compressed: it is written at each checkpoint.
        """
        body = msgspec.msgpack.encode(
            msgspec.structs.replace(self, config_content=packed(self.config_content)))
        return HEADER.pack(FORMAT, self.next_offset - 1, NEVER, 0) + body


def inflight(place: Coordinates, content: bytes) -> tuple[bytes, bytes]:
    """Key and value in the changelog of what a handoff holds that is on its way: `content` is the
    record of the log as its sender would write it. Its null, later, says that it has come.
    """
    to, partition, offset, n = place
    return (b"%b%d|%d|%d|%b" % (INFLIGHT_PREFIX, partition, offset, n, to),
            HEADER.pack(FORMAT, offset, NEVER, 0) + content)


def read_inflight(key: bytes, value: bytes) -> tuple[Coordinates, bytes]:
    """Inverse of `inflight`."""
    partition, offset, n, to = key[len(INFLIGHT_PREFIX):].split(b"|", 3)
    return (to, int(partition), int(offset), int(n)), value[HEADER.size:]


@lru_cache(maxsize=8)
def packed(content: bytes) -> bytes:
    """The content of a configuration as it is stored: short ones as they are, which begin with a
    brace, others by zlib, which does not. A thousand rules become a fifteenth.
    """
    return content if len(content) <= _PLAIN_BYTES_MAX else zlib.compress(content)


@lru_cache(maxsize=8)
def unpacked(content: bytes) -> bytes:
    """Inverse of `packed`."""
    return content if content.startswith(b"{") else zlib.decompress(content)


class Versioned(msgspec.Struct, array_like=True):
    """The head of a row; what follows is passed over."""

    version: int
