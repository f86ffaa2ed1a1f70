"""Sends what is durable to the served view: each changed customer, once its checkpoint is acked.

Decides when: after the changelog, so that nothing is shown which a crash takes back; and that Redis
is never waited for. It runs beside the engine; where Redis is slow, away or full the worker goes on
and this catches up by itself (`view_sending.py`). A mark for each partition tells readers, and the
next owner, how far the view has come. A Redis that forgot (FLUSHALL, an old snapshot after a crash)
is noticed with the next write, within `MARK_S`, and filled again. Triggers that the broker has go
into an index beside them, as far as that goes: the topic has them all.
Must never put a key or anything of a customer into a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from footfall import telemetry
from footfall.stream import publishing
from footfall.stream.generations import FIRST
from footfall.stream.trigger_sending import TriggerSending
from footfall.stream.view_sending import Sending
from footfall.tables.stored import PartitionState
from footfall.view import entry
from footfall.view.store import FAILURES, ForgottenError, Indexed, Store, failure_of

if TYPE_CHECKING:
    from footfall.stream.engine import Engine, Partition
    from footfall.stream.outbox import Message

logger = logging.getLogger(__name__)

#: Where a view is served, checkpoints do not wait longer: what they wait for is not shown.
CHECKPOINT_S_MAX = 0.2
#: A partition in which nothing happens is confirmed so often.
MARK_S = 0.5
AGAIN_S_FIRST = 0.1
AGAIN_S_MAX = 5.0
LAST_WORDS_S = 2.0


class Views:
    """All partitions of one worker. `generation`: of the state that it folds; each
    rebuild counts one more."""

    def __init__(self, engine: Engine, store: Store, generation: int) -> None:
        self._engine = engine
        self._store = store
        self._generation = generation
        self._sendings: dict[int, tuple[Partition, Sending]] = {}
        self._triggers = TriggerSending()
        self._due = asyncio.Event()
        self._sending = asyncio.Lock()
        self._has_session = False
        self._is_away = False
        self._told_ahead = False

    # -- what the engine says; never waits ---------------------------------------------------------

    def own(self, partition: Partition) -> None:
        """A partition was recovered: all that it holds is durable."""
        fold = partition.fold
        generation = self._generation + partition.generation - FIRST
        sending = Sending(partition.number, generation, fold.store, fold.state(), _now(),
                          walk_from=0)
        self._sendings[partition.number] = partition, sending
        self._due.set()

    def begin(self, partition: Partition, changed: list[tuple[bytes, bytes]]) -> None:
        """A checkpoint has taken these into the store."""
        sending = self._of(partition)
        if sending is not None:
            sending.begin(changed)

    def durable(self, partition: Partition, changed: list[tuple[bytes, bytes]],
                state: PartitionState, at: int) -> None:
        """The changelog has acknowledged them; `at`: the checkpoint's instant (ms)."""
        sending = self._of(partition)
        if sending is not None:
            sending.durable(changed, state, at)
            self._due.set()

    def told(self, messages: list[Message]) -> None:
        """The broker has these triggers. They leave with what the next checkpoint makes durable."""
        self._drop(self._triggers.add([value for _key, value in messages if value is not None]))

    def state(self) -> str:
        """For `/readyz`: `away`, `catching_up` or `current`."""
        if self._is_away:
            return "away"
        return ("current" if all(s.is_sent() and not s.is_ahead()
                                 for _p, s in self._sendings.values()) else "catching_up")

    def waiting(self) -> int:
        """Records that wait to be sent; those of a walk that is due are not counted."""
        return sum(len(sending.waiting) for _p, sending in self._sendings.values())

    # -- the worker's task -------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs as long as the worker."""
        again_s = AGAIN_S_FIRST
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), MARK_S)
            self._due.clear()
            try:
                await self._send()
            except FAILURES as error:
                self._failed(error)
                if isinstance(error, ForgottenError):
                    continue  # it is there, and works
                await asyncio.sleep(again_s)
                again_s = min(2 * again_s, AGAIN_S_MAX)
            else:
                self._succeeded()
                again_s = AGAIN_S_FIRST

    async def stop(self) -> None:
        """Send what the last checkpoint has made durable, if that goes quickly."""
        with contextlib.suppress(*FAILURES):
            await asyncio.wait_for(self._send(), LAST_WORDS_S)
        with contextlib.suppress(*FAILURES):
            await self._store.close()

    async def _send(self) -> None:
        """All that waits, a batch of each partition in turn; then the marks."""
        async with self._sending:
            await self._send_all()

    async def _send_all(self) -> None:
        self._forget()
        if not self._has_session:
            await self._store.begin()
            self._has_session = True
        sendings = [sending for _partition, sending in self._sendings.values()]
        unread = [sending for sending in sendings if sending.marked is None]
        for sending, marked in zip(
                unread, await self._store.marks([s.number for s in unread]) if unread else [],
                strict=True):
            sending.found(marked)
        await self._send_triggers()
        while left := [sending for sending in sendings if not sending.is_empty()]:
            for sending in left:
                await self._send_one(sending)
            await self._confirm()
            await self._send_triggers()
            await asyncio.sleep(0)
        await self._confirm()

    async def _send_triggers(self) -> None:
        """Those that wait now; what comes meanwhile goes with the next ones."""
        for _ in range(len(self._triggers)):
            batch = self._triggers.take()
            if not batch:
                return
            try:
                young = await self._store.index(
                    [self._indexed(record) for record in batch], _now())
            except BaseException:
                self._drop(self._triggers.again(batch))
                raise
            telemetry.VIEW_TRIGGERS.labels("written").inc(young)
            telemetry.VIEW_TRIGGERS.labels("too_old").inc(len(batch) - young)

    def _indexed(self, record: bytes) -> Indexed:
        said = self._engine.codecs.trigger.decode(record)
        return Indexed(said["trigger_id"], said["customer_key"].encode(), said["emitted_at"],
                       record)

    @staticmethod
    def _drop(count: int) -> None:
        if count:
            telemetry.VIEW_TRIGGERS.labels("dropped").inc(count)

    async def _send_one(self, sending: Sending) -> None:
        reason = sending.walk_reason if sending.walk_from is not None else None
        batch = sending.take()
        if batch:
            number, generation = sending.number, sending.generation
            await self._store.put([(key, entry.encode(generation, number, record))
                                   for key, record in batch])
            telemetry.VIEW_WRITTEN.inc(len(batch))
        if reason is not None and sending.walk_from is None:
            telemetry.VIEW_WALKS.labels(reason).inc()

    # -- marks -------------------------------------------------------------------------------------

    async def _confirm(self) -> None:
        """Mark the partitions of which all is sent."""
        now = _now()
        due: list[tuple[Sending, bytes, int]] = []
        for partition, sending in list(self._sendings.values()):
            if self._is_idle(partition, sending):
                sending.at = now
            is_news = sending.at - sending.marked_at >= MARK_S * 1000 or (
                sending.marked != entry.head(sending.generation, sending.state.next_offset))
            if sending.marked is not None and sending.is_sent() and is_news:
                said = entry.mark(sending.generation, sending.state, sending.at,
                                  publishing.lag(self._engine, partition))
                due.append((sending, entry.encode_mark(said), sending.at))
        ours = [one for one in due if not one[0].is_ahead()]
        if len(ours) < len(due):
            self._tell_ahead()
        if not ours:
            return
        heads = await self._store.mark([(s.number, s.marked or b"", data) for s, data, _ in ours])
        for (sending, data, at), head in zip(ours, heads, strict=True):
            if head == data[: entry.HEAD_BYTES]:
                if head != sending.marked and sending.marked_at:
                    telemetry.VIEW_STALENESS.observe((_now() - sending.marked_at) / 1000)
                sending.marked, sending.marked_at = head, at
            else:
                sending.found(head)

    def _is_idle(self, partition: Partition, sending: Sending) -> bool:
        """Whether nothing was applied since its last checkpoint: then that is as of now."""
        return (not partition.moved and not sending.under_way
                and partition.fold.next_offset == sending.state.next_offset)

    def _tell_ahead(self) -> None:
        if not self._told_ahead:
            self._told_ahead = True
            logger.error("the served view is of a later state than this worker's: where the state "
                         "was folded anew, raise FOOTFALL_VIEW_GENERATION (docs/view.md)")

    # -- failures ----------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        """Begin anew, from what the marks cover: of a write that failed nobody knows."""
        reason = failure_of(error)
        telemetry.VIEW_FAILURES.labels(reason).inc()
        self._has_session = False
        for _partition, sending in self._sendings.values():
            sending.interrupted()
        if reason == "forgotten":
            logger.warning("the served view has lost what was written to it; it is filled again")
            return
        if not self._is_away:
            self._is_away = True
            telemetry.VIEW_AWAY.set(1)
            logger.warning("the served view cannot be written: the worker goes on, and catches up "
                           "when it can",
                           extra={"reason": reason, "error": type(error).__name__})

    def _succeeded(self) -> None:
        if self._is_away:
            self._is_away = False
            telemetry.VIEW_AWAY.set(0)
            logger.info("the served view is written again")

    # -- partitions --------------------------------------------------------------------------------

    def _of(self, partition: Partition) -> Sending | None:
        owned, sending = self._sendings.get(partition.number, (None, None))
        return sending if owned is partition else None

    def _forget(self) -> None:
        """Partitions that have gone to another worker, which marks them from then on."""
        for number, (partition, _sending) in list(self._sendings.items()):
            if self._engine.partitions.get(number) is not partition:
                del self._sendings[number]


def _now() -> int:
    return time.time_ns() // 1_000_000
