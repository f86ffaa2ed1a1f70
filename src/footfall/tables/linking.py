"""Where links meet the fold: which events are worth letters, what a pointer does with what comes.

An event at a customer who is owned goes on to the owner as it came from the log, with the time at
which steps see it: there it is stepped like any other, for what is to be kept and told depends on
all of the customer. Decides nothing about who owns whom (`links_letters.py`) and changes no record:
the fold does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from footfall.events.interaction import Interaction
from footfall.events.reserved_row import Unmerge
from footfall.tables import links
from footfall.tables.links_letters import (
    ALIASED,
    CALL,
    JOIN,
    MEET,
    PARTED,
    REFUSED,
    THROUGH,
    part,
    settle,
)
from footfall.tables.links_parted import RELEASED, UNMERGED, conflict, let_go
from footfall.tables.links_row import LEFT, Here, Letter, LinksFacts, LinksTold, Mail
from footfall.tables.record import CustomerRecord
from footfall.tables.row import too_new
from footfall.tables.spec import Announcement
from footfall.tables.step import Staged, Step
from footfall.tables.stored import Kept, MovedRow, Timer

#: In the place of a table's name: an event on its way to the owner.
EVENT: Final = "$event"
#: Rows on their way: table -> row and timer.
Rows = dict[str, tuple[Kept, Timer | None]]
#: Letters that say something of whoever sent them on, and go where its rows go.
_GOING_ALONG: Final = frozenset({MEET, CALL, ALIASED, JOIN, PARTED})
#: Of the customers whom something passed through, those who are remembered.
PATH_MAX: Final = 16
#: Where to a `$handoff` is sent back, with which letters, having come there by which path; and the
#: letters that stay.
Returned = tuple[bytes, list[Letter], tuple[bytes, ...], list[Letter]]


class Linking:
    """The links of one partition's customers, under the configuration in force."""

    def __init__(self, step: Step, key_of: Callable[[str, str], bytes]) -> None:
        self._step = step
        self._key_of = key_of
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode
        self._mail = msgspec.msgpack.Decoder(Mail)
        self._event = msgspec.msgpack.Decoder(tuple[int, bytes])
        self._nothing = LinksFacts()
        self._none = Mail(step.table.version, ())
        self.pointer = step.rows.marked(0, LinksTold(owner=b"-"))
        self.alert = step.rows.marked(0, LinksTold(lost=(b"-",)))
        self.mask = -1 ^ step.rows.unmarked(-1)

    def is_pointer(self, record: CustomerRecord) -> bool:
        """Whether all that comes to this customer belongs to another one."""
        return record.marks & self.mask == self.pointer

    def is_alert(self, record: CustomerRecord) -> bool:
        """Whether each event must be asked whom it names."""
        return record.marks & self.mask == self.alert

    def of_event(self, key: bytes, record: CustomerRecord, event: Interaction,
                 letters: Sequence[Letter], clock: int) -> Staged | None:
        """What follows for links from an event, and from letters that came with it; None where it
        names nobody else.
        """
        letters = [*letters, *links.letters_of(event, key, self._key_of, self._step.config)]
        if not letters and not self.is_alert(record):
            return None
        return self._settled(key, record, letters, clock, (), is_empty=False)

    def of_letters(self, key: bytes, record: CustomerRecord, letters: Sequence[Letter], clock: int,
                   path: tuple[bytes, ...] = ()) -> Staged:
        """What follows from letters."""
        return self._settled(key, record, letters, clock, path,
                             is_empty=not record.rows.keys() - {links.NAME})

    def _settled(self, key: bytes, record: CustomerRecord, letters: Sequence[Letter], clock: int,
                 path: tuple[bytes, ...], *, is_empty: bool) -> Staged:
        step = self._step
        _facts, told = step.rows.read(record.rows.get(links.NAME))
        here = Here(key, clock, step.config, is_empty, path)
        said: Announcement[LinksTold] = settle(told, here, letters)
        row = None if said.told is told else step.rows.make(self._nothing, said.told)
        return step, row, self._nothing, said

    def owner(self, record: CustomerRecord) -> bytes:
        """Whom all that comes to a pointer belongs to."""
        told: LinksTold = self._step.rows.read(record.rows[links.NAME])[1]
        return told.owner

    def event(self, when: int, value: bytes | None) -> dict[str, MovedRow]:
        """An event, as it came from the log, for the owner to step; `when`: as steps see it."""
        return {EVENT: MovedRow(msgspec.Raw(self._encode((when, value))), None)}

    def passed_event(self, part: MovedRow) -> tuple[int, bytes]:
        """Inverse of `event`."""
        return self._event.decode(part.row)

    def for_a_root(self, letters: Sequence[Letter]) -> list[Letter]:
        """The letters that it has to read: through whom an event came is nothing to it."""
        return [letter for letter in letters if letter.what != THROUGH]

    def mail(self, letters: Sequence[Letter], path: tuple[bytes, ...] = (), *,
             is_returned: bool = False) -> Rows:
        """Letters as a row of their `$handoff`."""
        mail = Mail(self._step.table.version, tuple(letters), path, is_returned)
        return {links.NAME: (msgspec.Raw(self._encode(mail)), None)}

    def through(self, key: bytes, letters: Sequence[Letter], path: tuple[bytes, ...]) -> Rows:
        """The letters that go with what comes through a pointer to its owner."""
        return self.mail((*letters, Letter(THROUGH, key)), path)

    def opened(self, moved: dict[str, MovedRow]) -> Mail:
        """The letters of a `$handoff`, taken out of its rows."""
        row = moved.pop(links.NAME, None)
        if row is None:
            return self._none
        mail = self._mail.decode(row.row)
        if mail.version > self._step.table.version:
            raise too_new(self._step.table, mail.version)
        return mail

    def path(self, mail: Mail, sender: bytes) -> tuple[bytes, ...]:
        """Through whom a `$handoff` came, each of whom pointed at the next, and the last at us."""
        return mail.path if mail.is_returned else (*mail.path, sender)[-PATH_MAX:]

    # -- unmerged ------------------------------------------------------------------------------

    def parted(self, key: bytes, record: CustomerRecord, asked: Unmerge, place: tuple[int, int],
               clock: int) -> tuple[Staged, Letter]:
        """What an unmerge makes of the customer whom identifiers leave, and the letter for the
        highest of them.
        """
        step = self._step
        _facts, told = step.rows.read(record.rows.get(links.NAME))
        here = Here(key, clock, step.config, is_empty=False)
        said, letter = part(told, here, asked.leaving, asked.named, place)
        return (step, step.rows.make(self._nothing, said.told), self._nothing, said), letter

    def returned(self, key: bytes, record: CustomerRecord, path: tuple[bytes, ...], mail: Mail,
                 moved: dict[str, MovedRow]) -> Returned | None:
        """Whether a `$handoff` is not for us: it was on its way here from who has left, or joins
        whom an unmerge keeps apart from us.
        """
        row = record.rows.get(links.NAME)
        if row is None:
            return None
        _facts, told = self._step.rows.read(row)
        if not told.parted and not any(letter.parted for letter in mail.letters):
            return None
        going = [one for one in mail.letters if one.what in _GOING_ALONG]
        if not going and not moved:
            return None
        ours = [one for one in mail.letters
                if one.what not in _GOING_ALONG and one.what != THROUGH]
        for n in range(len(path) - 1, -1, -1):  # the last who has left: it pointed at who has not
            letter = let_go(told.parted, path[n], (*path, key)[n + 1], UNMERGED)
            if letter is not None:
                return path[n], [letter, *going], path[:n], ours
        for one in going:  # an unmerge may not have come to what we own yet
            between = conflict(told.parted, one.parted, {link.key for link in told.owned})
            if one.what in (JOIN, PARTED) and between and not told.owner and one.key != key:
                # What else comes through there is not for us either.
                refused = tuple(it._replace(side=it.side if it in told.parted else LEFT,
                                            keys=(one.key,), apart=()) for it in between)
                n = path.index(one.key) if one.key in path else len(path)
                via = (*path, key, key)[n + 1]
                return (one.key, [Letter(RELEASED, via, cause=one.cause), *going], path[:n],
                        [Letter(REFUSED, one.key, cause=one.cause, parted=refused), *ours])
        return None
