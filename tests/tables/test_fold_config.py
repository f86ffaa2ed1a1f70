"""Law 4: configuration comes through the log, the highest version holds, and steps nobody."""

from __future__ import annotations

import itertools
import json

import pytest

from footfall.errors import StateRefused
from footfall.events.reserved_row import ConfigPayload
from footfall.tables.config import Config, content_hash
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, CARTS, CODECS, RESERVED, START
from tests.tables.made import PULSE, TALLY, bell, say


def seconds(n: float) -> int:
    """An instant, in seconds from the start of the log."""
    return START + round(n * 1000)


def at_version(log: Log) -> list[tuple[int, str]]:
    """The version in force in each partition."""
    return [worker.fold.config.version for worker in log.workers]


def test_two_applies_at_once_end_at_one_version() -> None:
    """Review R8: both take 7, in whatever order each partition has them."""
    found = set()
    for order in itertools.permutations((5, 8, 12)):
        log = Log([PULSE])
        for n, idle_s in enumerate(order):
            log.config(seconds(n), 7, pulse={"idle_s": idle_s})
        found.update(at_version(log.run()))
    assert 1 == len(found)


def test_a_version_that_is_not_higher_is_ignored() -> None:
    """Review R8: a stale record appended again, with a valid MAC, brings nothing back."""
    log = Log([PULSE])
    log.config(START, 7, pulse={"idle_s": 20})
    log.config(START, 6, pulse={"idle_s": 5})
    log.config(START, 0, pulse={"idle_s": 5})
    log.config(START, -1, pulse={"idle_s": 5})
    log.append(ANNA, events.plain(START, "m1"), START)
    log.tick(seconds(20.4))
    assert [] == log.run().triggers()
    assert 7 == log.workers[0].fold.config.number


def test_version_zero_is_the_codes_alone() -> None:
    """No record can put anything in place of the defaults without a number of its own."""
    log = Log([PULSE])
    for idle_s in range(1, 9):
        log.config(START, 0, pulse={"idle_s": idle_s})
    log.run()
    assert PULSE.config() == log.workers[0].fold.config.sections["pulse"]


def test_a_stale_version_may_hold_what_this_code_does_not_know() -> None:
    """A section of a table that is no more must not stop a fold that ignores it."""
    log = Log([PULSE])
    log.config(START, 7, pulse={"idle_s": 20})
    log.config(START, 6, former={"idle_s": 5})
    log.run()
    assert (7, 2) == (log.workers[0].fold.config.number, log.workers[0].fold.next_offset)


def test_a_higher_version_that_this_code_does_not_know_stops_the_worker() -> None:
    """Going on under the old one would decide what the administrator has changed."""
    log = Log([PULSE])
    log.config(START, 1, later={"idle_s": 5})
    with pytest.raises(StateRefused, match="unknown section 'later'"):
        log.run()


def test_a_config_record_steps_nobody() -> None:
    """Review R8: no record changes, no timer moves; it holds from each one's next step."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "a1"), START)
    log.append(BERT, events.plain(START, "b1"), START)
    before = log.run().records()
    log.config(seconds(1), 1, pulse={"idle_s": 5})
    assert before == log.run().records()
    log.append(BERT, events.plain(seconds(2), "b2"), seconds(2))
    log.tick(seconds(7.6))
    assert [BERT] == [t["customer_key"].encode() for t in log.run().triggers()]
    log.tick(seconds(10.6))
    assert [BERT, ANNA] == [t["customer_key"].encode() for t in log.run().triggers()]


def test_timers_before_the_record_fire_under_the_old_version() -> None:
    """Each trigger names the version that was in force when it fired."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "a1"), START)
    log.append(BERT, events.plain(seconds(5), "b1"), seconds(5))
    log.config(seconds(11), 3, pulse={"idle_s": 10})
    log.tick(seconds(16))
    content = json.dumps({"pulse": {"idle_s": 10}}).encode()
    assert [f"0:{content_hash(b'{}')}", f"3:{content_hash(content)}"] == [
        t["config_version"] for t in log.run().triggers()]


def test_a_longer_silence_holds_at_the_timer_itself() -> None:
    """The timer is the next step: it finds that it has come too early."""
    log = Log([PULSE])
    log.append(ANNA, events.plain(START, "a1"), START)
    log.config(seconds(1), 1, pulse={"idle_s": 30})
    log.tick(seconds(11))
    log.tick(seconds(30))
    assert [] == log.run().triggers()
    log.tick(seconds(30.6))
    assert [seconds(30)] == [t["occurred_at"] for t in log.run().triggers()]


@pytest.mark.parametrize(("before", "after"), [(0.5, 4), (4, 0.5)])
def test_a_new_grace_holds_from_the_next_step(before: float, after: float) -> None:
    """Also where that step leaves the deadline as it was."""
    log = Log([bell("bell"), TALLY])
    log.config(START, 1, clock={"grace_s": before})
    log.append(ANNA, say("bell", str(seconds(10)), START, "m1"), START)
    log.config(seconds(1), 2, clock={"grace_s": after})
    log.append(ANNA, say("bell", str(seconds(99)), seconds(2), "m2"), seconds(2))
    log.tick(seconds(10 + after))
    assert [] == log.run().triggers()
    log.tick(seconds(10.1 + after))
    assert [seconds(10 + after)] == [t["emitted_at"] for t in log.run().triggers()]


@pytest.mark.parametrize(("clock", "told_at"), [
    ({"settle_s": 3}, 103), ({"late_s": 200}, 100), ({"settle_s": 0}, 100),
])
def test_settling_is_configured(clock: dict[str, float], told_at: float) -> None:
    """How late is late, and how long it then waits."""
    log = Log([PULSE])
    log.config(START, 1, clock=clock)
    log.append(ANNA, events.plain(START, "m1"), seconds(100))
    log.tick(seconds(told_at))
    log.tick(seconds(told_at + 0.001))
    assert [seconds(10)] == [t["occurred_at"] for t in log.run().triggers()]
    told = log.triggers()[0]["emitted_at"]
    assert (told <= seconds(told_at)) and told in (seconds(told_at), seconds(10.5))


def test_partitions_may_differ_for_a_while_and_end_at_the_same() -> None:
    """A command that died half way is run again."""
    log = Log([PULSE], partitions=4)
    record = RESERVED.config(ConfigPayload(1, b'{"pulse":{"idle_s":7}}'), START)
    for partition in (0, 1):
        log.append_bytes(b"$config", CODECS.interaction.encode(record), START, partition)
    log.run()
    assert [1, 1, 0, 0] == [number for number, _hash in at_version(log)]
    for partition in range(4):
        log.append_bytes(b"$config", CODECS.interaction.encode(record), START, partition)
    assert 1 == len(set(at_version(log.run())))


def test_a_fold_from_the_start_meets_every_version_where_it_was() -> None:
    """Counterexample 18: half of the log under one idle time, half under another."""
    log = Log(CARTS)
    log.config(START, 1, cart={"idle_s": 60})
    log.append(ANNA, events.added(START, "m1"), START)
    log.tick(seconds(61))
    log.config(seconds(100), 2, cart={"idle_s": 5})
    log.append(BERT, events.added(seconds(101), "m2"), seconds(101))
    log.tick(seconds(107))
    log.run()
    again = log.fold_again()
    assert (log.sent, log.records()) == (again.sent, again.records())
    assert [seconds(60), seconds(106)] == [t["occurred_at"] for t in again.triggers()]


def test_a_version_compares_by_number_first() -> None:
    """10 is higher than 9, whatever their hashes are."""
    nine, ten = (Config([PULSE], n, b'{"pulse":{"idle_s":%d}}' % n) for n in (9, 10))
    assert ten.version > nine.version
    assert Config([PULSE], 9, b"{}").version != nine.version
