"""Random rules and events: the fold tells what the plain evaluator does, and nothing else."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from footfall.errors import ConfigError
from footfall.tables import computed, identity, links, rules, segments
from footfall.tables.config import Config
from footfall.tables.outputs import TRIGGER
from footfall.tables.rules_conditions import code_of
from footfall.tables.spec import AnyTable
from tests.tables import events, ruled_histories
from tests.tables.log import Log
from tests.tables.logs import CODECS, KEYS
from tests.tables.ruled_histories import BEGIN, DAY, GRACE_MS, HOUR, Did
from tests.tables.rules_reference import Reference, Told

SPECS: tuple[AnyTable, ...] = (computed.TABLE, identity.TABLE, links.TABLE, rules.TABLE,
                               segments.TABLE)
_settings = settings(deadline=None, max_examples=150,
                     suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large,
                                            HealthCheck.filter_too_much])


@st.composite
def _shops(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rules and segments that may stand together."""
    said = draw(ruled_histories.segments_of())
    return draw(ruled_histories.rules_of([one["name"] for one in said])), said


class Played:
    """A history, played through the fold as workers would, with a `$tick` where one is due."""

    def __init__(self, rules_: list[dict[str, Any]], segments_: list[dict[str, Any]],
                 partitions: int = 1, dice: random.Random | None = None) -> None:
        self._dice = dice
        self.log = Log(SPECS, partitions)
        self.log.config(BEGIN, 1, clock={"grace_s": GRACE_MS / 1000},
                        rules={"definitions": rules_}, segments={"definitions": segments_})
        self._run()

    def did(self, n: int, did: Did, ids: dict[str, str] | None = None) -> Any:
        """An event; as it was appended."""
        self.passed(BEGIN + did.at)
        said = {**(ids or {"userId": did.customer}), "properties": did.properties}
        made = events.plain(BEGIN + did.at - did.late, f"m{n}", said)
        made["type"], made["event"] = did.call, did.name
        kind = "anonymousId" if "userId" not in said else "userId"
        key = KEYS.of("user_id" if kind == "userId" else "anonymous_id", said[kind])
        self.log.append(key, made, BEGIN + did.at)
        self._run()
        return made

    def passed(self, until: int) -> None:
        """Time passes."""
        while (wakes := [wake for worker in self.log.workers if worker.fold.timer_before(until)
                         if (wake := worker.fold._timers.peek(until)) is not None]):
            self.log.tick(min(wakes)[0] + 1)
            self._run()

    def _run(self) -> None:
        log, dice = self.log, self._dice
        if dice is None:
            log.run()
            return
        while any(w.fold.next_offset < len(log.entries[w.number]) for w in log.workers):
            worker = dice.choice(log.workers)
            if dice.random() < 0.2:
                worker.checkpoint(dice.choice((None, None, 0, 1)))
            elif dice.random() < 0.1:
                worker.crash()
            worker.step()
        if dice.random() < 0.2:
            dice.choice(log.workers).crash()
            self._run()

    def told(self, key: bytes) -> list[Told]:
        """What a customer was told, in order."""
        found = []
        for one in self.log.triggers():
            if one["customer_key"] == key.decode():
                of = one["data"].get("segment" if "segment_" in one["name"] else "key")
                found.append(Told(one["name"], key, one["occurred_at"], one["emitted_at"], of))
        return found

    def members(self, key: bytes) -> dict[int, int]:
        """Codes of the segments that a customer is in, and since when."""
        row = self.log.fold_of(key).row(key, "segments")
        return {} if row is None else {one.segment: one.since for one in row.told.memberships
                                       if one.holds}


def _can_be(rules_: list[dict[str, Any]], segments_: list[dict[str, Any]]) -> bool:
    """Whether what they count together is not too much for a customer's row."""
    try:
        content = msgspec.json.encode({"rules": {"definitions": rules_},
                               "segments": {"definitions": segments_}})
        Config(SPECS, 1, content)
    except ConfigError as error:
        assert "a customer's row may take" in str(error) or "is not a number" in str(error), error
        return False
    return True


@_settings
@given(shop=_shops(), history=ruled_histories.histories())
def test_the_fold_tells_what_the_plain_evaluator_does(
        shop: tuple[list[dict[str, Any]], list[dict[str, Any]]], history: list[Did]) -> None:
    """The same triggers at the same instants, in the same order, and the same memberships."""
    assume(_can_be(*shop))
    played = Played(*shop)
    reference = Reference(*shop, GRACE_MS)
    for n, did in enumerate(history):
        made = played.did(n, did)
        reference.event(KEYS.of("user_id", did.customer), made, BEGIN + did.at - did.late,
                        BEGIN + did.at)
    end = BEGIN + history[-1].at + 32 * DAY + HOUR
    played.passed(end)
    reference.passed(end)

    assert [] == played.log.rejected()
    for customer in ruled_histories.CUSTOMERS:
        key = KEYS.of("user_id", customer)
        assert reference.told(key) == played.told(key)
        assert {code_of(name): since for name, since in reference.members(key).items()} == (
            played.members(key))
    ids = [trigger for _p, output in played.log.sent if output.kind == TRIGGER
           for trigger in [CODECS.trigger.decode(output.value)["trigger_id"]]]
    assert len(ids) == len(set(ids))


@_settings
@given(shop=_shops(), history=ruled_histories.histories(), seed=st.integers(0, 2**32))
def test_a_restart_at_any_record_changes_nothing(
        shop: tuple[list[dict[str, Any]], list[dict[str, Any]]], history: list[Did], seed: int
        ) -> None:
    """Byte for byte: outputs and records, as without any; and so does the log folded again."""
    assume(_can_be(*shop))
    logs = []
    for dice in (None, random.Random(seed)):
        played = Played(*shop, dice=dice)
        for n, did in enumerate(history):
            played.did(n, did)
        played.passed(BEGIN + history[-1].at + 32 * DAY)
        logs.append(played.log)
    steady, restarted = logs
    assert steady.entries == restarted.entries
    again = steady.fold_again()
    assert steady.outputs() == restarted.outputs() == again.outputs()
    assert steady.records() == restarted.records() == again.records()


@_settings
@given(shop=_shops(), history=ruled_histories.histories(), seed=st.integers(0, 2**32),
       partitions=st.integers(1, 3))
def test_identities_that_join_are_told_no_cause_twice(
        shop: tuple[list[dict[str, Any]], list[dict[str, Any]]], history: list[Did], seed: int,
        partitions: int) -> None:
    """Browsers and users that turn out to be one, over partitions whose workers end anywhere: no
    event and no wait is told by a rule for two customers, and the log folded again gives the same.
    """
    assume(_can_be(*shop))
    dice = random.Random(seed)
    played = Played(*shop, partitions=partitions, dice=dice)
    for n, did in enumerate(history):
        user = {"userId": dice.choice(("u1", "u2"))}
        browser = {"anonymousId": dice.choice(("a1", "a2", "a3"))}
        played.did(n, did, dice.choice((user, browser, browser, user | browser)))
    played.passed(BEGIN + history[-1].at + 32 * DAY)

    log = played.log
    assert [] == log.rejected()
    told: Counter[tuple[str, str | None, str | None]] = Counter()
    for one in log.triggers():
        on = one["evidence"].get("on", {})
        if "message_id" in on or on.get("cause"):
            told[one["name"], on.get("message_id"), on.get("cause")] += 1
    assert {} == {cause: count for cause, count in told.items() if count > 1}
    again = log.fold_again()
    assert log.outputs() == again.outputs()
    assert log.records() == again.records()
