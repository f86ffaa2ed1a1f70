"""Lengths of time as tests write them: `500ms`, `90s`, `30m`, `24h`, `7d`, `2w`, or a timedelta.

Decides their spelling in both directions; several parts may stand together, the longer unit first
(`1h30m`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from footfall.tables.rules_row import UNIT_MS

#: Units in order, the longest first.
UNITS: Final = {**dict(sorted(UNIT_MS.items(), key=lambda unit: -unit[1])), "ms": 1}
#: Ten years: a test that waits longer has a unit wrong.
SPAN_MS_MAX: Final = 10 * 366 * 86_400_000
PATTERN: Final = r"(?=\d)" + "".join(rf"(?:(\d{{1,9}}){unit})?" for unit in UNITS) + r"\Z"
_spelling = re.compile(PATTERN, re.ASCII)


def ms_of(span: str | timedelta) -> int:
    """A length of time in ms; raises `ValueError` that says what was expected."""
    if isinstance(span, timedelta):
        length = round(span / timedelta(milliseconds=1))
    else:
        found = _spelling.match(span)
        if found is None:
            raise ValueError(f"{span[:40]!r} is no length of time such as 500ms, 90s, 30m, 1h30m, "
                             "7d or 2w")
        length = sum(int(count or 0) * unit
                     for count, unit in zip(found.groups(), UNITS.values(), strict=True))
    if not 0 <= length <= SPAN_MS_MAX:
        raise ValueError(f"{span} is not between 0 and {SPAN_MS_MAX // 86_400_000} days")
    return length


def text_of(length_ms: int) -> str:
    """`1h30m`; "0s" for none."""
    parts = []
    rest = abs(length_ms)
    for unit, size in UNITS.items():
        if unit == "w":
            continue  # nobody reads 4w2d as 30 days
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if length_ms < 0 else "") + ("".join(parts) or "0s")
