"""What a table is: one capability, its row in facts and told, and the pure functions over it.

    observe   facts' = f(facts, event)          what happened; any order and split give the same
    announce  told' = g(told, facts, now, fired) what to tell; the only place that makes triggers
    merge_*   of two rows of one customer, when identities join

Rules (laws.md, 3 to 5). Facts hold integers, text and exact amounts, never a float and never the
stored result of a comparison; they do not depend on configuration, but for `computed`, whose facts
begin with each definition. Told remembers causes, never trigger ids. A step reads no clock, random
number or environment: time is an argument. A step touches its own row; another customer is changed
by a `Move`. A function gives back new facts and told and leaves what it was given as it was: a step
that raises is rejected as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from footfall.events.interaction import Interaction
from footfall.events.schema_rules import Class

F = TypeVar("F")
T = TypeVar("T")
C = TypeVar("C")


class Trigger(NamedTuple):
    """Something to act on. `cause` names what must not be told twice (a cart and its deadline):
    with the name and the customer it makes the trigger's id. `data` is what a receiver needs,
    `evidence` why it fired; both must be JSON without floats (amounts as text). `held_out`: it is
    recorded for comparison, and nobody is told. `depth`: how many deliveries led to it, as far as
    the table knows; `integrations`: the fold's to say.
    """

    name: str
    cause: tuple[str | int, ...]
    occurred_at: int
    data: Mapping[str, Any]
    evidence: Mapping[str, Any]
    held_out: bool = False
    depth: int = 0
    integrations: bytes = b""


class Move(NamedTuple):
    """Hands rows off to another customer: of the tables named, or of all (None) but the one that
    says so. `letters` go along, for the same table there.
    """

    to: bytes
    tables: tuple[str, ...] | None = None
    letters: tuple[Any, ...] = ()


class Output(NamedTuple):
    """Something to send: kind is TRIGGER, HANDOFF or REJECTED; `key` is the Kafka key, of a
    rejected record its offset. `name` is a trigger's.
    """

    kind: str
    key: bytes
    value: bytes
    name: str = ""


class Announcement(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """What `announce` gives back.

    `due` is the next instant (ms) at which time alone may change what is told; None when nothing
    waits. After a timer it must lie after `now`. `wake_at` follows from it: the fold adds grace,
    and settles deadlines that are revealed late (law 4).
    """

    told: T
    due: int | None = None
    triggers: tuple[Trigger, ...] = ()
    moves: tuple[Move, ...] = ()


class Reads(NamedTuple):
    """Fields of an item that something reads: dotted paths as sent (`context.ip`), arrays passed
    through (`properties.products.price`), an object for all that is in it. Of every item, of some
    calls, or of events of some names (`commerce.squeeze`): tracked ones, or those of these calls.
    """

    paths: frozenset[str]
    names: frozenset[str] | None = None
    calls: frozenset[str] | None = None


class Bound(NamedTuple):
    """`wants` and `observe` of a table whose facts depend on its configuration, under one."""

    wants: Callable[[Interaction], bool]
    observe: Callable[[Any, Interaction, int], Any]


#: What a field of a table is at an instant: text, texts, True or False, an integer of 10^-9 for a
#: number, ms for an instant. None: there is none.
Value = str | tuple[str, ...] | bool | int | None


class FieldSpec(NamedTuple):
    """Something that a condition of a rule or segment may ask of a table, by `<table>.<name>`.

    kind: text, texts, flag, number (integer of 10^-9), instant (ms), or any: what was sent, a text,
    texts, a flag or a number.
    read(facts, told, now, config): its value at `now` (ms).
    changes_at(facts, told, now, config): the next instant after `now` at which it may be another
    by time alone; None: never. Absent: it changes by events alone.
    values: the only texts that it can be; empty where there are more.
    """

    kind: str
    read: Callable[[Any, Any, int, Any], Value]
    changes_at: Callable[[Any, Any, int, Any], int | None] | None = None
    values: tuple[str, ...] = ()
    about: str = ""


class NoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For a table with nothing to configure."""


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[F, T, C]):
    """One capability. `facts` and `told` are msgspec structs that can be made without arguments.

    observe(facts, event, when): `when` = min(event time, append time of the original record), ms.
    announce(told, facts, now, config, fired): after each observed event and after a merge (now =
    the log's clock, fired = None), and when a timer comes (fired = the `due` it was set for, the
    first one where it had to settle; now = the instant of stepping, less the grace: up to there the
    silence is proven).
    Only where `fired` is given may the passing of time be told: a late event may reveal a deadline
    that is long past, and then the answer is that `due`, no trigger (law 4: it has to settle).
    bind(config): of the one table whose facts depend on its configuration (`computed`): what takes
    events under it, in the place of wants and observe, which are for the default. Asked once for
    each configuration that comes into force.
    check_change(before, after): raises `MisfitError` where one configuration must not follow the
    other.
    upgrade(version, facts_raw, told_raw): rows of an older `version` (MessagePack); pure.
    triggers: the names of all that `announce` may tell.
    reads: what of `personal` and `commerce` observe looks at, as the app sent it, for each event;
    no more and no less (tests/tables/test_reads.py). The envelope's other fields are not listed.
    classes: path of the view -> class. Names are joined with dots (`carts.lines.name`), lists are
    passed through, `*` is any name of a map. A path speaks for all beneath it that has none of its
    own; where names themselves are data, it ends at the map. What has no class counts as sensitive.
    activity: the row says what the customer did: it sees no event in which they did nothing
    (`events/outcomes.py`).
    personal: the row holds personal data and travels in the record's `personal` bytes.
    fields: what conditions of rules may ask, by name (docs/rules.md lists them).
    field_of(name, config): the same for names that are data (`profile.traits.plan`); raises
    `MisfitError` with what is known where there is no such field.
    kept_decoded: between steps the row stays decoded until the next checkpoint, instead of as it is
    stored. Worth it where decoding takes longer than fetching many small objects from memory: for
    rows with maps, of customers with several events a checkpoint (docs/performance.md).
    """

    name: str
    version: int
    facts: type[F]
    told: type[T]
    config: type[C]
    wants: Callable[[Interaction], bool]
    observe: Callable[[F, Interaction, int], F]
    announce: Callable[[T, F, int, C, int | None], Announcement[T]]
    merge_facts: Callable[[F, F], F]
    merge_told: Callable[[T, T], T]
    bind: Callable[[C], Bound] | None = None
    check_change: Callable[[C, C], None] | None = None
    triggers: tuple[str, ...] = ()
    reads: tuple[Reads, ...] = ()
    #: The row for people: JSON values, with what is derived from it as of an instant (ms).
    view: Callable[[F, T, int, C], Mapping[str, Any]] | None = None
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    field_of: Callable[[str, C], FieldSpec] | None = None
    classes: Mapping[str, Class] = field(default_factory=dict)
    #: Where the record's header tells of this row (0 to 15; for good, never given to another table)
    #: and which level was last announced, one of `levels` (at most 14): counted in metrics.
    slot: int | None = None
    levels: tuple[str, ...] = ()
    level: Callable[[T], str] | None = None
    upgrade: Callable[[int, bytes, bytes], tuple[F, T]] | None = None
    activity: bool = False
    personal: bool = False
    kept_decoded: bool = False
    #: Of the table that knows who the customer is: identifier kind -> value, for triggers.
    ids: Callable[[F], Mapping[str, str]] | None = None
    #: Whether a limit has cut these facts: counted, and law 3's equality is not claimed for them.
    limited: Callable[[F], bool] | None = None
    #: Whether it sees every event whatever consent says (`consent_gate.py`).
    sees_all: bool = False
    #: What of told goes along with those who leave at an unmerge; None: all of it.
    goes_along: Callable[[T], T] | None = None
    #: Of an event it wants: the signals of which something could not be read. Counted.
    unreadable: Callable[[Interaction], tuple[str, ...]] | None = None


AnyTable = TableSpec[Any, Any, Any]


def wants_all(_event: Interaction) -> bool:
    """For a table that every interaction concerns."""
    return True


def says_nothing(told: T, _facts: Any, _now: int, _config: Any, _fired: int | None
                 ) -> Announcement[T]:
    """`announce` of a table that tells nothing."""
    return Announcement(told)


def keeps_own(mine: T, _theirs: T) -> T:
    """`merge_told` of a table whose told is empty, or belongs to its key alone."""
    return mine
