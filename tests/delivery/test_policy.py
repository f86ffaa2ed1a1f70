"""What may not be sent is not sent, and it is recorded why: consent, caps, quiet hours, expiry."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from footfall.delivery import reasons
from footfall.delivery.message import Outcome, Person
from footfall.delivery.people import Stale
from tests.delivery.desk import SENT, Desk
from tests.delivery.log import KEYS, START
from tests.tables.consents import act, at, facts

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TROUBLE = Outcome("retry", "status", 500)


def run(what: Coroutine[Any, Any, None]) -> None:
    asyncio.run(what)


def routes(policy: str, purpose: str = "marketing") -> str:
    return f"""
destinations:
  mail: {{channel: webhook, url: https://m.example/x, medium: email, purpose: {purpose}, {policy}}}
  push: {{channel: webhook, url: https://p.example/x, medium: push, purpose: {purpose}}}
routes:
  - {{triggers: [cart_abandoned], to: [mail]}}
  - {{triggers: [both], to: [mail, push]}}
"""


def granted(*media: str, until: int | None = None, but: str = "") -> Person:
    """Marketing granted on these; withdrawn on one."""
    acts = [act(at(n), f"g{n}", purposes={"marketing": True}, channel=medium,
                **({} if until is None else {"expires_at": until}))
            for n, medium in enumerate(media)]
    if but:
        acts.append(act(at(100), "w", purposes={"marketing": "withdrawn"}, channel=but))
    return Person(consent=facts(*acts), zone="Europe/Stockholm")


@pytest.mark.parametrize(("person", "reason"), [
    (None, "consent_unknown"), (Person(), "consent_unknown"),
    (granted("push"), "consent_unknown"), (granted("email", but="email"), "consent_withdrawn"),
    (granted("email", until=START - 1), "consent_expired")])
def test_without_consent_nothing_leaves(person: Person | None, reason: str) -> None:
    """Fails closed, on this medium, for this purpose; the other medium is asked by itself."""
    async def main() -> None:
        desk = Desk(routes("timeout_s: 5"), people=lambda *_: person)
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert (desk.sent, desk.told()[-1]) == ([], (reasons.SUPPRESSED, reason))
    run(main())


def test_consent_is_that_of_the_moment_of_sending() -> None:
    """Granted when the trigger fired and at the first try, withdrawn before the second."""
    async def main() -> None:
        person = [granted("email")]
        desk = Desk(routes("timeout_s: 5"), lambda *_: TROUBLE, lambda *_: person[0])
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert len(desk.sent) == 1
        person[0] = granted("email", but="email")
        await desk.run_until(START + HOUR_MS)
        assert len(desk.sent) == 1
        assert desk.told()[-1] == (reasons.SUPPRESSED, "consent_withdrawn")
    run(main())


def test_a_view_that_is_behind_is_waited_for() -> None:
    """Nothing is decided on what is older than the trigger."""
    async def main() -> None:
        knows = [False]

        def people(_key: str, _emitted_at: int) -> Person:
            if not knows[0]:
                raise Stale("behind")
            return granted("email")

        desk = Desk(routes("timeout_s: 5"), people=people)
        desk.tell(KEYS[0], "c1")
        await desk.run_until(START + 2_000)
        assert (desk.sent, desk.told()) == ([], [(reasons.QUEUED, "")])
        knows[0] = True
        await desk.run_until(START + 3_000)
        assert desk.told()[-1] == (reasons.SENT, "")
    run(main())


@pytest.mark.parametrize(("then", "sent", "suppressed"), [("drop", 2, 3), ("hold", 5, 0)])
def test_a_cap_counts_what_a_customer_got_on_their_own_day(then: str, sent: int, suppressed: int
                                                          ) -> None:
    """Two a day; what is over is dropped, or waits for the next day of the customer."""
    async def main() -> None:
        desk = Desk(routes(f"caps: [{{max: 2, per: day, then: {then}}}]"),
                    people=lambda *_: granted("email"))
        for n in range(5):
            desk.tell(KEYS[0], f"c{n}")
        await desk.flow()
        assert len(desk.sent) == 2
        await desk.run_until(START + 4 * DAY_MS)
        zone = ZoneInfo("Europe/Stockholm")
        days = [datetime.fromtimestamp(s.at / 1000, zone).date() for s in desk.sent]
        assert len(desk.sent) == sent
        assert max(days.count(day) for day in days) == 2
        assert desk.told().count((reasons.SUPPRESSED, "frequency_cap")) == suppressed
    run(main())


def test_a_failed_attempt_does_not_count() -> None:
    """A cap is about what a customer got."""
    async def main() -> None:
        desk = Desk(routes("retry: {delays_s: []}, caps: [{max: 1, per: day}]"),
                    lambda *_: TROUBLE, lambda *_: granted("email"))
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        desk.answer = lambda *_: SENT
        desk.tell(KEYS[0], "c2")
        await desk.flow()
        desk.tell(KEYS[0], "c3")
        await desk.flow()
        assert [desk.told().count(one) for one in (
            (reasons.DEAD, "retries_exhausted"), (reasons.SENT, ""),
            (reasons.SUPPRESSED, "frequency_cap"))] == [1, 1, 1]
    run(main())


def test_two_ways_to_one_customer_share_a_cap() -> None:
    """Counted by medium and purpose over all destinations, also while both are under way."""
    text = """
destinations:
  a: {channel: webhook, url: https://a.example/x, purpose: necessary, medium: sms,
      caps: [{max: 1, per: day}]}
  b: {channel: webhook, url: https://b.example/x, purpose: necessary, medium: sms,
      caps: [{max: 1, per: day}]}
routes: [{triggers: [cart_abandoned], to: [a, b]}]
"""

    async def main() -> None:
        desk = Desk(text, people=lambda *_: Person())
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert len(desk.sent) == 1
        assert desk.told().count((reasons.SUPPRESSED, "frequency_cap")) == 1
    run(main())


@pytest.mark.parametrize(("zone", "now", "goes_at"), [
    # 22:30 in summer; 08:00 the next day.
    ("Europe/Stockholm", "2026-07-01T20:30", "2026-07-02T06:00"),
    # The night in which clocks go forward, and the one in which they go back.
    ("Europe/Stockholm", "2026-03-28T22:30", "2026-03-29T06:00"),
    ("Europe/Stockholm", "2026-10-24T21:30", "2026-10-25T07:00"),
    ("America/New_York", "2026-11-01T03:00", "2026-11-01T13:00"),
    ("Asia/Kathmandu", "2026-07-01T16:00", "2026-07-02T02:15"),
    # Nobody knows where they are: the zone that the destination names.
    ("", "2026-07-01T22:30", "2026-07-02T08:00")])
def test_quiet_hours_end_on_the_customers_clock(zone: str, now: str, goes_at: str) -> None:
    """Held until 08:00 where the customer is, whatever clocks did in the night."""
    async def main() -> None:
        desk = Desk(routes('quiet_hours: {from: "21:00", to: "08:00"}', "necessary"),
                    people=lambda *_: Person(zone=zone))
        desk.at = round(datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp() * 1000)
        desk.tell(KEYS[0], "c1")
        await desk.run_until(desk.at + DAY_MS)
        assert desk.told().count((reasons.HELD, "quiet_hours")) == 1
        assert [datetime.fromtimestamp(s.at / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
                for s in desk.sent] == [goes_at]
    run(main())


def test_quiet_hours_may_drop() -> None:
    """What would be stale by the morning is not sent at all."""
    async def main() -> None:
        desk = Desk(routes('quiet_hours: {from: "00:00", to: "23:59", then: drop}', "necessary"),
                    people=lambda *_: Person())
        desk.tell(KEYS[0], "c1")
        await desk.flow()
        assert (desk.sent, desk.told()[-1]) == ([], (reasons.SUPPRESSED, "quiet_hours"))
    run(main())


def test_what_is_held_keeps_nobody_waiting() -> None:
    """Order holds among those that are not held: a later one without consent is told so at once."""
    async def main() -> None:
        desk = Desk(routes('caps: [{max: 1, per: day, then: hold}]'),
                    people=lambda *_: granted("email"))
        for n in range(3):
            desk.tell(KEYS[0], f"c{n}")
        await desk.flow()
        assert desk.told().count((reasons.HELD, "frequency_cap")) == 2
    run(main())


def test_what_is_too_late_is_not_sent() -> None:
    """A trigger of yesterday, where its destination wants only those of the last hour."""
    async def main() -> None:
        desk = Desk(routes("expires_s: 3600", "necessary"), lambda *_: TROUBLE,
                    people=lambda *_: Person())
        desk.tell(KEYS[0], "c1")
        await desk.run_until(START + DAY_MS)
        assert desk.told()[-1] == (reasons.SUPPRESSED, "expired")
        assert all(s.at <= START + HOUR_MS for s in desk.sent)
    run(main())


def test_what_is_too_late_does_not_wait_for_the_view() -> None:
    """A view that stays away keeps nothing alive."""
    async def main() -> None:
        def people(_key: str, _emitted_at: int) -> Person:
            raise Stale("unavailable")

        desk = Desk(routes("expires_s: 60"), people=people)
        desk.tell(KEYS[0], "c1")
        await desk.run_until(START + 70_000)
        assert desk.told()[-1] == (reasons.SUPPRESSED, "expired")
    run(main())
