"""What unmerges leave behind: who is on which side, who left, and what they are told.

Each customer keeps the unmerges that hold for it (`Parted`): its side of each and, where it was
left, by whom. Two on opposite sides are never one customer (`conflict`). Who left is told so once,
and again with whatever still comes from there by an old pointer (`let_go`).

Pure: takes and gives what is kept of one customer, changes nothing.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

from footfall.tables.links_row import LEFT, Letter, Link, Parted

#: Unmerges that hold for one customer, and how many identifiers may leave in one.
PARTED_MAX: Final = 4
LEAVING_MAX: Final = 16
#: The letters to whom one does not belong any more.
MOVED: Final = "moved"
RELEASED: Final = "released"
#: The cause of what an unmerge brings about: no messageId.
UNMERGED: Final = "$unmerge"


def conflict(mine: Sequence[Parted], theirs: Sequence[Parted], owned: Container[bytes] = ()
             ) -> tuple[Parted, ...]:
    """The unmerges by which two sides may not be one customer; `owned` by mine, who may have got
    there before the unmerge did.
    """
    return (*(a for a in mine for b in theirs if a[:2] == b[:2] and a.side != b.side),
            *(b for b in theirs for key in b.apart if key in owned))


def let_go(parted: Sequence[Parted], key: bytes, via: bytes, cause: str) -> Letter | None:
    """What is told to one who left, and whose pointer to `via` still leads to who was left; None
    for everybody else.
    """
    for one in parted:
        if key in one.keys:
            root = one.apart[-1] if one.apart else key
            marks = (Parted(one.partition, one.offset, LEFT),) if key in one.apart else ()
            if key != root:
                return Letter(MOVED, via, cause=cause, owned=(Link(root, 0),), parted=marks)
            owned = tuple(Link(other, 0) for other in one.keys if other != key) if marks else ()
            return Letter(RELEASED, via, cause=cause, owned=owned, parted=marks)
    return None


def let_in(parted: Sequence[Parted], key: bytes) -> list[Parted]:
    """Claimed anew by an event: what comes from `key` is ours again."""
    return [one._replace(keys=tuple(left for left in one.keys if left != key))
            if key in one.keys else one for one in parted]


def keep_out(parted: Sequence[Parted], refused: Parted) -> list[Parted]:
    """What comes from these through whom we refused is sent back, too. It is kept apart from who
    left: these have another customer to go to.
    """
    kept = list(parted)
    for n, one in enumerate(kept):
        if one[:2] == refused[:2] and not one.apart:
            keys = dict.fromkeys((*one.keys, *refused.keys))
            kept[n] = one._replace(keys=tuple(keys)[-LEAVING_MAX:])
            return kept
    return [*kept, refused]


def marks(parted: Sequence[Parted]) -> tuple[Parted, ...]:
    """The sides, as others are told of them."""
    return tuple(one._replace(keys=()) for one in parted)


def new_marks(mine: Sequence[Parted], theirs: Sequence[Parted], owned: Container[bytes]
              ) -> list[Parted]:
    """The unmerges that hold for us from now on; who left there and is ours came by an event."""
    known = {one[:3] for one in mine}
    return [one._replace(keys=tuple(key for key in one.keys if key not in owned))
            for one in theirs if one[:3] not in known]
