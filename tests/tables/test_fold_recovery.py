"""Laws 2 and 4: whatever a worker loses, folding on from what is durable gives the same bytes."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footfall import tables
from footfall.errors import StateRefused
from footfall.tables.fold import EVERY_TIMER
from footfall.tables.outputs import TRIGGER
from footfall.tables.record import header
from footfall.tables.stored import NEVER
from tests.tables import events
from tests.tables.log import Entry, Log
from tests.tables.logs import ANNA, BERT, CODECS, KEYS, START
from tests.tables.made import PULSE, TALLY, bell, faulty, pointer, say

CUSTOMERS = (ANNA, BERT, KEYS.of("user_id", "cara"))
SPECS = [*tables.ALL, PULSE, TALLY, bell("bell"), bell("chime"), faulty("faulty")]

#: Triggers that only timers tell.
_TABLE_OF = {"cart_abandoned": "cart", "silent": "pulse", "rang_bell": "bell",
             "rang_chime": "chime"}

_steps = st.sampled_from([0, 0, 1, 300, 1_000, 2_400, 5_600, 9_000, 11_000, 40_000, -2_000])
_late = st.sampled_from([0, 0, 0, 300, 4_000, 7_000, 60_000, -1_000])


def seconds(n: float) -> int:
    """An instant, in seconds from the start of the log."""
    return START + round(n * 1000)


@st.composite
def _records(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """What happens in a log: ("append", key, event, at), ("tick", at), ..."""
    at = START
    made: list[tuple[str, Any]] = []
    for n in range(draw(st.integers(3, 30))):
        at = max(at + draw(_steps), START)
        what = draw(st.integers(0, 19))
        key = draw(st.sampled_from(CUSTOMERS))
        when = max(at - draw(_late), 0)
        message_id = f"m{draw(st.integers(0, n)) if what % 5 == 0 else n}"
        if what < 3:
            made.append(("tick", (at,)))
        elif what == 3:
            made.append(("config", (at, draw(st.integers(0, 9)), draw(st.sampled_from([5, 20])))))
        elif what == 4:
            value = draw(st.sampled_from([None, b"", b"\0junk"]))
            made.append(("poison", (draw(st.sampled_from([key, None, b"no key"])), value, at)))
        else:
            made.append(("append", (key, _event(draw, what, when, message_id), at)))
    return made


def _event(draw: st.DrawFn, what: int, when: int, message_id: str) -> Any:
    if what == 5:
        said = draw(st.sampled_from(["observe", "announce", "fuse", "stuck"]))
        return say("faulty", said, when, message_id)
    if what in (6, 7, 8):
        rings = draw(st.lists(st.integers(-8, 30), min_size=1, max_size=3))
        argument = ",".join(str(when + 1000 * r) for r in rings)
        return say(draw(st.sampled_from(["bell", "chime"])), argument, when, message_id)
    if what in (9, 10):
        return events.ordered(when, message_id, total="5")
    if what in (11, 12, 13):
        return events.added(when, message_id, cart_id=draw(st.sampled_from(["", "c1"])))
    return events.plain(when, message_id, {"userId": "u"})


def written(records: list[tuple[str, Any]], specs: Any = SPECS) -> Log:
    """A log of one partition that holds these records; nothing is folded yet."""
    log = Log(specs)
    log.config(START, 1, cart={"idle_s": 10})
    for what, arguments in records:
        if what == "append":
            log.append(*arguments)
        elif what == "tick":
            log.tick(*arguments)
        elif what == "config":
            at, number, idle_s = arguments
            log.config(at, number, cart={"idle_s": idle_s}, pulse={"idle_s": idle_s})
        else:
            key, value, at = arguments
            log.append_bytes(key, value, at)
    for n in range(8):
        log.tick(log.now + 12_000 * n)
    return log


quick = settings(deadline=None, max_examples=120,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@quick
@given(_records(), st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 4), st.booleans()),
                            max_size=12))
def test_a_crash_anywhere_changes_nothing(
    records: list[tuple[str, Any]], crashes: list[tuple[int, int, bool]]
) -> None:
    """Same records and same outputs, byte for byte, through any crashes and half checkpoints; and
    one watermark has one content, so that the highest is the right one (counterexample 9).
    """
    expected = written(records).run()
    log = written(records)
    worker = log.workers[0]
    for steps, written_records, crash in crashes:
        for _ in range(steps):
            worker.step()
        worker.checkpoint(records=None if written_records < 0 else written_records)
        if crash:
            worker.crash()
    worker.run()
    assert expected.records() == log.records()
    assert expected.outputs() == log.outputs()
    assert expected.workers[0].fold.state() == worker.fold.state()
    assert all(len(values) == 1 for values in worker.written.values())


@quick
@given(_records())
def test_folding_again_gives_the_same_bytes(records: list[tuple[str, Any]]) -> None:
    """Law 4: also when a worker holds almost no record decoded, and in the same order."""
    log = written(records)
    log.workers[0].fold.records.hot_max = 1
    while log.workers[0].step():
        log.workers[0].checkpoint()
    again = log.fold_again()
    assert log.sent == again.sent
    assert log.records() == again.records()
    assert log.workers[0].changelog == again.records()


@quick
@given(_records(), st.integers(1, 3), st.lists(st.integers(0, 12), max_size=4))
def test_a_unit_in_pieces_is_the_same_unit(records: list[tuple[str, Any]], fired_max: int,
                                           crashes: list[int]) -> None:
    """Same outputs in the same order and the same records, byte for byte, wherever a fold stops
    among the timers of one record, and whatever it lets go of there.
    """
    expected = written(records).run()
    log = written(records)
    log.fired_max = fired_max
    worker = log.workers[0]
    for steps in [0, *crashes]:
        worker.checkpoint()
        worker.crash()  # the next fold keeps hardly a record decoded
        for _ in range(steps):
            worker.step()
    worker.run()
    assert expected.records() == log.records()
    assert expected.outputs() == log.outputs()
    assert crashes or expected.sent == log.sent
    assert expected.workers[0].fold.state() == worker.fold.state()
    assert expected.workers[0].fold.counts == worker.fold.counts or crashes


@quick
@given(_records())
def test_no_timer_is_lost_and_none_is_early(records: list[tuple[str, Any]]) -> None:
    """Against a scan of all records: what was due before the clock has fired or settles, what told
    came in the order (wake_at, key, table), and `timer_before` is exactly right.
    """
    log = written(records)
    fold = log.workers[0].fold
    for entry in log.entries[0]:
        before = {(key, name): timer for key in CUSTOMERS if (record := fold.records.peek(key))
                  for name, timer in record.timers.items()}
        sent = len(log.sent)
        log.workers[0].step()
        after = {(key, name): timer for key in CUSTOMERS if (record := fold.records.peek(key))
                 for name, timer in record.timers.items()}
        for place, timer in before.items():
            if timer.wake_at < fold.clock:
                assert after.get(place) != timer, f"{place} was due and did not fire"
        told = [CODECS.trigger.decode(o.value) for _, o in log.sent[sent:] if o.kind == TRIGGER]
        order = [(t["emitted_at"], t["customer_key"], _TABLE_OF[t["name"]]) for t in told
                 if t["name"] in _TABLE_OF]
        assert sorted(order) == order
        assert all(emitted_at < fold.clock for emitted_at, _key, _table in order)
        wakes = sorted(t.wake_at for t in after.values())
        for now in {fold.clock, fold.clock + 3_000, *wakes, *(w + 1 for w in wakes)}:
            assert bool(wakes and wakes[0] < now) == fold.timer_before(now)
        assert entry.offset + 1 == fold.next_offset


# -- one sequence at a time ------------------------------------------------------------------------


def test_a_record_and_its_timers_are_one_unit() -> None:
    """Review R2, CE 1: K's own record releases K's timer; both are in what a checkpoint writes."""
    log = Log([PULSE, TALLY])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(ANNA, events.plain(seconds(11), "m2"), seconds(11))
    log.run()
    log.workers[0].checkpoint(records=9)
    log.run()
    assert {"m1": (1, START), "m2": (1, seconds(11))} == log.facts(ANNA, "tally").seen
    assert 1 == len(log.triggers())


@pytest.mark.parametrize("value", [None, b"junk", "repeat", "rejected"])
@pytest.mark.parametrize("fired_max", [EVERY_TIMER, 1])
def test_a_timer_released_by_a_record_that_is_not_applied(value: Any, fired_max: int) -> None:
    """The customer's watermark is that of the record that moved the clock, applied or not."""
    log = Log([PULSE, TALLY, faulty("faulty")])
    log.fired_max = fired_max
    log.workers[0].crash()
    log.append(ANNA, events.plain(START, "m1"), START)
    for n in range(5):  # their timers come after hers, so that she is let go of before her record
        log.append(KEYS.of("user_id", f"u{n}"), events.plain(START + 1, f"u{n}"), START + 1)
    if value == "repeat":
        log.append(ANNA, events.plain(START, "m1"), seconds(11))
    elif value == "rejected":
        log.append(ANNA, say("faulty", "observe", seconds(11), "m2"), seconds(11))
    else:
        log.append_bytes(ANNA, value, seconds(11))
    log.run()
    record = log.fold_of(ANNA).records.peek(ANNA)
    assert record is not None
    assert (6, 6) == (record.watermark, len(log.triggers()))
    assert (6, NEVER) == header(log.records()[ANNA])[:2]
    assert log.records() == log.fold_again().records()


def test_no_timer_fires_behind_its_customers_watermark() -> None:
    """Review R2, CE 2: recovered at 3 with a timer just past; at 1 the clock is past it already."""
    log = Log([PULSE, TALLY])
    log.append(BERT, events.plain(START, "b1"), seconds(10.6))
    log.append(BERT, events.plain(START, "b2"), seconds(11))
    log.append(ANNA, events.plain(START, "a1"), seconds(11))
    log.run()
    assert 0 == len([t for t in log.triggers() if t["customer_key"] == ANNA.decode()])
    log.workers[0].checkpoint(records=9)
    log.run()
    assert {"a1": (1, START)} == log.facts(ANNA, "tally").seen
    record = log.fold_of(ANNA).records.peek(ANNA)
    assert record is not None
    assert 2 == record.watermark
    log.append(BERT, events.plain(START, "b3"), seconds(12))
    log.run()
    assert log.records() == log.fold_again().records()
    assert 1 == len([t for t in log.triggers() if t["customer_key"] == ANNA.decode()])


def test_a_timer_that_waits_for_the_log_asks_for_a_tick() -> None:
    """The same at the log's end: nobody else may ever write, so the tick must come from here."""
    log = Log([PULSE, TALLY])
    log.append(BERT, events.plain(seconds(11), "b1"), seconds(11))
    log.append(ANNA, events.plain(START, "a1"), seconds(11))
    log.run()
    log.workers[0].checkpoint(records=9)
    log.run()
    assert log.workers[0].fold.timer_before(seconds(11.1))
    log.tick(seconds(11.1))
    assert [seconds(10)] == [t["occurred_at"] for t in log.run().triggers()]


def test_the_state_of_the_partition_survives() -> None:
    """Counterexample 3: a faster clock and a configuration of before the checkpoint still hold."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.config(seconds(1), 1, pulse={"idle_s": 20})
    log.append(BERT, events.plain(START, "m2"), seconds(9))
    log.run()
    log.workers[0].checkpoint()
    log.append(ANNA, events.plain(seconds(2), "m3"), seconds(2))
    log.config(seconds(3), 2, pulse={"idle_s": 5})
    log.workers[0].crash()
    fold = log.workers[0].fold
    assert (seconds(9), 1, 3) == (fold.clock, fold.config.number, fold.next_offset)
    assert fold.state() == fold.state()
    assert 2 == fold.state().last_offset
    log.run()
    assert (seconds(9), 2) == (fold.clock, fold.config.number)
    assert log.records() == log.fold_again().records()


def test_a_timer_of_a_table_that_this_code_does_not_know_stops_it() -> None:
    """Code that was rolled back: going on would drop what newer code is waiting for."""
    log = Log([TALLY, bell("bell")])
    log.append(ANNA, say("bell", str(seconds(5)), START, "m1"), START)
    log.run()
    log.workers[0].checkpoint()
    log.specs = [TALLY]
    log.workers[0].crash()
    log.tick(seconds(6))
    with pytest.raises(StateRefused, match="table 'bell'"):
        log.run()


def test_rows_of_newer_code_stop_a_worker_and_change_nothing() -> None:
    """Law 7: no event is rejected or applied for it."""
    log = Log([TALLY])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.run()
    log.workers[0].checkpoint()
    newer = TALLY.__class__(**{f: getattr(TALLY, f) for f in TALLY.__slots__} | {
        "version": 2, "upgrade": lambda _version, facts, _told: (_decode_tally(facts),
                                                                 TALLY.told())})
    log.specs = [newer]
    log.workers[0].crash()
    log.append(ANNA, events.plain(START, "m2"), START)
    log.run()
    assert {"m1", "m2"} == set(log.facts(ANNA, "tally").seen)
    log.workers[0].checkpoint()
    log.specs = [TALLY]
    log.workers[0].crash()
    log.append(ANNA, events.plain(START, "m3"), START)
    with pytest.raises(StateRefused, match="version 2"):
        log.run()
    assert [] == log.rejected()


def _decode_tally(facts: bytes) -> Any:
    return msgspec.msgpack.decode(facts, type=TALLY.facts)


def test_the_header_says_when_to_wake() -> None:
    """So that a million records give their timers without being decoded."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.run()
    assert (0, seconds(10.5)) == header(log.records()[ANNA])[:2]
    log.tick(seconds(11))
    log.run()
    assert (1, NEVER) == header(log.records()[ANNA])[:2]


def test_recovery_takes_the_clock_as_of_the_checkpoint_only() -> None:
    """A worker that has read nothing yet says again what it was given."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.run()
    log.workers[0].checkpoint()
    expected = log.workers[0].fold.state()
    log.workers[0].crash()
    assert expected == log.workers[0].fold.state()


# -- with handoffs, over partitions ----------------------------------------------------------------

_MOVING = [pointer(), PULSE, TALLY, bell("bell")]
#: Joined only upwards in this order, so that pointers make no circle.
_RANKED = sorted(KEYS.of("user_id", f"r{n}") for n in range(6))


@settings(deadline=None, max_examples=100,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_handoffs_are_applied_once_through_any_crashes(data: st.DataObject) -> None:
    """Three partitions, pointers made at any time: every message is counted exactly once, every
    record is what its log gives, and every trigger was told by the same id.
    """
    log = Log(_MOVING, partitions=3, hop_ms=data.draw(st.sampled_from([0, 1, 3_000])))
    log.fired_max = data.draw(st.sampled_from([EVERY_TIMER, 1, 2]))
    numbers = itertools.count()
    sent: set[str] = set()
    at = START
    for _ in range(data.draw(st.integers(5, 40))):
        what = data.draw(st.integers(0, 11))
        worker = log.workers[data.draw(st.integers(0, 2))]
        rank = data.draw(st.integers(0, 5))
        at = max(log.now, at) + data.draw(st.sampled_from([0, 10, 2_000, 12_000]))
        message_id = f"m{next(numbers)}"
        when = at - data.draw(st.sampled_from([0, 0, 100, 8_000]))
        if what == 0:
            log.tick(at)
        elif what in (1, 2):
            worker.checkpoint()
        elif what == 3:
            worker.checkpoint(records=data.draw(st.integers(0, 3)))
        elif what == 4:
            worker.crash()
        elif what in (5, 6):
            for _ in range(data.draw(st.integers(1, 6))):
                worker.step()
        else:
            event = events.plain(when, message_id)
            if what in (7, 8) and rank < 5:
                owner = _RANKED[data.draw(st.integers(rank + 1, 5))].decode()
                starts = data.draw(st.sampled_from(["", f"@{at + 4_000}"]))
                event = say("join", owner + starts, when, message_id)
            elif what == 9:
                event = say("bell", f"{at + 4_000},{at - 9_000}", when, message_id)
            sent.add(message_id)
            log.append(_RANKED[rank], event, at)
    for n in range(1, 9):
        log.run().tick(log.now + 12_000 * n)
    log.run()
    counted = [pair for key in _RANKED if (facts := log.facts(key, "tally"))
               for pair in facts.seen.items()]
    assert sorted((m, 1) for m in sent) == sorted((m, count) for m, (count, _when) in counted)
    again = log.fold_again()
    assert again.records() == log.records()
    assert again.outputs() == log.outputs()
    assert again.handoffs() <= log.handoffs()
    for worker in log.workers:
        assert all(len(values) == 1 for values in worker.written.values())
    ends: list[Entry] = [entries[-1] for entries in log.entries]
    assert [e.offset + 1 for e in ends] == [w.fold.next_offset for w in log.workers]
