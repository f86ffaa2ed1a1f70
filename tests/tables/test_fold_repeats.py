"""Law 2 at one key: SDK retries, repeats of the log, and the memory that tells them."""

from __future__ import annotations

import pytest

from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, KEYS, START
from tests.tables.made import PULSE, TALLY, faulty, say

HOUR_MS = 3_600_000


def applied(log: Log, key: bytes) -> list[int]:
    """How often each message is counted."""
    facts = log.facts(key, "tally")
    return [] if facts is None else sorted({count for count, _when in facts.seen.values()})


@pytest.mark.parametrize("items", [1, 257, 300, 500, 4096])
def test_a_batch_of_one_key_sent_twice_counts_once(items: int) -> None:
    """Review R1: with 256 remembered, each repeat evicted the next one's id."""
    log = Log([PULSE])
    for attempt in range(2):
        for n in range(items):
            log.append(ANNA, events.plain(START + n, f"m{n}"), START + attempt * HOUR_MS // 2 + n)
    log.run()
    assert (items, items) == (log.count("processed", "track"), log.count("repeat", "message_id"))


def test_the_hour_is_the_logs() -> None:
    """An offline device sends the events of a year, and sends them again."""
    log = Log([TALLY])
    for attempt in range(2):
        for n in range(400):
            log.append(ANNA, events.plain(START - (400 - n) * 24 * HOUR_MS, f"m{n}"),
                       START + attempt)
    assert [1] == applied(log.run(), ANNA)


def test_a_retry_is_told_by_the_memory_that_was_written() -> None:
    """The memory is part of the record, so that it is of the same offset as the rows."""
    log = Log([TALLY])
    for n in range(300):
        log.append(ANNA, events.plain(START, f"m{n}"), START)
    log.run().workers[0].checkpoint()
    log.workers[0].crash()
    for n in range(300):
        log.append(ANNA, events.plain(START, f"m{n}"), START + HOUR_MS)
    assert [1] == applied(log.run(), ANNA)
    assert 300 == log.count("repeat", "message_id")


def test_two_customers_may_use_one_message_id() -> None:
    """The memory is each key's own."""
    log = Log([TALLY])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(BERT, events.plain(START, "m1"), START)
    log.run()
    assert ([1], [1]) == (applied(log, ANNA), applied(log, BERT))


def test_a_repeat_changes_nothing() -> None:
    """Not a byte of the record: a changed copy of a message is the message that came first."""
    log = Log([TALLY, PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    before = log.run().records()[ANNA]
    log.append(ANNA, events.plain(START + 5_000, "m1"), START + 5_000)
    assert before == log.run().records()[ANNA]
    assert {} == log.workers[0].fold.records.dirty


def test_an_event_that_was_rejected_is_not_remembered() -> None:
    """Mended and sent again under its messageId it counts."""
    log = Log([TALLY, faulty("faulty")])
    log.append(ANNA, say("faulty", "observe", START, "m1"), START)
    log.append(ANNA, say("", "", START, "m1"), START)
    log.run()
    assert [1] == applied(log, ANNA)
    assert 1 == len(log.rejected())


def test_a_record_read_twice_is_applied_once() -> None:
    """At an offset at or below a customer's watermark it is not stepped; others are."""
    log = Log([TALLY, PULSE])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.append(BERT, events.plain(START, "m2"), START)
    log.append(ANNA, events.plain(START, "m3"), START)
    expected = log.run().records()
    worker = log.workers[0]
    worker.changelog[ANNA] = expected[ANNA]
    worker.crash()
    assert expected == log.run().records()
    assert 2 == log.count("repeat", "offset")


def test_hashes_of_message_ids_need_the_secret() -> None:
    """Law 6: without it nobody can ask a changelog who sent which message."""
    log = Log([TALLY])
    log.append(ANNA, events.plain(START, "m1"), START)
    log.run()
    record = log.fold_of(ANNA).records.peek(ANNA)
    assert record is not None
    assert KEYS.message_hash("m1") == bytes(record.message_ids.hashes)
    other = type(KEYS)(b"a secret of somebody else")
    assert other.message_hash("m1") != KEYS.message_hash("m1")
