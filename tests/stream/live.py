"""An engine without Kafka: real folds, and a consumer that only says what the tests need."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from footfall import tables
from footfall.settings import Settings
from footfall.stream.engine import LOG_APPEND_TIME, Engine
from footfall.stream.partition import partition_of
from footfall.tables.records import Best
from footfall.tables.spec import AnyTable
from tests.tables.logs import CODECS, KEYS, RESERVED, Appended, Entry


class Tick(NamedTuple):
    """A `$tick` as the log has it."""

    offset: int
    timestamp: int
    key: bytes = b"$tick"
    value: bytes = CODECS.interaction.encode(RESERVED.tick(0))
    timestamp_type: int = LOG_APPEND_TIME


def fail(error: BaseException) -> None:
    raise error


def engine_of(specs: Sequence[AnyTable] = tables.ALL, owned: Sequence[int] = (0,),
              **settings: Any) -> Engine:
    """Owns empty partitions."""
    made = Engine(Settings(**{"partitions": 4, **settings}), specs, codecs=CODECS, keys=KEYS,
                  reserved=RESERVED, fail=fail)
    made.consumer = SimpleNamespace(  # type: ignore[assignment]
        gate=True, is_ready=True, serves=lambda _number: True, epoch=0, held=set(), member="m",
        is_member=lambda: True,
        highwater=lambda _tp: 10, at_end=lambda _tp: False)
    for number in owned:
        made.own(number, None, Best())
    return made


def feed(engine: Engine, log: Sequence[Appended]) -> None:
    """Applies a log, each record on the partition of its key; nothing is checkpointed."""
    for at, key, event in log:
        fold = engine.partitions[partition_of(key, engine.settings.partitions)].fold
        fold.apply(Entry(fold.next_offset, at, key, CODECS.interaction.encode(event)))


def batch(engine: Engine, partition: int, records: Sequence[Any]) -> Any:
    """An event as Faust hands it to the engine."""
    return SimpleNamespace(
        message=SimpleNamespace(partition=partition), ack=lambda: None,
        value=SimpleNamespace(epoch=engine.consumer.epoch, records=records))


