"""Compares two tellings of one past: triggers of both, of one alone, and told otherwise.

Decides what is the same trigger (its id) and what is another telling of it: a member of data or
evidence, its identifiers, when it occurred, whether it is held out, what may act on it. No
difference are the version of the configuration and of the rule, for they change with every edit,
and the instant at which it was emitted. Keeps digests, so that a window of a million fits in
memory; past `TRIGGERS_MAX` it refuses. Pure.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from footfall.errors import FootfallError
from footfall.events.codec import TriggerRecord
from footfall.tables.rules_book import ENTERED, LEFT

#: Of a window, in both tellings together: some 500 bytes each.
TRIGGERS_MAX: Final = 1_000_000
#: Of those that one side alone has told, kept as they came: about 1,500 bytes each.
FRESH_MAX: Final = 10_000
#: Names of members that are told apart; all others are one.
NAMES_MAX: Final = 65_535
OTHER: Final = "(others)"

RECORDED, ASKED = 0, 1
ADDED, REMOVED, CHANGED = "added", "removed", "changed"

_MEMBER: Final = struct.Struct(">HI")
_VERSION: Final = "evidence.version"
_SEGMENT_VERSION: Final = "data.version"
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class TooManyError(FootfallError):
    """More triggers than are compared in memory."""


class Told(NamedTuple):
    """A trigger as it is kept: times in ms; `whole`: a hash of all that is compared, by which most
    are known to be the same; `members`: of each its name's number and a CRC, empty while the
    trigger itself is at hand.
    """

    partition: int
    name: str
    key: bytes
    occurred_at: int
    emitted_at: int
    whole: int
    members: bytes


class Difference(NamedTuple):
    """A trigger that is told by one side only, or otherwise: then by which members."""

    what: str
    trigger_id: str
    name: str
    key: bytes
    occurred_at: int
    emitted_at: int
    members: tuple[str, ...] = ()


class Ledger:
    """`is_meant`: whether a trigger is looked at at all; both sides are asked alike."""

    def __init__(self, is_meant: Callable[[TriggerRecord], bool] = lambda _record: True, *,
                 triggers_max: int = TRIGGERS_MAX) -> None:
        self._is_meant = is_meant
        self._triggers_max = triggers_max
        self._alone: tuple[dict[bytes, Told], dict[bytes, Told]] = ({}, {})
        #: The newest that are told by one side: most need no digest, the other tells them soon.
        self._fresh: dict[bytes, TriggerRecord] = {}
        #: Ids of those that both told, with whose they are.
        self._both: dict[bytes, tuple[str, bytes]] = {}
        self._changed: list[Difference] = []
        self._numbers: dict[str, int] = {OTHER: 0}
        self._names: list[str] = [OTHER]

    def take(self, side: int, partition: int, record: TriggerRecord) -> None:
        """One trigger that one side told; a repeat is the same. Raises `TooManyError`."""
        if not self._is_meant(record):
            return
        trigger_id = bytes.fromhex(record["trigger_id"])
        if trigger_id in self._both or trigger_id in self._alone[side]:
            return
        told = Told(partition, sys.intern(record["name"]), record["customer_key"].encode(),
                    record["occurred_at"], record["emitted_at"], _whole(record), b"")
        other = self._alone[1 - side].pop(trigger_id, None)
        if other is None:
            self._check_room()
            self._alone[side][trigger_id] = told
            self._fresh[trigger_id] = record
            if len(self._fresh) > FRESH_MAX:
                self._digest()
            return
        self._both[trigger_id] = told.name, told.key
        fresh = self._fresh.pop(trigger_id, None)
        if told.whole == other.whole:
            return
        members = self._members(record)
        others = other.members if fresh is None else self._members(fresh)
        if members != others:
            asked = told if side == ASKED else other
            self._changed.append(Difference(
                CHANGED, trigger_id.hex(), asked.name, asked.key, asked.occurred_at,
                asked.emitted_at, self._differing(members, others)))

    def differences(self, is_known: Callable[[int, Told], bool] = lambda _side, _told: True
                    ) -> list[Difference]:
        """All that differs, by when it was emitted. `is_known`: whether the side that did not tell
        a trigger would have done so by now, given the side that told it.
        """
        found = list(self._changed)
        for side, what in ((ASKED, ADDED), (RECORDED, REMOVED)):
            found += [Difference(what, trigger_id.hex(), told.name, told.key, told.occurred_at,
                                 told.emitted_at)
                      for trigger_id, told in self._alone[side].items() if is_known(side, told)]
        return sorted(found, key=lambda one: (one.emitted_at, one.trigger_id))

    def both(self, is_meant: Callable[[bytes], bool] = lambda _key: True
             ) -> Counter[tuple[str, bytes]]:
        """(name, customer) -> how many both sides told, of the customers that are meant."""
        return Counter(one for one in self._both.values() if is_meant(one[1]))

    def _digest(self) -> None:
        for alone in self._alone:
            for trigger_id in alone.keys() & self._fresh.keys():
                alone[trigger_id] = alone[trigger_id]._replace(
                    members=self._members(self._fresh[trigger_id]))
        self._fresh.clear()

    def _members(self, record: TriggerRecord) -> bytes:
        parts = [("occurred_at", b"%d" % record["occurred_at"]), ("ids", record["personal"]),
                 ("held_out", b"1" if record["held_out"] else b""),
                 ("depth", b"%d" % record["depth"]), ("integrations", record["integrations"]),
                 *_content("data", record["data"]), *_content("evidence", record["evidence"])]
        of_segment = record["name"] in (ENTERED, LEFT)
        return b"".join(sorted(
            _MEMBER.pack(self._number(name), zlib.crc32(value)) for name, value in parts
            if name != _VERSION and not (of_segment and name == _SEGMENT_VERSION)))

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            if len(self._names) >= NAMES_MAX:
                return 0
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number

    def _differing(self, one: bytes, other: bytes) -> tuple[str, ...]:
        numbers = {number for number, _crc in (
            set(_MEMBER.iter_unpack(one)) ^ set(_MEMBER.iter_unpack(other)))}
        return tuple(sorted(self._names[number] for number in numbers))

    def _check_room(self) -> None:
        held = len(self._both) + len(self._alone[0]) + len(self._alone[1])
        if held >= self._triggers_max:
            raise TooManyError(
                f"more than {self._triggers_max} triggers lie in the window: too many to be "
                "compared in memory; choose a shorter one by --since and --until, or some of them "
                "by --rule")


def _whole(record: TriggerRecord) -> int:
    """Of all that `Ledger._members` tells apart, and the versions that it leaves out."""
    return hash((record["occurred_at"], record["personal"], record["held_out"], record["depth"],
                 record["integrations"], record["data"], record["evidence"]))


def _content(part: str, value: bytes) -> Iterable[tuple[str, bytes]]:
    """The members of an object, as they were written."""
    members: Mapping[str, msgspec.Raw] = {}
    try:
        members = _object.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ((part, value),)  # encrypted, or of nobody we know: as a whole
    return ((f"{part}.{name}", bytes(inner)) for name, inner in members.items())
