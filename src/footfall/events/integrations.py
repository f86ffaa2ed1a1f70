"""Segment's `integrations`: to which destinations what follows from an event may be delivered.

    {"All": false, "crm": true}     to `crm` alone
    {"webhook": false}              to no destination of this channel

Decides what of it a trigger carries, and what that allows. Names are those of destinations and of
channels, with their capitals; a destination's own name goes before its channel, and both before
`All`. As at Segment all but `false` is a yes: options too, which are left out here, for they may
hold anything. What says nothing is not carried; what cannot be carried whole allows nobody: whoever
sends it asks for restraint. What is no object at all says nothing. Stays interpreted (setup.py).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

ALL: Final = "All"
BYTES_MAX: Final = 2_048
#: Of what can be a destination or a channel (delivery/routes_row.py); others name nobody here.
NAME_PATTERN: Final = "^[a-z][a-z0-9_-]{0,63}$"
#: Nobody.
NOBODY: Final = b'{"All":false}'

_MEMBER = b'"integrations'
_NAME = re.compile(NAME_PATTERN.replace("$", r"\Z"))


class _Item(msgspec.Struct):
    """Of an item, what is looked at."""

    integrations: msgspec.Raw = msgspec.Raw(b"null")


_item = msgspec.json.Decoder(_Item)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_flags = msgspec.json.Decoder(dict[str, bool])


def carried(personal: bytes) -> tuple[bytes, bool]:
    """What triggers carry of an item's `integrations`, as JSON; b"" where it allows all. And
    whether something of it got lost by the limit.
    """
    if _MEMBER not in personal:  # as `admit` spells it: most events say nothing, and cost nothing
        return b"", False
    try:
        said = _object.decode(_item.decode(personal).integrations)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b"", False
    flags = {name: bytes(value) != b"false" for name, value in said.items()
             if name == ALL or _NAME.match(name)}
    if all(flags.values()):
        return b"", False
    made = msgspec.json.encode(flags, order="sorted")
    return (made, False) if len(made) <= BYTES_MAX else (NOBODY, True)


def allows(integrations: bytes, destination: str, channel: str) -> bool:
    """Whether a trigger that carries this may go to a destination of a channel. Pure; anything that
    is not what `carried` gives allows all.
    """
    if not integrations:
        return True
    try:
        flags = _flags.decode(integrations)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    for name in (destination, channel, ALL):
        if name in flags:
            return flags[name]
    return True
