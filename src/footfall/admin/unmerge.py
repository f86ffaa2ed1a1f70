"""What an unmerge takes apart: which identifiers leave a customer, and the facts of both sides.

Decides, from the log folded again (`history.py`): what hangs together with the customer only
through the identifier named leaves with it; an event goes with the identifier that is its key. The
facts of each side are its own events, folded as if nobody had ever been merged.

Decided on 2026-11-26, where design.md had the facts set aside and brought back by a later handoff:
one `$unmerge` carries both sides, with the customer's watermark as of which they are, and does
nothing at any other. So no purchase can fall between, nothing is told of half a customer, a command
that ends anywhere leaves nothing half done, and a second run finds out what became of the first.

Pure: reads no log and writes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from footfall import tables
from footfall.admin.history import PLACES, History, Kept, Place, kept_of, split
from footfall.errors import FootfallError
from footfall.events.codec import Codecs, TriggerRecord
from footfall.events.customer_key import CustomerKeys, order
from footfall.events.interaction import Interaction
from footfall.events.outcomes import is_activity
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import Unmerge
from footfall.tables import consent, links
from footfall.tables.config import Config
from footfall.tables.consent_gate import Gate, gate_of
from footfall.tables.links_parted import LEAVING_MAX, PARTED_MAX, conflict
from footfall.tables.links_row import Parted
from footfall.tables.record import RecordCodec
from footfall.tables.spec import AnyTable
from footfall.tables.step import Step
from footfall.tables.stored import Kept as Row

#: Of an `$unmerge`: with what is added it stays below a broker's default of 1,048,588.
SIDES_BYTES_MAX: Final = 1_000_000


class Side(NamedTuple):
    """What a customer will be: its identifiers, highest first, and the events that count."""

    keys: tuple[bytes, ...]
    places: tuple[Place, ...]


class Plan(NamedTuple):
    """What an unmerge would do. `triggers`: sent already of the customer; they stay sent."""

    stays: Side
    leaves: Side
    named: bytes
    watermark: int
    triggers: tuple[TriggerRecord, ...]

    @property
    def root(self) -> bytes:
        """The customer whom identifiers leave."""
        return self.stays.keys[0]


class NotOneCustomerError(FootfallError):
    """There is nothing to take apart. `place`: partition and offset of the unmerge that did it."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.place = place


def plan(history: History, one: bytes, other: bytes, key_of: CustomerKeys) -> Plan:
    """What taking `other` out of the customer of `one` would do, as of where the log is folded."""
    root = history.root(one)
    if one == other or history.root(other) != root:
        _refuse(history, one, other)
    _check_owned(history, root, one if other == root else other)
    if len(history.told(root).parted) >= PARTED_MAX:
        raise FootfallError(f"{PARTED_MAX} unmerges hold for {root.decode()} already, and no more "
                            "can be remembered")
    named = one if other == root else other
    leaving = _leaving(history, root, named, key_of)
    if one in leaving and other in leaving:
        # Both hang on one path: what lies farther from the customer is cut off there.
        named = one
        _check_owned(history, root, named)
        leaving = _leaving(history, root, named, key_of)
    if len(leaving) > LEAVING_MAX:
        raise FootfallError(f"{len(leaving)} identifiers hang together with it only through "
                            f"{named.decode()}: at most {LEAVING_MAX} can leave at once")
    record = history.record(root)
    assert record is not None
    staying, left = split(history.places(root), history.events, leaving)
    keys = {root, *(link.key for link in history.told(root).owned)} - set(leaving)
    mine = {key.decode() for key in (*keys, *leaving)}
    return Plan(
        Side(tuple(sorted(keys, key=order, reverse=True)), tuple(staying)),
        Side(leaving, tuple(left)), named, record.watermark,
        tuple(t for t in history.triggers if t["customer_key"] in mine))


def record_of(history: History, wanted: Plan, now: int, *, codecs: Codecs, reserved: Reserved,
              specs: Iterable[AnyTable] = tables.ALL) -> bytes:
    """The `$unmerge` that does it, as it is written to the log under the customer's key."""
    specs = [table for table in specs if table.name != links.NAME]
    codec = RecordCodec(specs)
    stay = rows_of(history, wanted.stays.places, codec, specs)
    # Where nothing was seen nothing is put: a mailbox of which no event came is nobody yet.
    leave = rows_of(history, wanted.leaves.places, codec, specs) if wanted.leaves.places else {}
    sides = codec.pack_sides(stay, leave)
    if len(sides) > SIDES_BYTES_MAX:
        raise FootfallError(f"the rows of both sides take {len(sides)} bytes, the limit is "
                            f"{SIDES_BYTES_MAX}")
    asked = Unmerge(wanted.watermark, wanted.named, wanted.leaves.keys)
    return codecs.interaction.encode(reserved.unmerge(wanted.root, asked, sides, now))


def was_done(history: History, wanted: Plan, place: Place) -> bool:
    """Whether the `$unmerge` at this place took effect; to be asked once it has been folded."""
    return any(one[:2] == place for one in history.told(wanted.root).parted)


def _refuse(history: History, one: bytes, other: bytes) -> None:
    for key in (one, other):
        if history.record(key) is None:
            raise NotOneCustomerError(f"nothing is held of {key.decode()}")
    mine = (*history.told(one).parted, *history.told(history.root(one)).parted)
    theirs = (*history.told(other).parted, *history.told(history.root(other)).parted)
    done = conflict(mine, theirs)
    if done:
        raise _already(done[-1])
    raise NotOneCustomerError("they are not one customer" if one != other else
                              "both identifiers are the same")


def _check_owned(history: History, root: bytes, named: bytes) -> None:
    """Who points at a customer is not always its own any more, or yet."""
    told = history.told(root)
    for parted in told.parted:
        if named in parted.keys:
            raise _already(parted)
    if named not in {link.key for link in told.owned}:
        raise FootfallError(f"{named.decode()} is on its way to or from {root.decode()}: run the "
                            "command again when the workers have caught up")


def _already(parted: Parted) -> NotOneCustomerError:
    place = parted.partition, parted.offset
    return NotOneCustomerError("they are two customers already, by the unmerge at partition "
                               f"{place[0]}, offset {place[1]}", place)


def _leaving(history: History, root: bytes, named: bytes, key_of: CustomerKeys
             ) -> tuple[bytes, ...]:
    """`named`, and what hangs together with the customer only through it; the highest first."""
    owned = {root, *(link.key for link in history.told(root).owned)}
    events: dict[Place, Kept] = {p: history.events[p] for p in history.places(root)}
    keys = owned | {kept.key for kept in events.values()}
    # Also those that have not come to the customer yet: their letters may have.
    events.update(kept_of(history, owned))
    graph = _graph(history, events, key_of)
    refused = history.told(root).refused
    barred = {key for key in graph if key in refused or history.told(key).shared}
    near = _reached(graph, root, barred | {named})
    return tuple(sorted(
        {named} | (_reached(graph, named, barred | near) & keys), key=order, reverse=True))


def _graph(history: History, events: Mapping[Place, Kept], key_of: CustomerKeys
           ) -> dict[bytes, set[bytes]]:
    """Which identifiers were named together, as links were configured then."""
    graph: dict[bytes, set[bytes]] = {}
    for place, kept in events.items():
        event = history.event(place)
        config = kept.config.sections[links.NAME]
        for letter in links.letters_of(event, kept.key, key_of.of, config):
            if letter.key != kept.key:
                graph.setdefault(kept.key, set()).add(letter.key)
                graph.setdefault(letter.key, set()).add(kept.key)
    return graph


def _reached(graph: Mapping[bytes, set[bytes]], start: bytes, barred: set[bytes]) -> set[bytes]:
    found = {start}
    left = [start]
    while left:
        for key in graph.get(left.pop(), ()):
            if key not in found and key not in barred:
                found.add(key)
                left.append(key)
    return found


def rows_of(history: History, places: Iterable[Place], codec: RecordCodec,
          specs: Iterable[AnyTable]) -> dict[str, Row]:
    """The facts of these events and no others, as rows: each event as things were configured when
    it came, and seen by whom this side's own consent let see it.
    """
    specs = [table for table in specs if table.name != PLACES]
    facts: dict[str, Any] = {table.name: table.facts() for table in specs}
    under: dict[Config, tuple[list[Step], Gate | None]] = {}
    now = 0
    for place in sorted(places, key=lambda place: (history.events[place].timestamp, place)):
        kept = history.events[place]
        if kept.config not in under:
            made = [Step(codec.rows[t.name], kept.config.sections[t.name]) for t in specs]
            under[kept.config] = made, gate_of(made)
        event: Interaction = history.event(place)
        when = min(event["event_time"], kept.timestamp)
        now = max(now, kept.timestamp)
        steps: Sequence[Step]
        steps, gate = under[kept.config]
        if not is_activity(event):
            steps = [step for step in steps if not step.table.activity]
        cut = event
        if gate is not None:
            said = codec.rows[consent.TABLE.name].make(facts[consent.TABLE.name],
                                                       consent.TABLE.told())
            steps, cut, _kept_out = gate.passed(
                event, steps, {consent.TABLE.name: said}, when, now)
        for step in steps:
            seen = event if step.sees_all else cut
            if step.wants is None or step.wants(seen):
                facts[step.name] = step.observe(facts[step.name], seen, when)
    return {t.name: codec.rows[t.name].make(facts[t.name], t.told()) for t in specs}
