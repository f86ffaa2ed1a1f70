"""The changelog record: round trip, one content one bytes, versions, and where personal data is."""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall import tables
from footfall.errors import StateRefused
from footfall.tables.message_ids import MessageIds
from footfall.tables.record import CustomerRecord, RecordCodec, decode_partition, header
from footfall.tables.spec import Announcement, AnyTable, NoConfig, TableSpec, wants_all
from footfall.tables.stored import (
    FORMAT,
    FORMAT_IMPORTS,
    HEADER,
    NEVER,
    PartitionState,
    Row,
    Timer,
)
from tests.tables.everything import written


class Facts(msgspec.Struct, array_like=True, frozen=True):
    """Facts of the tables made for these tests."""

    by_name: dict[str, int] = {}
    members: set[str] = set()


class Told(msgspec.Struct, array_like=True, frozen=True):
    """Their told."""

    level: int = 0


def table(name: str, version: int = 1, *, personal: bool = False, upgrade: Any = None) -> AnyTable:
    return TableSpec(name, version, Facts, Told, NoConfig, wants_all,
                     lambda facts, _event, _when: facts,
                     lambda told, _facts, _now, _config, _fired: Announcement(told),
                     lambda a, _b: a, lambda a, _b: a, upgrade=upgrade, personal=personal)


TABLES = [table("open"), table("secret", personal=True)]
CODEC = RecordCodec(TABLES)

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


def raw(row: Row) -> msgspec.Raw:
    """A row as it is stored."""
    return msgspec.Raw(_encode(row))


_names = st.text("abcäß€", max_size=4)
_rows = st.builds(Row, st.just(1), st.builds(
    Facts, st.dictionaries(_names, st.integers(-2**63, 2**63 - 1), max_size=4),
    st.sets(_names, max_size=4)), st.builds(Told, st.integers(0, 9)))
_timers = st.builds(Timer, st.integers(1, 2**41), st.integers(1, 2**41), st.integers(0, 2**41))
_coordinates = st.tuples(st.integers(0, 2**40), st.integers(0, 99))


@st.composite
def records(draw: st.DrawFn) -> CustomerRecord:
    record = CustomerRecord()
    record.watermark = draw(st.integers(-1, 2**40))
    record.senders = draw(st.dictionaries(st.integers(0, 999), _coordinates, max_size=4))
    record.timers = draw(st.dictionaries(st.sampled_from(["open", "secret"]), _timers))
    record.rows = draw(st.dictionaries(st.sampled_from(["open", "secret"]), _rows.map(raw)))
    for n in range(draw(st.integers(0, 3))):
        record.message_ids.add(bytes([n] * 8), draw(st.just(1_700_000_000_000)) + n * 2_000_000)
    return record


def content(record: CustomerRecord, codec: RecordCodec = CODEC) -> Any:
    rows = {t.name: codec.row(t, record.rows[t.name]) for t in TABLES if t.name in record.rows}
    return (record.watermark, record.senders, record.timers, bytes(record.message_ids.hashes),
            record.message_ids.recent, rows)


@settings(deadline=None, max_examples=150)
@given(records())
def test_what_is_written_is_read(record: CustomerRecord) -> None:
    """A record comes back as it was, senders by partition included."""
    assert content(record) == content(CODEC.decode(CODEC.encode(record)))


@settings(deadline=None, max_examples=150)
@given(records(), st.randoms(use_true_random=False))
def test_one_content_has_one_encoding(record: CustomerRecord, random: Any) -> None:
    """Law 3: the order in which a content came about is not in its bytes."""

    def shuffled(pairs: Any) -> dict[Any, Any]:
        items = list(pairs.items())
        random.shuffle(items)
        return dict(items)

    other = CustomerRecord()
    other.watermark = record.watermark
    other.senders = shuffled(record.senders)
    other.timers = shuffled(record.timers)
    other.message_ids = MessageIds(record.message_ids.hashes[:], record.message_ids.recent[:])
    other.rows = {}
    for name, stored in shuffled(record.rows).items():
        facts, told = CODEC.rows[name].read(stored)
        again = Facts(shuffled(facts.by_name), set(shuffled(dict.fromkeys(facts.members))))
        other.rows[name] = CODEC.rows[name].make(again, told)
    assert CODEC.encode(record) == CODEC.encode(other)


@settings(deadline=None, max_examples=100)
@given(records(), st.sets(st.sampled_from(["open", "secret"])))
def test_reading_changes_no_byte(record: CustomerRecord, touched: set[str]) -> None:
    """Rows kept raw and rows that were decoded give the same record."""
    data = CODEC.encode(record)
    again = CODEC.decode(data)
    for spec in TABLES:
        if spec.name in touched and spec.name in again.rows:
            facts, told = CODEC.rows[spec.name].read(again.rows[spec.name])
            again.rows[spec.name] = CODEC.rows[spec.name].make(facts, told)
    assert data == CODEC.encode(again)


@settings(deadline=None, max_examples=100)
@given(records())
def test_the_header_is_read_without_the_rest(record: CustomerRecord) -> None:
    """Watermark and next wake_at stand before everything else: recovery decodes nothing."""
    wake_at = min((t.wake_at for t in record.timers.values()), default=NEVER)
    assert (record.watermark, wake_at, 0) == header(CODEC.encode(record)[:25])


def test_rows_that_no_step_touched_keep_their_bytes() -> None:
    """Not even a row that this code would write differently."""
    record = CustomerRecord()
    record.rows["open"] = msgspec.Raw(b"\x93\x01\x92\x80\xdd\x00\x00\x00\x00\x91\x00")
    data = CODEC.encode(record)
    again = CODEC.decode(data)
    assert (data, True) == (CODEC.encode(again), bytes(record.rows["open"]) in data)


def test_personal_rows_are_nowhere_but_in_the_personal_field() -> None:
    """Law 6: one bytes field beside key_id holds them, so that it can be encrypted."""
    record = CustomerRecord()
    record.rows = {"open": raw(Row(1, Facts({"plain": 1}), Told())),
                   "secret": raw(Row(1, Facts({"anna@example.org": 1}), Told()))}
    *clear, key_id, personal = msgspec.msgpack.decode(CODEC.encode(record)[25:])
    assert (["open"], None) == (list(clear[4]), key_id)
    assert b"anna@example.org" in personal
    assert b"anna" not in msgspec.msgpack.encode(clear)


def test_rows_of_an_unknown_table_are_kept_and_taken_for_personal() -> None:
    """Code that was rolled back must not bring into the clear what newer code had hidden."""
    record = CustomerRecord()
    record.rows = {"open": raw(Row(1, Facts(), Told())),
                   "secret": raw(Row(1, Facts({"anna@example.org": 1}), Told()))}
    older = RecordCodec(TABLES[:1])
    data = older.encode(older.decode(CODEC.encode(record)))
    *clear, _key_id, _personal = msgspec.msgpack.decode(data[25:])
    assert b"anna" not in msgspec.msgpack.encode(clear)
    assert content(record) == content(CODEC.decode(data))


def test_rows_kept_decoded_are_written_and_told_the_same() -> None:
    """`kept_decoded` is a matter of speed alone."""
    decoded = [dataclasses.replace(spec, kept_decoded=True) for spec in tables.ALL]
    assert written() == written(decoded)


# -- versions --------------------------------------------------------------------------------------


def _upgrade(version: int, facts: bytes, told: bytes) -> tuple[Facts, Told]:
    assert 1 == version
    old = msgspec.msgpack.decode(facts, type=Facts)
    return Facts({**old.by_name, "upgraded": 1}), msgspec.msgpack.decode(told, type=Told)


def test_an_older_row_is_upgraded() -> None:
    """By the table's pure function, from its stored bytes; the row is then of this version."""
    record = CustomerRecord()
    record.rows["open"] = raw(Row(1, Facts({"a": 7}), Told(3)))
    newer = table("open", 2, upgrade=_upgrade)
    codec = RecordCodec([newer])
    row = codec.row(newer, codec.decode(RecordCodec(TABLES[:1]).encode(record)).rows["open"])
    assert Row(2, Facts({"a": 7, "upgraded": 1}), Told(3)) == row


def test_a_newer_row_stops_the_worker() -> None:
    """Law 7: it is not guessed at, and the error says what to do."""
    record = CustomerRecord()
    record.rows["open"] = raw(Row(3, Facts(), Told()))
    again = CODEC.decode(RecordCodec([table("open", 3)]).encode(record))
    for known in (TABLES[0], table("open", 1, upgrade=_upgrade)):
        with pytest.raises(StateRefused, match=r"'open' has version 3.* up to 1: run the newer"):
            CODEC.row(known, again.rows["open"])


def test_an_older_row_without_a_way_to_upgrade_stops_the_worker() -> None:
    """It would otherwise be read as something it is not."""
    record = CustomerRecord()
    record.rows["open"] = raw(Row(1, Facts(), Told()))
    newer = table("open", 2)
    with pytest.raises(StateRefused):
        RecordCodec([newer]).row(newer, CODEC.decode(CODEC.encode(record)).rows["open"])


def test_a_newer_record_stops_the_worker() -> None:
    """The format is the first byte of customers' records and of `$partition` alike."""
    for data in (CODEC.encode(CustomerRecord()), PartitionState().encode()):
        newer = bytes([FORMAT_IMPORTS + 1]) + data[1:]
        for read in (header, CODEC.decode, decode_partition):
            with pytest.raises(StateRefused, match="format 4"):
                read(newer)


def test_the_state_of_a_partition_comes_back() -> None:
    """Its watermark, in the header, is the last offset covered."""
    state = PartitionState(101, 1_700_000_000_000, 7, b'{"cart":{}}', 99, 1_699_999_999_000, 4)
    assert state == decode_partition(state.encode())
    assert (100, NEVER, 0) == header(state.encode())


def test_a_large_configuration_is_stored_small_and_an_older_record_of_one_is_read() -> None:
    """A thousand rules are in every `$partition` record, one a checkpoint and partition."""
    content = b'{"rules":{"definitions":[' + b'{"name":"a_rule"},' * 20_000 + b"]}}"
    state = PartitionState(5, 6, 7, content)
    written = state.encode()
    assert len(written) < len(content) // 20
    assert state == decode_partition(written)
    plain = HEADER.pack(FORMAT, 4, 0, 0) + msgspec.msgpack.encode(state)
    assert state == decode_partition(plain)


def test_layout() -> None:
    """What has been written once must be read for ever: the bytes of a record, in full."""
    record = CustomerRecord()
    record.watermark = 5
    record.senders = {11: (7, 0), 2: (9, 1)}
    record.timers = {"open": Timer(1000, 500)}
    record.rows = {"open": raw(Row(1, Facts({"b": 2, "a": 1}), Told(3)))}
    assert struct.pack(">BqqQ", 2, 5, 1000, 0) + msgspec.msgpack.encode([
        [[2, 9, 1], [11, 7, 0]], b"", [], {"open": [1000, 500, 0]},
        {"open": [1, [{"a": 1, "b": 2}, []], [3]]}, None, b"",
    ]) == CODEC.encode(record)
