"""What a customer makes of the letters of others: who is whose, by claims alone (design.md, 4).

Two layers. Identifiers that are no user_id form trees by the links of events; a tree belongs to the
user whom an event named with one of its members, as soon as there is one. user_ids form trees by
alias alone. In both an owner stands above what it owns in one fixed order over content
(`customer_key.order`), so pointers never cycle and the root of a tree is its highest member, in
whichever order letters come: this is Rem's union-find (E. W. Dijkstra, A Discipline of Programming,
1976, chapter 23), each step of it local to one customer. Where two users claim one identifier, the
last event that names both a user and it decides.

Only a root claims, so only a root decides by the limits: a user refuses what is too much; any other
root that has too much is a shared value (an office's mailbox, a till) and lets go of all it linked.

    meet    the two are one customer: the higher root claims the lower
    call    to oneself: an alias call names this user, who is told by
    aliased an alias call names you: meet, once an event of your own shows that you are a user
    claim   be mine                        join   my rows come with this, and what I owned (strong:
                                                  I had been seen)
    moved   your owner is now another      pass   my rows come with this, through me
    lost    somebody else has it now       refused, released
    parted  who left by an unmerge is yours by now: be on its side, for its rows may come with this

An unmerge (`part`) sets what one customer owns apart: from then on each side carries a mark with
its claims and to whoever owns it later, and two that carry opposite marks are never one customer.
Pointers may lead from side to side by one between, so each side is told of all of the other. A
pointer that was on its way then is found by what comes through it: that goes back to who left, with
a letter that undoes this very pointer (`links_parted.let_go`), so nothing comes the same way twice.

Pure. Must never compare times: what log order made of it is all there is to know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from footfall.events.customer_key import is_user, kind_of, order
from footfall.tables.links_parted import (
    MOVED,
    PARTED_MAX,
    RELEASED,
    UNMERGED,
    conflict,
    keep_out,
    let_go,
    let_in,
    marks,
    new_marks,
)
from footfall.tables.links_row import (
    ALIAS,
    LEFT,
    STAYED,
    STRONG,
    WEAK,
    Happened,
    Here,
    Letter,
    Link,
    LinksTold,
    Parted,
)
from footfall.tables.spec import Announcement, Move, Trigger

MEET: Final = "meet"
CALL: Final = "call"
ALIASED: Final = "aliased"
CLAIM: Final = "claim"
JOIN: Final = "join"
THROUGH: Final = "through"
LOST: Final = "lost"
REFUSED: Final = "refused"
PARTED: Final = "parted"

#: Of the record kept of links, the newest; what no longer needs a decision is cut the same way.
HAPPENED_MAX: Final = 16
OWNED_MAX: Final = 400
REFUSED_MAX: Final = 16
LOST_MAX: Final = 16
WAITING_MAX: Final = 8
#: An identifier of these kinds is nobody known: a browser, an app's install.
_UNKNOWN: Final = frozenset({"device", "anonymous_id"})
_LIMITED: Final = frozenset({"user_id", "email", "phone", "device", "anonymous_id"})


def settle(told: LinksTold, here: Here, letters: Sequence[Letter]) -> Announcement[LinksTold]:
    """Told after letters that came, with the letters that follow from them."""
    actor = _Actor(told, here)
    waiting = deque(letters)
    if told.waiting and not here.is_empty:
        waiting.extend(Letter(MEET, one.key, ALIAS, one.cause) for one in told.waiting)
        actor.waiting = []
    while waiting:
        actor.take(waiting.popleft())
        waiting.extend(actor.letters.pop(here.key, ()))
    return actor.announcement()


def part(told: LinksTold, here: Here, leaving: Sequence[bytes], named: bytes,
         place: tuple[int, int]) -> tuple[Announcement[LinksTold], Letter]:
    """Told of a root of whom identifiers leave, their highest first; the letter for that one is
    given apart, for the rows go with it. `named` is the one that an administrator named, `place`
    the unmerge's partition and offset.
    """
    actor = _Actor(told, here)
    letter = actor.part(tuple(leaving), named, place)
    return actor.announcement(), letter


class _Actor:
    """One customer while it reads its letters."""

    def __init__(self, told: LinksTold, here: Here) -> None:
        self.letters: dict[bytes, list[Letter]] = {}
        self.waiting = list(told.waiting)
        self._told = told
        self._me, self._now, self._config, self._is_empty, self._path = here
        self._is_user = is_user(here.key)
        self._owner = told.owner
        self._owned = {link.key: link for link in told.owned}
        self._lost = list(told.lost)
        self._refused = list(told.refused)
        self._claimants = list(told.claimants)
        self._shared = told.shared
        self._happened = list(told.happened)
        self._parted = list(told.parted)
        self._triggers: list[Trigger] = []
        self._leaves = b""

    def announcement(self) -> Announcement[LinksTold]:
        """What has changed, what to tell, what to send; rows go with the letter to the owner."""
        happened = self._told.happened
        if len(self._happened) > len(happened):
            happened = tuple(sorted(self._happened)[-HAPPENED_MAX:])
        told = LinksTold(
            self._owner,
            tuple(self._owned.values()),
            tuple(self._lost[-LOST_MAX:]), tuple(self._refused[-REFUSED_MAX:]),
            tuple(self._claimants), self._shared, happened, tuple(self.waiting[-WAITING_MAX:]),
            tuple(self._parted[-PARTED_MAX:]))
        moves = [Move(to, None if to == self._leaves else (), tuple(letters))
                 for to, letters in self.letters.items()]
        return Announcement(self._told if told == self._told else told, None,
                            tuple(self._triggers), tuple(moves))

    def take(self, letter: Letter) -> None:
        """Read one letter."""
        what, key = letter.what, letter.key
        if what == MEET:
            self._meet(key, letter.strength, letter.cause, letter.lost)
        elif what == ALIASED:
            if self._is_empty and not self._owner:
                self.waiting.append(Happened(self._now, what, key, letter.cause))
            else:
                self._meet(key, ALIAS, letter.cause)
        elif what == CALL:
            if key != self._me:
                self._send(key, Letter(ALIASED, self._me, ALIAS, letter.cause))
        elif what == CLAIM:
            self._claimed(letter)
        elif what == MOVED:  # from `key` to the first of `owned`
            self._mark(letter)
            if self._owner == key or self._owner in letter.lost:
                self._owner = letter.owned[0].key
            else:
                self._pass_mark(letter)
        elif what == RELEASED:
            self._mark(letter)
            if self._owner == key or self._owner in letter.lost:
                self._owner = b""
                self._owned = {link.key: link for link in letter.owned}
                if not letter.parted:
                    self._note("released", key, letter.cause)
            else:
                self._pass_mark(letter)
        elif what == THROUGH:
            if self._owner:
                self._send(key, Letter(MOVED, self._me, owned=(Link(self._owner, 0),)))
        elif self._owner:  # the rest is for whoever owns
            if what == JOIN and key == self._me:  # refused, and back: we may know more by now
                letter = Letter(JOIN, key, letter.strength, letter.cause, letter.owned,
                                letter.lost, letter.happened, tuple(self._parted))
            self._send(self._owner, letter)
        elif what == PARTED:
            self._mark(letter)
        elif what == JOIN:
            self._joined(letter)
        elif what == LOST:
            if any(link.key == self._me or link.key in self._owned for link in letter.owned):
                return  # who has it now is us, too
            if self._owned.pop(key, None) is not None:
                self._note("lost", key, letter.cause)
            if key not in self._lost:
                self._lost.append(key)
        elif what == REFUSED:
            self._refuse(key, "unmerged" if letter.parted else "shared", letter.cause)
            for one in letter.parted:
                if one.keys:
                    self._parted = keep_out(self._parted, one)

    def _pass_mark(self, letter: Letter) -> None:
        """Claimed by another before the unmerge came here: that one has a side, too."""
        if self._owner and letter.parted:
            self._send(self._owner, Letter(PARTED, self._me, parted=letter.parted))

    def part(self, leaving: tuple[bytes, ...], named: bytes, place: tuple[int, int]) -> Letter:
        """Let identifiers go; gives the letter for the first of them."""
        there = (Parted(*place, LEFT),)
        root = leaving[0]
        apart = tuple(dict.fromkeys((named, root)))
        self._parted.append(Parted(*place, STAYED, leaving, apart))
        gone = {key: self._owned.pop(key) for key in leaving if key in self._owned}
        gone.pop(root, None)
        links = tuple(gone.values())
        for key in gone:
            self._send(key, Letter(MOVED, self._me, owned=(Link(root, 0),), lost=self._above(key),
                                   cause=UNMERGED, parted=there if key == named else ()))
        for key in self._owned:  # who stays may point at one who leaves
            if order(key) < order(root):
                self._send(key, Letter(MOVED, root, owned=(Link(self._me, 0),), lost=leaving))
        self._lost = [key for key in self._lost if key not in leaving]
        self._refused += [key for key in apart if key not in self._refused]
        self._note("unmerged", named, UNMERGED)
        return Letter(RELEASED, self._me, cause=UNMERGED, owned=links, lost=self._above(root),
                      parted=there)

    def _above(self, key: bytes) -> tuple[bytes, ...]:
        """Who of ours may stand between."""
        return tuple(mine for mine in self._owned if order(mine) > order(key))

    def _mark(self, letter: Letter) -> None:
        """Whoever was unmerged is on its side of it for good."""
        new = new_marks(self._parted, letter.parted, self._owned)
        if new and letter.cause == UNMERGED:
            self._note("unmerged", letter.key, UNMERGED)
        self._parted += new

    # -- as a root ---------------------------------------------------------------------------------

    def _meet(self, other: bytes, strength: int, cause: str, lost: tuple[bytes, ...] = ()
              ) -> None:
        me = self._me
        if other == me:
            return
        if is_user(other):
            if not self._is_user:
                self._send(other, Letter(MEET, me, strength, cause))
                return
            if strength != ALIAS:
                return  # two users are one customer by an alias alone
        if self._owner:
            if self._owner != other:
                self._send(self._owner, Letter(MEET, other, strength, cause, lost=lost))
        elif order(other) > order(me):
            # Whoever was let go by an unmerge may still stand among what others own.
            lost = (me,) if self._parted else ()
            self._send(other, Letter(MEET, me, strength, cause, lost=lost))
        elif not self._shared:
            self._claim(other, strength, cause, is_known=other in self._owned and not lost)

    def _claim(self, other: bytes, strength: int, cause: str, *, is_known: bool) -> None:
        if is_known or other in self._refused:
            return
        if strength == WEAK and other in self._lost:
            return
        if other not in self._owned and self._is_full(other):
            if self._is_user:
                self._refuse(other, "limit", cause)
            else:
                self._share(other, cause)
            return
        self._owned.setdefault(other, Link(other, self._now))
        if other in self._lost:
            self._lost.remove(other)
        self._parted = let_in(self._parted, other)
        self._note("linked", other, cause)
        self._send(other, Letter(CLAIM, self._me, strength, cause, parted=marks(self._parted)))

    def _joined(self, letter: Letter) -> None:
        """The rows of `letter.key` have come with this, and what it owned is ours to claim."""
        other = letter.key
        if other == self._me:  # refused, and sent back
            self._owned |= {link.key: link for link in letter.owned}
            return
        self._mark(letter)
        if other not in self._lost and not self._shared:
            self._owned.setdefault(other, Link(other, self._now))
        was_known = kind_of(other) not in _UNKNOWN
        self._note("merged", other, letter.cause)
        said = self._said(other, letter.cause)
        if letter.strength and was_known:
            self._triggers.append(Trigger("customers_merged", *said))
        elif letter.strength and kind_of(self._me) not in _UNKNOWN:
            self._triggers.append(Trigger("customer_identified", *said))
        self._happened += letter.happened
        self._lost += [key for key in letter.lost if key not in self._lost]
        # Pointers are kept short: else who leaves one day takes along what points through it.
        via = tuple(key for key in self._path if key != other)
        if via:
            self._send(other, Letter(MOVED, via[-1], owned=(Link(self._me, 0),), lost=via))
        for link in letter.owned:
            if self._shared:
                continue
            if link.key in self._owned:
                self._send(link.key, Letter(MOVED, other, owned=(Link(self._me, 0),), lost=via))
                continue
            if link.key in self._refused or self._is_full(link.key):
                self._refuse(link.key, "limit", letter.cause)
                self._send(link.key, let_go(self._parted, link.key, other, letter.cause)
                           or Letter(RELEASED, other, cause=letter.cause))
                continue
            self._parted = let_in(self._parted, link.key)
            self._owned[link.key] = link
            self._send(link.key, Letter(MOVED, other, owned=(Link(self._me, 0),), lost=via))

    def _is_full(self, other: bytes) -> bool:
        if len(self._owned) >= OWNED_MAX:
            return True
        kind = kind_of(other)
        name = kind if kind in _LIMITED else "external"
        at_most: int = getattr(self._config, f"{name}_max")
        if len(self._owned) + 1 < at_most:
            return False  # whatever kinds they are of
        since = self._now - self._config.window_s * 1000 if self._config.window_s else 0
        known = sum(1 for key, link in self._owned.items()
                    if link.since >= since and kind_of(key) == kind)
        return known + (kind_of(self._me) == kind) >= at_most

    def _refuse(self, other: bytes, why: str, cause: str) -> None:
        self._owned.pop(other, None)
        if other not in self._refused:
            self._refused.append(other)
            self._note(f"refused: {why}", other, cause)
            self._triggers.append(Trigger("merge_refused", *self._said(other, cause, why)))

    def _share(self, other: bytes, cause: str) -> None:
        """Too much for one person: what was linked by this value is unlinked from now on."""
        self._shared = True
        for key in self._owned:
            self._send(key, Letter(RELEASED, self._me, cause=cause))
        self._owned = {}
        self._note("shared", other, cause)
        self._triggers.append(Trigger("merge_refused", *self._said(other, cause, "shared")))

    # -- as one that is claimed --------------------------------------------------------------------

    def _claimed(self, letter: Letter) -> None:
        owner, strength, cause = letter.key, letter.strength, letter.cause
        mine = self._owner
        between = conflict(marks(self._parted), letter.parted, self._owned)
        if between:
            self._send(owner, Letter(REFUSED, self._me, cause=cause, parted=between))
            return
        if self._shared:
            self._send(owner, Letter(REFUSED, self._me, cause=cause))
        elif mine == owner:
            return
        elif not mine:
            self._join(owner, cause)
        elif is_user(mine) == is_user(owner) and (self._is_user or not is_user(owner)):
            low, high = sorted((mine, owner), key=order)
            self._owner = high
            self._send(high, Letter(MEET, low, ALIAS if self._is_user else WEAK, cause))
        elif not is_user(mine):  # as soon as a user is known
            self._owner = owner
            self._send(owner, Letter(MEET, mine, WEAK, cause))
        elif not is_user(owner):
            self._send(mine, Letter(MEET, owner, WEAK, cause))
        elif strength == WEAK:
            self._send(owner, Letter(LOST, self._me, cause=cause, owned=(Link(mine, 0),)))
        else:
            self._owner = owner
            self._note("claimed", owner, cause)
            self._send(mine, Letter(LOST, self._me, cause=cause, owned=(Link(owner, 0),)))
        if strength != WEAK and not self._is_user and not self._shared:
            self._count(owner, cause)

    def _join(self, owner: bytes, cause: str) -> None:
        self._owner = self._leaves = owner
        self._note("joined", owner, cause)
        self._send(owner, Letter(
            JOIN, self._me, WEAK if self._is_empty else STRONG, cause,
            owned=tuple(self._owned.values()),
            lost=tuple(self._lost), happened=tuple(self._happened), parted=tuple(self._parted)))
        self._owned = {}
        self._lost = []

    def _count(self, user: bytes, cause: str) -> None:
        """One identifier that too many users name is nobody's: it belongs to none from then on."""
        window_ms = self._config.window_s * 1000
        since = self._now - window_ms if window_ms else 0
        known = {link.key: link.since for link in self._claimants if link.since >= since}
        known[user] = self._now
        if len(known) > self._config.users_max:
            self._shared = True
            self._note("shared", user, cause)
            self._send(self._owner, Letter(REFUSED, self._me, cause=cause))
            self._owner = b""
            known = {}
        self._claimants = [Link(key, at) for key, at in known.items()]

    # -- outputs -----------------------------------------------------------------------------------

    def _send(self, to: bytes, letter: Letter) -> None:
        self.letters.setdefault(to, []).append(letter)

    def _note(self, what: str, key: bytes, cause: str) -> None:
        self._happened.append(Happened(self._now, what, key, cause))

    def _said(self, other: bytes, cause: str, why: str = ""
              ) -> tuple[tuple[str, str], int, dict[str, str], dict[str, str]]:
        """Cause, instant, data and evidence of a trigger."""
        data = {"customer_key": other.decode(), "kind": kind_of(other)}
        if why:
            data["why"] = why
        return (other.decode(), cause), self._now, data, {"message_id": cause}
