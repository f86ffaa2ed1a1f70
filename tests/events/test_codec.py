"""What bytes are a record: exactly one, whole, in range. All else is a DecodeError (B19)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from footfall.errors import DecodeError
from footfall.events import amount
from footfall.events.codec import (
    SUBJECTS,
    TIME_MAX,
    Codec,
    Codecs,
    folder_id,
    read_schema,
    released_versions,
)
from footfall.events.commerce import LINES_MAX
from tests.events.records import a_delivery, a_rejected, a_trigger, an_interaction

CODECS = Codecs()
ALL: dict[str, tuple[Codec[Any], Any]] = {
    "interaction": (CODECS.interaction, an_interaction()),
    "trigger": (CODECS.trigger, a_trigger()),
    "rejected": (CODECS.rejected, a_rejected()),
    "delivery": (CODECS.delivery, a_delivery()),
}
each = pytest.mark.parametrize("subject", SUBJECTS)
GOLDEN = Path(__file__).parents[1] / "golden"


def number(value: int) -> bytes:
    """Avro's variable-length zigzag."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def refused(codec: Codec[Any], data: bytes | None) -> str:
    with pytest.raises(DecodeError) as error:
        codec.decode(data)
    return error.value.reason


@each
def test_round_trip(subject: str) -> None:
    """What was written is read."""
    codec, record = ALL[subject]
    assert record == codec.decode(codec.encode(record))


@given(event=st.text(), personal=st.binary(), at=st.integers(0, TIME_MAX),
       units=st.none() | st.integers(1 - amount.LIMIT, amount.LIMIT - 1),
       key_id=st.none() | st.text())
def test_round_trip_of_any_value(event: str, personal: bytes, at: int, units: int | None,
                                 key_id: str | None) -> None:
    """Any text, bytes, time and amount within the limits."""
    base = an_interaction()
    commerce: Any = {**(base["commerce"] or {}),
                     "total": None if units is None else amount.to_bytes(units)}
    record = an_interaction(event=event, personal=personal, event_time=at, commerce=commerce,
                            key_id=key_id)
    assert record == CODECS.interaction.decode(CODECS.interaction.encode(record))


@each
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes(subject: str, data: bytes) -> None:
    """Bare, and behind the right header: a record or a DecodeError, nothing else."""
    codec, _record = ALL[subject]
    for value in (data, b"\0" + codec.schema_id.to_bytes(4, "big") + data):
        try:
            codec.decode(value)
        except DecodeError as error:
            assert error.reason
            assert error.detail


@each
@given(at=st.integers(0), bit=st.integers(0, 7))
def test_any_flipped_bit(subject: str, at: int, bit: int) -> None:
    """Harm that looks nearly right."""
    codec, record = ALL[subject]
    data = bytearray(codec.encode(record))
    data[at % len(data)] ^= 1 << bit
    try:
        codec.decode(bytes(data))
    except DecodeError:
        return


@each
def test_cut_at_every_byte(subject: str) -> None:
    """No part of a record is a record."""
    codec, record = ALL[subject]
    data = codec.encode(record)
    assert [] == [n for n in range(len(data)) if not refused(codec, data[:n])]


@each
def test_bytes_left_over(subject: str) -> None:
    """Two records in one value are none."""
    codec, record = ALL[subject]
    assert "avro_trailing" == refused(codec, codec.encode(record) + b"\0")


@each
@pytest.mark.parametrize(("data", "reason"), [
    (None, "value_null"), (b"", "avro_no_magic"), (b"\0\0\0\0", "avro_no_magic"),
    (b"\1\0\0\0\x10", "avro_no_magic"), (b"{}", "avro_no_magic"),
    (b"\0\xff\xff\xff\xff", "schema_unknown"), (b"\0\0\0\0\x1f", "schema_unknown"),
    (b"\0\0\0\0\0", "schema_unknown")])
def test_no_header_of_ours(subject: str, data: bytes | None, reason: str) -> None:
    """A null value, another format, an id that nobody has."""
    assert reason == refused(ALL[subject][0], data)


def test_schema_of_another_subject() -> None:
    """A trigger in the log is no interaction."""
    value = CODECS.trigger.encode(a_trigger())
    assert "avro_invalid" == refused(CODECS.interaction, value)


@pytest.mark.parametrize("length", [-1, -5, 4, 2**40, 2**62, 2**63 - 1, -(2**63)])
def test_length_that_is_not_there(length: int) -> None:
    """Negative and huge lengths neither read the rest nor make room for it."""
    head = CODECS.rejected.encode(a_rejected(personal=b"XYZ"))[:-4]
    assert "avro_invalid" == refused(CODECS.rejected, head + number(length) + b"XYZ")


@pytest.mark.parametrize("count", [5, 2**40, 2**62, -5, -(2**62)])
def test_count_that_is_not_there(count: int) -> None:
    """An array that says it has more than it holds."""
    base = an_interaction()
    empty: Any = {**(base["commerce"] or {}), "lines": []}
    record = an_interaction(commerce=empty, personal=b"")
    data = CODECS.interaction.encode(record)
    head = data[:-4]  # lines, system, key_id, personal: a zero byte each
    for rest in (b"", b"\0" * 3, b"\0" * 10_000):
        assert refused(CODECS.interaction, head + number(count) + rest)


@pytest.mark.parametrize("index", [2, 9, 2**31, -3])
def test_union_branch_that_is_not_there(index: int) -> None:
    """`key_id` has two."""
    head = CODECS.rejected.encode(a_rejected(personal=b""))[:-2]
    assert "avro_invalid" == refused(CODECS.rejected, head + number(index) + b"\0")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80"])
def test_text_that_is_not_utf8(text: bytes) -> None:
    """Nor surrogates, nor overlong."""
    data = CODECS.interaction.encode(an_interaction(source="S" * len(text)))
    assert "avro_invalid" == refused(
        CODECS.interaction, data.replace(b"S" * len(text), text))


@pytest.mark.parametrize(("changed", "reason"), [
    ({"event_time": -1}, "time_out_of_range"),
    ({"event_time": TIME_MAX + 1}, "time_out_of_range"),
    ({"message_id": ""}, "message_id_length"),
    ({"message_id": "x" * 101}, "message_id_length"),
])
def test_out_of_range(changed: dict[str, Any], reason: str) -> None:
    """What Avro's types do not say."""
    assert reason == refused(CODECS.interaction, CODECS.interaction.encode(
        an_interaction(**changed)))


@pytest.mark.parametrize("field", ["total", "revenue", "price", "quantity"])
@pytest.mark.parametrize("value", [
    b"\x7f" * 13, amount.to_bytes(amount.LIMIT), amount.to_bytes(-amount.LIMIT), b"\0" * 1000])
def test_amount_too_large(field: str, value: bytes) -> None:
    """More than 18 digits before the point, in every field that holds one."""
    commerce: Any = dict(an_interaction()["commerce"] or {})
    if field in commerce:
        commerce[field] = value
    else:
        commerce["lines"] = [{**commerce["lines"][0], field: value}]
    assert "amount_too_large" == refused(
        CODECS.interaction, CODECS.interaction.encode(an_interaction(commerce=commerce)))


def test_too_many_lines() -> None:
    """A step's work is bounded by what the collector lets in, whoever wrote the record."""
    commerce: Any = dict(an_interaction()["commerce"] or {})
    commerce["lines"] = commerce["lines"] * LINES_MAX
    CODECS.interaction.decode(CODECS.interaction.encode(an_interaction(commerce=commerce)))
    commerce["lines"] = commerce["lines"][:1] * (LINES_MAX + 1)
    assert "too_many_lines" == refused(
        CODECS.interaction, CODECS.interaction.encode(an_interaction(commerce=commerce)))


@given(st.integers(-(2**63), 2**63 - 1))
@example(2**63 - 1)
@example(-(2**63))
def test_every_long_is_read(at: int) -> None:
    """What a time means is for its reader to say."""
    record = a_trigger(occurred_at=at)
    assert record == CODECS.trigger.decode(CODECS.trigger.encode(record))


def test_what_is_written_is_the_newest_release() -> None:
    """The schema in work is on no wire: nobody could look up its id."""
    for subject, (codec, _record) in ALL.items():
        version = released_versions(subject)[-1]
        assert folder_id(subject, version) == codec.schema_id
        assert read_schema(subject, version)["name"].lower() == subject


@each
def test_golden_files_of_every_release_stay_readable(subject: str) -> None:
    """Bytes that a release wrote, for ever. `python -m tests.events.golden` writes a new one's."""
    codec, _record = ALL[subject]
    for version in released_versions(subject):
        golden = json.loads((GOLDEN / f"{subject}-{version}.json").read_text())
        read = codec.decode(bytes.fromhex(golden["bytes"]))
        shown = json.loads(json.dumps(read, default=bytes.hex))
        assert golden["record"] == {name: shown[name] for name in golden["record"]}
