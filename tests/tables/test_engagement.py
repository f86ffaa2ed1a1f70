"""What engagement tells, and when: through the real fold, over logs with made-up append times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from footfall.events.interaction import Interaction
from footfall.tables import engagement_row, identity
from footfall.tables.engagement import TABLE
from footfall.tables.engagement_score import activity, falls_below, score
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, START
from tests.tables.made import pointer
from tests.tables.test_fold_handoffs import joined, key_on

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GRACE = 500
#: The first instant at which the fold steps a timer whose deadline is 0.
STEPPED = GRACE + 1


@pytest.fixture
def log() -> Log:
    return Log([TABLE, identity.TABLE])


_ids = (f"m{n}" for n in range(10**9))


def did(log: Log, at: int, *, late: int = 0, kind: str = "page", key: bytes = ANNA) -> None:
    """Something happened, and arrived `late` ms after it had."""
    event = _event(at, kind)
    log.append(key, event, at + late)


def _event(at: int, kind: str = "page") -> Interaction:
    event = events.plain(at, next(_ids))
    event["type"] = kind
    return event


def told(log: Log, name: str) -> list[int]:
    """When what happened that was told under this name, from the start of the log."""
    return [t["occurred_at"] - START for t in log.run().triggers(name)]


def levels(log: Log) -> list[tuple[str, str]]:
    return [(t["data"]["from"], t["data"]["to"])
            for t in log.run().triggers("engagement_level_changed")]


# -- sessions ----------------------------------------------------------------------------------


def test_a_session_is_told_with_its_first_event(log: Log) -> None:
    """Thirty minutes later it is still the same session; a millisecond more, and it is another."""
    did(log, START)
    did(log, START + 30 * MINUTE)
    did(log, START + 60 * MINUTE + 1)
    assert [0, 60 * MINUTE + 1] == told(log, "session_started")
    first, second = (t["data"] for t in log.triggers("session_started"))
    assert (1, None, None) == (first["number"], first["previous_ended_at"], first["away_ms"])
    assert (2, 30 * MINUTE + 1) == (second["number"], second["away_ms"])


def test_a_session_made_longer_by_late_events_is_not_told_again(log: Log) -> None:
    """Before its start, between two told sessions, and long before both."""
    did(log, START)
    did(log, START + HOUR)
    did(log, START - 20 * MINUTE, late=HOUR + 21 * MINUTE)
    did(log, START + 30 * MINUTE, late=32 * MINUTE)
    did(log, START - DAY, late=DAY + HOUR + 3 * MINUTE)
    did(log, START + 80 * MINUTE)
    assert [0, HOUR] == told(log, "session_started")


def test_a_session_found_when_it_is_over_is_not_told(log: Log) -> None:
    """One found late but still on is, with its true start."""
    did(log, START, late=2 * HOUR)
    assert [] == told(log, "session_started")
    did(log, START + 110 * MINUTE, late=10 * MINUTE)
    did(log, START + 120 * MINUTE)
    assert [110 * MINUTE] == told(log, "session_started")


def test_a_device_that_was_offline_shows_a_session_that_is_on(log: Log) -> None:
    """Its events arrive in order: the first ones alone are of a session that seems over."""
    for minutes in (0, 20, 40):
        did(log, START + minutes * MINUTE, late=(41 - minutes) * MINUTE)
    assert [0] == told(log, "session_started")


def test_a_merge_tells_no_session_twice() -> None:
    """Browser and account were in one session; what the browser told is told."""
    log = Log([pointer(), TABLE, identity.TABLE], partitions=2)
    browser, account = key_on(log, 0), key_on(log, 1)
    did(log, START, key=browser)
    log.run()
    log.append(browser, joined(account, START + MINUTE, "join"), START + MINUTE)
    log.run()
    did(log, START + 2 * MINUTE, key=account)
    assert [0] == told(log, "session_started")
    facts = log.facts(account, "engagement")
    assert (START, START + 2 * MINUTE) == (facts.first, facts.last)
    assert 2 * MINUTE == facts.session_ms


# -- time alone --------------------------------------------------------------------------------


def test_time_alone_lowers_the_level_and_finds_a_customer_dormant(log: Log) -> None:
    """Ten pages in one visit: dormant after 30 days, of no level once that day left the month."""
    for minutes in range(10):
        did(log, START + minutes * MINUTE)
    last = 9 * MINUTE
    assert [("none", "low")] == levels(log)
    for days in range(1, 30):  # as a worker would append them: no timer is long past
        log.tick(START + days * DAY + STEPPED)
    log.tick(START + last + 30 * DAY + GRACE)
    assert [] == told(log, "customer_dormant")
    log.tick(START + last + 30 * DAY + STEPPED)
    assert [last + 30 * DAY] == told(log, "customer_dormant")
    log.tick(START + last + 31 * DAY + GRACE)
    assert [("none", "low")] == levels(log)
    log.tick(START + last + 31 * DAY + STEPPED)
    assert [("none", "low"), ("low", "none")] == levels(log)
    fell = log.triggers("engagement_level_changed")[1]
    assert (START + last + 31 * DAY, 0) == (fell["occurred_at"], fell["data"]["score"])
    for days in range(32, 90):
        log.tick(START + days * DAY)
    assert 1 == len(told(log, "customer_dormant"))
    assert 2 == len(levels(log))
    dormant = log.triggers("customer_dormant")[0]["data"]
    assert (1, 10, False) == (dormant["sessions"], dormant["events"], dormant["late"])
    assert log.records() == log.fold_again().records()


def test_each_silence_is_told_once(log: Log) -> None:
    """An event from within the silence that comes after it was told starts no new one."""
    log.config(START, 1, engagement={"dormant_s": 3600})
    did(log, START)
    log.tick(START + HOUR + STEPPED)
    did(log, START + HOUR, late=STEPPED + 1)
    log.tick(START + 3 * HOUR)
    assert [HOUR] == told(log, "customer_dormant")
    did(log, START + 3 * HOUR + 1)
    log.tick(START + 4 * HOUR + 1 + STEPPED)
    assert [HOUR, 4 * HOUR + 1] == told(log, "customer_dormant")


def test_an_outage_is_not_taken_for_silence(log: Log) -> None:
    """The clock jumps past a deadline: what arrives while it settles keeps a customer awake."""
    log.config(START, 1, engagement={"dormant_s": 3600})
    did(log, START)
    log.tick(START + 5 * HOUR)
    did(log, START + 4 * HOUR + 30 * MINUTE, late=30 * MINUTE + 1_000)
    log.tick(START + 5 * HOUR + MINUTE)
    assert [] == told(log, "customer_dormant")
    log.tick(START + 5 * HOUR + 30 * MINUTE + STEPPED)
    assert [5 * HOUR + 30 * MINUTE] == told(log, "customer_dormant")


def test_the_first_deadline_of_a_silence_stays_the_cause(log: Log) -> None:
    """While it settles an event arrives that is itself an hour past."""
    log.config(START, 1, engagement={"dormant_s": 3600})
    did(log, START)
    log.tick(START + 5 * HOUR)
    did(log, START + 2 * HOUR, late=3 * HOUR + 1_000)
    log.tick(START + 5 * HOUR + MINUTE)
    assert [HOUR] == told(log, "customer_dormant")
    assert log.triggers("customer_dormant")[0]["data"]["late"]
    did(log, START + 3 * HOUR, late=2 * HOUR + 2 * MINUTE)
    log.tick(START + 6 * HOUR)
    assert [HOUR] == told(log, "customer_dormant")


# -- levels ------------------------------------------------------------------------------------


def visits(log: Log, days: range) -> None:
    for day in days:
        for n, kind in enumerate(("page", "track", "identify")):
            did(log, START + day * DAY + n, kind=kind)


def test_levels_rise_with_visits_and_fall_one_by_one(log: Log) -> None:
    """A visit on each of fifteen days, then silence: each level at its own instant."""
    visits(log, range(15))
    for hours in range(0, 24 * 60, 6):
        log.tick(START + 15 * DAY + hours * HOUR)
    assert [("none", "low"), ("low", "medium"), ("medium", "high"), ("high", "medium"),
            ("medium", "low"), ("low", "none")] == levels(log)
    facts = log.facts(ANNA, "engagement")
    fell = [t["occurred_at"] for t in log.triggers("engagement_level_changed")][3:]
    assert [falls_below(facts, floor) for floor in (70, 45, 10)] == fell


def test_a_new_threshold_holds_from_the_next_event(log: Log) -> None:
    """The event finds the level lower, and time tells it: after the grace."""
    visits(log, range(3))
    assert ("low", "medium") == levels(log)[-1]
    at = START + 2 * DAY + HOUR
    log.config(at, 1, engagement={"medium": 60, "high": 70})
    did(log, at)
    assert 2 == len(levels(log))
    log.tick(at + STEPPED)
    assert ("medium", "low") == levels(log)[-1]


def test_thresholds_must_ascend() -> None:
    """A bad document is refused as a whole."""
    with pytest.raises(msgspec.ValidationError, match="do not ascend"):
        msgspec.convert({"low": 50, "medium": 50}, engagement_row.EngagementConfig)


def _facts(happened: Iterator[int]) -> Any:
    facts = TABLE.facts()
    for at in happened:
        facts = TABLE.observe(facts, _event(at), at)
    return facts


@pytest.mark.parametrize("ages", [(0,), (0, 29), (0, 30), (0, 5, 10), tuple(range(31))])
def test_where_a_score_falls_is_found_exactly(ages: tuple[int, ...]) -> None:
    """For every threshold: the first day of silence after which the score is below it."""
    facts = _facts(START - age * DAY + n for age in sorted(ages, reverse=True) for n in range(4))
    points = [sum(score(activity(facts, silent))) for silent in range(40)]
    assert sorted(points, reverse=True) == points
    for floor in range(1, 101):
        expected = next(n for n, score_then in enumerate(points) if score_then < floor)
        assert expected == (falls_below(facts, floor) - facts.last) // DAY


def test_the_highest_score_is_100() -> None:
    """Every day of a month, many events, five kinds."""
    facts = TABLE.facts()
    for day in range(31):
        for n in range(20):
            event = _event(START + day * DAY + n, f"kind{n % 5}")
            facts = TABLE.observe(facts, event, event["event_time"])
    assert (25, 40, 20, 15) == score(activity(facts, 0))
