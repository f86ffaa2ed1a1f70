"""The ledger of imported rows: exact, in log order, bounded, and nothing where there is nothing."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall import tables
from footfall.tables.import_ledger import (
    HASH_BYTES,
    MUTED_MAX,
    ROWS_MAX,
    ImportLedger,
    cause_hash,
)
from footfall.tables.record import CustomerRecord, RecordCodec, header
from footfall.tables.spec import Trigger
from footfall.tables.stored import FORMAT, FORMAT_IMPORTS
from tests.tables.logs import KEYS

CODEC = RecordCodec(tables.ALL)
#: Bytes of few values: hashes that begin within others are common.
_hashes = st.lists(st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)
                   | st.text("ab", min_size=HASH_BYTES, max_size=HASH_BYTES).map(str.encode),
                   max_size=80)


@given(hashes=_hashes, asked=_hashes)
def test_it_knows_what_came_and_nothing_else(hashes: list[bytes], asked: list[bytes]) -> None:
    """As a set would, short or long, asked on the way or not; its bytes are those in log order."""
    ledger, known = ImportLedger(), []
    for digest in hashes:
        assert (digest in known) == (digest in ledger)
        if digest not in ledger:
            ledger.add(digest)
            known.append(digest)
    for digest in asked:
        assert (digest in known) == (digest in ledger)
        assert (digest in known) == (digest in ImportLedger(bytes(ledger.rows)))
    assert b"".join(known) == ledger.rows


def test_it_is_full_at_its_limit() -> None:
    """Not one row before."""
    ledger = ImportLedger(bytes(HASH_BYTES * (ROWS_MAX - 1)))
    assert not ledger.is_full()
    ledger.add(b"x" * HASH_BYTES)
    assert ledger.is_full()


@given(causes=st.lists(st.integers(0, MUTED_MAX * 2), max_size=MUTED_MAX * 3))
def test_muted_causes_come_once_and_the_oldest_go_first(causes: list[int]) -> None:
    """More than the limit are not kept, and one that has come is forgotten."""
    ledger = ImportLedger()
    kept: list[bytes] = []
    for cause in causes:
        digest = cause.to_bytes(HASH_BYTES)
        ledger.mute(digest)
        kept = kept if digest in kept else [*kept, digest][-MUTED_MAX:]
    assert b"".join(kept) == ledger.muted
    for digest in kept:
        assert ledger.unmute(digest)
        assert not ledger.unmute(digest)
    assert b"" == ledger.muted


def test_a_cause_is_its_name_and_cause() -> None:
    """Whatever else a trigger says, which may have changed by the time it is told."""
    one = Trigger("silent", ("c1", 5), 5, {}, {})
    assert cause_hash(one) == cause_hash(one._replace(occurred_at=7, data={"x": 1}))
    assert cause_hash(one) != cause_hash(one._replace(name="loud"))
    assert cause_hash(one) != cause_hash(one._replace(cause=("c1", 6)))


def test_rows_are_not_recognised_by_what_messages_are() -> None:
    """And not without the secret."""
    row = b"sixteen bytes of"
    assert KEYS.row_hash(row) != KEYS.message_hash(row.decode())
    assert HASH_BYTES == len(KEYS.row_hash(row))


@pytest.mark.parametrize(("rows", "muted"), [
    (b"r" * 24, b""), (b"", b"m" * 8), (b"r" * 8, b"m" * 8)])
def test_a_record_keeps_it(rows: bytes, muted: bytes) -> None:
    """Under a format that older code refuses; recovery reads its header as of any other."""
    record = CustomerRecord()
    record.watermark, record.marks = 7, 5
    record.imports = ImportLedger(rows, muted)
    data = CODEC.encode(record)
    again = CODEC.decode(data)
    assert again.imports is not None
    assert (rows, muted) == (again.imports.rows, again.imports.muted)
    assert (FORMAT_IMPORTS, (7, 0, 5)) == (data[0], header(data))
    assert data == CODEC.encode(again)


def test_a_record_without_imports_has_the_bytes_it_had() -> None:
    """Nothing is said of a ledger that is empty."""
    record = CustomerRecord()
    data = CODEC.encode(record)
    record.imports = ImportLedger()
    assert data == CODEC.encode(record)
    assert FORMAT == data[0]
    assert 7 == len(msgspec.msgpack.decode(data[25:]))
    assert CODEC.decode(data).imports is None
