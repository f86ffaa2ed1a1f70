"""Risk is what pandas counts: at any instant, over any order of arrival, split and passing of time.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.events.interaction import Interaction
from footfall.tables import risk, risk_score
from footfall.tables.risk_row import RiskConfig, RiskFacts
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, START
from tests.tables.recount_risk import DAY, MINUTE, Raw, recount, score

CONFIG = RiskConfig()
LEVELS = ["low", "elevated", "high"]
#: A deadline waits this long for what is on its way, and one learnt so late for what comes with it.
GRACE_MS, LATE_MS, SETTLE_MS = 500, 5_000, 10_000
#: The score below which each level ends.
ENDS = {1: 30, 2: 55}

_names = st.sampled_from([
    "Product Viewed", "Payment Failed", "Payment Failed", "Login Failed", "Login Failed",
    "Order Completed", "Order Completed", "Order Refunded", "Payment Info Entered",
    "Coupon Entered"])
_spans = st.sampled_from([1, 7_000, MINUTE, 17 * MINUTE, 61 * MINUTE, DAY * MINUTE // 2,
                          3 * DAY * MINUTE, 16 * DAY * MINUTE])


@st.composite
def histories(draw: st.DrawFn, *, long: bool = True) -> list[Raw]:
    """Events in time, no two in one millisecond."""
    at, made = START, []
    spans = _spans if long else st.sampled_from([1, 7_000, MINUTE, 17 * MINUTE, 200 * MINUTE])
    for n in range(draw(st.integers(1, 24))):
        at += draw(spans)
        name = draw(_names)
        bought = name == "Order Completed"
        carded = name in ("Payment Failed", "Payment Info Entered", "Order Completed")
        made.append(Raw(
            at, name, draw(st.sampled_from(["", "d1", "d2", "d3"])),
            draw(st.sampled_from(["", "192.0.2", "198.51.100", "203.0.113"])),
            draw(st.sampled_from(["", "c1", "c2", "c3", "c4"])) if carded else "",
            f"k{draw(st.integers(0, 6))}" if name == "Coupon Entered" else "",
            draw(st.sampled_from([f"o{n}", f"o{n}", "o0"])) if bought else "",
            draw(st.sampled_from(["0", "10", "12.5", "45", "990"])) if bought else "",
            draw(st.sampled_from(["EUR", "EUR", "USD"])) if bought else ""))
    return made


def interaction(raw: Raw, message_id: str) -> Interaction:
    """The event as the log has it."""
    event = events.plain(raw.at, message_id)
    if raw.total:
        event = events.ordered(raw.at, message_id, order_id=raw.order_id, total=raw.total,
                               currency=raw.currency)
    event["event"] = raw.name
    event["personal"] = json.dumps({
        "context": {"device": {"id": raw.device or None},
                    "ip": f"{raw.network}.{raw.at % 250}" if raw.network else None},
        "properties": {"card_fingerprint": raw.card, "coupon_code": raw.coupon}}).encode()
    return event


def facts_of(raws: list[tuple[int, Raw]]) -> RiskFacts:
    facts = RiskFacts()
    for n, raw in raws:
        facts = risk.TABLE.observe(facts, interaction(raw, f"m{n}"), raw.at)
    return facts


@settings(deadline=None, max_examples=80)
@given(histories(), st.randoms(use_true_random=False))
def test_every_factor_is_what_pandas_counts(raws: list[Raw], random: Any) -> None:
    """Right after the last event and after mere passing of time, arrived in any order."""
    numbered = random.sample(list(enumerate(raws)), len(raws))
    cut = random.randint(0, len(raws))
    facts = risk.TABLE.merge_facts(facts_of(numbered[:cut]), facts_of(numbered[cut:]))
    assert not facts.cut
    now = raws[-1].at // MINUTE
    for later in (0, 3, 59, 700, 2 * DAY, 30 * DAY, 99 * DAY):
        minute = now + later
        factors = risk_score.scored(facts, minute, CONFIG)
        assert recount(raws, minute) == {
            f.name: (f.points, Fraction(f.measure, 1024)) for f in factors}
        assert risk_score.total(factors) <= risk_score.at_most(facts, CONFIG)


@settings(deadline=None, max_examples=100)
@given(histories(), st.integers(1, 60))
def test_the_instant_at_which_a_score_falls(raws: list[Raw], below: int) -> None:
    """The first minute below, found by going through all minutes near it."""
    facts = facts_of(list(enumerate(raws)))
    now = raws[-1].at // MINUTE
    found = risk_score.falls_at(facts, now, below, CONFIG)
    minute = found // MINUTE
    assert found % MINUTE == 0 and minute > now

    def at(when: int) -> int:
        return risk_score.total(risk_score.scored(facts, when, CONFIG))

    assert at(minute) < below
    assert minute == now + 1 or at(minute - 1) >= below
    scores = [at(now + n * n) for n in range(120)]
    assert sorted(scores, reverse=True) == scores
    known = risk_score.falls_at(facts, now, below, CONFIG, found)
    assert found == known


@settings(deadline=None, max_examples=25)
@given(histories(long=False))
def test_levels_rise_with_events_and_fall_with_time_alone(raws: list[Raw]) -> None:
    """Through the real fold, against a walk over recounted scores; each change once."""
    end = raws[-1].at + 40 * DAY * MINUTE
    log = Log([risk.TABLE])
    expected, level, since = [], 0, 0
    for n, raw in enumerate(raws):
        log.append(ANNA, interaction(raw, f"m{n}"), raw.at)
        log.append(ANNA, interaction(raw, f"m{n}"), raw.at)  # sent twice
        so_far = raws[: n + 1]
        now = score(so_far, raw.at // MINUTE)
        reached = risen(level, now)
        if reached != level:
            expected.append((LEVELS[reached], LEVELS[level], raw.at))
            level, since = reached, raw.at
        until = raws[n + 1].at if n + 1 < len(raws) else end
        clock = raw.at
        while level:
            # An order that lowers the rate of refunds may end a level at once: then it ended when
            # its score was too low by what is known now, which is learnt late and so settles.
            is_low = score(so_far, clock // MINUTE) < ENDS[level]
            fell = falls(so_far, (min(clock, since) if is_low else clock) // MINUTE, level) * MINUTE
            clock = fell + GRACE_MS if fell >= clock - LATE_MS else clock + SETTLE_MS
            if clock >= until:
                break
            reached = fallen(level, score(so_far, clock // MINUTE))
            since = max(fell, since + 1)
            expected.append((LEVELS[reached], LEVELS[level], since))
            level = reached
        wake_all(log, until)
    told = [(t["data"]["level"], t["data"]["previous"], t["occurred_at"])
            for t in log.run().triggers()]
    assert expected == told
    assert log.outputs() == log.fold_again().outputs()
    assert level == 0


def wake_all(log: Log, until: int) -> None:
    """A tick for each timer, as the owner of a partition appends them."""
    while True:
        record = log.run().fold_of(ANNA).records.peek(ANNA)
        assert record is not None
        wake = record.next_wake()
        if not wake or wake >= until:
            return
        log.tick(wake + 1)


def risen(level: int, found: int) -> int:
    return max(level, 2 if found >= 70 else 1 if found >= 40 else 0)


def fallen(level: int, found: int) -> int:
    if level == 2 and found < 55:
        level = 1
    return 0 if level == 1 and found < 30 else level


def falls(raws: list[Raw], minute: int, level: int) -> int:
    """The first minute after an event with a score below the level's end."""
    below = ENDS[level]
    low, high = minute, minute + 99 * DAY
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if score(raws, middle) >= below else (low, middle)
    return high
