"""Splitting and unpacking bodies, whatever they are."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from footfall.collector import body
from footfall.collector.answers import RequestError
from footfall.collector.packing import TooLong, Unpacker
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.customer_key import CustomerKeys

KEYS = CustomerKeys(b"a secret of sixteen bytes or more")
#: Every character, halves of surrogate pairs too.
TEXT = st.text(st.characters())
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
                      lambda inner: st.lists(inner, max_size=4)
                      | st.dictionaries(TEXT, inner, max_size=4), max_leaves=15)
ROOTS = st.fixed_dictionaries({"batch": st.lists(VALUES, max_size=4) | VALUES}, optional={
    "context": VALUES, "integrations": VALUES, "sentAt": VALUES, "writeKey": VALUES})


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100) | ROOTS.map(lambda root: json.dumps(root).encode()))
@example(b'{"batch":["\\ud800"],"context":{"a":"\\udfff"}}')
@example(b'{"batch":["\xff\\ud800"]}')
@example(b'{"batch":["\\\\ud800\\"\\ud83d\\ude00\\ud83d"]}')
def test_any_body_is_split_or_refused(raw: bytes) -> None:
    """And its items come out as they went in, halves of surrogate pairs too."""
    for split in (body.one, body.batch):
        try:
            found = split(raw)
        except RequestError:
            continue
        arrival = Arrival("web", 1_795_428_000_000, "r", "", found.sent_at, found.shared)
        for item in found.items:
            assert item in raw
            outcome = admit(item, 0, arrival, KEYS)
            assert not isinstance(outcome, Rejected) or item == outcome.payload


def test_half_a_pair_never_costs_more_than_its_item() -> None:
    items = [{"a": "\ud83d"}, {"b": "\\\ud83d\\"}, 1]
    raw = json.dumps({"batch": items}).encode()
    assert [json.dumps(item).encode() for item in items] == body.batch(raw).items


@given(st.binary(max_size=3000), st.integers(1, 50), st.sampled_from(["", "gzip", "deflate"]))
def test_unpacking_in_parts_is_exact(data: bytes, size: int, encoding: str) -> None:
    pack: dict[str, Any] = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
    packed = pack[encoding](data)
    unpacker = Unpacker(encoding, len(data))
    parts = [packed[n:n + size] for n in range(0, len(packed), size)]
    assert data == b"".join(unpacker.feed(part) for part in parts)
    assert unpacker.is_whole


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_unpacking_anything_ends_in_bytes_or_a_refusal(data: bytes, encoding: str) -> None:
    with contextlib.suppress(zlib.error, TooLong):
        assert len(Unpacker(encoding, 1000).feed(data)) <= 1000


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_the_limit_and_one_more(pack: Any) -> None:
    encoding = "gzip" if pack is gzip.compress else "deflate"
    unpacker = Unpacker(encoding, 1000)
    assert 1000 == len(unpacker.feed(pack(b" " * 1000)))
    assert unpacker.is_whole
    with pytest.raises(TooLong):
        Unpacker(encoding, 999).feed(pack(b" " * 1000))
