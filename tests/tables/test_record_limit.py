"""Law 7: a record with every table at its limits stays below half of message.max.bytes."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec

from footfall import tables
from footfall.tables.import_ledger import HASH_BYTES as ROW_HASH_BYTES
from footfall.tables.import_ledger import MUTED_MAX, ROWS_MAX, ImportLedger
from footfall.tables.message_ids import HASH_BYTES, KEPT_MAX, MessageIds
from footfall.tables.record import CustomerRecord, RecordCodec
from footfall.tables.stored import Row, Timer
from tests.tables.hostile import NEWEST, ROWS
from tests.tables.logs import ANNA

#: Kafka's default of message.max.bytes.
MESSAGE_BYTES_MAX = 1_048_588
RECORD_BYTES_MAX = MESSAGE_BYTES_MAX // 2
SENDERS = 64
DOCS = Path(__file__).parents[2] / "docs/tables.md"
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


@functools.cache
def largest(name: str) -> Row:
    """The row of a table that takes the most bytes."""
    return max((make() for make in ROWS[name]), key=lambda row: len(_encode(row)))


def record(rows: dict[str, Row]) -> CustomerRecord:
    """With as many messageIds, senders and timers as there can be."""
    made = CustomerRecord()
    made.watermark = 2**62
    made.senders = {2**31 - 1 - n: (2**62, 2**31) for n in range(SENDERS)}
    made.message_ids = MessageIds(
        bytearray(b"\xff" * HASH_BYTES * KEPT_MAX),
        [n for bucket in range(3) for n in (NEWEST // 1_800_000 + bucket, KEPT_MAX)])
    made.timers = {t.name: Timer(NEWEST, NEWEST, NEWEST) for t in tables.ALL}
    made.rows = {name: msgspec.Raw(_encode(row)) for name, row in rows.items()}
    return made


def size(rows: dict[str, Row]) -> int:
    """Of the Kafka record: key and value."""
    return len(ANNA) + len(RecordCodec(tables.ALL).encode(record(rows)))


def ledger_size() -> int:
    """What a full ledger adds to a record."""
    without, made = record({}), record({})
    made.imports = ImportLedger(b"\xff" * ROW_HASH_BYTES * ROWS_MAX,
                                b"\xff" * ROW_HASH_BYTES * MUTED_MAX)
    codec = RecordCodec(tables.ALL)
    return len(codec.encode(made)) - len(codec.encode(without))


def test_every_table_has_a_hostile_customer() -> None:
    """A table cannot escape the limit by saying nothing of its largest row."""
    assert {t.name for t in tables.ALL} == ROWS.keys()


def test_the_rows_are_at_their_limits() -> None:
    """Where a table can say so it does; so none of these rows is small by mistake."""
    for table in tables.ALL:
        if table.limited is not None:
            assert table.limited(largest(table.name).facts), table.name


def test_a_record_stays_below_half_of_a_message() -> None:
    """All tables at once; so a handoff of all rows fits into a message, too."""
    whole = {t.name: largest(t.name) for t in tables.ALL}
    assert size(whole) < RECORD_BYTES_MAX


def test_a_record_with_a_full_ledger_stays_below_a_message() -> None:
    """Above half of it: a handoff need not hold it, for the ledger stays with its key."""
    whole = {t.name: largest(t.name) for t in tables.ALL}
    assert size(whole) + ledger_size() < MESSAGE_BYTES_MAX * 2 // 3


def test_the_sizes_are_documented() -> None:
    """Of each table, of a record without rows, of all together, and of a full ledger: not less, and
    at most a hundredth more.
    """
    rows = {t.name: largest(t.name) for t in tables.ALL}
    measured = {**{name: len(_encode(row)) for name, row in rows.items()},
                "none": size({}), "all": size(rows), "imports": ledger_size()}
    text = re.findall(r"^\| (\w+) \| ([\d,]+) \|$", DOCS.read_text(), re.MULTILINE)
    documented = {name: int(bytes_.replace(",", "")) for name, bytes_ in text}
    assert measured.keys() == documented.keys()
    for name, bytes_ in measured.items():
        assert bytes_ <= documented[name] <= bytes_ * 1.01 + 100, (name, bytes_)
