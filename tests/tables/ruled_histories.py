"""Random rules, segments and histories of customers, for `test_rules_recount.py`.

Instants are laid out so that no two that matter are less than the grace apart: events arrive at
odd hundreds of ms, each at its own, happen 100 ms before or whole minutes earlier, and all spans
are whole minutes. So what a late record blurs (law 4) is not drawn; scenarios are for that.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.tables.logs import START

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
GRACE_MS = 50
BEGIN = (START // DAY + 1) * DAY
EVENTS_MAX = 16
NAMES = ("Buy", "Look", "Like")
VALUES = (0, 1, 2, 7, "a", "b", "7", 2.5, True, None)
CUSTOMERS = ("anna", "bert")
OF = ("anna", "anna", "anna", "bert")
#: Minutes between events.
GAPS = (0, 0, 0, 1, 5, 9, 10, 11, 30, 59, 60, 61, 119, 1440, 1441, 7 * 1440 + 59, 31 * 1440)

_values = st.sampled_from([value for value in VALUES if value is not None])
_numbers = st.sampled_from([0, 1, 2, 3, 5, "2.5"])
_spans = st.sampled_from(["10m", "11m", "30m", "1h", "2h", "1d"])
_windows = st.sampled_from(["1h", "1h", "24h", "7d", "30d", "ever"])
_compared = ("greater", "at_least", "less", "at_most")


class Did(NamedTuple):
    """One event: when it is appended (ms after BEGIN), and how long before it happened."""

    at: int
    late: int
    customer: str
    call: str
    name: str
    properties: dict[str, Any]


def histories() -> st.SearchStrategy[list[Did]]:
    """Events of few names and values: late ones, and long silences between. Drawn by one integer,
    so that long ones are common; a shorter one is the beginning of a longer one.
    """
    return st.builds(_history, st.integers(0, 2**64), st.sampled_from([1, 2, 4, 8, 12, EVENTS_MAX]))


def _history(seed: int, count: int) -> list[Did]:
    dice = random.Random(seed)
    found, minutes = [], 0
    for n in range(count):
        minutes += dice.choice(GAPS)
        late = 100 + dice.choice((0, 0, 0, 1, 3, 9)) * MINUTE
        said = {"v": dice.choice(VALUES), "k": dice.choice(("x", "y", None))}
        found.append(Did(minutes * MINUTE + 1_000 + 200 * n, late, dice.choice(OF), dice.choice(
            ("track", "track", "track", "page")), dice.choice(NAMES),
            {key: one for key, one in said.items() if one is not None}))
    return found


@st.composite
def overs(draw: st.DrawFn) -> dict[str, Any]:
    """Which events count."""
    over: dict[str, Any] = {}
    if draw(st.integers(0, 5)):
        over["call"] = "track"
        if draw(st.integers(0, 3)):
            over["event"] = draw(st.sampled_from(NAMES))
    if not draw(st.integers(0, 3)):
        over["where"] = draw(st.sampled_from([
            {"path": "properties.v", "greater": 1}, {"path": "properties.k", "equals": "x"},
            {"any": [{"path": "properties.k", "exists": False},
                     {"path": "properties.v", "in": [7, "a"]}]}]))
    return over


@st.composite
def aggregates(draw: st.DrawFn) -> dict[str, Any]:
    """An aggregate of events, compared."""
    of = draw(st.sampled_from(["count", "count", "count", "sum", "average", "min", "max", "first",
                               "last", "most_frequent", "unique_list", "distinct_count",
                               "time_since_first", "time_since_last", "time_since_last"]))
    said: dict[str, Any] = {"of": of, "over": draw(overs()), "window": draw(_windows)}
    if of.startswith("time"):
        operator = draw(st.sampled_from(["older_than", "newer_than", "older_than", "exists"]))
        said[operator] = draw(st.booleans()) if operator == "exists" else draw(_spans)
        return said
    if of != "count":
        said["value"] = draw(st.sampled_from(["properties.v", "properties.k"]))
    if of in ("first", "last", "most_frequent", "unique_list"):
        operator = draw(st.sampled_from(["equals", "not_equals", "in", "contains", "exists"]))
        texts = st.sampled_from(["a", "x", "7", "true"])
        said[operator] = (draw(st.booleans()) if operator == "exists" else
                          draw(st.lists(texts, min_size=1, max_size=2)) if operator == "in"
                          else draw(texts))
        return said
    operator = draw(st.sampled_from(["equals", "not_equals", "exists", *_compared, *_compared]))
    said[operator] = draw(st.booleans()) if operator == "exists" else draw(_numbers)
    return said


@st.composite
def conditions(draw: st.DrawFn, segments: list[str], subject: str = "", depth: int = 2
               ) -> dict[str, Any]:
    """A condition. `subject`: event, trigger or "", what it may ask besides."""
    kinds = ["of", "of", "of", *(["segment"] if segments else []), *([subject] * 2 if subject
                                                                     else []),
             *(["group"] * 2 if depth else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "of":
        return draw(aggregates())
    if kind == "segment":
        return {"segment": draw(st.sampled_from(segments))}
    if kind == "group":
        members = conditions(segments, subject, depth - 1)
        return {draw(st.sampled_from(["all", "any", "none"])): draw(
            st.lists(members, min_size=1, max_size=3))}
    if kind == "trigger":
        return {"field": "trigger.data.segment", draw(st.sampled_from(["equals", "not_equals"])):
                draw(st.sampled_from(["s0", "s1"]))}
    said: dict[str, Any] = {"field": draw(st.sampled_from(
        ["event.properties.v", "event.properties.v", "event.properties.k"]))}
    operator = draw(st.sampled_from(["equals", "not_equals", "in", "contains", "exists",
                                     *_compared]))
    said[operator] = (draw(st.booleans()) if operator == "exists" else
                      draw(st.lists(_values, min_size=1, max_size=3)) if operator == "in" else
                      draw(st.sampled_from(["a", "7"])) if operator == "contains" else
                      draw(_numbers) if operator in _compared else draw(_values))
    return said


@st.composite
def segments_of(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to three segments; one may ask for those before it."""
    found: list[dict[str, Any]] = []
    for n in range(draw(st.integers(0, 3))):
        known = [one["name"] for one in found]
        found.append({"name": f"s{n}", "version": 1, "if": draw(conditions(known))})
    return found


@st.composite
def rules_of(draw: st.DrawFn, segments: list[str]) -> list[dict[str, Any]]:
    """Two to eight rules; one may act on those before it."""
    found: list[dict[str, Any]] = []
    for n in range(draw(st.integers(2, 8))):
        found.append(draw(_rule(f"r{n}", segments, [one["name"] for one in found])))
    return found


@st.composite
def _rule(draw: st.DrawFn, name: str, segments: list[str], before: list[str]) -> dict[str, Any]:
    kind = draw(st.sampled_from(["call", "call", "when", "when", *(["enters", "leaves", "told"]
                                                                   if segments else []),
                                 *(["rule"] if before else [])]))
    said: dict[str, Any] = {"name": name, "version": 1}
    subject = "event" if kind == "call" else "" if kind == "when" else "trigger"
    if kind == "call":
        said["on"] = {"call": "track", "event": draw(st.sampled_from(NAMES))}
        if not draw(st.integers(0, 4)):
            said["on"] = {"call": draw(st.sampled_from(["track", "page"]))}
    elif kind == "when":
        said["on"] = {"when": draw(conditions(segments)), "becomes": draw(st.booleans())}
    elif kind == "told":
        said["on"] = {"trigger": draw(st.sampled_from(["segment_entered", "segment_left"]))}
    elif kind == "rule":
        said["on"] = {"trigger": draw(st.sampled_from(before))}
    else:
        said["on"] = {kind: draw(st.sampled_from(segments))}
    if draw(st.booleans()):
        said["if"] = draw(conditions(segments, subject))
    if not draw(st.integers(0, 2)):
        said["wait"] = draw(_spans)
        if draw(st.booleans()):
            said["unless"] = draw(overs())
        if not draw(st.integers(0, 2)):
            said["still"] = draw(conditions(segments))
    if kind == "call" and ("wait" in said or draw(st.booleans())) and draw(st.booleans()):
        said["key"] = draw(st.sampled_from(["event.properties.k", "event.properties.v"]))
        said["once"] = "wait" not in said or draw(st.booleans())
    elif not draw(st.integers(0, 4)):
        said["once"] = True
    for key, span in (("cooldown", _spans), ("expires", st.sampled_from(["1m", "5m", "1h"]))):
        if not draw(st.integers(0, 3)):
            said[key] = draw(span)
    if not draw(st.integers(0, 2)):
        said["group"] = draw(st.sampled_from(["g", "h"]))
    if not draw(st.integers(0, 2)):
        said["priority"] = draw(st.integers(0, 100))
    if not draw(st.integers(0, 4)):
        said["holdout_percent"] = draw(st.sampled_from([30, 60, 99]))
    return said
