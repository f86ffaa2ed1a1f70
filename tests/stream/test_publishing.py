"""What is published is what happened: latencies, money, and the partitions that are owned."""

from __future__ import annotations

import asyncio
import re
import time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from prometheus_client import REGISTRY

from footfall import tables, telemetry
from footfall.events import reasons
from footfall.events.interaction import Interaction
from footfall.stream import publishing
from footfall.stream.engine import LOG_APPEND_TIME, Engine
from footfall.stream.outbox import Lane
from tests.stream.live import batch, engine_of
from tests.tables import events
from tests.tables.logs import ANNA, CODECS, RESERVED

NOW_S = 30.0


class Record(NamedTuple):
    offset: int
    timestamp: int
    value: bytes
    key: bytes = ANNA
    timestamp_type: int = LOG_APPEND_TIME


class Counts:
    """Samples of metrics, as moved since it was made."""

    def __init__(self) -> None:
        self._before = self._all()

    def __getitem__(self, name: str) -> float:
        return round(self._all().get(name, 0.0) - self._before.get(name, 0.0), 9)

    def named(self, name: str) -> dict[str, float]:
        """Labels -> how much, of those that moved."""
        return {key: self[key] for key in self._all() if key.startswith(name) and self[key]}

    @staticmethod
    def _all() -> dict[str, float]:
        return {s.name + "".join(f" {v}" for _k, v in sorted(s.labels.items())): s.value
                for family in REGISTRY.collect() for s in family.samples}


@pytest.fixture
def counts() -> Counts:
    return Counts()


def record(offset: int, event: Interaction, appended_at: int, received_at: int) -> Record:
    event["received_at"] = received_at
    return Record(offset, appended_at, CODECS.interaction.encode(event))


def apply(engine: Engine, *records: Any) -> None:
    asyncio.run(engine.process(batch(engine, 0, list(records))))


def test_the_first_record_of_a_batch_is_sampled(counts: Counts) -> None:
    """One sample a batch: since it was received, and how old it was when it was appended."""
    now = round(time.time() * 1000)
    apply(engine_of(),
          record(0, events.plain(now - 600_000, "m1"), now - 2_000, now - 3_000),
          record(1, events.plain(now, "m2"), now, now))

    assert 1 == counts["footfall_apply_latency_seconds_count"]
    assert 3.0 <= counts["footfall_apply_latency_seconds_sum"] < 3.0 + NOW_S
    assert 1 == counts["footfall_event_age_seconds_count"]
    assert 598.0 == counts["footfall_event_age_seconds_sum"]


def test_ticks_and_poison_are_not_sampled(counts: Counts) -> None:
    """Nobody waits for them."""
    now = round(time.time() * 1000)
    tick = Record(0, now, CODECS.interaction.encode(RESERVED.tick(now)), b"$tick")
    engine = engine_of()
    engine.outbox.lane = lambda *_: SimpleNamespace(put=lambda *_: None)  # type: ignore
    apply(engine, tick)
    apply(engine, Record(1, now, b"poison"))

    assert 0 == counts["footfall_apply_latency_seconds_count"]


def test_violations_of_the_plan_are_not_sampled(counts: Counts) -> None:
    """They are written long after what they tell of."""
    now = round(time.time() * 1000)
    event: Any = {**events.plain(now, "v1"), "type": "violation"}
    apply(engine_of(), record(0, event, now, now - 60_000))

    assert 0 == counts["footfall_apply_latency_seconds_count"]


def test_behind_a_tick_the_last_record_is_sampled(counts: Counts) -> None:
    """A batch often begins with one."""
    now = round(time.time() * 1000)
    tick = Record(0, now, CODECS.interaction.encode(RESERVED.tick(now)), b"$tick")
    apply(engine_of(), tick, record(1, events.plain(now - 60_000, "m1"), now, now))

    assert 1 == counts["footfall_apply_latency_seconds_count"]
    assert 60.0 == counts["footfall_event_age_seconds_sum"]


def test_what_is_held_back_is_not_sampled(counts: Counts) -> None:
    """It has not been applied."""
    ahead = round(time.time() * 1000) + 3_600_000
    apply(engine_of(), record(0, events.plain(ahead, "m1"), ahead, ahead))

    assert 0 == counts["footfall_apply_latency_seconds_count"]


def trigger(name: str, **value: str) -> Any:
    return {"name": name, "data": publishing.msgspec.json.encode({"cart_id": "", "value": value})}


def test_money_is_summed_by_trigger_and_currency(counts: Counts) -> None:
    """Of carts alone, whatever other triggers call a value."""
    money = publishing.Money()
    for added in ("0.1", "0.2", "1999.99"):
        money.add(trigger("cart_abandoned", EUR=added, USD="1"))
    money.add(trigger("cart_recovered", EUR="5"))
    money.add({"name": "order_refunded", "data": b'{"value": 3}'})  # type: ignore[typeddict-item]

    exact = float(Decimal("0.1") + Decimal("0.2") + Decimal("1999.99"))
    assert {"footfall_cart_value_total EUR cart_abandoned": exact,
            "footfall_cart_value_total USD cart_abandoned": 3.0,
            "footfall_cart_value_total EUR cart_recovered": 5.0,
            } == counts.named("footfall_cart_value_total")


def test_nobody_can_fill_the_metrics_with_currencies(counts: Counts) -> None:
    """What is no code of three letters is "other", and so is what comes past the limit."""
    money = publishing.Money()
    money.add(trigger("cart_recovered", anna="1", eur="2", **{"": "4"}))
    codes = [f"{a}{b}Q" for a in "XYZ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for code in codes:
        money.add(trigger("cart_recovered", **{code: "1"}))

    moved = counts.named("footfall_cart_value_total")
    assert publishing.CURRENCIES_MAX + 1 == len(moved)
    over = len(codes) - publishing.CURRENCIES_MAX
    assert 7 + over == moved["footfall_cart_value_total other cart_recovered"]


def test_a_trigger_of_a_fold_is_counted_in_money(counts: Counts) -> None:
    """On its way out, as the fold made it."""
    engine = engine_of()
    sent: list[Any] = []
    engine.outbox.lane = lambda *_: SimpleNamespace(  # type: ignore
        put=lambda messages, since=None: sent.append((messages, since)))
    start = round(time.time() * 1000) - 4_000_000
    apply(engine, record(0, events.added(start, "m1", price="9.90"), start, start))
    tick = start + 1_800_501
    apply(engine, Record(1, tick, CODECS.interaction.encode(RESERVED.tick(tick)), b"$tick"))

    told = [(CODECS.trigger.decode(value)["name"], since)
            for messages, since in sent for _key, value in messages]
    assert [("cart_abandoned", tick)] == [t for t in told if t[0].startswith("cart_")]
    assert 9.9 == counts["footfall_cart_value_total EUR cart_abandoned"]


def test_labels_that_are_known_are_there_at_zero(counts: Counts) -> None:
    """Before anything happens: `increase()` does not see the step with which a series appears."""
    kinds = {"track", "page", "screen", "identify", "group", "alias"}
    known = {
        telemetry.PROCESSED: {*kinds, "$delivery", "violation", "$import", "$tick", "$config",
                              "$handoff", "$unmerge", "$cutover"},
        telemetry.LATE: {*kinds, "$delivery"},
        telemetry.TRIGGERS: {name for t in tables.ALL for name in t.triggers},
        telemetry.MUTED: {name for t in tables.ALL for name in t.triggers},
        telemetry.SETTLED: {t.name for t in tables.ALL},
        telemetry.LIMITED: {"integrations", *(
            t.name for t in tables.ALL if t.limited is not None)},
        telemetry.DUPLICATES: set(publishing.REPEATS),
        telemetry.REJECTED: set(reasons.WORKER),
    }
    for counter in known:
        counter.clear()

    publishing.begin(engine_of())

    for counter, labels in known.items():
        shown = {s.labels[counter._labelnames[-1]]: s.value
                 for family in counter.collect() for s in family.samples
                 if s.name.endswith("_total")}
        assert dict.fromkeys(labels, 0.0) == shown


def test_levels_that_customers_come_to_are_counted_by_table(counts: Counts) -> None:
    """From the triggers that tell of them; links and carts have levels of which none tells."""
    telemetry.LEVEL_ENTRIES.clear()
    publishing.begin(engine_of())
    there = {(s.labels["table"], s.labels["level"]) for family in telemetry.LEVEL_ENTRIES.collect()
             for s in family.samples if s.name.endswith("_total")}
    assert {(t.name, level) for t in tables.ALL if t.name in ("engagement", "risk")
            for level in t.levels} == there
    engine = engine_of()
    engine.outbox.lane = lambda *_: SimpleNamespace(put=lambda *_: None)  # type: ignore
    start = round(time.time() * 1000) - 4_000_000
    failed: list[Any] = [{**events.plain(start, f"m{n}"), "event": "Payment Failed"}
                         for n in range(12)]
    apply(engine, *(record(n, event, start + n, start) for n, event in enumerate(failed)))
    engine.publish(engine.partitions[0])

    told = counts["footfall_triggers_total risk_level_changed"]
    assert told >= 1
    assert told == sum(counts.named("footfall_level_entries_total").values()) - sum(
        n for name, n in counts.named("footfall_level_entries_total").items()
        if name.endswith("engagement"))


def test_each_kind_of_repeat_is_known() -> None:
    """As docs/metrics.md has them."""
    text = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
    (row,) = [line for line in text.splitlines() if "footfall_duplicates_total`" in line]
    assert set(publishing.REPEATS) == set(re.findall(r"`(\w+)`", row.split("|")[4]))


def test_gauges_of_a_partition_go_with_it() -> None:
    """The worker that has it now publishes them."""
    engine = engine_of(owned=(0, 1))
    engine.outbox.unacknowledged_bytes = lambda: 7  # type: ignore[method-assign]
    publishing.publish_all(engine)
    names = [f"footfall_{name}" for name in ("lag_records", "clock_seconds", "customers")]
    for name in names:
        assert REGISTRY.get_sample_value(name, {"partition": "1"}) is not None
    assert 10 == REGISTRY.get_sample_value("footfall_lag_records", {"partition": "1"})
    assert 7 == REGISTRY.get_sample_value("footfall_outbox_bytes")

    engine.keep_only({0})
    engine.assigned()

    for name in names:
        assert REGISTRY.get_sample_value(name, {"partition": "1"}) is None
        assert REGISTRY.get_sample_value(name, {"partition": "0"}) is not None


def test_a_partition_that_is_being_taken_away_has_no_lag_and_ends_nothing() -> None:
    """Kafka's client knows sooner than we do, and then asserts; the loss is told in its time."""
    engine = engine_of()

    def highwater(_tp: Any) -> int:
        raise AssertionError("Partition is not assigned")

    engine.consumer.highwater = highwater  # type: ignore[method-assign]
    assert None is publishing.lag(engine, engine.partitions[0])
    publishing.publish_all(engine)


class Broker:
    """A producer whose acknowledgements come when the test says so."""

    def __init__(self) -> None:
        self.acks: list[asyncio.Future[Any]] = []

    def create_batch(self) -> Any:
        size = [0]

        def append(key: bytes, value: bytes, timestamp: None) -> object:
            size[0] += len(value)
            return object()

        return SimpleNamespace(append=append, close=lambda: None, size=lambda: size[0])

    async def send_batch(self, *_args: Any, **_kwargs: Any) -> Any:
        self.acks.append(asyncio.get_running_loop().create_future())
        return self.acks[-1]


async def come_round() -> None:
    """Everything goes as far as it can by itself: nothing here waits for a clock."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_trigger_is_timed_until_the_broker_has_it(counts: Counts) -> None:
    """And its bytes wait until then; from then on it may be shown."""
    broker, now, acked = Broker(), [1_000], []

    async def act() -> None:
        outbox: Any = SimpleNamespace(
            producer=broker, before_send=lambda: None, sent=lambda _metadata: None,
            check=lambda _task: None, broker_now=lambda: now[0],
            acked=lambda topic, messages: acked.append((topic, messages)))
        lane = Lane(outbox, "footfall.triggers", 0)
        lane.put([(b"k", b"1234")], since=500)
        lane.put([(b"k", b"56")])
        assert 8 == lane.unacknowledged_bytes()
        await come_round()
        assert 6 == lane.unacknowledged_bytes()
        assert 0 == counts["footfall_trigger_latency_seconds_count"]
        assert [] == acked
        now[0] = 3_000
        broker.acks[0].set_result(SimpleNamespace(offset=1))
        await come_round()
        assert 0 == lane.unacknowledged_bytes()
        assert [("footfall.triggers", [(b"k", b"1234"), (b"k", b"56")])] == acked
        lane.stop()

    asyncio.run(act())

    assert 1 == counts["footfall_trigger_latency_seconds_count"]
    assert 2.5 == counts["footfall_trigger_latency_seconds_sum"]
    assert 6 == counts["footfall_written_bytes_total footfall.triggers"]
