"""Rows and levels are counted without decoding: after any events, checkpoints and restarts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.tables.record import CustomerRecord, RecordCodec, header
from footfall.tables.spec import Announcement, AnyTable, NoConfig, TableSpec
from footfall.tables.stored import FORMAT, PartitionState
from tests.tables.log import Log
from tests.tables.logs import KEYS, START
from tests.tables.made import TALLY, Nothing, TallyFacts, say

LEVELS = ("low", "middle", "high")
PEOPLE = [KEYS.of("user_id", name) for name in "abcde"]


class Lit(Nothing):
    """The level last announced."""

    level: str = "low"


#: Its level follows the number of messages: it rises, and begins anew.
LAMP: AnyTable = TableSpec(
    "lamp", 1, TallyFacts, Lit, NoConfig, lambda event: event["event"] == "lamp", TALLY.observe,
    lambda _told, facts, _now, _config, _fired: Announcement(Lit(LEVELS[len(facts.seen) % 3])),
    TALLY.merge_facts, lambda mine, _theirs: mine,
    slot=15, levels=LEVELS, level=lambda told: told.level)
PLAIN: AnyTable = TableSpec(
    "plain", 1, TALLY.facts, TALLY.told, NoConfig, lambda event: event["event"] == "plain",
    TALLY.observe, TALLY.announce, TALLY.merge_facts, TALLY.merge_told, slot=0)


def recounted(log: Log) -> Counter[tuple[str, str]]:
    """From every record, decoded."""
    codec = RecordCodec(log.specs)
    found: Counter[tuple[str, str]] = Counter()
    for data in log.records().values():
        record = codec.decode(data)
        for table in log.specs:
            if table.slot is not None and table.name in record.rows:
                row = codec.row(table, record.rows[table.name])
                found[table.name, table.level(row.told) if table.level else ""] += 1
    return found


def counted(log: Log) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for worker in log.workers:
        found.update(worker.fold.records.levels())
    return +found


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["lamp", "plain", "other"]),
                          st.sampled_from(["", "", "checkpoint", "restart"])), max_size=40))
def test_levels_equal_a_recount(happenings: list[tuple[bytes, str, str]]) -> None:
    log = Log([LAMP, PLAIN, TALLY])
    for n, (key, what, then) in enumerate(happenings):
        log.append(key, say(what, "", START + n, f"m{n}"), START + n)
        log.run()
        for worker in log.workers:
            if then:
                worker.checkpoint()
            if then == "restart":
                worker.crash()
        if then:
            assert recounted(log) == counted(log)
    assert recounted(log) == counted(log)


def test_records_of_format_1_are_read_and_counted_once_they_change() -> None:
    """Format 1 had no marks."""
    log = Log([PLAIN], partitions=1)
    log.append(PEOPLE[0], say("plain", "", START, "m1"), START)
    (data,) = log.run().records().values()
    old = b"\x01" + data[1:17] + data[25:]
    assert header(old) == (*header(data)[:2], 0)
    assert (FORMAT, 1) == (data[0], header(data)[2])
    codec = RecordCodec([PLAIN])
    assert data == codec.encode(_touched(codec, old))
    assert PartitionState(next_offset=3).encode()[0] == FORMAT


def _touched(codec: RecordCodec, data: bytes) -> CustomerRecord:
    record = codec.decode(data)
    rows = codec.rows["plain"]
    facts, told = rows.read(record.rows["plain"])
    record.rows["plain"] = rows.make(facts, told)
    record.marks = rows.marked(record.marks, told)
    return record
