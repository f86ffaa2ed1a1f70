"""How often each kind of interaction happened, in buckets that rolling windows are read from.

A kind is an interaction type on a channel. Decides its buckets and their encoding:
- `base` is the quarter-hour (UTC) of the kind's newest event. An event is counted in its minute
  while its quarter-hour is at most 4 before `base`; else in its quarter-hour while its hour is at
  most 24 before that of `base`; else in its hour while its day is at most 7 before; else in its day
  up to 30 before; what is older only in `older`. Each finer bucket lies within one coarser one and
  moves up as a whole, so a row depends on the events and on nothing else: not on their order, nor
  on how they were split (law 3).
- Whatever a window reads is held finely enough: an event at most 60 minutes before now is at most 4
  quarter-hours before the newest event, which is no later than now; and so on. A window is the
  current bucket and the whole ones before it: 60 minutes, 96 quarter-hours, 168 hours, 30 days.
- Channels are free text: the first `KINDS_MAX` kinds in the order of their names are kept, the
  rest is counted together as `OTHER`. The order of names needs no history, so this too is the same
  for any order and split.
Must never read a clock: `now` is an argument and none of it is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from footfall.tables.engagement_row import Counts, Kind, Kinds

#: Kinds of one customer, `OTHER` not among them.
KINDS_MAX: Final = 16
NAME_CHARS_MAX: Final = 50
OTHER = ("other", "")

MINUTE_MS: Final = 60_000
QUARTER_MS: Final = 900_000
DAY_MS: Final = 86_400_000
#: Quarter-hours of a day.
DAY_QUARTERS: Final = 96
WINDOW_MINUTES: Final = 60
WINDOW_QUARTERS: Final = 96
WINDOW_HOURS: Final = 168
WINDOW_DAYS: Final = 30

# A bucket's code: its age in its own unit, counted from the end of the coarser bucket that `base`
# lies in, plus where its unit begins. So codes are small, and unchanged while `base` is.
_QUARTERS: Final = 5 * 15
_HOURS: Final = _QUARTERS + 25 * 4
_DAYS: Final = _HOURS + 8 * 24
_OLDER: Final = _DAYS + WINDOW_DAYS + 1


def counted(kinds: Kinds, type_: str, channel: str, when: int) -> Kinds:
    """Kinds, sorted by name, with one more event at `when` (ms)."""
    for i, kind in enumerate(kinds):
        if kind.channel == channel and kind.type == type_:
            changed = list(kinds)
            changed[i] = _with(kind, when)
            return tuple(changed)
    return joined(kinds, (_single(type_[:NAME_CHARS_MAX], channel[:NAME_CHARS_MAX], when),))


def joined(mine: Kinds, theirs: Kinds) -> Kinds:
    """The events of both."""
    found: list[Kind] = []
    i = j = 0
    while i < len(mine) and j < len(theirs):
        a, b = mine[i], theirs[j]
        if a.type == b.type and a.channel == b.channel:
            found.append(_both(a, b))
            i += 1
            j += 1
        elif (a.type, a.channel) < (b.type, b.channel):
            found.append(a)
            i += 1
        else:
            found.append(b)
            j += 1
    found += mine[i:] or theirs[j:]
    return tuple(found) if len(found) <= KINDS_MAX else _cut(mine, theirs)


def counts(kind: Kind, now: int) -> Counts:
    """What the windows of a kind hold at `now` (ms), which is not before its newest event."""
    minute = now // MINUTE_MS
    h1 = h24 = d7 = d30 = 0
    total = kind.older
    for code, count in _buckets(kind):
        start = _start(kind.base, code)
        total += count
        if minute // 1440 - start // 1440 <= WINDOW_DAYS:
            d30 += count
            if minute // 60 - start // 60 <= WINDOW_HOURS:
                d7 += count
                if minute // 15 - start // 15 <= WINDOW_QUARTERS:
                    h24 += count
                    if minute - start <= WINDOW_MINUTES:
                        h1 += count
    return Counts(h1, h24, d7, d30, total)


def _single(type_: str, channel: str, when: int) -> Kind:
    base = when // QUARTER_MS
    return Kind(type_, channel, base, 0, base * 15 + 14 - when // MINUTE_MS, 1, ())


def _cut(mine: Kinds, theirs: Kinds) -> Kinds:
    """The same where it is more than the limit."""
    known = {(kind.type, kind.channel): kind for kind in mine}
    for kind in theirs:
        _put(known, (kind.type, kind.channel), kind)
    if len(known) > KINDS_MAX:
        for name in sorted(known.keys() - {OTHER})[KINDS_MAX:]:
            _put(known, OTHER, known.pop(name))
    return tuple(known[name] for name in sorted(known))


def _put(known: dict[tuple[str, str], Kind], name: tuple[str, str], kind: Kind) -> None:
    other = known.get(name)
    if other is not None:
        kind = _both(other, kind)
    elif name == OTHER:
        kind = Kind(*OTHER, kind.base, kind.older, kind.code, kind.events, kind.buckets)
    known[name] = kind


def _with(kind: Kind, when: int) -> Kind:
    """A kind with one more event."""
    code = kind.base * 15 + 14 - when // MINUTE_MS
    if code == kind.code:
        return Kind(kind.type, kind.channel, kind.base, kind.older, code, kind.events + 1,
                    kind.buckets)
    if code > kind.code:  # late
        return _both(kind, _single(kind.type, kind.channel, when))
    if code >= 0:  # in order and within the same quarter-hour: nothing moves
        return Kind(kind.type, kind.channel, kind.base, kind.older, code, 1,
                    (kind.code, kind.events, *kind.buckets))
    base = when // QUARTER_MS
    moved = _moved(kind, base)
    older = kind.older + moved.pop(_OLDER, 0)
    return Kind(kind.type, kind.channel, base, older, base * 15 + 14 - when // MINUTE_MS, 1,
                tuple([n for bucket in moved.items() for n in bucket]))


def _both(a: Kind, b: Kind) -> Kind:
    """Two rows of one kind (or of what counts as one), named as the first."""
    if a.base == b.base and not (a.buckets and b.buckets):
        if a.code == b.code:
            return Kind(a.type, a.channel, a.base, a.older + b.older, a.code, a.events + b.events,
                        a.buckets or b.buckets)
        after, before = (a, b) if a.code < b.code else (b, a)
        if not after.buckets:
            buckets = before.code, before.events, *before.buckets
            return Kind(a.type, a.channel, a.base, a.older + b.older, after.code, after.events,
                        buckets)
    base = max(a.base, b.base)
    sums = _moved(a, base)
    for code, count in _moved(b, base).items():
        sums[code] = sums.get(code, 0) + count
    older = a.older + b.older + sums.pop(_OLDER, 0)
    flat: list[int] = []
    for at in sorted(sums):
        flat += (at, sums[at])
    return Kind(a.type, a.channel, base, older, flat[0], flat[1], tuple(flat[2:]))


def _moved(kind: Kind, base: int) -> dict[int, int]:
    """Code -> events of a kind as of a later base, newest first."""
    before = kind.base
    if base == before:
        held = {kind.code: kind.events}
        if kind.buckets:
            held.update(zip(kind.buckets[::2], kind.buckets[1::2], strict=True))
        return held
    minutes = 15 * (base - before)
    quarters = 4 * (base // 4 - before // 4)
    hours = 24 * (base // DAY_QUARTERS - before // DAY_QUARTERS)
    sums: dict[int, int] = {}
    for code, count in _buckets(kind):
        if code < _QUARTERS:
            at = _minute_code(base, code + minutes)
        elif code < _HOURS:
            at = _quarter_code(base, code - _QUARTERS + quarters)
        elif code < _DAYS:
            at = _hour_code(code - _HOURS + hours)
        else:
            at = _day_code(code - _DAYS + hours // 24)
        sums[at] = sums.get(at, 0) + count
    return sums


def _buckets(kind: Kind) -> Iterator[tuple[int, int]]:
    """(code, events), newest first."""
    yield kind.code, kind.events
    yield from zip(kind.buckets[::2], kind.buckets[1::2], strict=True)


def _minute_code(base: int, age: int) -> int:
    """The code of what happened so many minutes before the end of the quarter-hour `base`."""
    return age if age < _QUARTERS else _quarter_code(base, 3 - base % 4 + age // 15)


def _quarter_code(base: int, age: int) -> int:
    """The same of quarter-hours before the end of the hour that `base` lies in."""
    if age < _HOURS - _QUARTERS:
        return _QUARTERS + age
    return _hour_code(23 - base // 4 % 24 + age // 4)


def _hour_code(age: int) -> int:
    """The same of hours before the end of that day."""
    return _HOURS + age if age < _DAYS - _HOURS else _day_code(age // 24)


def _day_code(age: int) -> int:
    """The same of days before it."""
    return _DAYS + age if age < _OLDER - _DAYS else _OLDER


def _start(base: int, code: int) -> int:
    """The first minute (since 1970) of a bucket."""
    if code < _QUARTERS:
        return base * 15 + 14 - code
    if code < _HOURS:
        return (base // 4 * 4 + 3 - (code - _QUARTERS)) * 15
    if code < _DAYS:
        return (base // DAY_QUARTERS * 24 + 23 - (code - _HOURS)) * 60
    return (base // DAY_QUARTERS - (code - _DAYS)) * 1440
