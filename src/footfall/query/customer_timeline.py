"""A customer's timeline out of its document: newest interactions, then what was told and merged.

Decides which members of which views are moments worth a line, and their words. Knows views by name
alone: a table that is not there, whose part is masked or has another form adds nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

#: Lines of each part; the views below have all.
LINES_MAX = 20
INTERACTIONS = "timeline"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Moment(NamedTuple):
    """Of a list in a table's view: the member that says when, and what to say of it. A name in
    braces is that member's value.
    """

    table: str
    part: str
    at: str
    words: str


TOLD = (
    Moment("links", "record", "at", "{what} {customer_key}"),
    Moment("cart", "abandonments", "deadline", "cart abandoned {cart_id}"),
    Moment("orders", "orders", "completed_at", "order completed {order_id} {value} {currency}"),
    Moment("orders", "orders", "cancelled_at", "order cancelled {order_id}"),
    Moment("orders", "orders", "returned_at", "order returned {order_id}"),
    Moment("risk", "", "level_since", "risk {level}"),
    Moment("engagement", "", "first_seen", "first seen"),
)
Line = Mapping[str, Any]


def interactions(document: Mapping[str, Any]) -> list[Line]:
    """Of the table `timeline`: whatever in it has a time, newest first."""
    found = list(_timed(document["tables"].get(INTERACTIONS)))
    return sorted(found, key=lambda line: line["at"], reverse=True)[:LINES_MAX]


def told(document: Mapping[str, Any]) -> list[Line]:
    """What was told, ordered or merged, newest first."""
    found: list[Line] = []
    for moment in TOLD:
        view = document["tables"].get(moment.table)
        rows = view.get(moment.part) if isinstance(view, Mapping) and moment.part else [view]
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping) and _is_instant(row.get(moment.at)):
                found.append({"at": row[moment.at], "what": _said(moment.words, row)})
    return sorted(found, key=lambda line: line["at"], reverse=True)[:LINES_MAX]


def _timed(value: Any) -> Iterator[Line]:
    if isinstance(value, list):
        for row in value:
            yield from _timed(row)
    elif isinstance(value, Mapping):
        at = next((name for name, part in value.items() if _is_instant(part)), None)
        if at is not None:
            yield {"at": value[at], **{name: part for name, part in value.items()
                                      if name not in {at, "at"}}}
        else:
            for part in value.values():
                yield from _timed(part)


def _is_instant(value: Any) -> bool:
    return isinstance(value, str) and _INSTANT.fullmatch(value) is not None


def _said(words: str, row: Mapping[str, Any]) -> str:
    """By hand: `str.format` would run what a name in a value asks for."""
    return " ".join(re.sub(r"\{(\w+)\}", lambda name: _text(row.get(name[1])), words).split())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "*" if "masked" in value else " ".join(f"{v} {k}" for k, v in value.items())
    return "" if value is None else str(value)
