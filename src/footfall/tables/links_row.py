"""The row of links as data, the letters between customers, and the limits on both.

Decides fields and their order, which is that of the stored bytes. What is done with them is in
`links_letters.py`. Stays interpreted (setup.py).
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from footfall.events.identifiers import KIND_PATTERN

#: Strength of a claim: learnt from others; named in one event with a user; by an alias call.
WEAK, STRONG, ALIAS = 0, 1, 2


class Link(NamedTuple):
    """Another identifier and the log's clock (ms) when it was first linked."""

    key: bytes
    since: int


#: Of what an unmerge (`Parted`) set apart, this customer or identifier stayed, or left.
STAYED, LEFT = 0, 1


class Parted(NamedTuple):
    """One side of an unmerge, which is named by its place in the log: whoever is on this side never
    again becomes one customer with the other. `keys`: those who left, at the customer they left;
    what is on its way from them is sent back. `apart`, of who stayed: the identifier that was
    named, and the highest that left, which may not know of it yet.
    """

    partition: int
    offset: int
    side: int
    keys: tuple[bytes, ...] = ()
    apart: tuple[bytes, ...] = ()



class Happened(NamedTuple):
    """One entry of the record: what became of a link, when (ms of the log's clock) and why.
    `cause` is the messageId of the event that brought it about.
    """

    at: int
    what: str
    key: bytes
    cause: str


class Letter(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one customer's step tells another customer (law 5), beside the rows of a `$handoff`."""

    what: str
    key: bytes
    strength: int = WEAK
    cause: str = ""
    owned: tuple[Link, ...] = ()
    lost: tuple[bytes, ...] = ()
    happened: tuple[Happened, ...] = ()
    parted: tuple[Parted, ...] = ()


class Mail(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The letters of one `$handoff`, and the version of the table that wrote them. `path`: through
    whom it came before the sender, each of whom pointed at the next; the sender is one of them too,
    but where it gave back what is not its own (`is_returned`).
    """

    version: int
    letters: tuple[Letter, ...]
    path: tuple[bytes, ...] = ()
    is_returned: bool = False


class LinksFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Links have no facts: who owns whom is what the order of the log made of it."""


class LinksTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`owner`: where this customer's rows are and its events go, b"" for a root. `owned`: what
    points here. `lost`: owned before, claimed by somebody else since. `refused`: not to be claimed.
    `claimants`: users who named this identifier. `shared`: links nobody any more. `waiting`: alias
    calls that name this user, of whom no event has come. `parted`: unmerges that hold for it.
    """

    owner: bytes = b""
    owned: tuple[Link, ...] = ()
    lost: tuple[bytes, ...] = ()
    refused: tuple[bytes, ...] = ()
    claimants: tuple[Link, ...] = ()
    shared: bool = False
    happened: tuple[Happened, ...] = ()
    waiting: tuple[Happened, ...] = ()
    parted: tuple[Parted, ...] = ()


Count = Annotated[int, msgspec.Meta(ge=1, le=100)]
Kind = Annotated[str, msgspec.Meta(pattern=f"^{KIND_PATTERN}$")]


class LinksConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which kinds link beside user_id and anonymous_id (email, phone, device, or the types of
    external ids), and how many values of a kind one customer may have, or users one value, within
    `window_s` (0: ever).
    """

    kinds: Annotated[tuple[Kind, ...], msgspec.Meta(max_length=8)] = ("email", "phone")
    user_id_max: Count = 10
    email_max: Count = 5
    phone_max: Count = 5
    external_max: Count = 5
    device_max: Count = 25
    anonymous_id_max: Count = 100
    users_max: Count = 10
    window_s: Annotated[int, msgspec.Meta(ge=0, le=366 * 86_400)] = 0


class Here(NamedTuple):
    """Where letters are read: whose they are, the log's clock (ms), the limits, whether no event of
    this customer has been applied: then whoever is merged with it merges with nobody; and by which
    path they came.
    """

    key: bytes
    now: int
    config: LinksConfig
    is_empty: bool
    path: tuple[bytes, ...] = ()
