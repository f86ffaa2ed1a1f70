"""Cursor, frames, filter and repeats: what they promise of any input."""

from __future__ import annotations

import contextlib
import re
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.subscriptions import cursor, filters, frames, gaps
from footfall.subscriptions.cursor import Cursor, CursorError
from footfall.subscriptions.filters import Customer, Filter, FilterError
from footfall.subscriptions.reading import Bounds, Topic
from footfall.subscriptions.repeats import Repeats, depth

ID = bytes(range(16))
OFFSETS = st.lists(st.integers(0, cursor.OFFSET_MAX), max_size=40).map(tuple)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9),
                   st.floats(allow_nan=False, allow_infinity=False))


def parsed(stream: bytes) -> tuple[list[tuple[str, str]], str]:
    """(event, data) of each event and the last id, read as the standard says: an id counts once
    its event is whole.
    """
    events: list[tuple[str, str]] = []
    last, coming, name, data = "", "", "", []
    for line in re.split("\r\n|\r|\n", stream.decode())[:-1]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                events.append((name, "\n".join(data)))
            last, name, data = coming, "", []
        elif field == "id":
            coming = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return events, last


@given(st.binary(min_size=16, max_size=16), OFFSETS)
def test_a_cursor_is_read_as_it_was_written(topic_id: bytes, offsets: tuple[int, ...]) -> None:
    text = cursor.encode(topic_id, offsets)
    assert Cursor(topic_id, offsets) == cursor.decode(text)
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")


@given(st.text() | st.text(string.ascii_letters + string.digits + "-_=", max_size=60))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    """Whatever a client sends: no other exception."""
    with contextlib.suppress(CursorError):
        assert text == cursor.encode(*cursor.decode(text))


@given(OFFSETS, st.data())
def test_a_cursor_that_was_cut_or_changed_is_none(offsets: tuple[int, ...], data: Any) -> None:
    text = cursor.encode(ID, offsets)
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters))
    for changed in (text[:at], text[:at] + letter + text[at + 1:], text + letter):
        if changed != text:
            with pytest.raises(CursorError):
                cursor.decode(changed)


def test_the_largest_cursor_fits_and_a_larger_one_is_refused() -> None:
    """At the limit and one beyond; a megabyte is not even decoded."""
    most = cursor.encode(ID, [2**35 - 1] * cursor.PARTITIONS_MAX)
    assert len(most) <= cursor.CURSOR_CHARS_MAX
    assert cursor.PARTITIONS_MAX == len(cursor.decode(most).offsets)
    for text in (cursor.encode(ID, [0] * (cursor.PARTITIONS_MAX + 1)), "A" * 1_000_000,
                 cursor.encode(ID, [2**63])):
        with pytest.raises(CursorError):
            cursor.decode(text)


@given(st.lists(st.dictionaries(st.text(max_size=5), VALUES | st.text("\r\n:\u2028\x00a"),
                                max_size=3), max_size=5))
def test_events_are_read_as_they_were_written(documents: list[dict[str, Any]]) -> None:
    """Each whole and none more, whatever stands in them."""
    made = [msgspec.json.encode(one) for one in documents]
    stream = frames.opening("c0") + b"".join(
        frames.event(frames.TRIGGER, f"c{n}", data) for n, data in enumerate(made))
    events, _last = parsed(stream)
    assert [(frames.TRIGGER, data.decode()) for data in made] == events


@given(st.text("\r\nab: \x00\u2028", min_size=1, max_size=20))
def test_breaks_of_lines_cannot_end_a_frame(text: str) -> None:
    """Bytes with bare breaks: the same lines arrive, in one event."""
    events, last = parsed(frames.event(frames.GAP, "c1", text.encode()) + frames.heartbeat("c2"))
    assert [(frames.GAP, "\n".join(re.split("\r\n|\r|\n", text)))] == events
    assert "c2" == last


@given(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), st.sampled_from("abc"))
def test_a_field_equals_what_json_writes(data: dict[str, Any], name: str) -> None:
    """What stands at a path is found by its own spelling, and by no other value's."""
    value = data.get(name)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    asked = filters.parse([(f"data.{name}", text)])
    assert (name in data) == asked.fits(data)
    assert not asked.fits({name: {"masked": "personal"}})
    assert not asked.fits({name: [value]})


@pytest.mark.parametrize(("query", "data", "fits"), [
    ("data.level=high", {"level": "high"}, True),
    ("data.level=high&data.level=medium", {"level": "medium"}, True),
    ("data.level=high&data.value=1", {"level": "high"}, False),
    ("data.value=12.50", {"value": 12.5}, True),
    ("data.value=12.50", {"value": "12.5"}, False),
    ("data.value=NaN", {"value": 1}, False),
    ("data.cart.currency=EUR", {"cart": {"currency": "EUR"}}, True),
    ("data.cart.currency=EUR", {"cart": ["currency"]}, False),
    ("data.first=1", {"first": True}, False),
    ("data.first=true", {"first": True}, True),
])
def test_fields(query: str, data: dict[str, Any], fits: bool) -> None:
    asked = filters.parse([tuple(part.split("=")) for part in query.split("&")])  # type: ignore[misc]
    assert fits == asked.fits(data)


def test_names_and_customer() -> None:
    asked = filters.parse([("name", "a,b"), ("name", "c")])._replace(
        customer=Customer(frozenset({"user_id:K"}), "email", "u@example.org"))
    assert asked.takes("c", "user_id:K", {})
    assert asked.takes("a", "email:L", {"email": "u@example.org"})
    assert not asked.takes("a", "email:L", {"user_id": "u@example.org"})
    assert not asked.takes("d", "user_id:K", {})
    assert Filter().takes("anything", "user_id:K", {})


@pytest.mark.parametrize("query", [
    [("name", ",".join(f"n{n}" for n in range(filters.NAMES_MAX + 1)))],
    [("name", "n" * (filters.NAME_CHARS_MAX + 1))],
    [("data.", "x")], [("data.a..b", "x")], [("data." + ".".join("a" * 9), "x")],
    [("data." + "a" * filters.FIELD_CHARS_MAX, "x")],
    [("data.a", "x" * (filters.VALUE_CHARS_MAX + 1))],
    [("data.a", str(n)) for n in range(filters.FIELDS_MAX + 1)],
])
def test_a_filter_past_its_limits_is_refused(query: list[tuple[str, str]]) -> None:
    with pytest.raises(FilterError):
        filters.parse(query)


BOUNDS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4)


@given(BOUNDS, st.lists(st.integers(0, 20), max_size=5), st.booleans())
def test_a_place_is_resumed_or_what_was_missed_is_told(
    bounds: list[tuple[int, int]], offsets: list[int], is_same: bool
) -> None:
    """Within what there is; moved only where it is told, and told only where it is moved."""
    lows = tuple(low for low, _more in bounds)
    ends = tuple(low + more for low, more in bounds)
    topic = Topic(ID, len(bounds))
    resumed = gaps.resume(Cursor(ID if is_same else bytes(16), tuple(offsets)), topic,
                          Bounds(lows, ends))
    told = {one.partition: one for one in resumed.missed}
    if not is_same or len(offsets) > len(bounds):
        assert (list(lows), set(range(len(bounds)))) == (resumed.offsets, set(told))
        assert {"topic"} == {one.reason for one in resumed.missed}
        return
    known = [*offsets, *[0] * (len(bounds) - len(offsets))]
    for n, (was, now) in enumerate(zip(known, resumed.offsets, strict=True)):
        assert lows[n] <= now <= ends[n]
        assert (n in told) == (was != now)
        if n in told:
            assert (was, now, "retention" if was < now else "ahead") == (
                told[n].start, told[n].end, told[n].reason)
    if resumed.missed:
        said = msgspec.json.decode(gaps.document(resumed.missed))
        assert len(told) == len(said["partitions"])
        assert said["reason"] in {one.reason for one in resumed.missed}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcdefgh")), max_size=60))
def test_a_repeat_is_found_within_its_partition(records: list[tuple[int, str]]) -> None:
    """The first of each id and partition is none; every other is, within the depth."""
    repeats, seen = Repeats(3), set()
    for partition, trigger_id in records:
        assert ((partition, trigger_id) in seen) == repeats.is_one(partition, trigger_id)
        seen.add((partition, trigger_id))


def test_what_is_remembered_is_bounded() -> None:
    repeats = Repeats(8)
    for n in range(depth(8) + 1):
        assert not repeats.is_one(1, f"{n:032x}")
    assert not repeats.is_one(1, f"{0:032x}")  # forgotten
    assert repeats.is_one(1, f"{depth(8):032x}")
    assert 1 == depth(10_000)
