"""Records of footfall.deliveries make rows; what does not fit changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.delivery import reasons, row
from footfall.delivery.message import Outcome
from footfall.events import topics
from tests.delivery.log import CODECS, KEYS, START, Entry, Log, fold_of, rows_of

CRM = row.row_key(KEYS[0], "crm")
TROUBLE = Outcome("retry", "status", 500)


def test_a_delivery_lives_from_queued_to_sent() -> None:
    """What is queued waits; what is sent waits no more, is known, and counts."""
    log = Log()
    log.step(reasons.QUEUED, "t1", first=True, trigger={"name": "x"})
    fold = fold_of(entries=log.entries)
    assert fold.rows.waiting == {"crm": 1}

    log.step(reasons.SENDING, "t1", attempt=1, message={"body": "hello"})
    fold.apply(log.entries[-1])
    held = fold.rows.destination_row(CRM)
    assert [(p.state, p.attempt, p.document, p.message) for p in held.pending] == [
        (row.GOES, 1, b'{"name":"x"}', b'{"body":"hello"}')]
    assert fold.rows.going_as(KEYS[0], "crm|marketing") == 1

    sent = log.step(reasons.SENT, "t1", attempt=1)
    fold.apply(sent)
    assert fold.rows.destination_row(CRM).pending == []
    assert fold.rows.destination_row(CRM).knows("t1")
    assert fold.rows.sent_row(KEYS[0]).sent == {"webhook|marketing": [sent.timestamp]}
    assert +fold.rows.waiting == {}
    assert fold.rows.going_as(KEYS[0], "crm|marketing") == 0
    assert fold.positions == {topics.TRIGGERS: 1}


@pytest.mark.parametrize("again", [
    {"status": reasons.QUEUED, "first": True}, {"status": reasons.SENT},
    {"status": reasons.FAILED, "reason": "timeout", "outcome": TROUBLE},
    {"status": reasons.DEAD, "reason": "refused"}, {"status": reasons.SENDING, "attempt": 2},
    {"status": reasons.HELD, "reason": "quiet_hours", "due_at": START}])
def test_what_does_not_fit_changes_nothing(again: dict[str, Any]) -> None:
    """A trigger that comes again, an outcome that comes twice: counted, no more."""
    log = Log()
    log.step(reasons.SENDING, "t1", attempt=1, first=True)
    log.step(reasons.SENT, "t1", attempt=1)
    fold = fold_of(entries=log.entries)
    before = rows_of(fold)

    fold.apply(log.step(trigger_id="t1", **again))

    assert rows_of(fold) == before
    assert fold.counts["crm", "repeat", ""] == 1


def test_what_is_dead_may_be_sent_again_by_the_administrator() -> None:
    """A redriven one waits again, with what it needs, though its trigger is known."""
    log = Log()
    log.step(reasons.SENDING, "t1", attempt=1, first=True)
    log.step(reasons.DEAD, "t1", attempt=1, reason="refused")
    log.step(reasons.REDRIVEN, "t1", due_at=5, trigger={"a": 1}, message={"body": "b"})

    pending = fold_of(entries=log.entries).rows.destination_row(CRM).pending

    assert [(p.state, p.attempt, p.document, p.message) for p in pending] == [
        (row.WAITS, 0, b'{"a":1}', b'{"body":"b"}')]


def test_failures_open_the_breaker_and_enabling_closes_it() -> None:
    """A destination's health is what its outcomes made of it."""
    log = Log()
    for n in range(2):
        log.step(reasons.SENDING, f"t{n}", attempt=1, first=True)
        log.step(reasons.FAILED, f"t{n}", attempt=1, reason="status", outcome=TROUBLE, due_at=9)
    fold = fold_of(entries=log.entries)
    assert fold.rows.health("crm").health.open_until > START

    fold.apply(log.of_destination(reasons.DISABLED, "failing"))
    assert fold.rows.health("crm").health.disabled_reason == "failing"
    told = [CODECS.trigger.decode(o.value) for o in fold.outputs if o.kind == "trigger"]
    assert [t["name"] for t in told] == ["destination_disabled"]

    fold.apply(log.of_destination(reasons.DISABLED, "gone"))
    assert len([o for o in fold.outputs if o.kind == "trigger"]) == 1
    fold.apply(log.of_destination(reasons.ENABLED))
    health = fold.rows.health("crm").health
    assert (health.disabled_at, health.open_until, health.generation) == (0, 0, 1)


def test_all_partitions_tell_one_trigger_of_a_disabled_destination() -> None:
    """The id says the destination and how often it was enabled, not where it was told."""
    ids = set()
    for before in range(2):
        log = Log()
        for n in range(before):
            log.step(reasons.QUEUED, f"t{n}", first=True)
        log.of_destination(reasons.DISABLED, "failing")
        outputs = fold_of(entries=log.entries).outputs
        ids.add(CODECS.trigger.decode(outputs[-1].value)["trigger_id"])
    assert len(ids) == 1


@pytest.mark.parametrize(("key", "value"), [
    (b"x", None), (b"x", b"no record"), (b"user_id:other", "a step")])
def test_what_cannot_be_read_is_rejected(key: bytes, value: bytes | str | None) -> None:
    """No record of ours, or one under another's key: put away with its bytes, and passed."""
    log = Log()
    if value == "a step":
        value = log.step(reasons.QUEUED, "t1", first=True).value
        log.entries.clear()
    entry = log.add(key, value)  # type: ignore[arg-type]
    fold = fold_of(entries=[entry])
    assert [o.kind for o in fold.outputs] == ["rejected"]
    assert sum(fold.rejected.values()) == 1
    assert fold.next_offset == 1


@pytest.mark.parametrize("said", [{"customer": "user_id:a|crm"}, {"destination": "a|b"}])
def test_a_key_that_would_be_anothers_row_is_rejected(said: dict[str, Any]) -> None:
    """Parts of keys cannot be put into each other."""
    log = Log()
    log.step(reasons.QUEUED, "t1", first=True, **said)
    assert fold_of(entries=log.entries).rejected == {"key_invalid": 1}


def test_old_rows_are_forgotten() -> None:
    """A week after, a trigger is not recognised any more; what was sent counts for a month."""
    log = Log()
    log.step(reasons.SENDING, "t1", attempt=1, first=True)
    log.step(reasons.SENT, "t1", attempt=1)
    fold = fold_of(entries=log.entries)
    fold.snapshot()

    later = Entry(2, START + 8 * 24 * row.HOUR_MS, b"x", None)
    fold.apply(later)
    gone = {key for _ in range(3) for key, value in fold.snapshot() if value is None}

    assert gone == {CRM}
    fold.apply(later._replace(offset=3, timestamp=START + 40 * 24 * row.HOUR_MS))
    gone = {key for _ in range(3) for key, value in fold.snapshot() if value is None}
    assert gone == {KEYS[0].encode()}


steps = st.lists(st.tuples(
    st.sampled_from([*reasons.STATUSES, *reasons.DESTINATION_STATUSES]),
    st.sampled_from(["t1", "t2", "t3"]), st.sampled_from(KEYS), st.sampled_from(["crm", "mail"]),
    st.booleans()), max_size=25)


def log_of(made: list[tuple[str, str, str, str, bool]]) -> Log:
    log = Log()
    for status, trigger_id, customer, destination, first in made:
        if status in reasons.DESTINATION_STATUSES:
            log.of_destination(status, "gone", destination)
        else:
            log.step(status, trigger_id, customer=customer, destination=destination, first=first,
                     attempt=1, due_at=START + 5, outcome=TROUBLE, reason="status",
                     trigger={"t": trigger_id})
    return log


@settings(max_examples=300, deadline=None)
@given(steps, st.data())
def test_a_crash_anywhere_gives_the_same_rows(
        made: list[tuple[str, str, str, str, bool]], data: st.DataObject) -> None:
    """Folded on from a checkpoint, with some rows of a later one already written, all is as if
    nothing had happened: rows, what waits, positions.
    """
    log = log_of(made)
    whole = fold_of(entries=log.entries)
    at = data.draw(st.integers(0, len(made)))
    until = data.draw(st.integers(at, len(made)))
    first = fold_of(entries=log.entries[:at])
    first.snapshot()
    written, state = dict(first.store), first.state()
    for entry in log.entries[at:until]:
        first.apply(entry)
    later = [(k, v) for k, v in first.snapshot() if v is not None]
    kept = data.draw(st.integers(0, len(later)))
    written.update(later[:kept])

    again = fold_of(state, written, log.entries[at:])

    assert rows_of(again) == rows_of(whole)
    assert (+again.rows.waiting, +again.rows.waiting_bytes) == (
        +whole.rows.waiting, +whole.rows.waiting_bytes)
    assert again.positions == whole.positions


@settings(max_examples=200, deadline=None)
@given(steps)
def test_what_waits_is_counted(made: list[tuple[str, str, str, str, bool]]) -> None:
    """The counters are what a count of the rows gives."""
    fold = fold_of(entries=log_of(made).entries)
    found = {"crm": 0, "mail": 0}
    for key, of in rows_of(fold).items():
        if row.is_row_key(key):
            found[row.parts(key)[1]] += len(of.pending)
    assert {name: fold.rows.waiting[name] for name in found} == found
