"""Law 4: the log's clock, the order in which timers fire, grace and settling."""

from __future__ import annotations

from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, CARTS, KEYS, START
from tests.tables.made import IDLE_MS, PULSE, TALLY, bell, faulty, pointer, say

CARA = KEYS.of("user_id", "cara")
IDLE = 1_800_000
GRACE = 500
A, B = sorted((ANNA, BERT))


def seconds(n: float) -> int:
    """An instant, in seconds from the start of the log."""
    return START + round(n * 1000)


def test_time_is_when_records_were_appended() -> None:
    """What a device says of its time moves no clock: only append times do."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(BERT, events.plain(seconds(9_999), "m2"), seconds(1))
    log.run()
    assert seconds(1) == log.workers[0].fold.clock
    assert [] == log.triggers()


def test_the_clock_never_goes_back() -> None:
    """Counterexample 3: a leader with a slower clock appends; time stands still."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(BERT, events.plain(START, "m2"), seconds(8))
    log.append(BERT, events.plain(START, "m3"), seconds(1))
    log.run()
    assert seconds(8) == log.workers[0].fold.clock
    log.tick(seconds(3))
    log.tick(seconds(10.5))
    assert [] == log.run().triggers()
    log.tick(seconds(10.501))
    assert [seconds(10), seconds(10)] == [t["occurred_at"] for t in log.run().triggers()]


def test_an_event_is_not_later_than_its_own_append_time() -> None:
    """Counterexample 15: also where the leader's clock went back and the log's clock is ahead."""
    log = Log([TALLY])
    log.append(BERT, events.plain(START, "m0"), seconds(60))
    log.append(ANNA, events.plain(seconds(9_999), "m1"), seconds(5))
    assert {"m1": (1, seconds(5))} == log.run().facts(ANNA, "tally").seen


def test_every_late_event_is_counted() -> None:
    """More than late_s (5 s) behind the log's clock, by its own or its append time; a repeat is
    not, nor is a tick.
    """
    log = Log([TALLY])
    log.append(ANNA, events.plain(START, "on-time"), seconds(5))
    log.append(ANNA, events.plain(START - 1, "late"), seconds(5))
    log.append(ANNA, events.plain(START - 1, "late"), seconds(5))
    log.append(BERT, events.plain(START - 1, "late, too"), seconds(5))
    log.append(BERT, events.plain(seconds(60), "ahead"), seconds(60))
    log.append(BERT, events.plain(seconds(60), "behind the clock"), seconds(54))
    log.tick(seconds(61))
    assert 3 == log.run().count("late", "track")


def test_timers_fire_before_the_record_that_lets_time_pass() -> None:
    """Law 4: those with wake_at before the clock come first, the record second."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(ANNA, events.plain(seconds(10.6), "m2"), seconds(10.6))
    assert [seconds(10)] == [t["occurred_at"] for t in log.run().triggers()]


def test_a_record_of_the_same_millisecond_comes_first() -> None:
    """Law 4 and the grace: at the wake_at itself nothing fires yet."""
    for late, told in ((0, 0), (1, 1)):
        log = Log([PULSE])
        log.append(ANNA, events.plain(START, "m1"), START)
        at = START + IDLE_MS + GRACE + late
        log.append(ANNA, events.plain(at, "m2"), at)
        assert told == len(log.run().triggers())


def test_timers_fire_in_one_order() -> None:
    """Counterexample 21: by wake_at, then key, then table, chained ones in their place."""
    log = Log([bell("z"), bell("y")])
    log.append(B, say("y", f"{seconds(1)},{seconds(2)}", START, "m1"), START)
    log.append(A, say("z", f"{seconds(1)},{seconds(3)}", START, "m2"), START)
    log.append(A, say("y", f"{seconds(1)},{seconds(2)}", START, "m3"), START)
    log.append(B, say("z", f"{seconds(2)}", START, "m4"), START)
    log.tick(seconds(4))
    got = [(t["emitted_at"], t["customer_key"].encode(), t["name"]) for t in log.run().triggers()]
    assert [
        (seconds(1.5), A, "rang_y"), (seconds(1.5), A, "rang_z"), (seconds(1.5), B, "rang_y"),
        (seconds(2.5), A, "rang_y"), (seconds(2.5), B, "rang_y"), (seconds(2.5), B, "rang_z"),
        (seconds(3.5), A, "rang_z"),
    ] == got


def test_each_timer_is_stepped_at_its_own_instant() -> None:
    """Counterexample 21: a worker that jumps four seconds tells what one with ticks tells."""
    instants = ",".join(str(seconds(n)) for n in (1, 2, 3))
    told = []
    for ticks in ((4,), (1.6, 2.6, 3.6, 4), (2.2, 4)):
        log = Log([bell("bell")])
        log.append(ANNA, say("bell", instants, START, "m1"), START)
        for at in ticks:
            log.tick(seconds(at))
        told.append([(t["trigger_id"], t["emitted_at"], t["evidence"])
                     for t in log.run().triggers()])
    assert told[0] == told[1] == told[2]
    assert [seconds(1.5), seconds(2.5), seconds(3.5)] == [t[1] for t in told[0]]


def test_an_order_just_before_the_deadline_counts() -> None:
    """Counterexample 22: made 0.3 s before, appended 0.1 s after: the grace lets it in."""
    log = Log(CARTS)
    log.append(ANNA, events.added(START, "m1"), START)
    log.append(ANNA, events.ordered(START + IDLE - 300, "m2"), START + IDLE + 100)
    log.tick(START + IDLE + 9_000)
    assert [] == log.run().triggers()


# -- settling --------------------------------------------------------------------------------------


def test_a_deadline_revealed_by_a_late_event_settles() -> None:
    """It waits 10 s from when it was revealed; the cause is the deadline."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), seconds(100))
    log.tick(seconds(110))
    assert [] == log.run().triggers()
    log.tick(seconds(110.001))
    told = log.run().triggers()
    assert [(seconds(10), seconds(110))] == [(t["occurred_at"], t["emitted_at"]) for t in told]
    assert 1 == log.count("settled", "pulse")


def test_a_deadline_five_seconds_past_does_not_settle() -> None:
    """Up to 5 s late is ordinary; beyond that something was held up."""
    for late, wakes in ((5_000, 5_001), (5_001, 15_002)):
        log = Log([PULSE])
        revealed = START + IDLE_MS + GRACE + late
        log.append(ANNA, events.plain(START, "m1"), revealed)
        log.tick(START + IDLE_MS + GRACE + wakes - 1)
        assert (late == 5_000) == bool(log.run().triggers())
        log.tick(START + IDLE_MS + GRACE + wakes)
        assert 1 == len(log.run().triggers())


def test_a_jump_of_the_clock_is_not_silence() -> None:
    """Counterexample 20: the log was away; what the customer did meanwhile still arrives."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(BERT, events.plain(START, "m2"), START)
    log.tick(seconds(40))
    log.append(ANNA, events.plain(seconds(39), "m3"), seconds(41))
    log.tick(seconds(49.4))
    assert [] == log.run().triggers()
    log.tick(seconds(50.1))
    told = [(t["customer_key"].encode(), t["occurred_at"], t["emitted_at"])
            for t in log.run().triggers()]
    assert [(BERT, seconds(10), seconds(50)), (ANNA, seconds(49), seconds(49.5))] == told[::-1]


def test_late_records_let_it_wait_on_but_not_for_ever() -> None:
    """Review R7 (i): a slow clock pings every 8 s; it is told 60 s after the reveal, and the
    cause is the first deadline.
    """
    log = Log([PULSE])
    for n in range(10):
        at = seconds(100 + 8 * n)
        log.append(ANNA, events.plain(START + n, f"m{n}"), at)
        if at <= seconds(160):
            assert [] == log.run().triggers()
    told = log.run().triggers()
    assert [(seconds(10), seconds(160))] == [(t["occurred_at"], t["emitted_at"]) for t in told]


def test_each_late_record_arms_it_again() -> None:
    """10 s from the last record that came late, not from the first."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), seconds(100))
    log.append(ANNA, events.plain(START + 1, "m2"), seconds(109))
    log.tick(seconds(119))
    assert [] == log.run().triggers()
    log.tick(seconds(119.001))
    assert [seconds(119)] == [t["emitted_at"] for t in log.run().triggers()]


def test_only_records_long_late_arm_it_again() -> None:
    """Review R7 (ii): late is more than 5 s behind the clock."""
    for late, wakes in ((5_000, 110), (5_001, 118)):
        log = Log([bell("bell"), TALLY])
        log.append(ANNA, say("bell", str(START), START, "m1"), seconds(100))
        log.append(ANNA, events.plain(seconds(108) - late, "m2"), seconds(108))
        log.tick(seconds(120))
        assert [seconds(wakes)] == [t["emitted_at"] for t in log.run().triggers()]


def test_repeats_do_not_arm_it_again() -> None:
    """A record that is not applied lets nobody wait."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), seconds(100))
    log.append(ANNA, events.plain(START, "m1"), seconds(109))
    log.tick(seconds(110.001))
    assert [seconds(110)] == [t["emitted_at"] for t in log.run().triggers()]


def test_the_cause_stays_the_first_deadline() -> None:
    """Later deadlines that have passed too change nothing, not even one that only just has."""
    for second in (seconds(20), seconds(96), seconds(97.8)):
        log = Log([PULSE])
        log.append(ANNA, events.plain(START, "m1"), seconds(108))
        log.append(ANNA, events.plain(second, "m2"), seconds(109))
        log.tick(seconds(130))
        assert [seconds(10)] == [t["occurred_at"] for t in log.run().triggers()]


def test_activity_of_now_ends_the_settling() -> None:
    """The customer is there: the silence begins anew."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), seconds(100))
    log.append(ANNA, events.plain(seconds(101), "m2"), seconds(101))
    log.tick(seconds(111.5))
    assert [] == log.run().triggers()
    log.tick(seconds(111.6))
    assert [seconds(111)] == [t["occurred_at"] for t in log.run().triggers()]


def test_a_timer_moves_forward() -> None:
    """Review R2: a table that asks for the same timer again is rejected, and does not loop."""
    log = Log([faulty("faulty"), TALLY])
    entry = log.append(ANNA, say("faulty", "stuck", START, "m1"), START)
    log.tick(seconds(2))
    log.append(ANNA, events.plain(seconds(3), "m2"), seconds(3))
    rejected = log.run().rejected()
    assert [("timer_failed", entry.offset + 1)] == [(r["reason"], r["offset"]) for r in rejected]
    assert {"m1", "m2"} == set(log.facts(ANNA, "tally").seen)


def test_two_timers_of_one_instant_where_the_first_sends_the_second_away() -> None:
    """A Move from a timer takes the timers of the rows it moves along."""
    log = Log([pointer("a_pointer"), bell("bell"), TALLY])
    log.append(A, say("bell", str(seconds(5)), START, "m1"), START)
    log.append(A, say("join", f"{B.decode()}@{seconds(5)}", START, "m2"), START)
    log.tick(seconds(6))
    log.run().tick(seconds(9))
    told = log.run().triggers()
    assert [(B, seconds(5))] == [(t["customer_key"].encode(), t["occurred_at"]) for t in told]
    assert {"m1": (1, START), "m2": (1, START)} == log.facts(B, "tally").seen
    assert log.facts(A, "tally") is None


# -- the folds, with the real tables -------------------------------------------------------


def test_a_worker_that_lags_ten_minutes_tells_the_same() -> None:
    """Review R7 (iv): one and the same log, however late it is read."""
    log = Log(CARTS)
    for n in range(40):
        log.append((ANNA, BERT, CARA)[n % 3], events.added(seconds(97 * n), f"m{n}"),
                   seconds(97 * n))
        log.run()
    for n in range(4000, 6500, 2):
        log.tick(seconds(n))
    log.run()
    lagging = log.fold_again()
    assert 3 == len(log.triggers("cart_abandoned"))
    assert log.sent == lagging.sent
    assert log.records() == lagging.records()


def test_an_outage_tells_nothing_of_those_who_bought() -> None:
    """35 minutes; orders of meanwhile arrive within seconds after it; who did not buy is told."""
    log = Log(CARTS)
    customers = [KEYS.of("user_id", f"u{n}") for n in range(20)]
    for n, key in enumerate(customers):
        log.append(key, events.added(seconds(n), f"a{n}"), seconds(n))
    back = seconds(20 + 35 * 60)
    for n, key in enumerate(customers[:15]):
        log.append(key, events.ordered(seconds(600 + n), f"o{n}"), back + 500 * n)
    log.tick(back + 30_000)
    told = {t["customer_key"].encode() for t in log.run().triggers("cart_abandoned")}
    assert set(customers[15:]) == told
    assert [] == log.triggers("cart_recovered")


def test_an_offline_device() -> None:
    """Added two days ago, ordered five minutes later: nothing; without the order one."""
    for ordered in (True, False):
        log = Log(CARTS)
        now = seconds(2 * 86_400)
        log.append(ANNA, events.added(START, "m1"), now)
        if ordered:
            log.append(ANNA, events.ordered(seconds(300), "m2"), now + 20)
        for n in range(1, 200):
            log.tick(now + 500 * n)
        told = log.run().triggers()
        assert ([] if ordered else [True]) == [t["data"]["late"] for t in told]


def test_a_broker_an_hour_fast_is_the_shells_to_hold() -> None:
    """Review R15: the fold takes the running maximum as it comes."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(BERT, events.plain(START, "m2"), seconds(3600))
    log.append(BERT, events.plain(START, "m3"), seconds(1))
    assert seconds(3600) == log.run().workers[0].fold.clock
    assert [] == log.triggers()


def test_time_that_passes_without_a_record_is_as_a_tick_would_be() -> None:
    """In several steps before one record, which is applied whole, also where its own customer's
    timer was among them: rows and triggers are those of a log with these ticks.
    """
    ticked, passed = Log([PULSE]), Log([PULSE])
    for log in (ticked, passed):
        log.append(ANNA, events.plain(START, "m1"), START)
        log.append(BERT, events.plain(START, "m2"), seconds(4))
        log.run()
    for at in (12, 15, 40):
        ticked.tick(seconds(at))
    for log in (ticked, passed):
        log.append(ANNA, events.plain(seconds(60), "m3"), seconds(60))
    fold = passed.workers[0].fold
    for at in (12, 15, 40):
        fold.pass_time(seconds(at), passed.entries[0][-1])
    for log in (ticked, passed):
        log.append(BERT, events.plain(seconds(61), "m4"), seconds(61))
        log.tick(seconds(72))
        log.run()
    assert ticked.triggers() == passed.triggers()
    assert 4 == len(passed.triggers())
    for key in (ANNA, BERT):
        rows = [log.workers[0].fold.row(key, PULSE.name) for log in (ticked, passed)]
        assert rows[0] == rows[1]
