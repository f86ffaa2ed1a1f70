"""Which records of the past a selection means, and how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.errors import MisfitError, SettingsError
from footfall.events.interaction import Interaction
from footfall.replay import job, selection
from footfall.replay.expression import EVENT, TRIGGER, Expression
from footfall.replay.selected import CLOCKS_MS_MAX
from footfall.replay.selection import Given, Selection, SelectionError
from footfall.settings import Settings
from tests.events.records import AT, a_trigger, an_interaction
from tests.tables.logs import ANNA, KEYS, RESERVED

SETTINGS = Settings(customer_key_secret="a secret for tests only")
ENTRY = Entry(7, AT + 60, ANNA, b"")


def event(**changed: Any) -> Interaction:
    """Anna adds a product."""
    return an_interaction(**{
        "personal": b'{"userId":"anna","anonymousId":"browser-1",'
                    b'"properties":{"total":120.50,"tags":["new","sale"],"note":null}}', **changed})


def asked(*arguments: str, of_triggers: bool = False, code: int = 0) -> Any:
    """What options come to: what was given, or what is said of it."""
    came: list[Given] = []

    @click.command()
    @(selection.trigger_options if of_triggers else selection.options)
    @job.options
    @click.option("--to", default="crm")
    def command(selected: Given, to: str, **more: Any) -> None:
        """Does nothing."""
        assert ("crm", {"plan_only", "yes", "as_json", "rate_per_s"}) == (to, set(more))
        came.append(selected)

    done = CliRunner().invoke(command, [*arguments])
    assert code == done.exit_code, (done.output, done.exception)
    return came[0] if came else done.output


def chosen(*arguments: str) -> Selection:
    """A selection as it is asked for."""
    return asked(*arguments).selection(SETTINGS)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("arguments", "expected"), [
    ((), True),
    (("--type", "track"), True),
    (("--type", "page"), False),
    (("--type", "page", "--type", "track"), True),
    (("--source", "web"), True),
    (("--source", "shop"), False),
    (("--event", "product_added"), True),
    (("--event", "Order Completed"), False),
    (("--event", "Order Completed", "--event", "Product Added"), True),
    (("--customer", "user_id:anna"), True),
    (("--customer", "anonymous_id:browser-1"), True),
    (("--customer", "user_id:bert"), False),
    (("--customer", "user_id:bert", "--customer", "user_id:anna"), True),
    (("--from-offset", "3:7"), True),
    (("--from-offset", "3:8"), False),
    (("--from-offset", "2:8"), True),
    (("--to-offset", "3:7"), False),
    (("--to-offset", "3:8"), True),
    (("--where", "event.properties.total > 100"), True),
    (("--where", "event.properties.total > 121"), False),
    (("--where", "event.name == 'Product Added' && event.type == 'track'"), True),
    (("--where", "event.channel == 'app'"), False),
    (("--where", "'sale' in event.properties.tags"), True),
    (("--where", "event.properties.nope > 1"), False),
    (("--where", "has(event.properties.note)"), False),
    (("--type", "track", "--source", "shop"), False),
])
def test_what_an_interaction_has_to_fit(arguments: tuple[str, ...], expected: bool) -> None:
    """All that is given must fit, of one option given several times any."""
    assert expected is chosen(*arguments).matches(3, ENTRY, event())


def test_time_is_when_it_was_appended() -> None:
    """Since is the first that fits, until the first that does not, to the millisecond."""
    for since, until, expected in ((AT + 60, 0, True), (AT + 61, 0, False), (0, AT + 61, True),
                                   (0, AT + 60, False)):
        found = Selection(since=since, until=until)
        assert expected is found.reaches(3, ENTRY)
        assert expected is found.matches(3, ENTRY, None)
    given = asked("--since", "2026-01-31T12:00:00Z", "--until", "1d")
    assert (1_769_860_800_000, True) == (given.since, given.until > given.since)


def test_records_of_our_own_are_no_interactions() -> None:
    """Content chooses no tick and nothing that cannot be decoded; time and offset do."""
    tick = RESERVED.tick(AT)
    key = Entry(7, AT + 60, b"$tick", b"")
    assert Selection(since=AT).matches(0, key, tick)
    assert not Selection(since=AT).asks_content
    for arguments in (("--source", ""), ("--where", "true"), ("--customer", "user_id:anna")):
        found = chosen(*arguments)
        assert found.asks_content
        assert not found.matches(0, key, tick)
        assert not found.matches(0, ENTRY, None)
    assert chosen("--where", "true").matches(0, ENTRY, event(personal=b"{broken"))


@pytest.mark.parametrize(("arguments", "expected"), [
    ((), True),
    (("--trigger", "cart_abandoned"), True),
    (("--trigger", "risk_level_changed"), False),
    (("--customer", "user_id:u1"), True),
    (("--customer", "user_id:u2"), False),
    (("--where", "trigger.data.value == '12.50'"), True),
    (("--where", "trigger.evidence.deadline > 1"), False),
    (("--where", "trigger.data.nope == 1"), False),
    (("--since", "2100-01-01T00:00:00Z"), False),
    (("--until", "2000-01-01T00:00:00Z"), False),
])
def test_what_a_trigger_has_to_fit(arguments: tuple[str, ...], expected: bool) -> None:
    """By name, customer (by key, and by whom it names), content and when it was emitted."""
    given = asked(*arguments, of_triggers=True)
    assert expected is given.selection(SETTINGS).matches_trigger(a_trigger())


def test_a_customer_is_found_by_key_alone() -> None:
    """Where nobody is named in clear, the key of what was asked for still says who it is."""
    found = asked("--customer", "user_id:anna", of_triggers=True).selection(SETTINGS)
    assert found.matches_trigger(a_trigger(customer_key=ANNA.decode(), key_id="k", personal=b"?"))
    assert not found.matches_trigger(a_trigger(personal=b"{broken"))
    with pytest.raises(SettingsError, match="CUSTOMER_KEY_SECRET"):
        asked("--customer", "user_id:anna").selection(Settings())


def test_edges_of_time_of_a_trigger() -> None:
    """When it was emitted counts, to the millisecond."""
    at = AT + 1
    assert [True, False, True, False] == [
        Selection(since=s, until=u).matches_trigger(a_trigger())
        for s, u in ((at, 0), (at + 1, 0), (0, at + 1), (0, at))]


def test_what_has_to_be_read() -> None:
    """Time and offsets narrow it; the end of time less than to the millisecond, for clocks of
    brokers differ; of triggers not at all.
    """
    spans = {0: Span(10, 100), 1: Span(0, 50), 2: Span(5, 5)}
    looked: list[int] = []

    def since(of: Mapping[int, Span], at: int) -> dict[int, Span]:
        """Offset n was appended at 1000 * n."""
        looked.append(at)
        return {p: s._replace(low=min(max(s.low, -(-at // 1000)), s.end)) for p, s in of.items()}

    assert spans == Selection().bounds(spans, since)
    assert [] == looked
    assert {0: Span(20, 95), 1: Span(20, 50), 2: Span(5, 5)} == Selection(
        since=20_000, until=95_000 - CLOCKS_MS_MAX).bounds(spans, since)
    assert [20_000, 95_000] == looked
    assert {0: Span(20, 100), 1: Span(20, 50), 2: Span(5, 5)} == Selection(
        since=20_000, until=30_000).bounds(spans, since, of_triggers=True)
    assert {0: Span(30, 40), 1: Span(20, 25), 2: Span(5, 5)} == Selection(
        since=20_000, from_offsets={0: 30, 2: 9}, to_offsets={0: 40, 1: 25}).bounds(spans, since)
    assert {0: Span(90, 90), 1: Span(50, 50), 2: Span(5, 5)} == Selection(
        since=60_000, from_offsets={0: 90}, to_offsets={0: 40, 1: 25}).bounds(spans, since)
    with pytest.raises(SelectionError, match="there is no partition 9: there are 3, from 0 to 2"):
        Selection(from_offsets={9: 1}).bounds(spans, since)


@pytest.mark.parametrize(("arguments", "expected"), [
    (("--where", "event.properties.total >"), "column 25"),
    (("--where", "evnt.name == 'x'"), "undeclared reference to 'evnt.name'"),
    (("--where", "trigger.data.level == 'high'"), "column 13: undeclared reference"),
    (("--where", "profile.country == 'DE'"), "known are event"),
    (("--where", "event.nowhere.at.all == 1"), "nowhere"),
    (("--where", ""), "has 1 to"),
    (("--from-offset", "3"), "PARTITION:OFFSET"),
    (("--from-offset", "3:-1"), "PARTITION:OFFSET"),
    (("--from-offset", "3:1", "--from-offset", "3:2"), "given twice"),
    (("--customer", "anna@example.org"), "KIND:VALUE"),
    (("--type", "$handoff"), "is not one of"),
    (("--until", "soon"), "neither a length of time such as"),
])
def test_what_is_refused(arguments: tuple[str, ...], expected: str) -> None:
    """With what was expected, and where in an expression."""
    said = " ".join(asked(*arguments, code=2).replace("│", " ").split())
    assert expected in said
    assert "anna@example.org" not in said


def test_what_a_plan_shows_names_nobody() -> None:
    """Customers are a number."""
    given = asked("--customer", "user_id:anna", "--event", "Product Added", "--from-offset", "3:7",
                  "--where", "event.properties.total > 100")
    assert {"from_offset": ["3:7"], "customers": 1, "event": ["Product Added"],
            "where": "event.properties.total > 100"} == given.shown()
    assert "anna" not in msgspec.json.encode(given.shown()).decode()
    assert KEYS.of("user_id", "anna").decode() in given.selection(SETTINGS).customers.keys


def test_an_expression_is_of_its_subject() -> None:
    """What is compiled over interactions does not know triggers, and the other way round."""
    assert Expression("trigger.data.value == '12.50'", TRIGGER).of_trigger(a_trigger())
    assert not Expression("trigger.data.value == '12.50'", TRIGGER).of_trigger(
        a_trigger(data=b"[]"))
    with pytest.raises(MisfitError, match="undeclared reference to 'event"):
        Expression("event.name == 'x'", TRIGGER)
    with pytest.raises(MisfitError, match="undeclared reference to 'trigger"):
        Expression("trigger.data.value == 1", EVENT)
