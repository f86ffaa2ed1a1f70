"""The facts of engagement: what a customer did, how often, when and on which devices.

Puts together kinds of interactions (`engagement_windows.py`), sessions and days
(`engagement_sessions.py`) and devices, which are decided here:
- A device is `context.device.id`, or else the anonymousId, which names a browser or an app's
  install. Its kind is `context.device.type`, else the system's name, else the channel: of several
  that were stated the best in that order, then the greatest text.
- The `DEVICES_MAX` seen last are kept. One that was dropped and comes back is counted anew, so a
  row that dropped any is marked (`devices_cut`).
Every interaction counts, of any type. Must never remember messageIds (the fold drops repeats),
read configuration or `now`, or change what it is given.
"""

from __future__ import annotations

from typing import Final

from footfall.events import personal
from footfall.events.interaction import Interaction
from footfall.tables.engagement_row import Days, Device, Devices, EngagementFacts, Kinds, Sessions
from footfall.tables.engagement_sessions import (
    IDLE_MS,
    day_added,
    days_joined,
    newest_joined,
    session_added,
    sessions_joined,
    sessions_limited,
)
from footfall.tables.engagement_windows import DAY_MS, counted, joined

DEVICES_MAX: Final = 8
DEVICE_ID_CHARS_MAX: Final = 64
DEVICE_KIND_CHARS_MAX: Final = 20
#: What is read of an item, as it was sent.
READ = frozenset({"anonymousId", "context.device.id", "context.device.type", "context.os.name"})

#: First event, kinds, devices, whether a limit has cut them.
_Rest = tuple[int, Kinds, Devices, bool]


def observe(facts: EngagementFacts, event: Interaction, when: int) -> EngagementFacts:
    """Facts with one more event."""
    kinds = counted(facts.kinds, event["type"], event["channel"], when)
    devices = _device_added(facts.devices, event, when)
    cut = facts.devices_cut
    if len(devices) > DEVICES_MAX:
        devices, cut = _newest(devices), True
    last = facts.last
    gap = when - last
    if 0 <= gap <= IDLE_MS and when // DAY_MS == last // DAY_MS:
        return EngagementFacts(
            facts.first, when, kinds, devices, facts.day_events + 1, facts.days, facts.active,
            facts.session_ms + gap, facts.session_events + 1, facts.sessions,
            facts.closed, facts.closed_at, facts.strayed, cut)
    if not facts.kinds:
        return _made((when, kinds, devices, cut), Days(when // DAY_MS), Sessions(when))
    return _made((min(facts.first, when), kinds, devices, cut),
                 day_added(days_of(facts), when // DAY_MS),
                 session_added(sessions_of(facts), when))


def merge(mine: EngagementFacts, theirs: EngagementFacts) -> EngagementFacts:
    """Facts of both, as if one customer had done it all."""
    if not mine.kinds:
        return theirs
    if not theirs.kinds:
        return mine
    devices = _devices_joined(mine.devices, theirs.devices)
    cut = mine.devices_cut or theirs.devices_cut or len(devices) > DEVICES_MAX
    rest = min(mine.first, theirs.first), joined(mine.kinds, theirs.kinds), _newest(devices), cut
    return _visit_joined(mine, theirs, rest) or _made(
        rest,
        days_joined(days_of(mine), days_of(theirs)),
        sessions_joined(sessions_of(mine), sessions_of(theirs)))


def is_limited(facts: EngagementFacts) -> bool:
    """Whether a limit has touched these facts, so that the order of events may show in them."""
    return (facts.devices_cut or facts.strayed
            or (facts.closed > 0 and sessions_limited(sessions_of(facts))))


def sessions_of(facts: EngagementFacts) -> Sessions:
    """The sessions of a customer of whom anything is known."""
    return Sessions(facts.last, facts.session_ms, facts.session_events, facts.sessions,
                    facts.closed, facts.closed_at, facts.strayed)


def days_of(facts: EngagementFacts) -> Days:
    """The days of the same."""
    return Days(facts.last // DAY_MS, facts.day_events, facts.days, facts.active)


def _visit_joined(mine: EngagementFacts, theirs: EngagementFacts, rest: _Rest
                  ) -> EngagementFacts | None:
    """The same where theirs is one session on my newest day, without taking either apart."""
    if (theirs.active != b"\1" or theirs.sessions or theirs.closed or mine.closed
            or mine.strayed or theirs.strayed or mine.last // DAY_MS != theirs.last // DAY_MS):
        return None
    found = newest_joined(mine.last, mine.session_ms, mine.sessions, theirs.last,
                          theirs.session_ms)
    if found is None:
        return None
    first, kinds, devices, cut = rest
    last, length, older = found
    return EngagementFacts(
        first, last, kinds, devices, mine.day_events + theirs.day_events, mine.days, mine.active,
        length, mine.session_events + theirs.session_events, older, 0, mine.closed_at, False, cut)


def _made(rest: _Rest, days: Days, there: Sessions) -> EngagementFacts:
    first, kinds, devices, cut = rest
    return EngagementFacts(
        first, there.last, kinds, devices, days.events, days.older, days.active,
        there.length, there.events, there.older, there.closed, there.closed_at, there.strayed, cut)


# -- devices -----------------------------------------------------------------------------------


def _device_added(devices: Devices, event: Interaction, when: int) -> Devices:
    """Devices, one more than the limit perhaps, with the one that an event names, if any."""
    said = personal.read(event)
    context = said.context
    id_ = said.anonymous_id
    stated, kind = 0, event["channel"]
    if context is not None:
        device = context.device
        if context.os is not None and context.os.name:
            stated, kind = 1, context.os.name
        if device is not None:
            id_ = device.id or id_
            if device.type:
                stated, kind = 2, device.type
    if not id_:
        return devices
    for i, known in enumerate(devices):
        if known.id == id_ and known.kind == kind and known.stated == stated and known.last <= when:
            seen = Device(id_, stated, kind, known.first, when, known.events + 1)
            return (seen,) if len(devices) == 1 else (*devices[:i], seen, *devices[i + 1 :])
    seen = Device(id_[:DEVICE_ID_CHARS_MAX], stated, kind[:DEVICE_KIND_CHARS_MAX], when, when, 1)
    return _devices_joined(devices, (seen,))


def _devices_joined(mine: Devices, theirs: Devices) -> Devices:
    known = {device.id: device for device in mine}
    for device in theirs:
        other = known.get(device.id)
        known[device.id] = device if other is None else _both(other, device)
    return tuple(known[id_] for id_ in sorted(known))


def _both(a: Device, b: Device) -> Device:
    stated, kind = max((a.stated, a.kind), (b.stated, b.kind))
    return Device(a.id, stated, kind, min(a.first, b.first), max(a.last, b.last),
                  a.events + b.events)


def _newest(devices: Devices) -> Devices:
    if len(devices) <= DEVICES_MAX:
        return devices
    newest = sorted(devices, key=lambda device: (device.last, device.id))[-DEVICES_MAX:]
    return tuple(sorted(newest, key=lambda device: device.id))
