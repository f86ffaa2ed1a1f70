"""What comes to a customer from others: handoffs (law 5), and an administrator's unmerge.

Decides which of them had come before, whether what came is the customer's own, goes on to its
owner or goes back, and that a handoff or an unmerge is taken whole or not at all. What it makes of
rows is `handoffs.py`, of links `links_letters.py`. Must never change the sender, or any customer
but the one it came to: whatever leaves is a handoff again, through the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from footfall.errors import DecodeError, StateRefused
from footfall.events.interaction import DELIVERY, IMPORT
from footfall.events.reserved_row import Handoff, Unmerge
from footfall.tables import timers
from footfall.tables.fold_steps import MUTED, NOTHING, Stepped
from footfall.tables.fold_timers import FoldTimers
from footfall.tables.handoffs import merged, parted
from footfall.tables.import_ledger import hashes_of
from footfall.tables.linking import EVENT, Returned, Rows
from footfall.tables.links_row import Letter
from footfall.tables.record import CustomerRecord
from footfall.tables.step import Staged
from footfall.tables.stored import MovedRow, Timer


class FoldHandoffs(FoldTimers):
    """A partition whose customers take what others send."""

    def _receive(self, move: Handoff, rows: bytes, key: bytes, offset: int) -> bool:
        """Merge rows that were handed off to us; False when they had come before. What an import
        has moved is muted here, too, and wherever it goes on to.
        """
        self._muted = move.muted
        try:
            return self._receive_move(move, rows, key, offset)
        finally:
            self._muted = False

    def _receive_move(self, move: Handoff, rows: bytes, key: bytes, offset: int) -> bool:
        record = self.records.get(key)
        if offset <= record.watermark:
            self._counts["repeat", "offset"] += 1
            return False
        if record.senders.get(move.partition, (-1, -1)) >= (move.offset, move.n):
            self._counts["repeat", "handoff"] += 1
            return False
        linking = self._linking
        letters: Sequence[Letter] = ()
        path: tuple[bytes, ...] = ()
        try:
            moved = self._codec.unpack(rows)
            is_event = EVENT in moved
            if linking is not None:
                mail = linking.opened(moved)
                letters, path = mail.letters, linking.path(mail, move.sender)
                back = linking.returned(key, record, path, mail, moved)
                if back is not None:
                    self._send_back(key, record, moved, back)
                    self._received(key, record, move, offset)
                    return True
                if linking.is_pointer(record):
                    if self._send_on(key, record, moved, letters, path):
                        self._received(key, record, move, offset)
                        return True
                    letters = ()  # they have set it free: what came with them is its own
            part = moved.pop(MUTED, None)
            causes = [] if part is None else hashes_of(part.row)
            stepped, waiting = self._stepped_by(key, record, moved, letters, path)
        except StateRefused:
            raise
        except Exception as error:
            raise DecodeError("handoff_failed", type(error).__name__) from error
        record.timers = waiting
        self._received(key, record, move, offset)
        self._mute(record, causes)
        if self._muted:
            self._take_muted(key, record, stepped, is_event=is_event)
        else:
            self._take(key, record, stepped)
        self._timers.arm_next(key, record)
        return True

    def _stepped_by(self, key: bytes, record: CustomerRecord, moved: dict[str, MovedRow],
                    letters: Sequence[Letter], path: tuple[bytes, ...]
                    ) -> tuple[Stepped, dict[str, Timer]]:
        """What a handoff makes of a customer, and the timers of its record; nothing is changed yet.
        """
        linking = self._linking
        part = None if linking is None else moved.pop(EVENT, None)
        if linking is not None and part is not None:
            when, value = linking.passed_event(part)
            event = self._decode(value)
            if event["type"] == DELIVERY:
                event = self._reserved.passed_delivery(event)
            elif event["type"] == IMPORT:
                event = self._reserved.passed_import(event)
            waiting = record.timers
            if when < self.clock - self._late_ms and waiting and not self._muted:
                waiting = dict(waiting)
                timers.rearm(waiting, self.clock, self.config)
            return self._step(key, record, event, when, linking.for_a_root(letters)), waiting
        staged: list[Staged] = []
        waiting = record.timers
        for name in sorted(moved):
            self._known(name)
        if moved or not letters:
            staged, waiting = merged(record, moved, [*self._steps, *self._last_steps],
                                     clock=self.clock, config=self.config)
        if linking is not None and letters:
            staged.append(linking.of_letters(key, record, letters, self.clock, path))
        if self._ruling is not None:
            if moved:
                staged = self._ruling.of_merge(key, record, staged, self.clock)
            else:
                staged += self._ruling.of_steps(key, record, staged, self.clock)
        return (staged, self._told(key, record, staged, self.clock), NOTHING, NOTHING), waiting

    def _received(self, key: bytes, record: CustomerRecord, move: Handoff, offset: int) -> None:
        """Note that a handoff is taken: what is left to do cannot fail."""
        record.senders[move.partition] = (move.offset, move.n)
        record.watermark = offset
        self.records.touch(key, record)

    def _send_on(self, key: bytes, record: CustomerRecord, moved: Mapping[str, MovedRow],
                 letters: Sequence[Letter], path: tuple[bytes, ...]) -> bool:
        """At a pointer: read letters, and send what came with them to the owner; False where they
        have set it free.
        """
        linking = self._linking
        assert linking is not None
        linked = linking.of_letters(key, record, letters, self.clock)
        self._commit(key, record, [linked])
        said = linked[3]
        owner = said.told.owner
        goes_on = bool(owner and moved)
        own: Sequence[Letter] = ()
        for one in said.moves:
            if goes_on and one.to == owner:
                own = one.letters  # they go with the rows
            else:
                self._hand_off(key, one.to,
                               linking.mail(one.letters, path if one.to == owner else ()))
        if goes_on:
            self._pass_on(key, owner, moved, linking.through(key, own, path))
        return bool(owner)

    def _send_back(self, key: bytes, record: CustomerRecord, moved: Mapping[str, MovedRow],
                   back: Returned) -> None:
        """Send what is not for us back as it came; letters that are for us are read."""
        linking = self._linking
        assert linking is not None
        to, going, path, ours = back
        linked = linking.of_letters(key, record, ours, self.clock)
        told = self._told(key, record, [linked], self.clock)
        self._commit(key, record, [linked])
        self._tell(key, record, [linked], told)  # letters that say why go first
        self._pass_on(key, to, moved, linking.mail(going, path, is_returned=True))
        self._timers.arm_next(key, record)

    def _pass_on(self, key: bytes, to: bytes, rows: Mapping[str, MovedRow], mail: Rows) -> None:
        """Send what came to a customer to another, as it came."""
        parts: Rows = {name: (part.row, part.timer) for name, part in rows.items()}
        self._hand_off(key, to, parts | mail)

    def _unmerge(self, asked: Unmerge, sides: bytes, key: bytes, offset: int) -> bool:
        """Take identifiers and what they did out of a customer; False where it is not as it was
        when the administrator read the log: then the facts given are not those of now.
        """
        record = self.records.get(key)
        linking = self._linking
        if offset <= record.watermark:
            self._counts["repeat", "offset"] += 1
            return False
        if linking is None or record.watermark != asked.watermark:
            self._counts["repeat", "unmerge"] += 1
            return False
        try:
            stay, leave = self._codec.unpack_sides(sides)
            for name in sorted(stay.keys() | leave.keys()):
                self._known(name)
            staged, rows = parted(record, stay, leave, [*self._steps, *self._last_steps],
                                  self.clock)
            if self._ruling is not None:
                staged = self._ruling.of_merge(key, record, staged, self.clock)
            linked, letter = linking.parted(key, record, asked, (self.partition, offset),
                                            self.clock)
            staged.append(linked)
            told = self._told(key, record, staged, self.clock)
        except StateRefused:
            raise
        except Exception as error:
            raise DecodeError("unmerge_failed", type(error).__name__) from error
        record.watermark = offset
        self.records.touch(key, record)
        self._commit(key, record, staged)
        self._tell(key, record, staged, told)
        if rows:
            rows |= self._muted_causes(record)
        self._hand_off(key, asked.leaving[0], rows | linking.mail((letter,), is_returned=True))
        self._timers.arm_next(key, record)
        return True
