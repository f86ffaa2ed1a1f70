"""The facts of a profile: of each trait the last word said of it, and by which call.

Decides which members of a call are traits of the person: `traits` of an identify and
`context.traits` of every call, where SDKs repeat what they know; never those of a group call, which
are the group's. In one identify `traits` hold over `context.traits`. Rules:
- The last word is that of the latest call: event time, then messageId, then content. So every
  word moves a trait's time, also one that repeats its value.
- null takes a trait away; that is kept like a value, so that a word that comes late cannot bring
  the trait back.
- A value is kept as canonical JSON: no blanks, members sorted, numbers as they were spelled.
What is dropped is dropped by content alone and marked: of traits those that have no documented
name, then those said longest ago. Must never look at a value, nor read configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

import msgspec

from footfall.events.interaction import Interaction
from footfall.events.personal import read as read_personal
from footfall.events.personal_row import ABSENT
from footfall.tables.profile_kinds import KINDS, SPELLINGS
from footfall.tables.profile_row import Call, ProfileFacts, Said
from footfall.tables.spec import Reads

#: Traits of a customer, those taken away counted.
TRAITS_MAX: Final = 300
#: Of all names, values and sources, and `TRAIT_BYTES` for each trait.
BYTES_MAX: Final = 40_000
TRAIT_BYTES: Final = 30
#: Of one value; of a longer one only that it was too long is kept.
VALUE_BYTES_MAX: Final = 2_000
#: A trait with a longer name is not kept.
NAME_CHARS_MAX: Final = 100
SOURCE_CHARS_MAX: Final = 50

#: Provenances as facts have them; 0: the call states none.
PROVENANCES = ("", "declared", "observed", "third_party")
#: `context.provenance`, less what spellings differ in.
_STATED = {"declared": 1, "zero_party": 1, "observed": 2, "first_party": 2, "third_party": 3}

REMOVED: Final = "null"
TOO_LONG: Final = ""

_GROUP: Final = "group"
_IDENTIFY: Final = "identify"
#: What is read of an item, as it was sent.
READ = (
    Reads(frozenset({"traits"}), calls=frozenset({_IDENTIFY})),
    Reads(frozenset({"context.traits", "context.provenance"}),
          calls=frozenset({"alias", _IDENTIFY, "page", "screen", "track"})),
)

#: Objects of traits whose reading is remembered by the process, and how long they may be.
_REMEMBERED: Final = 4_096
_REMEMBERED_BYTES_MAX: Final = 512

#: Name, value, name, value ... sorted by name, and whether a limit dropped any.
Stated = tuple[tuple[str, ...], bool]
_NONE: Stated = ((), False)
#: Name -> (call, value).
_Found = dict[str, tuple[Call, str]]


def wants(event: Interaction) -> bool:
    """Whether an event says anything of the person; most do not, and this is all they cost."""
    kind = event["type"]
    personal = event["read"] if "read" in event else read_personal(event)
    context = personal.context
    if context is not None and context.traits is not ABSENT and kind != _GROUP and bytes(
            context.traits) not in _NOTHING:
        return True
    return (kind == _IDENTIFY and personal.traits is not ABSENT
            and bytes(personal.traits) not in _NOTHING)


def observe(facts: ProfileFacts, event: Interaction, when: int) -> ProfileFacts:
    """Facts with the traits that an event states."""
    stated, limited = _stated(event)
    limited = limited or facts.limited
    call = Call(when, crc32(event["message_id"].encode()), event["source"][:SOURCE_CHARS_MAX],
                _provenance(event))
    before = facts.said
    if before and limited is facts.limited:
        last = before[-1]
        if last.traits == stated and last.call.source == call.source and last.call < call:
            # Most repeat what the call before has said: then only the call is another.
            return ProfileFacts((*before[:-1], Said(call, stated)), limited)
    found = _found(before)
    changed = limited is not facts.limited
    for i in range(0, len(stated), 2):
        name = stated[i]
        said = (call, stated[i + 1])
        now = found.get(name)
        if now is None or said > now:
            found[name] = said
            changed = True
    return _made(found, limited) if changed else facts


def merge(mine: ProfileFacts, theirs: ProfileFacts) -> ProfileFacts:
    """The last word of either."""
    found = _found(mine.said)
    for name, said in _found(theirs.said).items():
        known = found.get(name)
        if known is None or said > known:
            found[name] = said
    return _made(found, mine.limited or theirs.limited)


def _stated(event: Interaction) -> Stated:
    personal = read_personal(event)
    kind = event["type"]
    context = _NONE
    if kind != _GROUP and personal.context is not None and personal.context.traits is not ABSENT:
        context = _read(bytes(personal.context.traits))
    if kind != _IDENTIFY or personal.traits is ABSENT:
        return context
    own = _read(bytes(personal.traits))
    if not context[0]:
        return own[0], own[1] or context[1]
    found = _pairs(context[0])
    found.update(_pairs(own[0]))
    return _flat(found), own[1] or context[1]


def _read(raw: bytes) -> Stated:
    return _remembered(raw) if len(raw) <= _REMEMBERED_BYTES_MAX else _decoded(raw)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(raw: bytes) -> Stated:
    """The same object comes with every call of a visit."""
    return _decoded(raw)


def _decoded(raw: bytes) -> Stated:
    """The traits of one object."""
    try:
        traits: Any = _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _NONE  # no item that the collector has admitted
    if not isinstance(traits, dict):
        return _NONE
    limited = False
    found: dict[str, str] = {}
    members: dict[str, Any] = traits
    for spelling, given in members.items():
        if len(spelling) > NAME_CHARS_MAX:
            limited = True
            continue
        name = SPELLINGS.get(spelling, spelling)
        encoded: bytes = _encode(given)
        if len(encoded) > VALUE_BYTES_MAX:
            limited = True
            encoded = b""
        value = encoded.decode()
        if name not in found or found[name] < value:  # of two spellings the greater value
            found[name] = value
    return _flat(found), limited


def _pairs(traits: tuple[str, ...]) -> dict[str, str]:
    return {traits[i]: traits[i + 1] for i in range(0, len(traits), 2)}


def _flat(found: dict[str, str]) -> tuple[str, ...]:
    flat: list[str] = []
    for name in sorted(found):
        flat += (name, found[name])
    return tuple(flat)


def _provenance(event: Interaction) -> int:
    context = read_personal(event).context
    if context is None or context.provenance is None:
        return 0
    return _STATED.get(context.provenance.strip().lower().replace("-", "_"), 0)


def _found(parts: Iterable[Said]) -> _Found:
    found: _Found = {}
    for part in parts:
        call, traits = part.call, part.traits
        for i in range(0, len(traits), 2):
            found[traits[i]] = (call, traits[i + 1])
    return found


def _made(found: _Found, limited: bool) -> ProfileFacts:
    """Facts of the last words, within the limits."""
    if len(found) > TRAITS_MAX or _size(found) > BYTES_MAX:
        kept = _cut(found)
        limited = limited or len(kept) < len(found)
        found = kept
    by_call: dict[Call, list[str]] = {}
    for name in sorted(found):
        call, value = found[name]
        traits = by_call.get(call)
        if traits is None:
            by_call[call] = [name, value]
        else:
            traits += (name, value)
    return ProfileFacts(tuple([Said(call, tuple(by_call[call])) for call in sorted(by_call)]),
                        limited)


def _size(found: _Found) -> int:
    size = len(found) * TRAIT_BYTES
    for name, (call, value) in found.items():
        size += (len(name.encode()) + len(value.encode())
                 + len(call.source.encode()))
    return size


def _cut(found: _Found) -> _Found:
    """The traits that stay: as many as there is room for, in the order of their rank."""
    ranked = sorted(found.items(), key=_rank, reverse=True)
    kept: _Found = {}
    room = BYTES_MAX
    for name, said in ranked[:TRAITS_MAX]:
        room -= _size({name: said})
        if room < 0:
            break
        kept[name] = said
    return kept


def _rank(item: tuple[str, tuple[Call, str]]) -> tuple[bool, Call, str, str]:
    name, (call, value) = item
    return name in KINDS, call, value, name


def _spelled(number: str) -> msgspec.Raw:
    """A number with a fraction or exponent: as it was sent."""
    return msgspec.Raw(number.encode())


_NOTHING = frozenset({b"{}", b"null"})
_decode = msgspec.json.Decoder(float_hook=_spelled).decode
_encode = msgspec.json.Encoder(order="sorted").encode
