"""The limits of consent, at the limit and one above; none turns a refusal into a grant."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from footfall.tables import consent_facts, consent_reading, consent_signals
from footfall.tables.consent_facts import (
    BYTES_MAX,
    CHANNELS,
    CHANNELS_MAX,
    PURPOSES,
    PURPOSES_MAX,
    STATEMENTS,
    SUBJECTS,
    SUBJECTS_MAX,
)
from footfall.tables.consent_row import STATUSES, ConsentFacts
from footfall.tables.consent_signals import (
    CHANNEL_CHARS_MAX,
    PURPOSE_CHARS_MAX,
    SOURCE_CHARS_MAX,
    VALUE_CHARS_MAX,
    WORDING_CHARS_MAX,
)
from tests.tables.consents import ANNA, act, at, carried, facts


def status(found: ConsentFacts, purpose: str, channel: str = "") -> str:
    return STATUSES[consent_reading.effective(found, purpose, channel, at(10**9)).status]


def purposes(count: int) -> dict[str, Any]:
    return {f"p{n:03}": True for n in range(count)}


def test_purposes() -> None:
    """The first by name; what is dropped is unknown, also what was refused on a channel."""
    found = facts(carried(at(1), "a", allowed=purposes(PURPOSES_MAX)))
    assert (0, "granted") == (found.cut, status(found, f"p{PURPOSES_MAX - 1:03}"))
    over = consent_facts.observe(found, act(at(2), "b", purposes={"a": True}), at(2))
    assert (PURPOSES, "granted", "unknown", "granted") == (
        over.cut, status(over, "a"), status(over, f"p{PURPOSES_MAX - 1:03}"),
        status(over, f"p{PURPOSES_MAX - 2:03}"))


def test_purposes_of_one_message() -> None:
    """One names more than are kept."""
    found = facts(carried(at(1), "a", allowed=purposes(PURPOSES_MAX + 1)))
    assert ("granted", "unknown") == (status(found, f"p{PURPOSES_MAX - 1:03}"),
                                      status(found, f"p{PURPOSES_MAX:03}"))


def test_channels() -> None:
    """A channel whose refusal may have been dropped has no grant, though all in general do."""
    said = [carried(at(0), "g", allowed={"ads": True})]
    said += [act(at(n + 1), f"m{n}", event="Unsubscribed", channel=f"c{n:02}")
             for n in range(CHANNELS_MAX)]
    found = facts(*said)
    assert (0, "withdrawn", "granted") == (
        found.cut, status(found, "ads", f"c{CHANNELS_MAX - 1:02}"), status(found, "ads", "other"))
    over = facts(*said, act(at(99), "z", event="Unsubscribed", channel="b"))
    assert (CHANNELS, "withdrawn", "unknown", "unknown", "granted") == (
        over.cut, status(over, "ads", "b"), status(over, "ads", f"c{CHANNELS_MAX - 1:02}"),
        status(over, "ads", "other"), status(over, "ads"))


def cookies(count: int, *, refuses: int) -> list[Any]:
    return [carried(at(n), f"m{n}", {"anonymousId": f"a{n}"}, allowed={"ads": n != refuses})
            for n in range(count)]


def test_identifiers() -> None:
    """Of one kind those who said something last stay; of the others the strictest is known."""
    found = facts(*cookies(SUBJECTS_MAX, refuses=-1))
    assert (0, SUBJECTS_MAX, "granted") == (found.cut, len(found.subjects), status(found, "ads"))
    over = facts(*cookies(SUBJECTS_MAX + 2, refuses=0))
    assert (SUBJECTS, SUBJECTS_MAX + 1, "denied") == (
        over.cut, len(over.subjects), status(over, "ads"))
    assert {"", *(f"a{n}" for n in range(2, SUBJECTS_MAX + 2))} == {
        s.value for s in over.subjects}


def test_identifiers_that_only_came_under_global_privacy_control() -> None:
    over = facts(*(carried(at(n), f"m{n}", {"anonymousId": f"a{n}"}, globalPrivacyControl=True)
                   for n in range(SUBJECTS_MAX + 2)))
    assert (SUBJECTS, SUBJECTS_MAX + 1, "denied") == (
        over.cut, len(over.subjects), status(over, "ads"))


def test_a_user_outranks_more_cookies_than_are_kept() -> None:
    over = facts(carried(at(0), "u", ANNA, allowed={"ads": True}),
                 *cookies(SUBJECTS_MAX + 2, refuses=0))
    assert "granted" == status(over, "ads")
    assert ("user_id", "anna") in {(s.kind, s.value) for s in over.subjects}


def test_identifiers_of_two_rows_are_put_together() -> None:
    """The rest of either side is joined strictly, not by time."""
    one = facts(*cookies(SUBJECTS_MAX + 1, refuses=0))
    other = facts(*(carried(at(100 + n), f"n{n}", {"anonymousId": f"b{n}"}, allowed={"ads": True})
                    for n in range(SUBJECTS_MAX + 1)))
    for over in (consent_facts.merge(one, other), consent_facts.merge(other, one)):
        assert "denied" == status(over, "ads")


def wide(n: int, chars: int) -> str:
    """Of four bytes a character."""
    return (f"{n:05}" + "\U0001f600" * chars)[:chars]


def many(count: int, first: int = 0) -> list[Any]:
    """Decisions that each take about a kilobyte: of few purposes and channels."""
    return [act(at(first + n), wide(n, 100), purposes={wide(n % 8, 64): n != 0},
                channel=wide(n // 8, 32), wording_version=wide(n, 64))
            for n in range(count)]


def test_one_identifier_with_too_much_to_say_has_granted_nothing() -> None:
    """Its newest decisions stay; what went may have been a refusal."""
    fits = next(n for n in range(90, 10, -1) if not facts(*many(n)).cut)
    found, over = facts(*many(fits)), facts(*many(fits + 1))
    last = wide((fits - 1) % 8, 64), wide((fits - 1) // 8, 32)
    assert len(msgspec.msgpack.encode(found.subjects)) <= BYTES_MAX
    assert len(msgspec.msgpack.encode(over.subjects)) <= BYTES_MAX
    assert (0, "granted") == (found.cut, status(found, *last))
    assert (STATEMENTS, "unknown") == (over.cut, status(over, *last))


def test_several_identifiers_with_too_much_to_say() -> None:
    """The lowest are put together first: the highest keeps what it said."""
    low = [act(at(100 + n), wide(n, 100), {"anonymousId": f"a{n % 3}"},
               purposes={wide(n % 8, 64): True}, wording_version=wide(n, 64)) for n in range(30)]
    over = facts(*many(7), *low)
    assert SUBJECTS == over.cut & SUBJECTS
    assert 7 == len(next(s for s in over.subjects if s.kind == "user_id").statements)


@pytest.mark.parametrize(("chars", "expected"), [(PURPOSE_CHARS_MAX, "granted"),
                                                 (PURPOSE_CHARS_MAX + 1, "unknown")])
def test_a_purposes_name(chars: int, expected: str) -> None:
    """Too long a name is not cut: it would be the name of something else."""
    event = carried(at(0), "m", allowed={"x" * chars: True})
    assert expected == status(facts(event), "x" * chars)
    assert (chars > PURPOSE_CHARS_MAX) == bool(consent_signals.unreadable(event))


@pytest.mark.parametrize(("chars", "expected"), [(CHANNEL_CHARS_MAX, "granted"),
                                                 (CHANNEL_CHARS_MAX + 1, "unknown")])
def test_a_channels_name(chars: int, expected: str) -> None:
    found = facts(act(at(0), "m", purposes={"ads": True}, channel="x" * chars))
    assert expected == status(found, "ads", "x" * chars)


def test_other_texts_are_cut() -> None:
    event = act(at(0), "m", {"userId": "u" * (VALUE_CHARS_MAX + 1)}, purposes={"ads": True},
                wording_version="w" * (WORDING_CHARS_MAX + 1))
    event["source"] = "s" * (SOURCE_CHARS_MAX + 1)
    [subject] = facts(event).subjects
    assert "u" * VALUE_CHARS_MAX == subject.value
    assert ("s" * SOURCE_CHARS_MAX, "w" * WORDING_CHARS_MAX) == (
        subject.statements[0].source, subject.statements[0].wording_version)


def test_what_is_not_remembered_reads_the_same() -> None:
    """A large object is not kept for other events; it says what a small one says."""
    large = {"ads": True, **{f"{n}" + "x" * 60: False for n in range(30)}}
    assert "granted" == status(facts(carried(at(0), "m", allowed=large)), "ads")


def test_a_number_without_end_is_no_consent() -> None:
    """Python refuses it; the event is taken all the same."""
    event = carried(at(0), "m")
    event["personal"] = b'{"userId":"u","context":{"consent":{"categoryPreferences":{"a":' + (
        b"9" * 5_000) + b"}}}}"
    assert ("categoryPreferences",) == consent_signals.unreadable(event)
