"""What became of deliveries, which of them are meant, and their numbers: by tables."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.admin.arguments import instant
from footfall.delivery import deliveries_account
from footfall.delivery.deliveries_account import Account, Delivery, Place
from footfall.delivery.deliveries_filter import Filter, fits
from footfall.delivery.deliveries_summary import Summary, nearest_rank
from footfall.delivery.record import About
from footfall.errors import FootfallError
from tests.events.records import AT, a_delivery

ID = "0" * 32
CRM, MAIL = (About(name, "webhook", "webhook", "necessary", "v") for name in ("crm", "mail"))


def account(*steps: dict[str, Any]) -> Account:
    """Of these steps, one a second, at offsets from 0."""
    made = Account()
    for n, changed in enumerate(steps):
        made.take(a_delivery(**changed), Place(0, n, AT + 1000 * n))
    return made


def only(*steps: dict[str, Any]) -> Delivery:
    (found,) = account(*steps).deliveries.values()
    return found


QUEUED: dict[str, Any] = {}
SENDING: dict[str, Any] = {"status": "sending", "attempt": 1}
FAILED: dict[str, Any] = {"status": "failed", "attempt": 1, "reason": "status", "code": 503,
                          "due_at": AT + 5000}
SENT: dict[str, Any] = {"status": "sent", "attempt": 2, "code": 200, "at": AT + 7001}
DEAD: dict[str, Any] = {"status": "dead", "attempt": 3, "reason": "retries_exhausted"}
REDRIVEN: dict[str, Any] = {"status": "redriven"}
RESENT: dict[str, Any] = {"status": "resent", "run": "r1"}
AGAIN: dict[str, Any] = {"status": "resent", "run": "r2"}


@pytest.mark.parametrize(("steps", "status", "attempt", "redriven"), [
    ([QUEUED], "queued", 0, 0),
    ([QUEUED, SENDING, FAILED], "failed", 1, 0),
    ([QUEUED, SENDING, FAILED, SENT], "sent", 2, 0),
    ([QUEUED, DEAD, REDRIVEN], "redriven", 0, 1),
    ([QUEUED, DEAD, REDRIVEN, DEAD, REDRIVEN, SENDING, SENT], "sent", 2, 2),
    # Steps that do not fit: of a process that was replaced, of two administrators at once.
    ([QUEUED, SENT, FAILED], "sent", 2, 0),
    ([QUEUED, DEAD, SENDING], "dead", 3, 0),
    ([QUEUED, DEAD, REDRIVEN, REDRIVEN], "redriven", 0, 1),
    ([QUEUED, SENDING, REDRIVEN], "sending", 1, 0),
    ([QUEUED, SENT, RESENT, RESENT], "resent", 0, 0),
    ([QUEUED, SENT, RESENT, SENT, AGAIN, DEAD, RESENT], "dead", 3, 0),
    ([QUEUED, RESENT], "queued", 0, 0),
    # Read from the middle.
    ([RESENT, SENDING], "sending", 1, 0),
    ([FAILED, SENT], "sent", 2, 0),
    ([REDRIVEN], "redriven", 0, 1),
])
def test_the_last_step_that_fits_is_the_state(steps: list[dict[str, Any]], status: str,
                                              attempt: int, redriven: int) -> None:
    """As delivery's own fold has it."""
    found = only(*steps)
    assert (status, attempt, redriven) == (found.status, found.attempt, found.redriven)


def test_each_destination_has_its_own() -> None:
    """One trigger, two deliveries; the steps of destinations are none."""
    made = account(QUEUED, {"destination": "mail"}, {**SENT, "destination": "mail"})
    made.take(CRM.of_itself("disabled", "gone", AT), Place(0, 9, AT))
    assert {(ID, "crm"): "queued", (ID, "mail"): "sent"} == {
        key: one.status for key, one in made.deliveries.items()}
    assert ["crm"] == [one.destination for one in made.disabled()]
    made.take(CRM.of_itself("enabled", "", AT + 1), Place(0, 10, AT))
    assert [] == made.disabled()


def test_a_partition_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to ask for instead."""
    monkeypatch.setattr(deliveries_account, "DELIVERIES_MAX", 2)
    with pytest.raises(FootfallError, match="--since"):
        account(*({"trigger_id": f"{n:032x}"} for n in range(3)))


@pytest.mark.parametrize(("wanted", "is_meant"), [
    (Filter(), True),
    (Filter(destinations=["crm"]), True),
    (Filter(destinations=["mail"]), False),
    (Filter(statuses=["dead"]), True),
    (Filter(statuses=["sent", "pending"]), False),
    (Filter(triggers=["cart_abandoned"]), True),
    (Filter(triggers=["cart"]), False),
    (Filter(reasons=["retries_exhausted"]), True),
    (Filter(reasons=["retries"]), True),
    (Filter(reasons=["retrie", "gone"]), False),
    (Filter(customer_key="user_id:AAAAAAAAAAAAAAAAAAAAAA"), True),
    (Filter(customer_key="user_id:BAAAAAAAAAAAAAAAAAAAAA"), False),
    (Filter(trigger_id="00000000"), True),
    (Filter(trigger_id="1"), False),
    (Filter(since=AT + 1000), True),
    (Filter(since=AT + 1001), False),
    (Filter(until=AT + 1001), True),
    (Filter(until=AT + 1000), False),
])
def test_a_filter_means_some(wanted: Filter, is_meant: bool) -> None:
    """By what its steps have, and by its state."""
    steps = [a_delivery(), a_delivery(**DEAD)]
    concerned = all(wanted.concerns(step) for step in steps)
    assert is_meant == (concerned and wanted.means(only(QUEUED, DEAD)))


@pytest.mark.parametrize("status", deliveries_account.PENDING)
def test_pending_is_every_status_but_the_ends(status: str) -> None:
    assert Filter(statuses=["pending"]).means(only({"status": status}))


@pytest.mark.parametrize(("reason", "asked", "expected"), [
    ("consent_denied", "consent", True), ("consent_denied", "consent_denied", True),
    ("consented", "consent", False), ("", "consent", False), ("gone", "gone", True),
])
def test_a_reason_fits_by_its_beginning(reason: str, asked: str, expected: bool) -> None:
    """Up to an underscore."""
    assert expected == fits(reason, asked)


@pytest.mark.parametrize(("text", "expected"), [
    ("90s", AT - 90_000), ("30m", AT - 1_800_000), ("24h", AT - 86_400_000),
    ("7d", AT - 604_800_000), ("2w", AT - 1_209_600_000), ("999999w", 0),
    ("2026-11-26T08:00:00Z", 1_795_680_000_000), ("2026-11-26T09:00:00+01:00", 1_795_680_000_000),
])
def test_instants(text: str, expected: int) -> None:
    """So long before now, or a time."""
    assert expected == instant(text, AT)


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "yesterday", "2026-13-01T00:00:00Z",
                                  "\u0667d"])
def test_what_is_no_instant(text: str) -> None:
    """It says what was expected."""
    with pytest.raises(ValueError, match="neither"):
        instant(text, AT)


def test_a_summary_counts_each_delivery_once() -> None:
    """By destination: statuses, reasons, backlog, times from the firing on, attempts."""
    other = "1" * 32
    made = account(QUEUED, SENDING, FAILED, SENT, {"trigger_id": other, "emitted_at": AT - 9000},
                   {**FAILED, "trigger_id": other, "emitted_at": AT - 9000},
                   {"destination": "mail"}, {**DEAD, "destination": "mail"})
    made.take(MAIL.of_itself("disabled", "failing", AT), Place(0, 99, AT))
    found = Summary()
    found.take(3, made, made.deliveries.values())
    found.take(4, made, ())
    shown = found.document(AT + 1000)
    crm, mail = shown["destinations"]
    assert {
        "destination": "crm", "deliveries": 2, "statuses": {"failed": 1, "sent": 1},
        "reasons": [{"status": "failed", "reason": "status", "deliveries": 1}],
        "backlog": {"deliveries": 1, "oldest_at": "2026-09-21T14:13:11.123Z", "oldest_age_s": 10},
        "sent_ms": {"p50": 7000, "p95": 7000}, "attempts": {"mean": 1.5, "max": 2},
        "resent": {"deliveries": 0, "statuses": {}},
    } == crm
    assert ({"dead": 1}, 0, None) == (
        mail["statuses"], mail["backlog"]["deliveries"], mail["sent_ms"]["p95"])
    assert [("mail", "failing", [3, 4])] == [
        (one["destination"], one["reason"], one["partitions"]) for one in shown["disabled"]]


def test_a_summary_counts_apart_what_was_sent_again() -> None:
    """Once under `resent` as it is now, and with the others as it had ended before, if it had."""
    new, half = "1" * 32, "2" * 32
    made = account(
        QUEUED, SENDING, SENT, {**RESENT, "at": AT + 10**9}, {**DEAD, "run": "r1"},
        {**AGAIN, "at": AT + 10**9}, {"trigger_id": new, **RESENT, "at": AT + 5000},
        {"trigger_id": half, **SENT, "run": "r1"})
    found = Summary()
    found.take(3, made, made.deliveries.values())
    (crm,) = found.document(AT + 10**9 + 1000)["destinations"]
    assert {"deliveries": 1, "statuses": {"sent": 1}, "reasons": [],
            "resent": {"deliveries": 3, "statuses": {"resent": 2, "sent": 1}},
            "sent_ms": {"p50": 7000, "p95": 7000}, "attempts": {"mean": 2.0, "max": 2}} == {
        name: of for name, of in crm.items() if name not in ("destination", "backlog")}
    assert 2 == crm["backlog"]["deliveries"]
    assert [("r1", "r2"), ("r1",), ("r1",)] == [one.runs for one in made.deliveries.values()]
    assert [True, False] == [Filter(runs=("r2",)).means(one)
                             for one in list(made.deliveries.values())[:2]]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_a_value_that_enough_are_not_above(values: list[int], percent: int
                                                           ) -> None:
    """And the least of those."""
    ordered = array("q", sorted(values))
    found = nearest_rank(ordered, percent)
    assert found is not None
    assert 100 * sum(v <= found for v in values) >= percent * len(values)
    assert 100 * sum(v < found for v in values) < percent * len(values)


def test_a_percentile_of_nothing() -> None:
    assert None is nearest_rank(array("q"), 50)
