"""A harness for rules and triggers: what a collector and workers do, in memory, in virtual time.

    shop = Harness("rules/cart.yaml")
    shop.send(type="track", userId="anna", event="Product Added", properties={"product_id": "p1"})
    shop.advance("31m")
    shop.assert_triggered("cart_abandoned", customer="user_id:anna")

The product's own admission, fold, tables and configuration; what is left out is only transport. So
the same items give the same triggers as on a worker, timers included (law 4): a tick comes when a
timer is due, one millisecond after it, and at most every 200 ms. Nothing here reads a clock or a
random number: two runs are the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, Final

import msgspec

from footfall import tables as all_tables
from footfall.admin.config import content_of
from footfall.admin.config_document import joined, located, read_documents
from footfall.errors import ConfigError, FootfallError, Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.reserved_row import ConfigPayload
from footfall.query.rendering import readable
from footfall.tables.config import check_changes
from footfall.tables.outputs import REJECTED, TRIGGER
from footfall.tables.rules_row import instant_ms
from footfall.tables.spec import AnyTable
from footfall.testing.delivered import Delivered
from footfall.testing.expectation import (
    Customer,
    Expectation,
    TriggerDocument,
    differences,
    named,
    shown,
)
from footfall.testing.log import Installation, Log
from footfall.testing.memberships import memberships
from footfall.testing.spans import ms_of, text_of
from footfall.view.document import Document, Held, document
from footfall.view.identifiers import IdentifierError, key_of, parse
from footfall.view.pointers import Passed
from footfall.view.trigger import trigger

#: A Monday morning in UTC.
START: Final = "2026-01-05T09:00:00Z"
PARTITIONS: Final = 2
PARTITIONS_MAX: Final = 64
#: As a worker's (stream/clock.py).
TICK_INTERVAL_MS: Final = 200
CUSTOMER_KEY_SECRET: Final = b"no secret: Footfall's test kit"
SYSTEM_SECRET: Final = b"no secret either: Footfall's test kit"
SOURCE: Final = "test"
#: Triggers that a message lists, the newest.
LISTED_MAX: Final = 20

Configuration = Mapping[str, Any] | str | PathLike[str]


class ItemRejected(FootfallError):
    """An item that the collector, or a worker, does not take; `reason` is a code of
    docs/rejected.md.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Harness:
    """An installation of its own, in memory.

    configuration: documents, or the names of files as `footfall config apply` takes them; together
    they are the whole configuration, without any the code's defaults hold.
    tables: what is folded, in the place of all tables. start: the first instant (RFC 3339, or a
    datetime with a time zone).
    """

    def __init__(self, *configuration: Configuration, tables: Sequence[AnyTable] = all_tables.ALL,
                 partitions: int = PARTITIONS, start: str | datetime = START) -> None:
        if not 1 <= partitions <= PARTITIONS_MAX:
            raise ValueError(f"partitions = {partitions}: 1 to {PARTITIONS_MAX}")
        first = instant_ms(start.isoformat() if isinstance(start, datetime) else start, "start")
        assert first is not None
        self._start = self._now = first
        self._tables = tuple(tables)
        self._log = Log(self._tables, partitions, installation(), first)
        self._ticked = [first - TICK_INTERVAL_MS] * partitions
        self._config = ConfigPayload(0, b"{}")
        self._items = 0
        self._read = 0
        self._told: dict[str, TriggerDocument] = {}
        if configuration:
            self.configure(*configuration)

    # -- what happens ------------------------------------------------------------------------------

    def send(self, item: Mapping[str, Any] | None = None, **call: Any) -> list[TriggerDocument]:
        """An item as an SDK sends it, at this instant: `send({"type": "track", ...})` or
        `send(type="track", ...)`. Gives what was told of it at once; raises `ItemRejected`.
        """
        self._items += 1
        arrival = Arrival(SOURCE, self._now, SOURCE)
        raw = msgspec.json.encode({**(item or {}), **call})
        admitted = admit(raw, self._items, arrival, self._log.installation.keys)
        if isinstance(admitted, Rejected):
            raise ItemRejected(admitted.reason, admitted.detail)
        self._log.append(admitted.key, admitted.event, self._now)
        return self._run()

    def deliver(self, said: Delivered | None = None, **of: str) -> list[TriggerDocument]:
        """What became of a delivery, at this instant: `deliver(trigger="cart_abandoned",
        outcome="dead", destination="crm")`, of the newest such trigger. Gives what was told of it
        at once; raises `LookupError` where no such trigger was told.
        """
        said = said or msgspec.convert(of, Delivered)
        fitting = self.triggers_of(said.trigger, said.customer)
        if not fitting:
            raise LookupError(f"no {said.trigger} was told: nothing can become of it")
        key = fitting[-1]["customer_key"].encode()
        self._log.append(key, self._log.installation.reserved.delivery(
            key, said.payload(fitting[-1]), self._now), self._now)
        return self._run()

    def advance(self, span: str | timedelta) -> list[TriggerDocument]:
        """Let time pass: `advance("30m")`, `advance(timedelta(days=7))`. Gives what was told."""
        until = self._now + ms_of(span)
        before = len(self._told)
        while (tick := self._next_tick(until)) is not None:
            self._now, partition = tick
            self._ticked[partition] = self._now
            self._log.tick(self._now, partition)
            self._run()
        self._now = until
        return list(self._told.values())[before:]

    def configure(self, *configuration: Configuration, keep: bool = False) -> None:
        """Bring a configuration into force, as `footfall config apply` does: it is the whole, or
        with `keep` what it does not name stays as it is. Raises `ConfigError`.
        """
        files = [Path(one) for one in configuration if not isinstance(one, Mapping)]
        wanted = msgspec.json.decode(self._config.content, type=dict[str, Any]) if keep else {}
        for one in configuration:
            said = one if isinstance(one, Mapping) else read_documents([Path(one)])
            wanted = joined(wanted, said)
        try:
            content = content_of(wanted, self._tables)
            if self._config.number:
                check_changes(self._tables, self._config.content, content)
        except ConfigError as error:
            raise located(error, files) from None
        self._config = ConfigPayload(self._config.number + 1, content)
        self._log.config(self._now, self._config)
        self._run()

    # -- what came of it ---------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The instant at which the test stands."""
        return datetime.fromtimestamp(self._now / 1000, UTC)

    @property
    def triggers(self) -> list[TriggerDocument]:
        """What was told so far, in order, each as docs/triggers.md has it; `held_out` is true of
        one that would be recorded and sent to nobody.
        """
        return list(self._told.values())

    def triggers_of(self, name: str, customer: str | None = None) -> list[TriggerDocument]:
        """Those of one name, of a customer (`KIND:VALUE`) where one is given."""
        expected = self._expectation(name, customer, None, None, None)
        return [told for told in self._told.values() if self._fits(expected, told)]

    def customer(self, identifier: str) -> Document | None:
        """All that is held of a customer at this instant, as `footfall customer --json` shows it;
        None where nothing is.
        """
        key = self.identifier(identifier).key.encode()
        passed = Passed()
        while (found := self._document(key)) is not None and found["owner"] is not None:
            owner = found["owner"].encode()
            passed = passed.by(key, owner)
            key = owner
        return found and {**found, "passed": [one.decode() for one in passed.keys]}

    def segments(self, identifier: str) -> list[str]:
        """The names of the segments that a customer is in, sorted."""
        found = self.customer(identifier)
        if found is None:
            return []
        fold = self._log.fold_of(found["customer_key"].encode())
        return memberships(fold, found["customer_key"].encode())

    def assert_triggered(self, name: str, customer: str | None = None, *,
                         data: Mapping[str, Any] | None = None,
                         at: str | timedelta | None = None, held_out: bool = False,
                         times: int | None = None) -> TriggerDocument:
        """Fails where no trigger of this name was told that has this customer, these data (it may
        have more) and occurred `at` this time after the start; with `times`, where not so many
        were. Gives the last one, with `times=0` an empty one.
        """
        expected = self._expectation(name, customer, data, at, held_out)
        fitting = [told for told in self._told.values() if self._fits(expected, told)]
        if len(fitting) == times or (times is None and fitting):
            return fitting[-1] if fitting else {}
        often = "no such trigger" if not fitting else f"{len(fitting)} of them"
        wanted = f"{expected}" if times is None else f"{times} times {expected}"
        raise AssertionError(f"expected {wanted}; {often}\n{self._explained(expected)}")

    def assert_not_triggered(self, name: str, customer: str | None = None, *,
                             data: Mapping[str, Any] | None = None,
                             at: str | timedelta | None = None) -> None:
        """Fails where such a trigger was told, held out or not."""
        expected = self._expectation(name, customer, data, at, None)
        fitting = [told for told in self._told.values() if self._fits(expected, told)]
        if fitting:
            lines = "\n".join(f"  {self.line(told)}" for told in fitting[-LISTED_MAX:])
            raise AssertionError(f"expected no {expected}; {len(fitting)} told\n{lines}")

    # -- for reports -------------------------------------------------------------------------------

    @property
    def elapsed_ms(self) -> int:
        """How long after the start the test stands."""
        return self._now - self._start

    def differences(self, expected: Expectation, told: TriggerDocument) -> list[str]:
        """How a trigger of that name differs from what is expected."""
        return differences(expected, told, _ms(told["occurred_at"]) - self._start)

    def identifier(self, text: str) -> Customer:
        """What `KIND:VALUE` names; raises `ValueError`."""
        try:
            kind, value = parse(text)
        except IdentifierError as error:
            raise ValueError(f"customer {text[:60]!r}: {error}") from None
        return Customer(kind, value, key_of(kind, value, self._log.installation.keys).decode())

    def line(self, told: TriggerDocument) -> str:
        """A trigger in one line: when it fired, its name, whose it is, its data."""
        after = text_of(_ms(told["emitted_at"]) - self._start)
        held = " (held out)" if told["held_out"] else ""
        return f"+{after} {told['name']}{held} of {named(told)} {shown(told['data'])}"

    def next_timer_ms(self) -> int | None:
        """When the next timer of any customer is due, after the start; None where none waits."""
        wakes = [wake for worker in self._log.workers
                 if (wake := worker.fold.next_timer(1 << 62)) is not None]
        return min(wakes) - self._start if wakes else None

    # -- the log -----------------------------------------------------------------------------------

    def _next_tick(self, until: int) -> tuple[int, int] | None:
        """(instant, partition) of the next tick: a timer lies before it."""
        ticks = []
        for number, worker in enumerate(self._log.workers):
            wake_at = worker.fold.next_timer(until)
            if wake_at is not None:
                at = max(wake_at + 1, self._now, self._ticked[number] + TICK_INTERVAL_MS)
                ticks.append((at, number))
        return min((tick for tick in ticks if tick[0] <= until), default=None)

    def _run(self) -> list[TriggerDocument]:
        """Fold what was appended; what was told of it. Raises where a worker took it not."""
        self._log.run()
        sent, self._read = self._log.sent[self._read:], len(self._log.sent)
        codecs = self._log.installation.codecs
        told = []
        for _partition, output in sent:
            if output.kind == TRIGGER:
                found = _shown(trigger(codecs.trigger.decode(output.value)))
                if self._told.setdefault(found["trigger_id"], found) is found:
                    told.append(found)
        for _partition, output in sent:
            if output.kind == REJECTED:
                rejected = codecs.rejected.decode(output.value)
                raise ItemRejected(rejected["reason"], rejected["detail"])
        return told

    def _document(self, key: bytes) -> Document | None:
        fold = self._log.fold_of(key)
        record = fold.records.peek(key)
        if record is None:
            return None
        rows = {t.name: row for t in fold.tables if (row := fold.row(key, t.name)) is not None}
        held = Held(record, rows, fold.partition, fold.clock, fold.config, 0)
        return document(key, held, fold.tables, self._now)

    def _expectation(self, name: str, customer: str | None, data: Mapping[str, Any] | None,
                     at: str | timedelta | None, held_out: bool | None) -> Expectation:
        return Expectation(name, None if customer is None else self.identifier(customer),
                           data or {}, None if at is None else ms_of(at), held_out)

    def _fits(self, expected: Expectation, told: TriggerDocument) -> bool:
        return told["name"] == expected.name and not self.differences(expected, told)

    def _explained(self, expected: Expectation) -> str:
        """What was told instead, and what is still to come."""
        told = list(self._told.values())
        near = [f"  {self.line(one)}\n    but {'; '.join(self.differences(expected, one))}"
                for one in told if one["name"] == expected.name
                and self.differences(expected, one)]
        rest = [f"  {self.line(one)}" for one in told if one["name"] != expected.name]
        due = self.next_timer_ms()
        waits = "none waits" if due is None else f"is due at +{text_of(due)}"
        return "\n".join([
            *near[-LISTED_MAX:],
            f"told besides: {len(rest)}", *rest[-LISTED_MAX:],
            f"it is +{text_of(self.elapsed_ms)}; the next timer: {waits}"])


@cache
def installation() -> Installation:
    """The one that all tests share: its secrets are fixed, so keys and ids are too."""
    return Installation.of(CUSTOMER_KEY_SECRET, SYSTEM_SECRET)


def _shown(found: Document) -> TriggerDocument:
    """A trigger with data and evidence as objects."""
    return {"held_out": False, **found,
            **{name: readable(found[name]) for name in ("data", "evidence")}}


def _ms(shown_at: str) -> int:
    found = instant_ms(shown_at)
    assert found is not None
    return found


