"""Which triggers of one partition are sent again, and why others are not. Pure.

Decides by what footfall.deliveries says of each at the one destination: what is still on its way
there goes by itself, what this run has begun is begun. Never sent again, whoever asks: what was
recorded for comparison alone (held_out), what an event's `integrations` or the depth of a ring keep
from there, and what is too late for that destination. All else (consent, caps, quiet hours) is
delivery's to decide, when it sends. Of one customer, and in all, so few at a time that delivery can
let them wait and what is live beside them: the others are `later`. Of personal content nothing is
kept.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from footfall.delivery.decide import is_expired
from footfall.delivery.deliveries_account import PENDING, Account, Place
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_redrive import kept_in
from footfall.delivery.planner import WAITING_MAX
from footfall.delivery.record import About
from footfall.delivery.routes_row import AnyDestination
from footfall.errors import DecodeError, FootfallError
from footfall.events.codec import DeliveryRecord, TriggerRecord
from footfall.events.integrations import allows
from footfall.events.outcomes import DEPTH_MAX
from footfall.replay.resend.documents import record_of
from footfall.replay.selected import Selection

#: Held in memory at a time.
TRIGGERS_MAX: Final = 2_000_000
#: Of one partition, with what waits already: live triggers have to find room in the same backlog.
BACKLOG_MAX: Final = WAITING_MAX // 2
#: Of one customer by one run, together with what waits for them already.
CUSTOMER_MAX: Final = 50
#: What a delivery that never was is called, where others have a status.
NEVER: Final = "never"

Left = Literal["done", "pending", "held_out", "integrations", "too_deep", "expired", "later",
               "no_trigger"]
LEFT: Final[tuple[Left, ...]] = get_args(Left)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be sent again, and where to. `deliveries`: those that it has to have had; None:
    whatever became of it. `now`: ms.
    """

    selection: Selection
    to: About
    destination: AnyDestination
    run: str
    now: int
    deliveries: Filter | None = None
    customer_max: int = CUSTOMER_MAX

    @property
    def concerned(self) -> Filter:
        """The steps that have to be looked at."""
        return Filter(destinations={self.to.destination, *(
            self.deliveries.destinations if self.deliveries is not None else ())})


class Planned(NamedTuple):
    """A trigger to be sent again. `trigger_at`: offset of the record that has it; `message_at`: of
    the step with the message that was made of it, -1 where none was. `before`: how it stands there.
    """

    emitted_at: int
    partition: int
    trigger_at: int
    message_at: int
    trigger_id: str
    name: str
    before: str
    is_again: bool


class _Candidate(NamedTuple):
    """A trigger that is meant. `never`: why it is not sent again all the same."""

    name: str
    customer_key: str
    emitted_at: int
    at: int
    never: Left | None


@dataclass(slots=True)
class Found:
    """What is to be done in one partition."""

    planned: list[Planned] = field(default_factory=list)
    left_out: Counter[Left] = field(default_factory=Counter)


def too_many() -> FootfallError:
    """More than can be held in memory."""
    return FootfallError(f"more than {TRIGGERS_MAX:,} triggers are meant: ask for fewer, by "
                         "--since, --until or --trigger")


class Survey:
    """One partition's. First the triggers, where they are chosen from their topic, then the steps
    of deliveries, each in the order of its log.
    """

    def __init__(self, partition: int, asked: Asked) -> None:
        self.account = Account()
        self._partition = partition
        self._asked = asked
        self._candidates: dict[str, _Candidate | None] = {}
        self._messages: dict[str, int] = {}
        #: What waits at the destination, of whatever trigger: trigger_id -> customer_key.
        self._waiting: dict[str, str] = {}

    @property
    def oldest(self) -> int | None:
        """When the first trigger that is meant was emitted."""
        return min((one.emitted_at for one in self._candidates.values() if one), default=None)

    def take_trigger(self, record: TriggerRecord, offset: int) -> bool:
        """A record of footfall.triggers; whether it is meant. A repeat of one changes nothing."""
        is_meant = (record["trigger_id"] not in self._candidates
                    and self._asked.selection.matches_trigger(record))
        if is_meant:
            self._keep(record, offset)
        return is_meant

    def take_step(self, record: DeliveryRecord, place: Place) -> None:
        """A record of footfall.deliveries that is `concerned`."""
        trigger_id = record["trigger_id"]
        is_there = record["destination"] == self._asked.to.destination
        if is_there and record["status"] in PENDING:
            self._waiting[trigger_id] = record["customer_key"]
        elif is_there:
            self._waiting.pop(trigger_id, None)
        if not trigger_id:
            self.account.take(record, place)
            return
        kept = kept_in(record) if self._wants(trigger_id) or is_there else {}
        if self._wants(trigger_id) and "trigger" in kept:
            self._take_document(trigger_id, bytes(kept["trigger"]), place.offset)
        if self._candidates.get(trigger_id) is None and not self._wants(trigger_id):
            return
        self.account.take(record, place)
        if is_there and "message" in kept and record["channel"] == self._asked.to.channel:
            self._messages[trigger_id] = place.offset

    def found(self) -> Found:
        """What is to be sent again, in the order of the triggers."""
        found = Found()
        room: Counter[str] = Counter(self._waiting.values())
        waits = len(self._waiting)
        for trigger_id, one in sorted(
                ((trigger_id, one) for trigger_id, one in self._candidates.items() if one),
                key=lambda pair: pair[1].at):
            if not self._is_meant(trigger_id):
                continue
            there = self.account.deliveries.get((trigger_id, self._asked.to.destination))
            why = one.never
            if there is not None and self._asked.run in there.runs:
                why = "done"
            elif there is not None and there.is_pending:
                why = "pending"
            elif why is None and (room[one.customer_key] >= self._asked.customer_max
                                  or waits >= BACKLOG_MAX):
                why = "later"
            if why is not None:
                found.left_out[why] += 1
                continue
            room[one.customer_key] += 1
            waits += 1
            found.planned.append(Planned(
                one.emitted_at, self._partition, one.at, self._messages.get(trigger_id, -1),
                trigger_id, one.name, there.status if there is not None else NEVER,
                there is not None and bool(there.runs)))
        found.left_out["no_trigger"] += self._unread()
        found.left_out = +found.left_out
        return found

    def forget(self) -> None:
        """Let go of all but what is known of destinations."""
        self._candidates, self._messages, self._waiting = {}, {}, {}
        self.account.deliveries.clear()

    # -- candidates ----------------------------------------------------------------------------

    def _wants(self, trigger_id: str) -> bool:
        """Whether it is chosen by its deliveries, and its trigger was not seen yet."""
        return self._asked.deliveries is not None and trigger_id not in self._candidates

    def _take_document(self, trigger_id: str, document: bytes, offset: int) -> None:
        try:
            record = record_of(document)
        except DecodeError:
            return
        if self._asked.selection.matches_trigger(record):
            self._keep(record, offset)
        else:
            self._candidates[trigger_id] = None

    def _keep(self, record: TriggerRecord, offset: int) -> None:
        if len(self._candidates) >= TRIGGERS_MAX:
            raise too_many()
        self._candidates[record["trigger_id"]] = _Candidate(
            record["name"], record["customer_key"], record["emitted_at"], offset,
            self._never(record))

    def _never(self, record: TriggerRecord) -> Left | None:
        """Why it is not sent there, as delivery would say, too."""
        to = self._asked.to
        if record["held_out"]:
            return "held_out"
        if record["depth"] >= DEPTH_MAX:
            return "too_deep"
        if not allows(record["integrations"], to.destination, to.channel):
            return "integrations"
        if is_expired(self._asked.destination, record["emitted_at"], self._asked.now):
            return "expired"
        return None

    def _is_meant(self, trigger_id: str) -> bool:
        """Whether one of its deliveries is as asked."""
        wanted = self._asked.deliveries
        if wanted is None:
            return True
        return any(one is not None and wanted.means(one) for one in (
            self.account.deliveries.get((trigger_id, name)) for name in wanted.destinations))

    def _unread(self) -> int:
        """How many deliveries are as asked, and have no trigger any more."""
        wanted = self._asked.deliveries
        if wanted is None:
            return 0
        return len({one.trigger_id for one in self.account.deliveries.values()
                    if one.trigger_id not in self._candidates
                    and one.destination in wanted.destinations and wanted.means(one)})
