"""The worker's engine: folds interactions into customers, sends triggers and handoffs.

Decides what becomes of each output of the fold. How batches come in and what they say is made
durable is in `log_engine.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

from footfall import telemetry
from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import HANDOFF
from footfall.events.reserved import Reserved
from footfall.health import Part
from footfall.settings import Settings
from footfall.stream import publishing
from footfall.stream.checkpoint import Change, Snapshot
from footfall.stream.counted import Counted
from footfall.stream.generations import FIRST
from footfall.stream.log_engine import LOG_APPEND_TIME, LogEngine, LogPartition
from footfall.stream.outbox import Message
from footfall.stream.partition import partition_of
from footfall.stream.poison import PoisonLimit
from footfall.stream.views import CHECKPOINT_S_MAX, Views
from footfall.tables.fold import Fold
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable
from footfall.tables.stored import PartitionState

__all__ = ["LOG_APPEND_TIME", "Engine", "Partition"]

logger = logging.getLogger(__name__)
#: What the states of a view mean.
_VIEW = {"current": "shows what was last made durable", "catching_up": "is behind; it catches up",
         "away": "cannot be written; it is tried again, and workers answer for customers"}

Partition: TypeAlias = LogPartition[Fold]


class Engine(LogEngine[Partition]):
    """The engine of customers."""

    def __init__(
        self, settings: Settings, tables: Sequence[AnyTable], *, codecs: Codecs,
        keys: CustomerKeys, reserved: Reserved, fail: Callable[[BaseException], None],
        log_topic: str = topics.INTERACTIONS, changelog_topic: str = topics.CHANGELOG,
        **fold_options: Any,
    ) -> None:
        super().__init__(settings, codecs=codecs, keys=keys, reserved=reserved, fail=fail,
                         log_topic=log_topic, changelog_topic=changelog_topic)
        self.tables = tables
        self._fold_options = fold_options
        self._decode = fold_options.get("decode") or codecs.interaction.decode
        self._money = publishing.Money()
        self._counted = Counted(settings.north_star)
        #: What sends customers to the served view; None where there is none.
        self.views: Views | None = None

    def own(self, number: int, state: PartitionState | None, best: Best,
            generation: int = FIRST) -> Partition:
        """Take a recovered partition."""
        fold = Fold(
            number, self.tables, codecs=self.codecs, keys=self.keys, reserved=self.reserved,
            topic=self.log_topic, state=state, best=best, passed=self.crash_point,
            generation=generation, counted=self._counted.names,
            hot_records_max=max(1, self.settings.hot_records_max // self.settings.partitions),
            **self._fold_options,
        )
        limit = PoisonLimit(number, self.settings.rejected_ratio_max,
                            self.settings.rejected_run_max)
        rewrites = [(key, best.store[key]) for key in best.stale]
        telemetry.RECOVERED.inc(len(best.store))
        telemetry.STALE_RECORDS.inc(len(rewrites))
        partition = self.partitions[number] = Partition(number, fold, limit, rewrites,
                                                        moved=bool(rewrites),
                                                        generation=generation)
        if self.views is not None:
            self.views.own(partition)
        return partition

    def send(self, partition: Partition, since: int) -> None:
        """Outputs leave at once; the checkpoint waits for their acknowledgement. `since`: when the
        batch's first record was appended.
        """
        fold = partition.fold
        outputs, fold.outputs = fold.outputs, []
        number = partition.number
        for kind, key, value, name in outputs:
            if kind == TRIGGER:
                if logger.isEnabledFor(logging.DEBUG):
                    self._say(partition, value)
                self.outbox.lane(topics.TRIGGERS, number).put([(key, value)], since)
                if name in publishing.MONEY:
                    self._money.add(self.codecs.trigger.decode(value))
            elif kind == REJECTED:
                self.outbox.lane(topics.REJECTED, number).put([(None, value)])
                partition.limit.rejected(int(key))
            elif kind == HANDOFF:
                to = partition_of(key, self.settings.partitions)
                self.outbox.lane(self.log_topic, to).put([(key, value)])

    def _say(self, partition: Partition, trigger: bytes) -> None:
        """Which trigger came of which records, for whoever follows one of them."""
        logger.debug("a trigger was told", extra={
            "trigger_id": self.codecs.trigger.decode(trigger)["trigger_id"],
            "topic": self.log_topic, "partition": partition.number,
            "until_offset": partition.fold.next_offset})

    def acked(self, topic: str, messages: list[Message]) -> None:
        """Triggers that the broker has may be shown from now on."""
        if self.views is not None and topic == topics.TRIGGERS:
            self.views.told(messages)

    def applied(self, partition: Partition, records: Sequence[Any]) -> None:
        """How long they took is sampled."""
        publishing.sample([records[0], records[-1]] if records else [], self._decode)

    def publish(self, partition: Partition) -> None:
        """What the fold has counted."""
        publishing.publish(self, partition)

    def begin_metrics(self) -> None:
        """Every label that is known beforehand, at 0."""
        publishing.begin(self)
        self._counted.begin()

    def publish_all(self) -> None:
        """Every metric as it is now, for a scrape."""
        publishing.publish_all(self)

    def parts(self) -> dict[str, Part]:
        """With the view; a worker is ready without it: the log goes on."""
        if self.views is None:
            return super().parts()
        found = self.views.state()
        return {**super().parts(),
                "view": Part(found != "away", _VIEW[found], is_needed=False)}

    def state(self) -> dict[str, Any]:
        """And how the view is."""
        view = {} if self.views is None else {"view": self.views.state()}
        return {**super().state(), **view}

    def taken(self, partition: Partition, changed: Sequence[Change]) -> None:
        """The view learns what is about to be durable; so does what counts once it is."""
        self._counted.taken(partition.number, partition.fold.take_counted())
        if self.views is not None:
            self.views.begin(partition, _kept(changed))

    def durable(self, snapshot: Snapshot) -> None:
        """What is in the changelog may be shown, and counts."""
        self._counted.durable(snapshot.partition.number)
        if self.views is not None:
            self.views.durable(snapshot.partition, _kept(snapshot.changed), snapshot.state,
                               snapshot.at)

    @property
    def checkpoint_s(self) -> float:
        """A view that is served wants it soon."""
        wait_s = super().checkpoint_s
        return wait_s if self.views is None else min(wait_s, CHECKPOINT_S_MAX)

    async def stop(self) -> None:
        """Let go of view and broker."""
        if self.views is not None:
            await self.views.stop()
        await super().stop()


def _kept(changed: Sequence[Change]) -> list[tuple[bytes, bytes]]:
    """A customer's record never goes: its removal is a record, too (law 2)."""
    return cast("list[tuple[bytes, bytes]]", changed)
