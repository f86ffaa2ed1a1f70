"""The row of engagement as data: kinds, sessions, days, devices, and what was told.

Decides fields and their order, which is that of the stored bytes, and the configuration's limits.
What is done with them is in the other files of the table. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

#: code, count, code, count ...: newest bucket first.
Buckets = tuple[int, ...]


class Kind(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One type on one channel. `base`: quarter-hour of its newest event, in quarter-hours since
    1970; `older`: events of more than 30 days before that. `code` and `events` are the newest
    bucket: apart, because most events go into it and the others then stay as they are.
    """

    type: str
    channel: str
    base: int
    older: int
    code: int
    events: int
    buckets: Buckets


Kinds = tuple[Kind, ...]


class Counts(NamedTuple):
    """Events of a kind in each window, and ever."""

    h1: int
    h24: int
    d7: int
    d30: int
    total: int


class Sessions(NamedTuple):
    """`last`: the newest event. The newest session's length and events, then of each older one the
    gap from its end to the start of the next, its length, its events. All in ms.
    """

    last: int
    length: int = 0
    events: int = 1
    older: tuple[int, ...] = ()
    closed: int = 0
    closed_at: int = 0
    strayed: bool = False


class Session(NamedTuple):
    """One session: its first and last event, ms, and how many there were."""

    first: int
    last: int
    events: int


class Days(NamedTuple):
    """`newest`: day of the newest event, in days since 1970; `events` of that day. `older`: age,
    events, age, events ...: ages in days before it, ascending. `active`: bit n is set where
    anything happened n days before, as shortest little-endian bytes.
    """

    newest: int
    events: int = 1
    older: tuple[int, ...] = ()
    active: bytes = b"\1"


class Device(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A device. `stated`: 2 where `kind` is the device's type, 1 its system, 0 the channel."""

    id: str
    stated: int
    kind: str
    first: int
    last: int
    events: int


Devices = tuple[Device, ...]


class EngagementFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Kinds sorted by name, none exactly where nothing has happened; devices sorted by id.

    `first` and `last`: the earliest and the newest event, ms. The next three are `Days` without its
    newest day, the five after them `Sessions` without its last event: flat, because most events
    change single numbers among them.
    """

    first: int = 0
    last: int = 0
    kinds: Kinds = ()
    devices: Devices = ()
    day_events: int = 0
    days: tuple[int, ...] = ()
    active: bytes = b""
    session_ms: int = 0
    session_events: int = 0
    sessions: tuple[int, ...] = ()
    closed: int = 0
    closed_at: int = 0
    strayed: bool = False
    devices_cut: bool = False


Points = Annotated[int, msgspec.Meta(ge=1, le=100)]


class EngagementConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The least score of each level above `none`, ascending; `dormant_s`: whole seconds of silence
    after which a customer is dormant, at most 10 years.
    """

    low: Points = 10
    medium: Points = 45
    high: Points = 70
    dormant_s: Annotated[int, msgspec.Meta(ge=1, le=315_360_000)] = 2_592_000

    def __post_init__(self) -> None:
        if not self.low < self.medium < self.high:
            raise ValueError(f"low {self.low}, medium {self.medium} and high {self.high} do not "
                             "ascend")


class EngagementTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`level`: the one told last, `changes`: how often one was told. `check_at`: when it may have
    fallen below `floor`, as of UTC day `day`; 0 in the lowest. `session_until`: newest event of the
    newest session told. `silent_since`: start of the silence that is not told yet as dormancy,
    `dormant_until`: up to where dormancy was told. Times in ms.
    """

    level: int = 0
    changes: int = 0
    day: int = 0
    floor: int = 0
    check_at: int = 0
    session_until: int = 0
    silent_since: int = 0
    dormant_until: int = 0


class Change(NamedTuple):
    """The `number`th change of level told of a customer, at the instant `at` (ms)."""

    number: int
    before: str
    after: str
    at: int
