"""Law 7 in the fold: bad data and faulty tables become values, and their neighbours go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.errors import StateRefused
from footfall.events.interaction import Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload, Handoff
from footfall.tables.record import CustomerRecord
from footfall.tables.spec import (
    Announcement,
    AnyTable,
    Move,
    NoConfig,
    TableSpec,
    Trigger,
    wants_all,
)
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, CARTS, CODECS, RESERVED, START
from tests.tables.made import PULSE, TALLY, Nothing, bell, faulty, say

FORGER = Reserved(b"a secret that is not the worker's")
SPECS = [TALLY, PULSE, faulty("faulty")]


def seconds(n: float) -> int:
    """An instant, in seconds from the start of the log."""
    return START + round(n * 1000)


def wire(event: Interaction) -> bytes:
    return CODECS.interaction.encode(event)


def changed(**fields: Any) -> bytes:
    event: Any = events.plain(START, "m1")
    event.update(fields)
    return wire(event)


def handoff(to: bytes, rows: bytes, by: Reserved = RESERVED) -> bytes:
    return wire(by.handoff(to, Handoff(BERT, 0, 0, 0, START), rows))


def stolen(event: Interaction, **fields: Any) -> bytes:
    """A record of ours with something changed: its MAC no longer fits."""
    copy: Any = dict(event)
    copy.update(fields)
    return wire(copy)


OURS = RESERVED.config(ConfigPayload(9, b"{}"), START)
POISON: dict[str, tuple[bytes | None, bytes | None, str]] = {
    "no value": (ANNA, None, "value_null"),
    "empty": (ANNA, b"", "avro_no_magic"),
    "no magic": (ANNA, b"{}", "avro_no_magic"),
    "unknown schema": (ANNA, b"\0\0\0\xff\0junk", "schema_unknown"),
    "another subject": (ANNA, CODECS.trigger._header + b"junk", "avro_invalid"),
    "cut": (ANNA, changed()[:-1], "avro_invalid"),
    "trailing": (ANNA, changed() + b"x", "avro_trailing"),
    "time before 1970": (ANNA, changed(event_time=-1), "time_out_of_range"),
    "messageId empty": (ANNA, changed(message_id=""), "message_id_length"),
    "messageId too long": (ANNA, changed(message_id="m" * 101), "message_id_length"),
    "no key": (None, changed(), "key_invalid"),
    "empty key": (b"", changed(), "key_invalid"),
    "clear identifier": (b"user_id:anna@example.org", changed(), "key_invalid"),
    "unknown kind": (b"$partition", changed(), "key_invalid"),
    "unknown reserved type": (ANNA, changed(type="$else"), "reserved_unknown"),
    "tick without MAC": (b"$tick", changed(type="$tick"), "reserved_forged"),
    "forged tick": (b"$tick", wire(FORGER.tick(START)), "reserved_forged"),
    "forged config": (b"$config", wire(FORGER.config(ConfigPayload(9, b"{}"), START)),
                      "reserved_forged"),
    "config under another key": (ANNA, wire(OURS), "reserved_forged"),
    "config made a tick": (b"$config", stolen(OURS, type="$tick"), "reserved_forged"),
    "forged handoff": (ANNA, handoff(ANNA, b"\x80", FORGER), "reserved_forged"),
    "handoff for another": (ANNA, handoff(BERT, b"\x80"), "reserved_forged"),
    "handoff with other rows": (ANNA, stolen(
        RESERVED.handoff(ANNA, Handoff(BERT, 0, 0, 0, START), b"\x80"), personal=b"\x81\xa1a\x90"),
        "reserved_forged"),
    "handoff unreadable": (ANNA, handoff(ANNA, b"\xc1"), "handoff_failed"),
    "handoff of a broken row": (ANNA, handoff(ANNA, msgspec.msgpack.encode(
        {"tally": [[1, ["no facts"], []], None]})), "handoff_failed"),
    "handoff of a broken row beside a sound one": (ANNA, handoff(ANNA, msgspec.msgpack.encode(
        {"pulse": [[1, [1], [0]], [1, 1, 1]], "tally": [[1, ["no facts"], []], None]})),
        "handoff_failed"),
    "payload unreadable": (b"$config", wire(RESERVED._record(
        "$config", b"$config", b"\xc1", b"", START)), "reserved_unreadable"),
    "observe raises": (ANNA, wire(say("faulty", "observe", START, "m1")), "step_failed"),
    "announce raises": (ANNA, wire(say("faulty", "announce", START, "m1")), "step_failed"),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_a_value_with_coordinates(name: str) -> None:
    """Reason, where it was read and the original bytes; nobody's record moves, the log goes on."""
    key, value, reason = POISON[name]
    log = Log(SPECS)
    log.append(ANNA, events.plain(START, "m0"), START)
    log.append(BERT, events.plain(START, "m0"), START)
    before = log.run().records()
    timers = [dict(_record(log, customer).timers) for customer in (ANNA, BERT)]
    entry = log.append_bytes(key, value, seconds(1))
    log.run()
    assert before == log.records()
    assert timers == [_record(log, customer).timers for customer in (ANNA, BERT)]
    assert {} == log.workers[0].fold.records.dirty
    (told,) = log.rejected()
    assert (reason, "worker", "log", 0, entry.offset, seconds(1), value or b"") == tuple(
        told[f] for f in
        ("reason", "stage", "topic", "partition", "offset", "rejected_at", "personal"))
    log.append(ANNA, events.plain(START, "m1"), seconds(2))
    assert {"m0", "m1"} == set(log.run().facts(ANNA, "tally").seen)
    assert log.records() == log.fold_again().records()


def _record(log: Log, key: bytes) -> CustomerRecord:
    record = log.fold_of(key).records.peek(key)
    assert record is not None
    return record


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda b: changed()[:5] + b),
       st.none() | st.binary(max_size=30) | st.just(ANNA))
def test_no_bytes_stop_the_fold(value: bytes, key: bytes | None) -> None:
    """Whatever anybody wrote to the log is applied or rejected."""
    log = Log([*CARTS, *SPECS])
    log.append_bytes(key, value, START)
    log.run()
    fold = log.workers[0].fold
    assert 1 == fold.next_offset
    assert 1 == len(log.rejected()) + sum(
        n for (what, _label), n in fold.counts.items() if what == "processed")


@pytest.mark.parametrize("where", ["observe", "announce"])
def test_a_table_that_raises_rejects_the_record_as_a_whole(where: str) -> None:
    """No table's row has it, neither before nor after in the order, and it is not remembered."""
    for name in ("a_faulty", "zz_faulty"):
        log = Log([TALLY, PULSE, faulty(name)])
        log.append(ANNA, say(name, where, START, "m1"), START)
        log.append(ANNA, say("", "", seconds(1), "m1"), seconds(1))
        log.run()
        assert {"m1": (1, seconds(1))} == log.facts(ANNA, "tally").seen
        assert [("step_failed", f"{name}: RuntimeError")] == [
            (r["reason"], r["detail"]) for r in log.rejected()]


def test_a_table_that_raises_in_a_timer_loses_that_timer_only() -> None:
    """Told with the record that let time pass; other tables and customers are stepped."""
    log = Log([*SPECS, bell("bell")])
    log.append(ANNA, say("faulty", "fuse", START, "m1"), START)
    log.append(ANNA, say("bell", str(seconds(1)), START, "m2"), START)
    log.append(BERT, say("bell", str(seconds(1)), START, "m3"), START)
    entry = log.append(BERT, events.plain(seconds(4), "m4"), seconds(4))
    log.tick(seconds(5))
    log.run()
    assert [("timer_failed", "faulty: RuntimeError", entry.offset)] == [
        (r["reason"], r["detail"], r["offset"]) for r in log.rejected()]
    assert {ANNA, BERT} == {t["customer_key"].encode() for t in log.triggers("rang_bell")}
    assert ["pulse"] == list(_record(log, ANNA).timers)
    assert log.records() == log.fold_again().records()


# -- what a table gives back -----------------------------------------------------------------------


def giving(said: Callable[[], Announcement[Any]], at_timer: bool) -> AnyTable:
    """A table that gives back what it should not, at an event `give` or a second later."""

    def announce(told: Nothing, facts: PulseLike, now: int, _config: NoConfig, fired: int | None
                 ) -> Announcement[Any]:
        if at_timer and fired is None:
            return Announcement(told, facts.at + 1000)
        return said()

    return TableSpec("giving", 1, PulseLike, Nothing, NoConfig, lambda e: e["event"] == "give",
                     lambda _facts, _event, when: PulseLike(when), announce,
                     lambda a, _b: a, lambda a, _b: a)


class PulseLike(msgspec.Struct, array_like=True, frozen=True):
    """When it was asked."""

    at: int = 0


BAD: dict[str, Callable[[], Announcement[Any]]] = {
    "data that is no JSON": lambda: Announcement(
        Nothing(), None, (Trigger("t", ("c",), START, {"x": object()}, {}),)),
    "a time that is none": lambda: Announcement(
        Nothing(), None, (Trigger("t", ("c",), 2**70, {}, {}),)),
    "a cause that is none": lambda: Announcement(
        Nothing(), None, (Trigger("t", (object(),), START, {}, {}),)),  # type: ignore[arg-type]
    "a row that cannot be stored": lambda: Announcement(PulseLike(2**70)),
}


@pytest.mark.parametrize("at_timer", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_told_or_kept_is_that_tables_fault(name: str, at_timer: bool) -> None:
    """It is rejected like a step that raises: one table must not stop a partition for ever."""
    log = Log([TALLY, giving(BAD[name], at_timer)])
    log.append(ANNA, say("give", "", START, "m1"), START)
    log.tick(seconds(3))
    log.append(ANNA, events.plain(seconds(3), "m2"), seconds(3))
    log.run()
    log.workers[0].checkpoint()
    assert 1 == len(log.rejected())
    expected = {"m1", "m2"} if at_timer else {"m2"}
    assert expected == set(log.facts(ANNA, "tally").seen)


def test_rows_of_an_unknown_table_in_a_handoff_stop_the_worker() -> None:
    """Law 7: newer code sent them; without them the customer would have lost a part."""
    log = Log(SPECS)
    rows = msgspec.msgpack.encode({"later": [[1, [], []], None]})
    log.append_bytes(ANNA, handoff(ANNA, rows), START)
    with pytest.raises(StateRefused, match="table 'later'"):
        log.run()


def test_rows_of_a_newer_version_in_a_handoff_stop_the_worker() -> None:
    """A rolling upgrade that goes on in the wrong order."""
    log = Log(SPECS)
    rows = msgspec.msgpack.encode({"tally": [[2, [{}], []], None]})
    log.append_bytes(ANNA, handoff(ANNA, rows), START)
    with pytest.raises(StateRefused, match="version 2"):
        log.run()


def test_rows_of_an_older_version_in_a_handoff_are_upgraded() -> None:
    """Review R9, CE 1: a live worker reads a handoff that older code sent."""

    def upgrade(version: int, facts: bytes, _told: bytes) -> tuple[Any, Any]:
        assert 0 == version
        return msgspec.msgpack.decode(facts, type=TALLY.facts), TALLY.told()

    spec = TableSpec(**{f: getattr(TALLY, f) for f in TALLY.__slots__} | {"upgrade": upgrade})
    log = Log([spec])
    log.append(ANNA, events.plain(START, "m1"), START)
    rows = msgspec.msgpack.encode({"tally": [[0, [{"m2": [1, START]}], []], None]})
    log.append_bytes(ANNA, handoff(ANNA, rows), START)
    assert {"m1": (1, START), "m2": (1, START)} == log.run().facts(ANNA, "tally").seen
    log.append_bytes(BERT, handoff(BERT, rows), START)
    assert {"m2": (1, START)} == log.run().facts(BERT, "tally").seen
    record = log.fold_of(BERT).records.peek(BERT)
    assert record is not None
    assert 1 == msgspec.msgpack.decode(record.rows["tally"])[0], "taken as it is it would be old"


def test_a_handoff_to_oneself_ends() -> None:
    """A table that sends a customer's rows to that customer does not fill the log."""
    spec = TableSpec("own", 1, PulseLike, Nothing, NoConfig, wants_all,
                     lambda facts, _event, _when: facts,
                     lambda told, _facts, _now, _config, _fired: Announcement(
                         told, None, (), (Move(ANNA),)),
                     lambda a, _b: a, lambda a, _b: a)
    log = Log([spec, TALLY])
    log.append(ANNA, events.plain(START, "m1"), START)
    for _ in range(50):
        log.workers[0].step()
    assert len(log.entries[0]) < 50
    assert {"m1": (1, START)} == log.facts(ANNA, "tally").seen


def test_a_rejected_record_fits_where_it_goes() -> None:
    """Counterexample 6: as large as a broker takes it, poison must not become too large for it."""
    log = Log(SPECS)
    log.append_bytes(ANNA, b"x" * 1_048_000, START)
    log.append_bytes(ANNA, b"y" * 1_000_000, START)
    first, second = log.run().rejected()
    assert max(len(output.value) for _partition, output in log.sent) < 1_040_000
    assert (b"x" * 1_000_000, b"y" * 1_000_000) == (first["personal"], second["personal"])
    assert ["cut: 1048000 bytes" in told["detail"] for told in (first, second)] == [True, False]
