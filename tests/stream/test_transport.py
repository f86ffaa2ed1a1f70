"""What was fetched and not handed out yet is not behind us: nobody is at the end before it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from footfall.stream.transport import BatchConsumer

FIRST, SECOND = TP("log", 0), TP("log", 1)


def consumer_of(states: dict[TP, Any], fetches: list[dict[TP, list[Any]]]) -> BatchConsumer:
    """One that owns these partitions; each fetch moves positions first, as aiokafka's thread does.
    """
    made: Any = BatchConsumer.__new__(BatchConsumer)
    assignment = SimpleNamespace(state_value=lambda tp: states[TP(tp.topic, tp.partition)])
    inner = SimpleNamespace(_subscription=SimpleNamespace(
        subscription=SimpleNamespace(assignment=assignment)))

    async def fetched(_wanted: set[TP], _timeout: float) -> dict[TP, list[Any]]:
        found = fetches.pop(0)
        for tp, records in found.items():
            states[tp].position = records[-1].offset + 1
        return found

    made.__dict__.update(
        gate=True, epoch=0, flow_active=True, held=set(), delivered=dict.fromkeys(states, 0),
        engine=SimpleNamespace(inputs={"log": None}, settings=SimpleNamespace(batch_records_max=2)),
        app=SimpleNamespace(consumer_generation_id=1), _thread=SimpleNamespace(_consumer=inner),
        _handed_out=dict.fromkeys(states, 0), _fetching=asyncio.Lock(), _getmany=fetched,
        _get_active_partitions=lambda: set(states), _is_changelog_tp=lambda _tp: False)
    return made  # type: ignore[no-any-return]


def test_a_partition_is_at_its_end_once_all_that_was_fetched_is_handed_out() -> None:
    """Not while another one's records, or the first half of its own, are handed out."""
    states = {tp: SimpleNamespace(has_valid_position=True, position=0, highwater=4)
              for tp in (FIRST, SECOND)}
    records = [SimpleNamespace(offset=n) for n in range(4)]
    consumer = consumer_of(states, [{FIRST: records, SECOND: records}, {}])

    async def drained() -> list[tuple[TP, bool, bool]]:
        return [(tp, consumer.at_end(FIRST), consumer.at_end(SECOND))
                async for tp, _ in consumer.getmany(1.0)]

    async def run() -> None:
        assert [(FIRST, False, False)] * 2 + [(SECOND, False, False)] * 2 == await drained()
        assert [] == await drained()
        assert consumer.at_end(FIRST) and consumer.at_end(SECOND)

    asyncio.run(run())


def test_a_topic_that_ends_with_control_records_has_an_end() -> None:
    """They are never handed out; the position passes them."""
    states = {FIRST: SimpleNamespace(has_valid_position=True, position=0, highwater=3)}
    consumer = consumer_of(states, [{}, {}])

    async def run() -> None:
        assert [] == [one async for one in consumer.getmany(1.0)]
        assert not consumer.at_end(FIRST)
        states[FIRST].position = 3
        assert [] == [one async for one in consumer.getmany(1.0)]
        assert consumer.at_end(FIRST)

    asyncio.run(run())


def test_nothing_is_known_of_a_partition_that_is_not_ours() -> None:
    consumer = consumer_of({}, [{}])
    assert not consumer.at_end(FIRST)
