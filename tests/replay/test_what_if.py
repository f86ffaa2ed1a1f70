"""The past under another configuration: exactly what would differ, and nothing where nothing does.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from footfall import tables
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.reserved_row import ConfigPayload
from footfall.replay.selected import Customers, Selection
from footfall.replay.what_if.comparing import Scope
from footfall.replay.what_if.passing import IdentityChangedError, Question
from footfall.tables.outputs import TRIGGER
from footfall.testing.harness import Harness, installation
from footfall.testing.log import Log
from tests.replay.test_together import START_MS, live
from tests.replay.what_ifs import asked, content


def test_the_recorded_configuration_over_a_log_with_merges_and_timers_differs_in_nothing() -> None:
    """Of workers and of a fold; from the start and from the middle; as code alone and asked for."""
    told = 0
    for seed in range(4):
        log = live(seed)
        last = max(entry.timestamp for of in log.entries for entry in of)
        middle = (START_MS + last) // 2
        for since in (0, middle, middle + 40_000_000):
            for config in (None, content({})):
                for fold in (False, True)[: 1 if config is None else 2]:
                    found = asked(log, Question(since, 0, config), fold=fold)
                    assert [] == found.differences
                    told += found.both.total()
        sent = {log.installation.codecs.trigger.decode(o.value)["trigger_id"]
                for _p, o in log.sent if o.kind == TRIGGER}
        assert Counter() != asked(log, Question()).both
        assert len(sent) == asked(log, Question()).both.total()
    assert told > 1000


RULES: dict[str, Any] = {"rules": {"definitions": [
    {"name": "big_order", "version": 1, "on": {"call": "track", "event": "Order Completed"},
     "if": {"field": "event.properties.total", "at_least": 100}},
    {"name": "looked_and_left", "version": 1, "on": {"call": "track", "event": "Product Viewed"},
     "wait": "30m", "unless": {"call": "track", "event": "Order Completed"}},
    {"name": "after_leaving", "version": 1, "on": {"trigger": "looked_and_left"}, "wait": "1h"},
    {"name": "regular", "version": 1, "on": {"enters": "buyers"}},
    {"name": "morning", "version": 1,
     "on": {"schedule": {"at": "08:00", "zone": "UTC", "days": ["mon", "tue", "wed", "thu"]}},
     "if": {"segment": "buyers"}}]},
    "segments": {"definitions": [
        {"name": "buyers", "version": 1, "if": {
            "of": "count", "over": {"call": "track", "event": "Order Completed"}, "window": "24h",
            "at_least": 2}}]}}


def changed(**of_rules: dict[str, Any]) -> dict[str, Any]:
    """The rules, some otherwise; a name that there is not is added."""
    document = copy.deepcopy(RULES)
    definitions = document["rules"]["definitions"]
    for name, other in of_rules.items():
        known = next((one for one in definitions if one["name"] == name), None)
        if known is None:
            definitions.append({"name": name, "version": 1, **other})
        else:
            known.update(other)
    return document


class Play:
    """The same customers doing the same at the same times, whatever is configured."""

    def __init__(self, seed: int, since_call: int, then: dict[str, Any] | None = None, *,
                 mails: bool = False) -> None:
        dice = random.Random(seed)
        self.harness = Harness(RULES)
        #: (when, whose they are at that moment, total)
        self.orders: list[tuple[int, bytes, int]] = []
        owned = set()
        self.since = 0
        for n in range(160):
            self.harness.advance(timedelta(seconds=dice.choice([1, 40, 700, 1500, 5000])))
            now = round(self.harness.now.timestamp() * 1000)
            if n == since_call:
                self.since = now
                if then is not None:
                    self.harness.configure(then)
            who = dice.randrange(8)
            names = dice.choice([{"userId": f"u{who}"}, {"anonymousId": f"b{who}"},
                                 {"userId": f"u{who}", "anonymousId": f"b{who}"}])
            called = dice.choice(["Product Viewed", "Product Viewed", "Order Completed"])
            if len(names) == 2:
                owned.add(who)
            whose = ("anonymous_id", f"b{who}")
            if "userId" in names or who in owned:
                whose = ("user_id", f"u{who}")
            total = dice.randrange(20, 200)
            if mails and dice.random() < 0.3:
                self.harness.send({"type": "identify", "messageId": f"i{n}",
                                   "anonymousId": f"b{who}",
                                   "traits": {"email": f"p{dice.randrange(5)}@example.com"}})
                # Which of two came first is not known of one millisecond on two partitions.
                self.harness.advance(timedelta(seconds=1))
            now = round(self.harness.now.timestamp() * 1000)
            if called == "Order Completed":
                self.orders.append((now, installation().keys.of(*whose), total))
            self.harness.send({"type": "track", "event": called, "messageId": f"m{n}", **names,
                               "properties": {"order_id": f"o{n}", "total": total,
                                              "currency": "EUR", "product_id": "p", "price": 1}})
        self.harness.advance(timedelta(hours=2))
        for n in range(40):  # on every partition something moves the clock on
            self.harness.send({"type": "page", "messageId": f"end-{n}", "userId": f"last-{n}"})

    @property
    def log(self) -> Log:
        return self.harness._log

    def told(self) -> dict[str, dict[str, Any]]:
        """Of the window, less what is no difference."""
        found = {}
        for one in self.harness.triggers:
            at = round(datetime.fromisoformat(one["emitted_at"]).timestamp() * 1000)
            if at >= self.since:
                evidence = {k: v for k, v in one["evidence"].items() if k != "version"}
                found[one["trigger_id"]] = {
                    **one, "evidence": evidence, "config_version": "", "emitted_at": ""}
        return found


OTHERWISE = {
    "a lower threshold": changed(big_order={
        "if": {"field": "event.properties.total", "at_least": 60}}),
    "a shorter wait": changed(looked_and_left={"wait": "10m"}),
    "a longer wait": changed(looked_and_left={"wait": "50m"}),
    "another hour": changed(morning={"on": {"schedule": {"at": "13:30", "zone": "UTC"}}}),
    "one more": changed(slow={"on": {"call": "track", "event": "Order Completed"}, "wait": "20m"}),
    "no rules": {},
    "carts sooner": {**RULES, "cart": {"idle_s": 300}, "engagement": {"dormant_s": 7200}},
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("what", OTHERWISE)
def test_it_names_what_an_installation_tells_under_the_other_configuration(
        what: str, seed: int) -> None:
    """The same calls in two installations, of which one applies it: with merges, waits that end
    while nobody does anything, schedules and segments.
    """
    recorded, other = Play(seed, 60), Play(seed, 60, OTHERWISE[what])
    before, after = recorded.told(), other.told()
    expected = {(one, "added") for one in after.keys() - before.keys()}
    expected |= {(one, "removed") for one in before.keys() - after.keys()}
    expected |= {(one, "changed") for one in before.keys() & after.keys()
                 if before[one] != after[one]}
    assert expected
    for fold in (False, True):
        found = asked(recorded.log, Question(recorded.since, 0, content(OTHERWISE[what])),
                      fold=fold)
        assert expected == {(one.trigger_id, one.what) for one in found.differences}
        assert len(before.keys() & after.keys()) == found.both.total()


def test_a_lower_threshold_names_exactly_the_customers_of_a_recount() -> None:
    """By hand: orders between the thresholds since then, of whom they were at that moment."""
    for seed in range(10, 13):
        play = Play(seed, 50)
        expected = Counter(key for at, key, total in play.orders
                           if at >= play.since and 60 <= total < 100)
        wanted = content(OTHERWISE["a lower threshold"])
        found = asked(play.log, Question(play.since, 0, wanted))
        added = [one for one in found.differences if one.what == "added"]
        assert expected == Counter(one.key for one in added)
        assert {"big_order"} == {one.name for one in added}
        assert [] == [one for one in found.differences if one.what == "removed"]


def test_until_ends_the_window_and_deadlines_before_it_are_told() -> None:
    """Of two windows that meet, the differences together are those of one over both."""
    play = Play(5, 40)
    wanted = content(OTHERWISE["a shorter wait"])
    middle = play.since + 60_000_000
    whole = asked(play.log, Question(play.since, 0, wanted))
    first = asked(play.log, Question(play.since, middle, wanted))
    emitted = [one.emitted_at for one in whole.differences]
    assert min(emitted) < middle < max(emitted)
    assert [one for one in whole.differences if one.emitted_at < middle] == first.differences
    assert first.seen.records < whole.seen.records


def test_a_condition_that_counts_anew_counts_from_the_log_s_start_where_that_is_asked() -> None:
    """Else it counts from the window on, as it would for who applies it there."""
    play = Play(6, 80)
    counting = content(changed(often={
        "on": {"call": "track", "event": "Order Completed"},
        "if": {"of": "count", "over": {"call": "track", "event": "Order Completed"},
               "window": "30d", "at_least": 4}}))
    late = asked(play.log, Question(play.since, 0, counting))
    early = asked(play.log, Question(play.since, 0, counting, from_start=True))
    assert {"often"} == {one.name for one in (*late.differences, *early.differences)}
    assert 0 < len(late.differences) < len(early.differences)


def test_a_selection_chooses_customers_as_who_they_are_at_the_end() -> None:
    """Chosen by a browser that belongs to a user by then, or by what they sent."""
    play = Play(7, 40)
    keys = installation().keys
    wanted = content(OTHERWISE["a lower threshold"])
    whole = asked(play.log, Question(play.since, 0, wanted))
    for names in ({("anonymous_id", "b3")}, {("user_id", "u3")}):
        customers = Customers(frozenset(keys.of(*one).decode() for one in names), frozenset(names))
        scope = Scope(None, Selection(since=play.since, customers=customers))
        found = asked(play.log, Question(play.since, 0, wanted), scope)
        theirs = {keys.of("user_id", "u3"), keys.of("anonymous_id", "b3")}
        assert found.differences
        assert [one for one in whole.differences if one.key in theirs] == found.differences
        assert 0 < found.both.total() < whole.both.total()
    nobody = Scope(None, Selection(since=play.since, sources=frozenset({"nowhere"})))
    assert [] == asked(play.log, Question(play.since, 0, wanted), nobody).differences


def test_names_limit_what_is_compared() -> None:
    """Only the rules that are asked for."""
    play = Play(8, 40)
    scope = Scope(lambda name: name == "looked_and_left")
    found = asked(play.log, Question(play.since, 0, content({})), scope)
    assert {"looked_and_left"} == {one.name for one in found.differences}


def test_a_log_without_its_start_takes_what_came_before_as_recorded() -> None:
    """Handoffs sent from before are taken with the rows that the log has."""
    log = live(3)
    lows = {n: len(entries) // 3 for n, entries in enumerate(log.entries)}
    found = asked(log, Question(), fold=False, lows=lows)
    assert found.seen.handoffs_recorded > 0
    cut = asked(log, Question(content=content({})), fold=True, lows=lows)
    assert [] == cut.differences


@pytest.mark.parametrize("seed", range(4))
def test_other_settings_of_identity_join_customers_as_they_say(seed: int) -> None:
    """Handoffs that the log has mean nothing then: customers are joined as in an installation that
    had these settings, byte for byte or not.
    """
    other = {**RULES, "links": {"kinds": []}}
    recorded, wanted = Play(seed, 6, mails=True), Play(seed, 6, other, mails=True)
    before, after = recorded.told(), wanted.told()
    found = asked(recorded.log, Question(recorded.since, 0, content(other)))
    assert found.seen.delivered
    assert before.keys() != after.keys()
    assert after.keys() - before.keys() == {one.trigger_id for one in found.differences
                                            if one.what == "added"}
    assert before.keys() - after.keys() == {one.trigger_id for one in found.differences
                                            if one.what == "removed"}


def test_delivered_handoffs_come_to_the_same_where_nothing_differs() -> None:
    """In the order of time of all partitions, as in one installation."""
    for seed in range(3):
        play = Play(seed, 60, mails=True)
        for config in (content(RULES), content(OTHERWISE["a shorter wait"])):
            question = Question(play.since, 0, config)
            found = asked(play.log, replace(question, delivers=True))
            assert found.seen.delivered
            assert asked(play.log, question).differences == found.differences


OUTAGE_AT = 1_770_000_000_000
MINUTE_MS = 60_000


def log_with_an_outage() -> Log:
    """A product is looked at; the next record of the same partition comes three hours later. Nobody
    appended a tick when the recorded wait of 30 minutes was over.
    """
    log = Log(tables.ALL, 1, installation(), OUTAGE_AT)
    log.config(OUTAGE_AT, ConfigPayload(1, content(RULES)))
    for at, who in ((0, "anna"), (180, "bert"), (190, "carl")):
        now = OUTAGE_AT + at * MINUTE_MS
        admitted = admit(msgspec.json.encode({
            "type": "track", "event": "Product Viewed" if at == 0 else "Other", "userId": who,
            "messageId": who}), 1, Arrival("shop", now, "shop"), installation().keys)
        assert not isinstance(admitted, Rejected)
        log.append(admitted.key, admitted.event, now)
    log.run()
    return log


@pytest.mark.parametrize(("wait", "minutes"), [("10m", 10), ("29m", 29), ("40m", 180)])
def test_a_deadline_comes_in_a_silence_until_the_log_let_one_pass(wait: str, minutes: int) -> None:
    """Before it somebody was awake who would have appended a tick; after it nobody was, so that the
    deadline settles when the log goes on. One that was set before the window is as it was set: a
    configuration steps no customer.
    """
    log = log_with_an_outage()
    recorded = [o for _p, o in log.sent if o.name == "looked_and_left"]
    assert 1 == len(recorded)  # it settled, too
    for since, expected in ((0, minutes), (OUTAGE_AT + 1, 180)):
        found = asked(log, Question(since, 0, content(changed(looked_and_left={"wait": wait}))))
        (added,) = [one for one in found.differences
                    if one.what == "added" and one.name == "looked_and_left"]
        at = added.emitted_at - OUTAGE_AT
        assert expected == at // MINUTE_MS
        assert int(wait[:-1]) * MINUTE_MS == added.occurred_at - OUTAGE_AT


@pytest.mark.parametrize("kinds", [[], ["email", "phone", "device"]])
def test_settings_of_identity_that_change_within_the_window_are_refused(kinds: list[str]) -> None:
    """Unless handoffs are delivered: the log's are not those of the configuration asked for."""
    play = Play(1, 6, {**RULES, "links": {"kinds": kinds}}, mails=True)
    wanted = Question(play.since - 1, 0, content(RULES), from_start=True)
    with pytest.raises(IdentityChangedError, match="--deliver-handoffs"):
        asked(play.log, wanted)
    found = asked(play.log, replace(wanted, delivers=True))
    assert found.seen.delivered
    assert 1 < len(found.seen.versions)
