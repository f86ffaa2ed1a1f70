"""The last interactions of a customer: what was done, when and where.

Every event comes here, so a row is bytes that are cut and put together, never taken apart, unless
an event came late or rows join. Rules:
- Kept are the newest 20 in the order of event time, then messageId (24 bits of its CRC-32), then
  content. What falls out has 20 above it in any order of arrival, so the law of facts holds for all
  customers.
- One interaction is time, 6 bytes, and messageId, 3 (together its stamp), type, 1, and name, its
  length before it; its place is channel and source, each with its length before it.
It announces nothing. Must never look at what an item says beyond its envelope.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

from footfall.events import outcomes
from footfall.events.interaction import DELIVERY, Interaction
from footfall.tables.cart_triggers import instant
from footfall.tables.spec import NoConfig, TableSpec, keeps_own, says_nothing, wants_all
from footfall.tables.timeline_row import Interacted, TimelineFacts, TimelineTold

KEPT_MAX: Final = 20
NAME_CHARS_MAX: Final = 60
#: Of a channel or a source.
PLACE_CHARS_MAX: Final = 50
#: Calls, as their place here says, and what became of deliveries; what is none of them is a type
#: without a name.
TYPES = ("", "identify", "track", "page", "screen", "group", "alias", outcomes.CALL)

_TIME_BYTES: Final = 6
_HASH_BYTES: Final = 3
_STAMP: Final = _TIME_BYTES + _HASH_BYTES
#: Where in an interaction the name's length stands, after the type.
_NAME: Final = _STAMP + 1
#: Of the type: a place follows the name.
_PLACED: Final = 128
_TIME_MAX: Final = 2 ** (8 * _TIME_BYTES) - 1
#: Kinds of interactions that the process remembers.
_REMEMBERED: Final = 16_384

_CODES = {name: code for code, name in enumerate((*TYPES[:-1], DELIVERY))}


def observe(facts: TimelineFacts, event: Interaction, when: int) -> TimelineFacts:
    """Facts with one more interaction."""
    stamp = stamp_of(event["message_id"], when)
    others = facts.others
    older = facts.older
    is_full = others >= KEPT_MAX - 1
    if is_full and stamp < older[:_STAMP]:
        return facts
    done = _done(event["type"], event["event"])
    place = _place(event["channel"], event["source"])
    newest = facts.newest
    if stamp <= newest[:_STAMP]:
        return _made({*_taken_apart(facts), (stamp + done, place)})
    if not newest:
        return TimelineFacts(stamp + done, place)
    before = facts.place
    if is_full:
        older = older[_end(older, 0) :]
    else:
        others += 1
    if before != place:
        newest = _placed(newest, before)
    return TimelineFacts(stamp + done, place, others, older + newest)


def merge(mine: TimelineFacts, theirs: TimelineFacts) -> TimelineFacts:
    """The newest of both."""
    if mine.newest and theirs.newest and mine.place == theirs.place:
        outer, inner = (mine, theirs) if mine.newest > theirs.newest else (theirs, mine)
        fitted = _fitted(outer, inner)
        if fitted is not None:
            return fitted
    return _made({*_taken_apart(mine), *_taken_apart(theirs)})


def interactions(facts: TimelineFacts) -> list[Interacted]:
    """What is kept, the newest first."""
    found = []
    for done, place in sorted(_taken_apart(facts), reverse=True):
        end = 1 + place[0]
        found.append(Interacted(
            int.from_bytes(done[:_TIME_BYTES], "big"), TYPES[done[_STAMP]],
            done[_NAME + 1 :].decode(), place[1:end].decode(), place[end + 1 :].decode()))
    return found


def view(facts: TimelineFacts, _told: TimelineTold, _now: int, _config: NoConfig
         ) -> Mapping[str, Any]:
    """The same for people."""
    return {"interactions": [{"at": instant(one.at), "type": one.type, "event": one.event,
                              "channel": one.channel, "source": one.source}
                             for one in interactions(facts)]}


def stamp_of(message_id: str, when: int) -> bytes:
    """What orders interactions."""
    at = 0 if when < 0 else _TIME_MAX if when > _TIME_MAX else when
    digest = crc32(message_id.encode()) >> 8
    return (at << 8 * _HASH_BYTES | digest).to_bytes(_STAMP, "big")


@lru_cache(maxsize=_REMEMBERED)
def _done(kind: str, name: str) -> bytes:
    cut = name[:NAME_CHARS_MAX].encode()
    return bytes((_CODES.get(kind, 0), len(cut))) + cut


@lru_cache(maxsize=_REMEMBERED)
def _place(channel: str, source: str) -> bytes:
    parts = [text[:PLACE_CHARS_MAX].encode() for text in (channel, source)]
    return b"".join([bytes((len(part),)) + part for part in parts])


def _placed(done: bytes, place: bytes) -> bytes:
    return done[:_STAMP] + bytes((done[_STAMP] | _PLACED,)) + done[_NAME:] + place


def _end(older: bytes, begin: int) -> int:
    """Where an interaction ends, its place included."""
    end = begin + _NAME + 1 + older[begin + _NAME]
    if older[begin + _STAMP] & _PLACED:
        end += 1 + older[end]
        end += 1 + older[end]
    return end


def _fitted(outer: TimelineFacts, inner: TimelineFacts) -> TimelineFacts | None:
    """Both, where all is of one place and all of `inner` was done between two neighbours of
    `outer`, or before all of it: nearly always, when somebody becomes known.
    """
    first, last = (inner.older or inner.newest)[:_STAMP], inner.newest[:_STAMP]
    if last >= outer.newest[:_STAMP] or _is_placed(inner.older) or _is_placed(outer.older):
        return None
    older = outer.older
    at = 0
    while at < len(older):
        stamp = older[at : at + _STAMP]
        if stamp >= first:
            if stamp <= last:
                return None
            break
        at = _end(older, at)
    both = older[:at] + inner.older + inner.newest + older[at:]
    others = outer.others + inner.others + 1
    begin = 0
    while others >= KEPT_MAX:
        begin = _end(both, begin)
        others -= 1
    return TimelineFacts(outer.newest, outer.place, others, both[begin:])


def _is_placed(older: bytes) -> bool:
    """Whether any of these stands where the next does not."""
    begin = 0
    while begin < len(older):
        if older[begin + _STAMP] & _PLACED:
            return True
        begin = _end(older, begin)
    return False


def _taken_apart(facts: TimelineFacts) -> list[tuple[bytes, bytes]]:
    """Each interaction with its place, the newest first."""
    if not facts.newest:
        return []
    older = facts.older
    parts: list[bytes] = []
    begin = 0
    while begin < len(older):
        end = _end(older, begin)
        parts.append(older[begin:end])
        begin = end
    place = facts.place
    found = [(facts.newest, place)]
    for part in reversed(parts):
        done = part
        if part[_STAMP] & _PLACED:
            end = _NAME + 1 + part[_NAME]
            place = part[end:]
            done = part[:_STAMP] + bytes((part[_STAMP] ^ _PLACED,)) + part[_NAME:end]
        found.append((done, place))
    return found


def _made(found: set[tuple[bytes, bytes]]) -> TimelineFacts:
    """Facts of the newest of these."""
    kept = sorted(found)[-KEPT_MAX:]
    if not kept:
        return TimelineFacts()
    newest, place = kept.pop()
    parts: list[bytes] = []
    following = place
    for done, where in reversed(kept):
        parts.append(done if where == following else _placed(done, where))
        following = where
    parts.reverse()
    return TimelineFacts(newest, place, len(parts), b"".join(parts))


TABLE = TableSpec(
    name="timeline",
    version=1,
    classes={"interactions": "internal"},
    slot=9,
    facts=TimelineFacts,
    told=TimelineTold,
    config=NoConfig,
    wants=wants_all,
    observe=observe,
    announce=says_nothing,
    merge_facts=merge,
    merge_told=keeps_own,
    view=view,
)
