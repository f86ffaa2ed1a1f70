"""The row of consent as data: who decided what, by which message; what was told; how it is set up.

Decides fields and their order, which is that of the stored bytes, and the configuration's limits.
What is done with them is in the other files of the table. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec

#: A decision's status, the stricter the greater. EXPIRED and UNKNOWN are never stored as decisions.
GRANTED, EXPIRED, UNKNOWN, DENIED, WITHDRAWN = range(5)
STATUSES = ("granted", "expired", "unknown", "denied", "withdrawn")

#: In `gpc_denies`: every purpose but the necessary ones.
EVERY = "*"

Purpose = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Choice(NamedTuple):
    """A purpose, on a channel ("": on every one), and what was decided. Purpose "" is every one but
    `necessary`: it can only withhold, and be lifted.
    """

    purpose: str
    channel: str
    status: int


class Statement(NamedTuple):
    """What one message decided, as far as nothing later has taken its place.

    `expires_at` (ms, 0: never) is that of its grants. `signal` is one of `consent_signals.SIGNALS`.
    `choices` are `consent_choices.packed`.
    """

    at: int
    expires_at: int
    message_id: str
    source: str
    wording_version: str
    signal: int
    choices: bytes


class Seen(NamedTuple):
    """The newest event that came under Global Privacy Control."""

    at: int
    message_id: str
    source: str


class Subject(NamedTuple):
    """What was decided under one identifier. Value "": under those of this kind that the limit put
    together.
    """

    kind: str
    value: str
    gpc: Seen | None
    statements: tuple[Statement, ...]


class ConsentFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Subjects and their statements, sorted. `cut`: which limits have dropped something (bits)."""

    subjects: tuple[Subject, ...] = ()
    cut: int = 0


class ConsentTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`known`: what was told last of each purpose and channel (`consent_choices.packed`; what is
    not in it was told as unknown). `n`: how many changes were told.
    """

    known: bytes = b"\x90"
    n: int = 0


class ConsentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`gpc_denies`: the purposes that Global Privacy Control denies. `gate`: table or field class
    -> the purpose without which it is kept out of the rows.
    """

    gpc_denies: Annotated[tuple[Purpose, ...], msgspec.Meta(max_length=64)] = (EVERY,)
    gate: Annotated[dict[str, Purpose], msgspec.Meta(max_length=64)] = {}


class Decided(msgspec.Struct):
    """Properties of the events that decide. All is free content: read one by one."""

    purposes: Any = None
    purpose: Any = None
    channel: Any = None
    expires_at: Any = None
    wording_version: Any = None


class Act(NamedTuple):
    """What an act decides. `is_whole`: the consent object that the item carries is the act's own.
    """

    choices: tuple[Choice, ...] = ()
    expires_at: int = 0
    wording_version: str = ""
    misread: bool = False
    is_whole: bool = False


class Standing(NamedTuple):
    """The consent in force of a purpose on a channel, and what it rests on (None: on nothing).

    `statement` is the message, under the identifier `kind` and `value`.
    """

    status: int
    statement: Statement | None = None
    kind: str = ""
    value: str = ""

    @property
    def is_granted(self) -> bool:
        """Whether what needs this consent may be done. Unknown is denied."""
        return self.status == GRANTED
