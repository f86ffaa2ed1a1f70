"""When an interaction happened: what the sender's clock said, corrected where it is plainly wrong.

Decides the table of docs/collector.md. A device's clock is measured once a request, by `sentAt`
against our own clock, and the correction is a whole number of steps of five minutes: so a healthy
clock and ordinary transit (up to 2.5 minutes) change nothing, and events of one device keep their
order. Only where a device's error lies at the edge between two steps can two of its *requests* be
corrected differently; within one request never.
What cannot be read or lies before the year 2000 is refused, never guessed. In an import a time
ahead is refused, too, and the oldest year is 1970. Must never read a clock.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from footfall.events.fields import Document, FieldError, kind_of

#: Corrections are whole multiples of this; half of it is the error that is left alone.
STEP_MS: Final = 5 * 60 * 1000
#: A time further ahead of the time of receipt than this is replaced by it.
FUTURE_MS_MAX: Final = 10 * 60 * 1000
#: 2000-01-01T00:00:00Z. Older is a wrong unit or an unset clock, not a visit to a shop.
OLDEST_MS: Final = 946_684_800_000
#: The last millisecond of the year 9999.
NEWEST_MS: Final = 253_402_300_799_999

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
#: Length of the one spelling that nearly all send, JavaScript's `toISOString()`.
_COMMON_CHARS: Final = 24
_ADVICE: Final = "send RFC 3339 (2026-01-31T12:00:00.123Z) or whole milliseconds since 1970"


def event_time(stated: Any, path: str, sent_at: Any, received_at: int) -> int:
    """Milliseconds since the epoch; raises `FieldError`. Nothing stated means: when received."""
    if stated is None:
        return received_at
    try:
        when = read(stated)
    except ValueError as error:
        raise FieldError("time_unreadable", path, f"{error}; {_ADVICE}") from None
    when += correction(sent_at, received_at)
    if when > received_at + FUTURE_MS_MAX:
        return received_at
    if when < OLDEST_MS:
        raise FieldError("time_out_of_range", path, f"is before the year 2000; {_ADVICE}")
    return when


def historical(document: Document, now: int) -> int:
    """When an interaction of an import happened: never guessed, and since 1970. A device's clock is
    measured where the vendor who received it says when that was.
    """
    received, sent_at = document.get("receivedAt"), None
    for path in ("timestamp", "originalTimestamp", "receivedAt"):
        stated = document.get(path)
        if stated is not None:
            break
    else:
        raise FieldError("field_missing", "timestamp", f"is absent; {_ADVICE}")
    if path == "originalTimestamp":
        sent_at = document.get("sentAt")
    try:
        when = read(stated)
        when += correction(sent_at, read(received)) if sent_at is not None and received else 0
    except ValueError as error:
        raise FieldError("time_unreadable", path, f"{error}; {_ADVICE}") from None
    if not 0 <= when <= now + FUTURE_MS_MAX:
        side = "lies ahead of now" if when > 0 else "is before the year 1970"
        raise FieldError("time_out_of_range", path, f"{side}; {_ADVICE}")
    return when


def correction(sent_at: Any, received_at: int) -> int:
    """What to add to the times of a request, in milliseconds; 0 where `sentAt` says nothing."""
    if sent_at is None:
        return 0
    try:
        error_ms = received_at - read(sent_at)
    except ValueError:
        return 0
    return (error_ms + STEP_MS // 2) // STEP_MS * STEP_MS


def read(value: Any) -> int:
    """Milliseconds since the epoch of one stated time; raises ValueError with what is wrong."""
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, bool | Decimal) or not isinstance(value, int):
        raise ValueError(f"is {kind_of(value)}")
    if not -NEWEST_MS <= value <= NEWEST_MS:
        raise ValueError("is a number beyond the year 9999")
    return value


def _read_text(value: str) -> int:
    if len(value) == _COMMON_CHARS and value[23] == "Z":
        common = _read_common(value)
        if common is not None:
            return common
    found = _RFC_3339.fullmatch(value)
    if found is None:
        raise ValueError("is a string that is no time")
    year, month, day, hour, minute, second, fraction, _utc, sign, ahead_h, ahead_m = found.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        raise ValueError("names a day that does not exist") from None
    h, m, s = int(hour), int(minute), int(second)
    if h > 23 or m > 59 or s > 60:  # :60 is a leap second: the first of the next minute
        raise ValueError("names a time of day that does not exist")
    total = ((days * 24 + h) * 60 + m) * 60_000 + s * 1000
    if fraction is not None:
        total += int(fraction[:3].ljust(3, "0"))
    if sign is not None:
        if int(ahead_h) > 23 or int(ahead_m) > 59:
            raise ValueError("has an offset of a day or more")
        offset = (int(ahead_h) * 60 + int(ahead_m)) * 60_000
        total += offset if sign == "-" else -offset
    return total


def _read_common(value: str) -> int | None:
    """Of 2026-01-31T12:00:00.123Z, which Python's own reader takes in a third of the time; None for
    any other spelling, and for what it refuses.
    """
    if (value[4] != "-" or value[7] != "-" or value[10] != "T" or value[13] != ":"
            or value[16] != ":" or value[19] != "."):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    minutes = ((found.toordinal() - _EPOCH_DAY) * 24 + found.hour) * 60 + found.minute
    return minutes * 60_000 + found.second * 1000 + found.microsecond // 1000
