"""What one event says of consent: the decisions in it, and what of it could not be read.

Decides which objects and names are signals (docs/consent.md lists them) and what each decides:
- An *act* is an event that was sent because somebody decided. What an item merely *carries*, the
  consent object of its page or app, is what that page remembered when the item was made.
- What cannot be read is no consent: a grant in it is passed over and counted. A refusal counts all
  the same, on every channel or for every purpose where the one it names cannot be read.
- An object that names no category, or `false` in its place, refuses them all.
- `Unsubscribed` and `Email Marked as Spam` withhold whatever the purpose, unless they name one;
  `Subscribed` says something of consent only where it names a purpose or a channel: many shops call
  the purchase of a subscription so.
Everything read here is free content. Must never look at other events, nor grant without being told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from footfall.events import consent, times
from footfall.events.commerce import squeeze
from footfall.events.customer_key import KINDS, is_blocked
from footfall.events.identifiers import identifiers
from footfall.events.interaction import Interaction
from footfall.events.personal import properties
from footfall.events.personal import read as read_personal
from footfall.events.personal_row import ABSENT
from footfall.tables import identity
from footfall.tables.consent_choices import packed, unpacked
from footfall.tables.consent_row import (
    DENIED,
    GRANTED,
    WITHDRAWN,
    Act,
    Choice,
    Decided,
    Statement,
    Subject,
)
from footfall.tables.spec import Reads

PURPOSE_CHARS_MAX: Final = 64
CHANNEL_CHARS_MAX: Final = 32
WORDING_CHARS_MAX: Final = 64
SOURCE_CHARS_MAX: Final = 64
#: Of an identifier; longer ones are cut.
VALUE_CHARS_MAX: Final = 200
#: Purposes that one message is read for: the first by name.
CHOICES_MAX: Final = 64
#: The channel of the events about mail that name none.
EMAIL: Final = "email"
#: Every purpose but `necessary`, every channel.
ALL: Final = ""

#: What a decision came by; from `ACTS` on by an act.
SIGNALS = ("categoryPreferences", "consentManagement", "Segment Consent Preference Updated",
           "Unsubscribed", "Email Marked as Spam", "Subscribed")
SEGMENT, RUDDER, UPDATED, UNSUBSCRIBED, SPAM, SUBSCRIBED = range(len(SIGNALS))
ACTS: Final = UPDATED
GPC = "globalPrivacyControl"
#: Signals of which something may not be readable.
UNREADABLE = (*SIGNALS, GPC)

_NAMES = {squeeze(name): signal for name, signal in (
    ("Segment Consent Preference Updated", UPDATED),
    ("Unsubscribed", UNSUBSCRIBED), ("Email Unsubscribed", UNSUBSCRIBED),
    ("Email Marked as Spam", SPAM),
    ("Subscribed", SUBSCRIBED), ("Email Subscribed", SUBSCRIBED))}
#: The names of events that decide, for the documents.
NAMES = ("Segment Consent Preference Updated", "Unsubscribed", "Email Unsubscribed",
         "Email Marked as Spam", "Subscribed", "Email Subscribed")

_CHANNELLED = {"properties.purpose", "properties.channel", "properties.wording_version"}
_PROPERTIES = {
    UPDATED: {"properties.purposes", "properties.channel", "properties.expires_at",
              "properties.wording_version"},
    UNSUBSCRIBED: _CHANNELLED,
    SPAM: {"properties.wording_version"},
    SUBSCRIBED: {*_CHANNELLED, "properties.expires_at"},
}
#: What is read of an item, as it was sent.
READ: Final[tuple[Reads, ...]] = (
    Reads(frozenset(consent.PATHS)),
    *identity.READS,
    *(Reads(frozenset(paths), frozenset(n for n, named in _NAMES.items() if named == signal))
      for signal, paths in _PROPERTIES.items()),
)

NO_CHOICES = packed(())
_NULL: Final = b"null"
#: Objects that are remembered by the process, and up to which size: most items carry the same few.
_REMEMBERED: Final = 4_096
_REMEMBERED_BYTES: Final = 1_000
_NAMES_REMEMBERED: Final = 16_384
_STATUSES = {True: GRANTED, False: DENIED,
             "granted": GRANTED, "denied": DENIED, "withdrawn": WITHDRAWN}
_decode = msgspec.json.Decoder().decode
_HIGHEST = KINDS[0]
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}
#: External ids: between those of people and those of devices.
_EXTERNAL_RANK: Final = _RANKS.get("device", _RANKS["anonymous_id"]) - 0.5


#: What one event says: its statements, whether it came under Global Privacy Control, and the
#: signals of which something could not be read.
Said = tuple[tuple[Statement, ...], bool, tuple[str, ...]]


@lru_cache(maxsize=_NAMES_REMEMBERED)
def kind_of(name: str) -> int | None:
    """The signal that a tracked event of this name is."""
    return _NAMES.get(squeeze(name))


def rank(kind: str) -> float:
    """Where a kind of identifier stands: the highest is the least."""
    return _RANKS.get(kind, _EXTERNAL_RANK)


def wants(event: Interaction) -> bool:
    """Whether an event says something of consent."""
    if event["type"] == "track" and kind_of(event["event"]) is not None:
        return True
    context = (event["read"] if "read" in event else read_personal(event)).context
    return context is not None and (
        context.consent is not ABSENT or context.consent_management is not ABSENT
        or context.global_privacy_control is not ABSENT)


def subject_of(event: Interaction, known: Sequence[Subject] = ()) -> tuple[str, str] | None:
    """The identifier under which an event decides: the highest that it names and that is not
    blocked; those that are known were looked at before.
    """
    named = identifiers(event)
    highest = named.get(_HIGHEST)
    if highest is not None and len(known) == 1 and known[0].value == highest and (
            known[0].kind == _HIGHEST):
        return _HIGHEST, highest
    for kind in sorted(named, key=_order_of):
        value = named[kind][:VALUE_CHARS_MAX]
        for subject in known:
            if subject.value == value and subject.kind == kind:
                return kind, value
        if not is_blocked(value):
            return kind, value
    return None


def _order_of(kind: str) -> tuple[float, str]:
    return rank(kind), kind


def read(event: Interaction, when: int) -> Said:
    """What an event says of consent."""
    choices, carrier, misread, has_gpc = carried_by(event)
    statements: tuple[Statement, ...] = ()
    signal = kind_of(event["event"]) if event["type"] == "track" else None
    if signal is not None:
        act = _act(event, signal, choices)
        if act.is_whole:
            choices = NO_CHOICES
        if act.misread:
            misread = (*misread, SIGNALS[signal])
        statements = tuple(_statements(event, when, signal, act))
    if choices != NO_CHOICES:
        statements = (*statements, Statement(
            when, 0, event["message_id"], event["source"][:SOURCE_CHARS_MAX], "", carrier,
            choices))
    return statements, has_gpc, misread


def carried_by(event: Interaction) -> tuple[bytes, int, tuple[str, ...], bool]:
    """What an item carries: its choices (packed) and their signal, the signals of which something
    could not be read, and whether it came under Global Privacy Control.
    """
    context = (event["read"] if "read" in event else read_personal(event)).context
    if context is None:
        return NO_CHOICES, SEGMENT, (), False
    choices = NO_CHOICES
    carrier = SEGMENT
    misread: tuple[str, ...] = ()
    if context.consent is not ABSENT or context.consent_management is not ABSENT:
        said, management = bytes(context.consent), bytes(context.consent_management)
        small = len(said) + len(management) <= _REMEMBERED_BYTES
        choices, some_misread = (_remembered if small else _carried)(said, management)
        carrier = RUDDER if said == _NULL else SEGMENT
        if some_misread:
            misread = (SIGNALS[carrier],)
    if context.global_privacy_control is ABSENT:
        return choices, carrier, misread, False
    control = bytes(context.global_privacy_control)
    if control not in (b"true", b"false", _NULL):
        misread = (*misread, GPC)
    return choices, carrier, misread, control == b"true"


def unreadable(event: Interaction) -> tuple[str, ...]:
    """The signals of an event of which something could not be read."""
    if event["type"] == "track" and kind_of(event["event"]) is not None:
        return read(event, 0)[2]
    return carried_by(event)[2]


def _carried(said: bytes, management: bytes) -> tuple[bytes, bool]:
    """The choices of an item's consent objects, and whether something could not be read."""
    try:
        given = consent.preferences(_decode(said), _decode(management))
    except msgspec.MsgspecError:  # a number of too many digits
        return NO_CHOICES, True
    if given is None:
        return NO_CHOICES, False
    if not given.allowed and not given.unreadable:
        return packed((Choice(ALL, ALL, DENIED),)), False
    choices, misread = _choices(given.allowed, ALL)
    return packed(choices), misread or given.unreadable > 0


_remembered = lru_cache(maxsize=_REMEMBERED)(_carried)


def _choices(said: Any, channel: str) -> tuple[tuple[Choice, ...], bool]:
    """One for each purpose with a status that can be read, sorted."""
    found = []
    misread = False
    for name in sorted(said)[:CHOICES_MAX]:
        value = said[name]
        status = _STATUSES.get(value) if isinstance(value, bool | str) else None
        if status is None or _purpose(name) is None:
            misread = True
        else:
            found.append(Choice(name, channel, status))
    return tuple(found), misread


def _act(event: Interaction, signal: int, carried: bytes) -> Act:
    said = properties(event, Decided)
    channel = _channel(said.channel)
    expires_at = _expiry(said.expires_at)
    wording = _wording(said.wording_version)
    misread = channel is None
    if signal == UPDATED:
        is_whole = said.purposes is None
        if is_whole:
            choices = tuple(Choice(c.purpose, channel or ALL, c.status)
                            for c in unpacked(carried))
            misread = misread or not choices
        elif said.purposes is False or said.purposes == {}:
            choices = (Choice(ALL, channel or ALL, DENIED),)
        elif isinstance(said.purposes, dict):
            choices, some_misread = _choices(said.purposes, channel or ALL)
            misread = misread or some_misread
        else:
            choices, misread = (), True
        misread = misread or expires_at is None
        if channel is None or expires_at is None:
            choices = tuple(c for c in choices if c.status != GRANTED)
        return Act(choices, expires_at or 0, wording, misread, is_whole)
    if signal == SPAM:
        return Act((Choice(ALL, EMAIL, WITHDRAWN),), 0, wording)
    purpose = ALL if said.purpose is None else _purpose(said.purpose)
    misread = misread or purpose is None
    if signal == UNSUBSCRIBED:
        on = EMAIL if said.channel is None else channel or ALL
        return Act((Choice(purpose or ALL, on, WITHDRAWN),), 0, wording, misread)
    if said.purpose is None and said.channel is None:
        return Act()
    misread = misread or expires_at is None
    if misread or purpose is None:
        return Act(misread=True)
    return Act((Choice(purpose, channel or EMAIL, GRANTED),), expires_at or 0, wording)


def _statements(event: Interaction, when: int, signal: int, act: Act) -> Iterable[Statement]:
    """Those of an act: what it grants may expire, what it withholds does not."""
    message_id, source = event["message_id"], event["source"][:SOURCE_CHARS_MAX]
    for expires_at in (0, act.expires_at) if act.expires_at else (0,):
        choices = act.choices
        if act.expires_at:
            choices = tuple(c for c in choices if (c.status == GRANTED) == (expires_at > 0))
        if choices:
            yield Statement(when, expires_at, message_id, source, act.wording_version, signal,
                            packed(choices))


def _purpose(value: Any) -> str | None:
    """The name of a purpose; None where it cannot be one."""
    return value if isinstance(value, str) and 0 < len(value) <= PURPOSE_CHARS_MAX else None


def _channel(value: Any) -> str | None:
    """The name of a channel, in lower case, ALL where none is named; None where it cannot be one.
    """
    if value is None:
        return ALL
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    return name if 0 < len(name) <= CHANNEL_CHARS_MAX else None


def _expiry(value: Any) -> int | None:
    """When a grant ends (ms), 0 for never; None where it cannot be read."""
    if value is None:
        return 0
    try:
        at = times.read(value)
    except ValueError:
        return None
    return at if at > 0 else None


def _wording(value: Any) -> str:
    """The version of the wording that was shown; "" where none can be read."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)[:WORDING_CHARS_MAX]
