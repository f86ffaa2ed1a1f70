"""What a resend would do, over all partitions: found out without keeping anything personal.

Decides what is read: triggers as far as the selection says, deliveries since the first of them was
emitted, and no more than a limit, beyond which it refuses: what is not read could have been done
already. Where there are more than one run may have, the oldest go first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from footfall.admin.scan import Scanner, Span
from footfall.delivery.deliveries_account import Account
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import Bounds, DeliveriesLog
from footfall.errors import DecodeError, FootfallError
from footfall.events.codec import Codecs
from footfall.events.topics import TRIGGERS
from footfall.replay.resend.survey import LEFT, TRIGGERS_MAX, Asked, Left, Planned, Survey, too_many
from footfall.replay.selected import CLOCKS_MS_MAX

#: By one run.
RESENT_MAX: Final = 1_000_000
#: Of one topic, read at most.
RECORDS_MAX: Final = 50_000_000


@dataclass(slots=True)
class Plan:
    """`ends`: of the partitions of footfall.deliveries, where reading ended."""

    planned: list[Planned] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    left_out: Counter[Left] = field(default_factory=Counter)
    #: Beyond the limit: the same run, again, finds them.
    more: int = 0
    #: Records that were no trigger, or no step of a delivery.
    unreadable: int = 0

    def shown(self) -> dict[str, Any]:
        """Counts for people and programs."""
        return {
            "triggers": len(self.planned),
            "by_rule": dict(sorted(Counter(one.name for one in self.planned).items())),
            "as_they_stand_there": dict(
                sorted(Counter(one.before for one in self.planned).items())),
            "resent_before": sum(one.is_again for one in self.planned),
            "same_bytes": sum(one.message_at >= 0 for one in self.planned),
            "rendered_anew": sum(one.message_at < 0 for one in self.planned),
            "left_out": {why: self.left_out[why] for why in LEFT if self.left_out[why]},
            "more": self.more,
        }


class Planner:
    """Reads both topics. `read`: told of how many records more were read."""

    def __init__(self, bootstrap: str, codecs: Codecs, log: DeliveriesLog,
                 read: Callable[[int], object] = lambda _records: None) -> None:
        self._bootstrap = bootstrap
        self._decode = codecs.trigger.decode
        self._log = log
        self._read = read

    def plan(self, asked: Asked, limit: int) -> Plan:
        """What is to be sent again; raises `FootfallError`, among others where the destination is
        disabled.
        """
        made = Plan()
        surveys = {number: Survey(number, asked) for number in self._log.ends()}
        since = asked.selection.since
        if asked.deliveries is None:
            since = self._take_triggers(asked, surveys, made)
        bounds = self._log.bounds(Filter(since=max(0, since - CLOCKS_MS_MAX)), RECORDS_MAX)
        if bounds.is_cut:
            raise FootfallError(f"there are more than {RECORDS_MAX:,} records of deliveries since "
                                "then: ask for less, by --since")
        made.ends = {p: span.end for p, span in bounds.spans.items()}
        disabled: dict[int, Account] = {}
        for number, span in bounds.spans.items():
            survey = surveys.pop(number)
            for step in self._log.steps({number: span}, asked.concerned):
                survey.take_step(*step)
            found = survey.found()
            made.planned += found.planned
            made.left_out += found.left_out
            if len(made.planned) > TRIGGERS_MAX:
                raise too_many()
            disabled[number] = survey.account
            survey.forget()
        self._refuse_disabled(asked.to.destination, bounds, disabled)
        made.planned.sort()
        made.more = max(0, len(made.planned) - limit)
        del made.planned[limit:]
        made.unreadable += self._log.unreadable
        return made

    def _take_triggers(self, asked: Asked, surveys: Mapping[int, Survey], made: Plan) -> int:
        """The triggers that are meant; when the first of them was emitted."""
        with Scanner(self._bootstrap) as scanner:
            spans = asked.selection.bounds(
                scanner.spans(TRIGGERS), partial(scanner.since, TRIGGERS), of_triggers=True)
            if sum(span.end - span.low for span in spans.values()) > RECORDS_MAX:
                raise FootfallError(f"there are more than {RECORDS_MAX:,} triggers since then: ask "
                                    "for less, by --since")
            meant = 0
            for message in scanner.records(TRIGGERS, None, spans):
                self._read(1)
                try:
                    record = self._decode(message.value())
                except DecodeError:
                    made.unreadable += 1
                    continue
                survey = surveys[message.partition() or 0]
                meant += survey.take_trigger(record, message.offset() or 0)
                if meant > TRIGGERS_MAX:
                    raise too_many()
        return min((at for survey in surveys.values() if (at := survey.oldest) is not None),
                   default=asked.now)

    def _refuse_disabled(self, name: str, bounds: Bounds, accounts: Mapping[int, Account]) -> None:
        known = {number for number, account in accounts.items() if name in account.switched}
        disabled = {number for number, account in accounts.items()
                    if any(one.destination == name for one in account.disabled())}
        if len(known) < len(accounts):
            disabled |= {number for number, one in self._log.disabled_before(bounds)
                         if one == name and number not in known}
        if disabled:
            raise FootfallError(f"{name} is disabled: what goes there would be dead; first "
                                f"`footfall deliveries enable {name}`")


def spans_of(offsets: list[int], apart: int) -> list[Span]:
    """Spans that hold all of these offsets, ascending; two that lie further apart are not read in
    one.
    """
    spans: list[Span] = []
    for offset in sorted(offsets):
        if spans and offset - spans[-1].end <= apart:
            spans[-1] = Span(spans[-1].low, offset + 1)
        else:
            spans.append(Span(offset, offset + 1))
    return spans
