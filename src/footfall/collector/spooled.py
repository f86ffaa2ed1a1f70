"""A log that may be away: what it cannot take now is fsynced here, and sent when it is back.

Decides when: from the first request that the log did not take until the spool is empty again, every
request goes to the spool, and is answered when it is fsynced. So what was spooled reaches the log
before anything that was received after it, whichever customer it is of; only requests that were
under way together with the one that failed may come before it. A 200 still means durable (law 1).
One batch is sent at a time, and given up by the spool when the broker has acknowledged all of it: a
kill -9 in between sends it twice, with the same messageIds.
Must never answer before the fsync, never try a failed fsync again (the process ends), and never
take more than the spool's bound: beyond it requests are refused as without a spool.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from footfall.collector.sink import LOG_UNAVAILABLE, Outgoing, Record, Sink, UnavailableError
from footfall.errors import FootfallError
from footfall.health import Part
from footfall.spool import Spool, SpoolError, SpoolFullError, SpoolInUseError
from footfall.telemetry import SPOOL_BYTES, SPOOL_LOST, SPOOLED, UNSPOOLED

log = logging.getLogger(__name__)

#: Of one batch to the log.
RECORDS_MAX = 2_000
BYTES_MAX = 4 * 1024 * 1024
#: How often it is looked whether the log is back.
LOOK_S = 0.2
#: Kind of record and length of its key, before key and value.
_HEAD = struct.Struct("<BH")
_INTERACTION, _REJECTED = 0, 1


class ClosingSink(Sink, Protocol):
    """A log that is closed at the end."""

    async def close(self, seconds_max: float) -> None:
        """Wait for what is due, at most so long."""


class SpooledSink:
    """A log with a spool before it. `fatal` is called when the spool can do no more."""

    def __init__(self, sink: ClosingSink, folder: Path, bytes_max: int,
                 fatal: Callable[[FootfallError], object]) -> None:
        self._sink = sink
        self._fatal = fatal
        try:
            self._spool = Spool(folder, bytes_max)
        except (OSError, SpoolError, SpoolInUseError, ValueError) as error:
            raise FootfallError(f"the spool cannot be opened: {error}") from None
        self._bytes_max = bytes_max
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._damaged = 0
        self._tell_recovered()
        SPOOL_BYTES.set(self._spool.bytes_held)
        #: Whether requests go to the spool.
        self._spooling = self._is_waiting()
        self._filled = asyncio.Event()
        self._filled.set()
        self._sending = asyncio.get_running_loop().create_task(self._send_on())

    def is_ready(self) -> bool:
        """Whether a request would be taken: by the log, or by the spool."""
        return self._sink.is_ready() or self._spool.bytes_held < self._bytes_max

    def parts(self) -> dict[str, Part]:
        """The log, and the spool that takes its place while that has room."""
        held, bytes_max = self._spool.bytes_held, self._bytes_max
        has_room = held < bytes_max
        spool = Part(has_room, f"{held:,} of {bytes_max:,} bytes are held" + (
            ", sent before what comes now" if self._spooling else "") + (
            "" if has_room else ": it is full"), LOG_UNAVAILABLE, is_needed=False)
        log = self._sink.parts()["log"]
        return {"log": log._replace(is_needed=not has_room), "spool": spool}

    async def send(self, outgoing: Outgoing) -> None:
        """Return when all of it is in the log, or fsynced here."""
        if not self._spooling and self._sink.is_ready():
            try:
                return await self._sink.send(outgoing)
            except UnavailableError:
                pass  # parts of it may be in the log: a second copy is known by its messageId
        self._append(outgoing)
        await self._synced()
        return None

    async def close(self, seconds_max: float) -> None:
        """Close both; what waits is sent after the next start."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        await self._sink.close(seconds_max)
        self._spool.close()

    def _append(self, outgoing: Outgoing) -> None:
        """All of a request's records, or none."""
        packed = [_pack(_INTERACTION, record) for record in outgoing.interactions]
        packed += [_pack(_REJECTED, record) for record in outgoing.rejected]
        try:
            self._spool.append_all(packed)
        except SpoolFullError as error:
            raise UnavailableError(f"the log is away, and {error}") from None
        except SpoolError as error:
            raise self._failed(error) from None
        self._spooling = True
        self._filled.set()
        SPOOLED.inc(len(packed))
        SPOOL_BYTES.set(self._spool.bytes_held)

    async def _synced(self) -> None:
        """Return when what was appended is on the disk; those who wait together share an fsync."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._sync_after(self._running))
        try:
            await asyncio.shield(self._next)
        except SpoolError as error:
            raise self._failed(error) from None

    async def _sync_after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        await asyncio.to_thread(self._spool.sync)

    async def _send_on(self) -> None:
        """Sends what is spooled, in order, whenever the log is there."""
        while True:
            await self._filled.wait()
            try:
                await self._empty()
            except SpoolError as error:
                self._failed(error)
                return

    async def _empty(self) -> None:
        while True:
            found = self._spool.read(RECORDS_MAX, BYTES_MAX)
            self._tell_damaged()
            if not found:
                # No await from here: a request that comes now finds it empty, and not before.
                self._spool.acknowledge(self._spool.last)
                self._spooling = False
                self._filled.clear()
                SPOOL_BYTES.set(self._spool.bytes_held)
                return
            await self._send_until_taken(_unpack([entry.payload for entry in found]))
            self._spool.acknowledge(found[-1].number)
            UNSPOOLED.inc(len(found))
            SPOOL_BYTES.set(self._spool.bytes_held)

    async def _send_until_taken(self, outgoing: Outgoing) -> None:
        while True:
            if self._sink.is_ready():
                try:
                    return await self._sink.send(outgoing)
                except UnavailableError:
                    pass
            await asyncio.sleep(LOOK_S)

    def _is_waiting(self) -> bool:
        return self._spool.last > self._spool.acknowledged

    def _failed(self, error: SpoolError) -> UnavailableError:
        self._fatal(FootfallError(f"{error}; restart the collector"))
        return UnavailableError("the spool failed")

    def _tell_recovered(self) -> None:
        found = self._spool.recovered
        if found.records:
            log.warning("records are in the spool; they go to the log first",
                        extra={"records": found.records})
        if found.cut_records:
            log.warning("the spool's last write was cut off",
                        extra={"records": found.cut_records, "bytes": found.cut_bytes})
            SPOOL_LOST.labels("cut").inc(found.cut_records)
        if found.damaged_records:
            log.error("the spool is damaged: records cannot be read; the others are sent", extra={
                "records": found.damaged_records, "bytes": found.damaged_bytes})
            SPOOL_LOST.labels("damaged").inc(found.damaged_records)

    def _tell_damaged(self) -> None:
        new, self._damaged = self._spool.damaged - self._damaged, self._spool.damaged
        if new:
            log.error("the spool is damaged: records cannot be read; the others are sent",
                      extra={"records": new})
            SPOOL_LOST.labels("damaged").inc(new)


def _pack(kind: int, record: Record) -> bytes:
    return _HEAD.pack(kind, len(record["key"])) + record["key"] + record["value"]


def _unpack(payloads: list[bytes]) -> Outgoing:
    outgoing = Outgoing([], [])
    for payload in payloads:
        kind, length = _HEAD.unpack_from(payload)
        value_at = _HEAD.size + length
        record: Record = {"key": payload[_HEAD.size:value_at], "value": payload[value_at:]}
        (outgoing.interactions if kind == _INTERACTION else outgoing.rejected).append(record)
    return outgoing
