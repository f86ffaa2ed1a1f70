"""Everything of a client that belongs to one process: queue, sender, counts, names of items.

A forked child gets a new one. Decides who sends in which mode. Must never be shared by processes.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from footfall.errors import SettingsError
from footfall.sdk.config import Config
from footfall.sdk.drops import Counts, DroppedError, Drops
from footfall.sdk.http import ENVELOPE_BYTES, SEPARATOR_BYTES, HttpTransport
from footfall.sdk.message import MessageIds
from footfall.sdk.sender import Limits, Sender, Transport
from footfall.sdk.waiting import Memory, Waiting

log = logging.getLogger("footfall")


class Pipeline:
    """From a call to the log."""

    def __init__(self, config: Config, forked: bool = False) -> None:
        self.ids = MessageIds()
        self.drops = Drops(config.on_error)
        self._sync_mode = config.sync_mode
        self._exit_s_max = config.exit_s_max
        self._is_new_child = forked
        self._timeout_s = config.timeout
        self._recovered = 0
        self._waiting = self._open(config, forked)
        self._begun_at = self._waiting.mark()
        room = config.upload_bytes - ENVELOPE_BYTES - SEPARATOR_BYTES * config.upload_size
        self._sender = Sender(
            self._waiting, _transport(config), self.drops,
            Limits(config.upload_size, max(room, 1), config.upload_interval, config.max_retries,
                   config.spool_sync_s))
        if self._recovered and not self._sync_mode:
            self._sender.notify()

    def put(self, item: bytes) -> None:
        """Take an item; raises `DroppedError` of a drop that is counted already."""
        if self._sender.is_closed:
            closed = DroppedError("closed", "the client is closed")
            self.drops.drop(closed, [item])
            raise closed
        try:
            self._waiting.put(item)
        except DroppedError as error:
            self.drops.drop(error, [item])
            raise
        if self._is_new_child:
            self._end_with_worker()
        if self._sync_mode:
            self.drops.last = None
            self._sender.send_now(self._timeout_s, gives_up=True)
            if self.drops.last is not None:
                raise self.drops.last
        else:
            self._sender.notify()

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was put before has found its end in that time."""
        if self._sync_mode:
            self._sender.send_now(timeout_s, gives_up=False)
            return self._waiting.count() == 0
        return self._sender.flush(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Send what waits, for so long at most, and end."""
        self._sender.close(timeout_s)

    def forget(self) -> None:
        """In a forked child: all of it is the parent's."""
        self._waiting.forget()
        self._sender.forget()

    def counts(self) -> Counts:
        """What became of all items of this process."""
        drops = self.drops
        return Counts(self._waiting.mark() - self._begun_at, self._recovered, drops.accepted,
                      drops.duplicate, self._waiting.count(), drops.so_far(),
                      drops.values_left_out)

    def _end_with_worker(self) -> None:
        """A worker that multiprocessing has forked ends without atexit, but runs its finalizers.

        They can be added only once the worker runs: it clears them when it begins.
        """
        self._is_new_child = False
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self.close, args=(self._exit_s_max,), exitpriority=0)

    def _open(self, config: Config, forked: bool) -> Waiting:
        if config.spool is None:
            return Memory(config.max_queue_size)
        from footfall.sdk.spooled import Spooled  # needs fcntl, which not every system has
        from footfall.spool import SpoolError, SpoolFullError, SpoolInUseError

        try:
            spooled = Spooled(Path(config.spool), config.spool_bytes_max, config.spool_sync_s == 0)
        except (OSError, SpoolError, SpoolFullError, SpoolInUseError) as error:
            if not forked:
                raise SettingsError(f"footfall.Client: the spool cannot be opened: {error}"
                                    ) from None
            log.error("this process goes without a spool: %s", type(error).__name__)
            return Memory(config.max_queue_size)
        found = spooled.recovered
        self._recovered = found.records + found.cut_records + found.damaged_records
        for reason, lost in (("spool_cut", found.cut_records),
                             ("spool_damaged", found.damaged_records)):
            if lost:
                self.drops.drop(DroppedError(reason, "the spool could not be read"), [], lost)
        return spooled


def _transport(config: Config) -> Transport:
    if config.transport == "kafka":
        from footfall.sdk.kafka import KafkaTransport

        return KafkaTransport(config.cluster, config.customer_key_secret, config.source,
                              config.schema_registry_url, config.timeout)
    return HttpTransport(config.host, config.write_key, config.timeout, config.gzip)
