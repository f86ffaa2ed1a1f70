"""What is kept of unmerges: sides, who left, and what they are told."""

from __future__ import annotations

from footfall.tables.links_parted import (
    LEAVING_MAX,
    MOVED,
    RELEASED,
    conflict,
    keep_out,
    let_go,
    let_in,
    marks,
    new_marks,
)
from footfall.tables.links_row import LEFT, STAYED, Link, Parted

MAILBOX, BROWSER, TABLET = b"email:m", b"anonymous_id:b", b"anonymous_id:t"
#: The browser was named; the mailbox is the highest of those who left with it.
DONE = Parted(1, 7, STAYED, (MAILBOX, BROWSER, TABLET), (BROWSER, MAILBOX))
WENT = Parted(1, 7, LEFT)


def test_opposite_sides_of_one_unmerge_are_never_one() -> None:
    """Another unmerge, or the same side, keeps nobody apart."""
    assert (DONE,) == conflict([DONE], [WENT])
    assert () == conflict([DONE], [Parted(1, 8, LEFT)])
    assert () == conflict([WENT], [WENT])


def test_who_owns_one_that_left_is_on_its_side() -> None:
    """Also where the unmerge has not come to it yet; the others that left may be anybody's."""
    assert (DONE,) == conflict([], [DONE], {BROWSER})
    assert () == conflict([], [DONE], {TABLET})


def test_who_left_is_sent_to_whoever_owns_those_who_left() -> None:
    """That one is on its own, with the others; who was named has its mark; the pointer is named."""
    for key in (BROWSER, TABLET):
        letter = let_go([DONE], key, b"user_id:u", "cause")
        assert letter is not None
        assert (MOVED, b"user_id:u", (Link(MAILBOX, 0),)) == (
            letter.what, letter.key, letter.owned)
        assert ((WENT,) if key == BROWSER else ()) == letter.parted
    letter = let_go([DONE], MAILBOX, b"user_id:u", "cause")
    assert letter is not None
    assert (RELEASED, (Link(BROWSER, 0), Link(TABLET, 0)), (WENT,)) == (
        letter.what, letter.owned, letter.parted)
    assert let_go([DONE], b"anonymous_id:x", b"user_id:u", "cause") is None


def test_who_was_refused_is_on_its_own() -> None:
    """It has nobody to go to, also where others left by the same unmerge; a bounded number."""
    kept = keep_out([DONE], WENT._replace(side=STAYED, keys=(b"user_id:v",)))
    assert DONE == kept[0]
    letter = let_go(kept, b"user_id:v", b"user_id:u", "cause")
    assert letter is not None
    assert (RELEASED, (), ()) == (letter.what, letter.owned, letter.parted)
    for n in range(2 * LEAVING_MAX):
        kept = keep_out(kept, WENT._replace(side=STAYED, keys=(b"%d" % n,)))
    assert [len(DONE.keys), LEAVING_MAX] == [len(one.keys) for one in kept]


def test_who_is_claimed_anew_is_let_in() -> None:
    """The others are not; it stays apart where it was named."""
    (one,) = let_in([DONE], TABLET)
    assert DONE._replace(keys=(MAILBOX, BROWSER)) == one
    assert let_go([one], TABLET, b"user_id:u", "cause") is None


def test_what_is_taken_over_with_a_customer() -> None:
    """Its unmerges that are not known, without those who left there and are ours by an event."""
    assert [DONE._replace(keys=(MAILBOX, BROWSER))] == new_marks([], [DONE], {TABLET})
    assert [] == new_marks([DONE._replace(keys=())], [DONE], ())
    assert (DONE._replace(keys=()),) == marks([DONE])
