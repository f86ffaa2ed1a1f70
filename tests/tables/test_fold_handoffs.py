"""Laws 2 and 5: rows that move to another customer through the log, each once, over partitions."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from footfall.events.interaction import HANDOFF, Interaction
from footfall.events.reserved_row import Handoff
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import CARTS, CODECS, KEYS, RESERVED, START
from tests.tables.made import IDLE_MS, PULSE, TALLY, pointer, say

TABLES = [pointer(), PULSE, TALLY]
GRACE = 500


def seconds(n: float) -> int:
    """An instant, in seconds from the start of the log."""
    return START + round(n * 1000)


def key_on(log: Log, partition: int, nth: int = 0) -> bytes:
    """A customer whose records are on a partition."""
    keys = (KEYS.of("user_id", f"u{n}") for n in itertools.count())
    return next(itertools.islice((k for k in keys if log.partition_of(k) == partition), nth, None))


def joined(owner: bytes, at: int, message_id: str) -> Interaction:
    """From now on `owner` owns what this customer has and does."""
    return say("join", owner.decode(), at, message_id)


def moves(log: Log) -> list[Handoff]:
    """Every handoff that was sent, in order."""
    sent = []
    for _partition, output in log.sent:
        if output.kind == HANDOFF:
            event = CODECS.interaction.decode(output.value)
            sent.append(RESERVED.read_handoff(event, output.key))
    return sent


def applied(log: Log, key: bytes) -> dict[str, int]:
    """messageId -> how often it is counted in this customer's row."""
    facts = log.facts(key, "tally")
    return {} if facts is None else {m: count for m, (count, _when) in facts.seen.items()}


def test_rows_move_and_are_empty_where_they_came_from() -> None:
    """The pointer keeps its own row; what it had is the owner's now, and so is what comes later."""
    log = Log(TABLES, partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    log.append(a, events.plain(START, "m1"), START)
    log.append(u, events.plain(START, "m2"), START)
    log.append(a, joined(u, START, "m3"), START)
    log.append(a, events.plain(START, "m4"), START)
    log.run()
    assert {"m1": 1, "m2": 1, "m3": 1, "m4": 1} == applied(log, u)
    record = log.fold_of(u).records.peek(u)
    assert record is not None
    assert (2, {0: (2, 0)}) == (record.watermark, record.senders)
    assert (None, None) == (log.facts(a, "tally"), log.facts(a, "pulse"))
    assert u.decode() == log.facts(a, "pointer").owner


def test_watermark_of_ones_own_record_skips_no_handoff() -> None:
    """Counterexample 1 (a): A's p:0 lands at p:2, after U's own p:1 was applied."""
    log = Log(TABLES)
    a, u = key_on(log, 0), key_on(log, 0, 1)
    log.append(a, joined(u, START, "m1"), START)
    log.append(u, events.plain(START, "m2"), START)
    assert {"m1": 1, "m2": 1} == applied(log.run(), u)
    assert 2 == moves(log)[0].offset + 2


def test_a_handoff_has_the_coordinates_of_its_last_hop() -> None:
    """Counterexample 1 (b): A -> E -> U overtaken by A -> U: neither is taken for the other."""
    log = Log(TABLES, partitions=3)
    a, e, u = key_on(log, 0), key_on(log, 1), key_on(log, 2)
    log.append(e, joined(u, START, "e1"), START)
    log.run()
    log.append(a, joined(e, START, "m10"), START)
    log.workers[0].run()
    log.append(a, joined(u, START + 1, "m11"), START + 1)
    log.workers[0].run()
    log.workers[2].run()
    assert {"e1": 1, "m11": 1} == applied(log, u)
    log.run()
    assert {"e1": 1, "m10": 1, "m11": 1} == applied(log, u)
    assert {} == applied(log, e)


def test_vectors_do_not_merge() -> None:
    """Counterexample 1 (c): r's slow handoff to U counts, though A brought r's later one along."""
    log = Log(TABLES, partitions=2)
    r, s, a, u = key_on(log, 0), key_on(log, 0, 1), key_on(log, 1), key_on(log, 1, 1)
    log.append(r, joined(u, START, "m40"), START)
    log.append(s, joined(a, START, "m50"), START)
    log.workers[0].run()
    slow, fast = log.entries[1]
    log.entries[1][:] = [fast._replace(offset=0)]
    log.append(a, joined(u, START + 5, "m60"), START + 5)
    log.workers[1].run()
    log.append_bytes(slow.key, slow.value, START + 9)
    assert {"m40": 1, "m50": 1, "m60": 1} == applied(log.run(), u)


def test_one_record_may_send_a_customer_two_handoffs() -> None:
    """Counterexample 1 (d): one for each set of tables, numbered."""
    log = Log([pointer(moved=(("tally",), ("pulse",))), PULSE, TALLY], partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    log.append(a, events.plain(START, "m1"), START)
    log.append(a, joined(u, START, "m2"), START)
    log.run()
    assert [(1, 0), (1, 1)] == [(m.offset, m.n) for m in moves(log)]
    assert {"m1": 1, "m2": 1} == applied(log, u)
    assert START == log.facts(u, "pulse").last


def test_numbers_are_per_record_and_receiver_timers_included() -> None:
    """Review R3: of one log record to that receiver, not of the record alone."""
    log = Log(TABLES, partitions=2)
    u, v = key_on(log, 1), key_on(log, 1, 1)
    senders = [key_on(log, 0, n) for n in range(5)]
    for n, (sender, owner) in enumerate(zip(senders, (u, v, u, u, v), strict=True)):
        at = f"{owner.decode()}@{seconds(5)}"
        log.append(sender, say("join", at, START, f"m{n}"), START)
    log.append(senders[0], events.plain(seconds(6), "m9"), seconds(6))
    log.run()
    found: dict[bytes, list[tuple[int, int]]] = {u: [], v: []}
    for _partition, output in log.sent:
        if output.kind == HANDOFF:
            move = RESERVED.read_handoff(CODECS.interaction.decode(output.value), output.key)
            found[output.key].append((move.offset, move.n))
    assert {u: [(5, 0), (5, 1), (5, 2), (5, 3)], v: [(5, 0), (5, 1)]} == found
    assert {"m0": 1, "m2": 1, "m3": 1, "m9": 1} == applied(log, u)
    log.append(senders[0], events.plain(seconds(7), "m10"), seconds(7))
    assert (6, 0) == [(m.offset, m.n) for m in moves(log.run())][-1]


def test_a_handoff_sent_again_is_skipped() -> None:
    """The sender's changelog was not written: it sends again, with the same coordinates."""
    log = Log(TABLES, partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    for n in range(3):
        log.append(a, joined(u, START + n, f"m{n}"), START + n)
    log.run()
    log.workers[0].crash()
    log.run()
    assert 6 == len(log.entries[1])
    assert {"m0": 1, "m1": 1, "m2": 1} == applied(log, u)
    assert 3 == log.count("repeat", "handoff")


def test_a_pointer_recognises_a_handoff_sent_again() -> None:
    """Review R3: it keeps its own vector when its rows go; else a repeat passes it as new."""
    log = Log(TABLES, partitions=3)
    r, a, u = key_on(log, 0), key_on(log, 1), key_on(log, 2)
    log.append(r, joined(a, START, "m40"), START)
    log.run()
    log.append(a, joined(u, START + 5, "m50"), START + 5)
    log.run()
    log.workers[0].crash()
    log.run()
    assert {"m40": 1, "m50": 1} == applied(log, u)
    assert {} == applied(log, a)


def test_message_ids_and_watermark_stay_with_their_key() -> None:
    """A retry after the rows have gone is still a repeat, also after a recovery."""
    log = Log(TABLES, partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    log.append(a, events.plain(START, "m1"), START)
    log.append(a, joined(u, START, "m2"), START)
    log.run()
    for worker in log.workers:
        worker.checkpoint()
        worker.crash()
    log.append(a, events.plain(START, "m1"), START + 9)
    log.run()
    assert {"m1": 1, "m2": 1} == applied(log, u)
    record = log.fold_of(a).records.peek(a)
    assert record is not None
    assert (1, 1) == (record.watermark, log.count("repeat", "message_id"))


def test_what_a_pointer_receives_goes_on_to_its_owner() -> None:
    """E joined A, which U owns by then: nothing rests on the way."""
    log = Log(TABLES, partitions=3)
    e, a, u = key_on(log, 0), key_on(log, 1), key_on(log, 2)
    log.append(a, joined(u, START, "m1"), START)
    log.run()
    log.append(e, events.plain(START, "m2"), START)
    log.append(e, joined(a, START, "m3"), START)
    log.run()
    assert {"m1": 1, "m2": 1, "m3": 1} == applied(log, u)
    assert {} == applied(log, a)


def test_a_row_that_comes_to_where_there_is_none_is_taken_as_it_is() -> None:
    """Nothing is merged, what it tells is asked all the same; where there is one, both count."""
    def merge(_mine: object, _theirs: object) -> object:
        raise AssertionError("merged with nothing")

    alone = dataclasses.replace(PULSE, merge_facts=merge, merge_told=merge)
    log = Log([pointer(), alone, TALLY], partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    log.append(a, events.plain(START, "m1"), START)
    log.workers[0].run()
    before = bytes(log.fold_of(a).records.get(a).rows["pulse"])
    log.append(a, joined(u, START, "m2"), START)
    log.run()
    record = log.fold_of(u).records.get(u)
    assert (before, START + IDLE_MS) == (bytes(record.rows["pulse"]), record.timers["pulse"].due)
    assert {"m1": 1, "m2": 1} == applied(log, u)
    log.append(a, events.plain(START + 1, "m3"), START + 1)
    log.run()
    assert [["handoff_failed", "AssertionError"]] == [
        [record["reason"], record["detail"]] for record in log.rejected()]


def test_steps_see_when_the_original_was_appended() -> None:
    """Review R6 (vi): an event dated ahead counts as of A's log, whatever hop it takes."""
    log = Log(TABLES, partitions=2, hop_ms=300_000)
    a, u = key_on(log, 0), key_on(log, 1)
    log.append(key_on(log, 0, 1), events.plain(START, "m0"), seconds(5))
    log.append(a, events.plain(seconds(9_999), "m1"), START)
    log.append(a, joined(u, START, "m2"), START)
    log.run()
    assert (1, START) == log.facts(u, "tally").seen["m1"]
    assert [START] == [m.appended_at for m in moves(log)]


# -- told and timers -------------------------------------------------------------------------------


def test_a_deadline_on_its_way_is_told_by_the_owner() -> None:
    """The timer leaves with the row and follows anew from the merged one."""
    log = Log(TABLES, partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    log.append(a, joined(u, START, "m1"), START)
    log.run()
    for n in (10, 10.501, 12):
        log.tick(seconds(n))
    told = [(t["customer_key"].encode(), t["occurred_at"]) for t in log.run().triggers()]
    assert [(u, seconds(10))] == told
    assert not log.fold_of(a).timer_before(seconds(9_999))


def test_a_deadline_that_passed_on_the_way_settles() -> None:
    """Counterexample 20: the owner was active meanwhile, and that too is still on its way."""
    for active in (True, False):
        log = Log(TABLES, partitions=2, hop_ms=60_000)
        a, u = key_on(log, 0), key_on(log, 1)
        log.append(a, joined(u, START, "m1"), START)
        log.run()
        log.tick(seconds(61))
        assert [] == log.run().triggers()
        if active:
            log.append(u, events.plain(seconds(59), "m2"), seconds(62))
        log.tick(seconds(69.4))
        assert [] == log.run().triggers()
        log.tick(seconds(70.1))
        assert [seconds(69 if active else 10)] == [
            t["occurred_at"] for t in log.run().triggers()]


def test_what_settles_goes_on_settling_at_its_owner() -> None:
    """Revealed there before, it waits anew, to at most 60 s after it was first revealed; the cause
    stays the first deadline.
    """
    for hop_s, told_at in ((9, 120), (55, 161)):
        log = Log(TABLES, partitions=2, hop_ms=hop_s * 1000)
        a, u = key_on(log, 0), key_on(log, 1)
        log.append(a, events.plain(START, "m1"), seconds(101))
        log.append(a, joined(u, START + 1, "m2"), seconds(101))
        log.run()
        log.tick(seconds(told_at))
        assert [] == log.run().triggers(), hop_s
        log.tick(seconds(told_at + 1))
        told = [(t["customer_key"].encode(), t["occurred_at"], t["emitted_at"])
                for t in log.run().triggers()]
        assert [(u, seconds(10), seconds(told_at))] == told, hop_s


def test_what_was_told_is_not_told_again_by_the_owner() -> None:
    """Review R5: the id hashes the customer, so only the cause remembered can prevent it."""
    log = Log(TABLES, partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    log.append(a, events.plain(START, "m1"), START)
    log.tick(START + IDLE_MS + GRACE + 1)
    log.append(a, joined(u, START, "m2"), seconds(11))
    log.run()
    log.tick(seconds(12))
    log.tick(seconds(40))
    assert [a] == [t["customer_key"].encode() for t in log.run().triggers()]


def test_a_settling_deadline_of_the_owner_is_no_later_for_a_merge() -> None:
    """Of two that settle the one revealed first holds; its 60 s are not counted anew."""
    log = Log(TABLES, partitions=2)
    u = key_on(log, 1)
    log.append(u, events.plain(START, "u1"), seconds(100))
    for n in range(9):
        a = key_on(log, 0, n)
        log.append(a, joined(u, START + 1, f"m{n}"), seconds(101 + 9 * n))
        log.run()
    told = [(t["occurred_at"], t["emitted_at"]) for t in log.triggers()]
    assert [seconds(10)] == [occurred for occurred, _emitted in told]
    assert told[0][1] <= seconds(160)


@pytest.mark.parametrize("name", ["a_pointer", "z_pointer"])
def test_a_step_that_sends_rows_away_still_knows_the_customer(name: str) -> None:
    """What is told names its identifiers, whichever table comes first."""
    log = Log([pointer(name), *CARTS], partitions=2)
    a, u = key_on(log, 0), key_on(log, 1)
    event = events.added(START, "m1")
    event["personal"] = b'{"userId": "anna"}'
    log.append(a, event, START)
    log.tick(seconds(1801))
    order = events.ordered(seconds(1802), "m2", total="5")
    order["event"], order["channel"] = "join", u.decode()
    log.append(a, order, seconds(1802))
    told = [(t["name"], t["ids"]) for t in log.run().triggers()]
    ids = {"user_id": "anna"}
    assert [("cart_abandoned", ids), ("cart_recovered", ids)] == told
