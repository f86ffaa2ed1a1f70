"""The row of a profile as data: what was said of whom by which call, and its configuration.

Decides fields and their order, which is that of the stored bytes. What is done with them is in the
other files of the table. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec

Provenance = Literal["declared", "observed", "third_party"]


class Call(NamedTuple):
    """What makes one call the later of two: event time (ms), CRC-32 of its messageId, then its
    source and the provenance that it states (place in `profile_facts.PROVENANCES`, 0 for none).
    """

    at: int
    message: int
    source: str
    provenance: int


class Said(NamedTuple):
    """The traits of which a call is the last word: name, value, name, value ... sorted by name.

    A value is canonical JSON, "null" for one that was taken away, "" for one that was too long.
    """

    call: Call
    traits: tuple[str, ...]


class ProfileFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Sorted by call; none is without traits. `limited`: a limit has dropped something."""

    said: tuple[Said, ...] = ()
    limited: bool = False


class ProfileTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Nothing is announced."""


class ProfileConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`provenance`: of calls that state none, by the name of their source."""

    provenance: Annotated[dict[str, Provenance], msgspec.Meta(max_length=1_000)] = {}
