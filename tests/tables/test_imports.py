"""Imports in the log: facts as if they had come live, and nothing told of what is long past."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall import tables
from footfall.events.admit import CALLS
from footfall.events.interaction import IMPORT, Interaction
from footfall.events.reserved_row import ImportPayload
from footfall.tables.import_ledger import ROWS_MAX
from footfall.tables.spec import AnyTable
from tests.tables import events, traits
from tests.tables.imports import (
    append,
    imported,
    is_muted,
    of_another_log,
    row_of,
    told_by_imports,
)
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, CODECS, KEYS, RESERVED, START
from tests.tables.ruled import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Shop,
    counts,
    key_of,
    ordered,
    rule,
)
from tests.tables.strategies import EVENTS
from tests.tables.test_laws import is_limited
from tests.tables.test_unmerge import signed_up
from tests.tables.unmerging import unmerge

every_table = pytest.mark.parametrize("table", tables.ALL, ids=lambda t: t.name)
#: 1997-01-01.
LONG_AGO = 852_076_800_000
BROWSER_B = KEYS.of("anonymous_id", "b")
BROWSER = KEYS.of("anonymous_id", "b1")


def order(at: int, n: int | str, **names: str) -> Interaction:
    """An order with its cart, of whoever is named."""
    made = events.ordered(at, f"order-{n}", order_id=f"o{n}", cart_id=f"c{n}", total="7")
    made["event"] = "Order Completed"
    made["personal"] = json.dumps(names or {"userId": "anna"}).encode()
    return made


def basket(at: int, n: int | str, **names: str) -> Interaction:
    """A cart is filled."""
    made = events.added(at, f"added-{n}", f"p{n}", cart_id=f"c{n}")
    made["event"] = "Product Added"
    made["personal"] = json.dumps(names or {"userId": "anna"}).encode()
    return made


def history(days: int = 12) -> list[Interaction]:
    """Carts left and orders of long ago."""
    return [made for n in range(days) for made in (
        basket(LONG_AGO + n * DAY, n), order(LONG_AGO + n * DAY + HOUR, n))]


def moved_on(log: Log, at: int) -> None:
    """Time passes: a `$tick` wherever a worker would append one."""
    while (due := min((first for worker in log.workers
                       if (first := worker.fold.next_timer(at)) is not None), default=None)
           ) is not None:
        log.tick(max(due + 1, log.now))
        log.run()
    log.tick(at)
    log.run()


def without_watermarks(log: Log) -> dict[bytes, bytes]:
    return {key: value[:1] + value[9:] for key, value in log.records().items()}


# -- facts -------------------------------------------------------------------------------------


@every_table
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_facts_do_not_depend_on_which_messages_are_imported(table: AnyTable, data: st.DataObject
                                                             ) -> None:
    """Law 3, through the fold: any of a customer's messages live, the others imported, at any
    places among them. (That the order is nothing to facts is held by test_laws.py.)
    """
    happenings = data.draw(EVENTS[table.name])
    waits = [data.draw(st.sampled_from([0, 1, 20_000])) for _ in happenings]

    def facts(chosen: frozenset[str]) -> Any:
        log = Log([table])
        if table.name == "computed":
            log.config(START, 1, computed=msgspec.to_builtins(traits.EACH))
        at = START + DAY * 400
        for (event, when), wait in zip(happenings, waits, strict=True):
            made: Interaction = {**event, "event_time": when}
            if made["message_id"] in chosen:
                append(log, made, at)
            else:
                log.append(ANNA, made, at)
            at += wait
        log.run()
        assert [] == log.rejected()
        return log.facts(ANNA, table.name)

    ids = [one.event["message_id"] for one in happenings if one.event["type"] in CALLS]
    live = facts(frozenset())
    mixed = facts(frozenset(data.draw(st.sets(st.sampled_from(ids)))) if ids else frozenset())
    assert live == mixed


@every_table
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_message_of_two_logs_counts_once(table: AnyTable, data: st.DataObject) -> None:
    """Each message came live, from an archive, or both, in any order and any number of times.

    As of any other order, law 3 claims nothing where a limit was touched.
    """
    happenings = [one for one in data.draw(EVENTS[table.name]) if one.event["type"] in CALLS]
    ways = st.lists(st.booleans(), min_size=1, max_size=3)
    chosen = [(n, way) for n, _one in enumerate(happenings) for way in data.draw(ways)]

    def facts(of: list[tuple[int, bool]]) -> Any:
        log = Log([table])
        if table.name == "computed":
            log.config(START, 1, computed=msgspec.to_builtins(traits.EACH))
        at = START + DAY * 400
        for n, is_live in of:
            event, when = happenings[n]
            made: Interaction = {**event, "event_time": when}
            log.append(ANNA, made if is_live else of_another_log(ANNA, made, at), at)
        log.run()
        assert [] == log.rejected()
        assert len(happenings) == log.count("processed", IMPORT) + sum(
            log.count("processed", call) for call in CALLS)
        return log.facts(ANNA, table.name)

    once = facts([(n, True) for n in range(len(happenings))])
    again = facts(data.draw(st.permutations(chosen)))
    assert once == again or is_limited(table, once) or is_limited(table, again)


def test_an_event_time_ahead_of_the_clock_counts_as_the_append_time() -> None:
    """As of any interaction: the year 9999 is now, and a session begins that nobody is told of."""
    log = Log(tables.ALL)
    append(log, basket(253_402_300_799_999, 1), START + 5)
    assert START + 5 == log.facts(ANNA, "engagement").last
    assert [] == log.triggers()


# -- rows that come again ----------------------------------------------------------------------


def test_an_import_that_runs_twice_changes_nothing() -> None:
    """Also in another run, a year later, long after the memory of messageIds."""
    log = Log(tables.ALL)
    for event in history():
        append(log, event, START)
    before = log.records()
    for event in history():
        append(log, event, START + 365 * DAY, run="another")
    assert before == log.records()
    assert (24, 24) == (log.count("processed", IMPORT), log.count("repeat", "import"))


def test_imported_messages_do_not_push_live_ones_out_of_memory() -> None:
    """R1: an SDK's retry is recognised after an import of a thousand rows."""
    log = Log(tables.ALL)
    log.append(ANNA, basket(START, "live"), START)
    for n in range(1_000):
        log.append(ANNA, imported(ANNA, order(LONG_AGO + n * HOUR, n), START), START)
    log.append(ANNA, basket(START, "live"), START)
    log.run()
    assert 1 == log.count("repeat", "message_id")
    assert 1_000 == log.count("processed", IMPORT)


def test_rows_with_one_message_id_are_two() -> None:
    """Equal rows of a file are real purchases: their ids differ by their count."""
    log = Log(tables.ALL)
    event = order(LONG_AGO, 1)
    append(log, event, START)
    other = RESERVED.imported(ANNA, event, ImportPayload("run", b"another row's id"), START)
    log.append(ANNA, other, START)
    log.run()
    assert (2, 0) == (log.count("processed", IMPORT), log.count("repeat", "import"))


def test_a_full_ledger_rejects_rows_and_knows_those_it_has() -> None:
    """Rather than take one that it could not know again; the customer is as it was."""
    log = Log(tables.ALL)
    append(log, order(LONG_AGO, 1), START)
    worker = log.workers[0]
    ledger = worker.fold.records.get(ANNA).imports
    assert ledger is not None
    for n in range(ROWS_MAX - 2):
        ledger.add(n.to_bytes(8))
    append(log, order(LONG_AGO, 2), START)
    before = without_watermarks(log)
    append(log, order(LONG_AGO, 3), START)
    append(log, order(LONG_AGO, 2), START)
    assert ["import_ledger_full"] == [one["reason"] for one in log.rejected()]
    assert (1, before) == (log.count("repeat", "import"), without_watermarks(log))
    append(log, order(LONG_AGO, 3, userId="bert"), START, BERT)
    assert 1 == len(log.rejected())


@pytest.mark.parametrize("harm", ["mac", "key", "personal"])
def test_an_import_that_is_not_ours_is_poison(harm: str) -> None:
    """Whoever may write the log cannot mute what they send."""
    log = Log(tables.ALL)
    record = imported(ANNA, order(LONG_AGO, 1), START)
    assert record["system"] is not None
    if harm == "mac":
        record["system"]["mac"] = b"\0" * 16
    elif harm == "personal":
        record["personal"] = b"{}"
    log.append(BERT if harm == "key" else ANNA, record, START)
    log.run()
    assert ["reserved_forged"] == [one["reason"] for one in log.rejected()]
    assert {} == log.records()


# -- nobody is told ----------------------------------------------------------------------------


def test_history_of_long_ago_tells_nobody_now_or_later() -> None:
    """Counterexample 36: 1997's customers are no news, at no tick; what was muted is counted."""
    log = Log(tables.ALL)
    for event in history():
        append(log, event, START)
    moved_on(log, START + 400 * DAY)
    assert [] == log.triggers()
    for name in ("customer_dormant", "cart_abandoned", "order_completed_first"):
        assert log.count("muted", name) > 0, name
        assert 0 == log.count("trigger", name)
    assert (0, 0) == (sum(n for (what, _), n in log.workers[0].fold.counts.items()
                          if what in ("late", "settled")), log.count("processed", "track"))


def test_a_live_event_after_an_import_acts_as_ever() -> None:
    """A session begins, a cart is abandoned, silence is told; its first order is its third."""
    log = Log(tables.ALL)
    for event in history():
        append(log, event, START)
    log.append(ANNA, basket(START + DAY, "new"), START + DAY)
    log.run()
    moved_on(log, START + 100 * DAY)
    assert {"session_started", "cart_abandoned", "customer_dormant"} <= {
        one["name"] for one in log.triggers()}
    assert ["cnew"] == [one["data"]["cart_id"] for one in log.triggers("cart_abandoned")]
    log.append(ANNA, order(START + 101 * DAY, "new"), START + 101 * DAY)
    log.run()
    assert [] == log.triggers("order_completed_first")


def test_deadlines_that_lie_ahead_fire_as_they_would() -> None:
    """A cart of a minute ago is left in half an hour: that is not of the past."""
    log = Log(tables.ALL)
    append(log, basket(START - MINUTE, 1), START)
    moved_on(log, START + DAY)
    assert 1 == len(log.triggers("cart_abandoned"))


def test_a_timer_that_settles_for_a_live_cause_tells_that_one_alone() -> None:
    """An outage has passed a live cart's deadline, and while it settles an old one is imported,
    whichever is the earlier.
    """
    for age in (3 * DAY, 40 * MINUTE):
        log = Log(tables.ALL)
        log.append(ANNA, basket(START, "live"), START)
        log.run()
        later = START + HOUR  # nothing came for an hour
        log.tick(later)
        log.run()
        append(log, basket(later - age, "old"), later + SECOND)
        moved_on(log, later + 2 * HOUR)
        assert ["clive"] == [one["data"]["cart_id"] for one in log.triggers("cart_abandoned")]
        assert 1 == log.count("muted", "cart_abandoned")
        moved_on(log, later + 90 * DAY)
        assert 1 == len(log.triggers("cart_abandoned"))


def test_an_import_does_not_make_a_settling_timer_wait() -> None:
    """Ten seconds after an outage a cart is told, however many rows come meanwhile."""
    def told(rows: int) -> list[int]:
        log = Log(tables.ALL)
        log.append(ANNA, basket(START, "live"), START)
        log.run()
        log.tick(START + HOUR)
        log.run()
        for n in range(rows):
            append(log, order(LONG_AGO, n), START + HOUR + n * SECOND)
        moved_on(log, START + 2 * HOUR)
        return [one["emitted_at"] for one in log.triggers("cart_abandoned")]

    assert told(0) == told(9)


def test_rules_and_segments_are_told_without_being_emitted() -> None:
    """On events, on triggers that nobody is told of, after a wait, on becoming a member."""
    rules = [
        ordered("bought"), rule("left", {"trigger": "cart_abandoned"}),
        rule("silent", {"call": "track", "event": "Product Added"}, wait="2h"),
        rule("joined", {"enters": "buyers"})]
    shop = Shop(rules, [{"name": "buyers", "version": 1, "if":
        {"field": "orders.count", "at_least": 12}}])
    for event in history():
        append(shop.log, event, START + 1)
    moved_on(shop.log, START + 100 * DAY)
    assert [] == shop.log.triggers()
    for name in ("bought", "left", "silent", "joined", "segment_entered"):
        assert 0 < shop.log.count("muted", name), name
    shop.did(101 * DAY, "Order Completed")
    assert 1 == len(shop.told("bought"))


# -- customers who join ------------------------------------------------------------------------


def test_moves_that_an_import_causes_are_muted_to_their_end() -> None:
    """A browser and its user are one by a row of long ago: rows and letters between the three tell
    nobody; later rows at the browser go on to the user, muted.
    """
    log = Log(tables.ALL, 3, hop_ms=0)
    people = (BROWSER, {"anonymousId": "b1"}), (ANNA, {"userId": "anna"})
    for n, (key, names) in enumerate(people):
        log.append(key, basket(START + n, f"live{n}", **names), START + n)
    log.run()
    told = len(log.triggers())
    append(log, basket(LONG_AGO, "join", userId="anna", anonymousId="b1"), START + MINUTE)
    append(log, basket(LONG_AGO + DAY, "hop", anonymousId="b1"), START + MINUTE, BROWSER)
    moves = [one for entries in log.entries for one in entries if (one.key or b"")[:1] != b"$"
             and CODECS.interaction.decode(one.value)["type"] == "$handoff"]
    assert len(moves) >= 3
    assert all(is_muted(one) for one in moves)
    assert (told, []) == (len(log.triggers()), told_by_imports(log))
    assert 0 < log.count("muted", "customer_identified") + log.count("muted", "customers_merged")
    assert {"clive0", "clive1", "cjoin", "chop"} == {
        cart.cart_id for cart in log.facts(ANNA, "cart").carts}
    moved_on(log, START + DAY)
    assert {"clive0", "clive1"} == {
        one["data"]["cart_id"] for one in log.triggers("cart_abandoned")}


def test_a_pointer_keeps_its_ledger_and_its_owner_has_none() -> None:
    """The row is known where it came, before it is sent on."""
    log = Log(tables.ALL, 2, hop_ms=0)
    log.append(ANNA, basket(START, "live", userId="anna", anonymousId="b1"), START)
    log.append(BROWSER, basket(START, "own", anonymousId="b1"), START)
    log.run()
    for at in (START + 1, START + DAY):
        append(log, order(LONG_AGO, 1, anonymousId="b1"), at, BROWSER)
    assert 1 == log.count("repeat", "import")
    assert ["o1"] == [one.order_id for one in log.facts(ANNA, "orders").orders]
    browser = log.fold_of(BROWSER).records.get(BROWSER).imports
    assert browser is not None
    assert KEYS.row_hash(row_of(order(LONG_AGO, 1))) in browser
    assert log.fold_of(ANNA).records.get(ANNA).imports is None


def test_an_unmerge_gives_imported_rows_back_to_whose_they_were() -> None:
    """The log is folded again for it, and an import is an event of its key there, too."""
    shop = signed_up()
    for n, (key, names) in enumerate((
            (BROWSER_B, {"anonymousId": "b"}), (ANNA, {"userId": "anna"}))):
        made = basket(LONG_AGO + n * DAY, n, **names)
        append(shop.log, {**made, "message_id": f"m{80 + n}"}, shop.log.now + 1, key)
    assert ["m1", "m2", "m3", "m4", "m80", "m81"] == shop.applied("user_id", "anna")
    unmerge(shop.log, ANNA, BROWSER_B)
    shop.log.run()
    assert ["m2", "m4", "m81"] == shop.applied("user_id", "anna")
    assert ["m1", "m3", "m80"] == shop.applied("anonymous_id", "b")
    assert [] == shop.log.rejected()


def test_what_a_settling_timer_tells_nobody_goes_along_with_it() -> None:
    """A browser's live cart settles, an old one is imported beside it, then the browser is known:
    the live one is told by its owner, alone.
    """
    log = Log(tables.ALL, 2, hop_ms=0)
    log.append(BROWSER, basket(START, "live", anonymousId="b1"), START)
    log.run()
    later = START + HOUR
    append(log, basket(LONG_AGO, "old", anonymousId="b1"), later, BROWSER)
    log.append(ANNA, order(later - 2 * HOUR, "else", userId="anna", anonymousId="b1"), later)
    log.run()
    moved_on(log, later + DAY)
    assert [("clive", ANNA.decode())] == [
        (one["data"]["cart_id"], one["customer_key"]) for one in log.triggers("cart_abandoned")]
    assert 1 == log.count("muted", "cart_abandoned")


# -- any place, any crash ----------------------------------------------------------------------


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[int, bytes, Interaction, bool]]:
    """(append time, key, event, whether it is imported) of a few people, live and long ago."""
    found: list[tuple[int, bytes, Interaction, bool]] = []
    at = START
    for n in range(draw(st.integers(1, 14))):
        at += draw(st.sampled_from([0, 1, 900, 6 * SECOND, 29 * MINUTE, HOUR, 31 * DAY]))
        is_import = draw(st.booleans())
        who = draw(st.sampled_from(["anna", "bert"]))
        names: dict[str, str] = draw(st.sampled_from([
            {"userId": who}, {"anonymousId": "b1"}, {"userId": who, "anonymousId": "b1"},
            {"userId": who, "anonymousId": "b2"}]))
        when = LONG_AGO + draw(st.integers(0, 60)) * DAY if is_import else at - draw(
            st.sampled_from([0, 0, 0, 7 * SECOND, 40 * MINUTE]))
        what = f"old{n}" if is_import else f"new{n}"
        made = draw(st.sampled_from([basket, basket, order]))(when, what, **names)
        key = key_of(who) if "userId" in names else KEYS.of("anonymous_id", "b1")
        found.append((at, key, made, is_import))
    return found


#: On events, on triggers, after waits, on a condition that time ends, on a segment.
_RULES = [
    ordered("bought"), ordered("thanks", wait="20m"),
    rule("left", {"trigger": "cart_abandoned"}, data={"cart_id": "trigger.data.cart_id"}),
    rule("left_for_long", {"trigger": "cart_abandoned"}, wait="2h"),
    rule("added", {"call": "track", "event": "Product Added"}, wait="45m",
         unless={"call": "track", "event": "Order Completed"}),
    rule("joined", {"enters": "buyers"})]
_SEGMENTS = [{"name": "buyers", "version": 1, "if": {"field": "orders.count", "at_least": 2}},
             {"name": "busy", "version": 1, "if": counts("Product Added", "24h", at_least=2)}]


def _log_of(happened: list[tuple[int, bytes, Interaction, bool]]) -> Log:
    log = Log(tables.ALL, 2, hop_ms=0)
    log.config(START, 1, rules={"definitions": _RULES}, segments={"definitions": _SEGMENTS})
    for at, key, event, is_import in happened:
        if is_import:
            append(log, event, at, key)
        else:
            log.tick(at)
            log.append(key, event, at)
            log.run()
    moved_on(log, log.now + 60 * DAY)
    return log


@settings(deadline=None, max_examples=120)
@given(happened=_histories())
def test_nothing_that_only_an_import_caused_is_told(
        happened: list[tuple[int, bytes, Interaction, bool]]) -> None:
    """Wherever it comes: not with it, not with what it moves, and not by a timer later; who has
    only been imported is never heard of.
    """
    log = _log_of(happened)
    assert [] == log.rejected()
    assert [] == told_by_imports(log)
    for one in log.triggers():
        assert "old" not in one["data"].get("cart_id", "") + one["data"].get("order_id", ""), one
        assert "old" not in json.dumps(one["evidence"].get("on", {})), one
        assert one["occurred_at"] >= START - HOUR, one
    if all(is_import for _at, _key, _event, is_import in happened):
        assert [] == log.triggers()


@settings(deadline=None, max_examples=40)
@given(happened=_histories(), data=st.data())
def test_crashes_and_folding_again_change_nothing(
        happened: list[tuple[int, bytes, Interaction, bool]], data: st.DataObject) -> None:
    """Records and all that was sent are the same bytes, wherever workers die."""
    log = _log_of(happened)
    again = log.fold_again()
    assert log.records() == again.records()
    assert log.outputs() == again.outputs()
    crashing = Log(tables.ALL, entries=log.entries)
    for worker in crashing.workers:
        while worker.step():
            if data.draw(st.integers(0, 5)) == 0:
                worker.checkpoint(data.draw(st.sampled_from([None, 0, 1])))
                worker.crash()
    assert log.records() == crashing.records()
    assert log.outputs() == crashing.outputs()
