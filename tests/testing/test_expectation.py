"""Which trigger meets which expectation, and lengths of time."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.testing.expectation import Expectation, differences, matched
from footfall.testing.spans import SPAN_MS_MAX, ms_of, text_of

TOLD = {"ids": {"user_id": "anna"}, "customer_key": "user_id:x", "held_out": False,
        "data": {"a": 1, "yes": True, "list": [{"b": "2", "c": 3}]}}


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=4))
def test_as_many_expectations_as_can_be_are_met(fits: list[list[bool]]) -> None:
    """Against every way of trying."""
    met = matched(fits)
    used = [trigger for trigger in met if trigger is not None]
    assert len(used) == len(set(used))
    assert all(fits[n][trigger] for n, trigger in enumerate(met) if trigger is not None)
    best = max(sum(fits[n][trigger] for n, trigger in enumerate(way))
               for way in permutations(range(4), len(fits)))
    assert best == len(used)


@pytest.mark.parametrize(("expected", "said"), [
    ({"a": 1, "list": [{"b": "2"}]}, []),
    ({}, []),
    ({"a": 2}, ["data.a is 1, not 2"]),
    ({"a": True}, ["data.a is 1, not true"]),
    ({"yes": 1}, ["data.yes is true, not 1"]),
    ({"none": None}, ["data.none is absent"]),
    ({"list": []}, ['data.list is [{"b": "2", "c": 3}], not []']),
    ({"list": [{"b": "3"}]}, ['data.list[0].b is "2", not "3"']),
    ({"list": {"b": "2"}}, ['data.list is [{"b": "2", "c": 3}], not {"b": "2"}']),
])
def test_data_may_be_a_part(expected: dict[str, object], said: list[str]) -> None:
    assert said == differences(Expectation("x", data=expected), TOLD, 0)


def test_held_out_must_be_said() -> None:
    held = {**TOLD, "held_out": True}
    assert ["it is held out"] == differences(Expectation("x"), held, 0)
    assert ["it is not held out"] == differences(Expectation("x", held_out=True), TOLD, 0)
    assert [] == differences(Expectation("x", held_out=True), held, 0)
    assert [] == differences(Expectation("x", held_out=None), held, 0)


@given(st.integers(0, SPAN_MS_MAX))
def test_lengths_of_time_are_read_as_they_are_shown(length: int) -> None:
    assert length == ms_of(text_of(length)) == ms_of(timedelta(milliseconds=length))


@pytest.mark.parametrize("text", ["", "5", "m", "30 m", "30m1h", "1.5h", "-1h", "1h ", "9999d"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no length of time|is not between"):
        ms_of(text)
    assert 5_400_000 == ms_of("1h30m") and 1_209_600_000 == ms_of("2w") and 0 == ms_of("0s")
