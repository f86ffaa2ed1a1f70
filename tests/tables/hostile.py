"""Rows at their limits: what the most hostile customer can make a table keep.

Every row is made by the table's own `observe` and `announce`, of the longest texts that a limit
cuts (four bytes a character), the largest amounts, and more of everything than is kept. Counts,
which would take millions of events to become large, grow by `merge_facts` of a row with itself.
`ROWS` has one maker a table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from footfall import tables
from footfall.events.interaction import MESSAGE_ID_CHARS_MAX, Interaction
from footfall.tables import rules_row, rules_told, segments_row
from footfall.tables.computed_limits import COUNTED_MAX
from footfall.tables.links_letters import part, settle
from footfall.tables.links_parted import LEAVING_MAX, PARTED_MAX
from footfall.tables.links_row import Here, Letter, LinksConfig, LinksTold
from footfall.tables.rules_conditions import code_of
from footfall.tables.spec import AnyTable
from footfall.tables.stored import Row
from tests.tables import events, traits
from tests.tables.logs import ANNA, KEYS, START

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
#: The last millisecond of a day, so that every window has all its buckets.
NEWEST = START // DAY * DAY + DAY - 1
AMOUNT = "9" * 18 + "." + "9" * 9
TABLES = {t.name: t for t in tables.ALL}
#: A row merged with itself so often has counts of 2^32 and more: nine bytes each.
DOUBLINGS = 33


def wide(n: int, chars: int) -> str:
    """A text of its own for each `n`, of four bytes a character."""
    digits = "".join(chr(0x1F600 + int(digit)) for digit in f"{n:06}")
    return (digits + "\U0001f600" * chars)[:chars]


def message_id(n: int) -> str:
    """The longest."""
    return wide(n, MESSAGE_ID_CHARS_MAX)


def row_of(table: AnyTable, happenings: Iterable[Interaction], *, doubled: bool = False,
           silences: tuple[int, ...] = ()) -> Row:
    """After these events, each announced; then after as many timers as there are `silences` (ms
    after the newest event).
    """
    config = table.config()
    facts, told = table.facts(), table.told()
    when = 0
    for event in happenings:
        assert table.wants(event)
        when = event["event_time"]
        facts = table.observe(facts, event, when)
        told = table.announce(told, facts, when, config, None).told
    for _ in range(DOUBLINGS if doubled else 0):
        facts = table.merge_facts(facts, facts)
    for silence in silences:
        said = table.announce(told, facts, when + silence, config, when + silence)
        told = said.told
    return Row(table.version, facts, told)


# -- cart ------------------------------------------------------------------------------------------


def cart() -> Row:
    """Four orders; sixteen carts abandoned, of which the last ones are as large as they may be, and
    a small one beside them.
    """
    table = TABLES["cart"]
    config = table.config()
    facts, told = table.facts(), table.told()
    at, n = NEWEST - 10 * DAY, 0
    generations = _orders(), _carts(0, 0), _carts(10, 0), [*_carts(20, 40), *_carts(29, 0, 1)]
    for happenings in generations:
        for event in happenings:
            n += 1
            at += 1
            event["message_id"], event["event_time"] = message_id(n), at
            facts = table.observe(facts, event, at)
            told = table.announce(told, facts, at, config, None).told
        at += DAY
        told = table.announce(told, facts, at, config, at).told
    return Row(table.version, facts, told)


def _orders() -> Iterator[Interaction]:
    for n in range(5):
        yield events.ordered(0, "", cart_id=wide(n, 500), order_id=wide(n, 500), total=AMOUNT)


def _carts(first: int, operations: int, count: int = 9) -> Iterator[Interaction]:
    for n in range(first, first + count):
        cart_id = wide(n, 500)
        products = [_line(i, 10) for i in range(250 if operations else 1)]
        yield events.viewed(0, "", products, cart_id=cart_id)
        for i in range(operations):
            yield events.commerce("product_added", 0, "", *(_line(i, 40 - i) for _ in range(30)),
                                  cart_id=cart_id)


def _line(n: int, chars: int) -> Any:
    return events.line(wide(n, chars), AMOUNT, "1000000", variant=wide(n, 9), name=wide(n, chars),
                       sku=wide(n, 9))


# -- computed --------------------------------------------------------------------------------------


def computed() -> Row:
    """The longest values at as many definitions as fit: lists of more values than are kept, the
    first of every bucket.
    """
    lists = [traits.definition(f"list_{n}", "unique_list") for n in range(3)]
    firsts = traits.definition("first", "first", window="30d")
    more = [traits.definition(f"last_{n}", "last") for n in range(13)]
    config = traits.configured(*lists, firsts, *more)
    table = TABLES["computed"]
    assert table.bind is not None
    wants, observe = table.bind(config)
    facts = table.facts()
    for event in traits.hostile(traits.spread(NEWEST - 40 * DAY, NEWEST, 200)):
        assert wants(event)
        facts = observe(facts, event, event["event_time"])
    return Row(table.version, facts, table.told())
# -- consent ---------------------------------------------------------------------------------------


def consent() -> Row:
    """More cookies than are kept; one message of as many long names as fit, on a channel."""
    return row_of(TABLES["consent"], _decisions())


def _decisions() -> Iterator[Interaction]:
    control = {"globalPrivacyControl": True}
    for n in range(9):
        yield events.plain(START + n, message_id(n), {
            "anonymousId": wide(n, 300), "context": control})
    event = events.plain(START + 100, message_id(0), {
        "userId": wide(0, 300), "context": control,
        "properties": {"purposes": {wide(i, 64): True for i in range(33)},
                       "channel": wide(0, 32), "wording_version": wide(0, 64),
                       "expires_at": "2033-01-01T00:00:00Z"}})
    event["event"], event["source"] = "Segment Consent Preference Updated", wide(0, 64)
    yield event


# -- engagement ------------------------------------------------------------------------------------


def engagement() -> Row:
    """More kinds than are kept, each with an event in every bucket; sessions, days, devices."""
    instants = {NEWEST - n * unit for unit, count in (
        (MINUTE, 80), (15 * MINUTE, 110), (HOUR, 200), (DAY, 366)) for n in range(count)}
    return row_of(TABLES["engagement"], _visits(sorted(instants)), doubled=True,
                  silences=(DAY, 40 * DAY))


def _visits(instants: list[int]) -> Iterator[Interaction]:
    for n, at in enumerate(instants):
        for kind in range(26 if at > NEWEST - 35 * DAY else 1):
            event = events.plain(at, "m", {"context": {"device": {
                "id": wide(n % 10, 500), "type": wide(n % 10, 500)}}})
            event["type"], event["channel"] = "identify", wide(kind, 50)
            yield event


# -- identity --------------------------------------------------------------------------------------


def identity() -> Row:
    """More identifiers than are kept, of more kinds."""
    return row_of(TABLES["identity"], (_named(n) for n in range(10)))


def _named(n: int) -> Interaction:
    event = events.plain(START + n, message_id(n), {
        "userId": wide(n, 600), "anonymousId": wide(n, 600), "context": {
            "traits": {"email": f"{wide(n, 60)}@{wide(n, 180)}.example", "phone": f"+4930{n:07}"},
            "device": {"id": wide(n, 128)},
            "externalIds": [{"id": wide(n, 128), "type": f"{kind}{'x' * 31}"}
                            for kind in "bcdefgh"]}})
    event["type"] = "alias"
    return event


# -- links -----------------------------------------------------------------------------------------


def links() -> Row:
    """More of everything that is owned, lost, refused and remembered; far-reaching limits; taken
    apart as often as is remembered.
    """
    config = LinksConfig(**{f"{kind}_max": 100 for kind in (
        "user_id", "email", "phone", "external", "device", "anonymous_id", "users")})
    here = Here(ANNA, NEWEST, config, is_empty=False)
    told = LinksTold()
    kinds = ["email", "phone", "device", "anonymous_id", *(f"{c}{'x' * 31}" for c in "bcde")]
    for what, low, high in (("meet", 0, 120), ("lost", 0, 40), ("meet", 200, 340),
                            ("refused", 400, 440)):
        for n in range(low, high):
            told = settle(told, here, [
                Letter(what, KEYS.of(kind, f"{n}"), cause=message_id(n)) for kind in kinds]).told
    longest = f"b{'x' * 31}"
    for n in range(PARTED_MAX):
        leaving = [KEYS.of(longest, f"{n} {m}") for m in range(LEAVING_MAX)]
        told = part(told, here, leaving, leaving[0], (1 << 31, (1 << 62) + n))[0].told
    return Row(TABLES["links"].version, TABLES["links"].facts(), told)


# -- orders ----------------------------------------------------------------------------------------


def orders() -> Row:
    """Orders of short ids with refunds of short messageIds: of those the most are kept. Products,
    and older orders in more currencies than are summed.
    """
    return row_of(TABLES["orders"], _shopping(130))


def orders_of_long_texts() -> Row:
    """The same with the longest ids."""
    return row_of(TABLES["orders"], [*_shopping(100, order_chars=500, message_chars=100)])


def _shopping(count: int, order_chars: int = 0, message_chars: int = 0) -> Iterator[Interaction]:
    for n in range(count):
        at = START + n * HOUR
        currency = chr(65 + n // 26 % 26) + chr(65 + n % 26) + "X"
        order_id = wide(n, order_chars) or f"{n:x}"
        products = [events.line(wide(i, 50), AMOUNT, "1000000") for i in range(3)]
        made = events.ordered(at, wide(n, message_chars) or f"{n:x}", order_id=order_id,
                              currency=currency, total=AMOUNT)
        made["commerce"]["lines"] = products  # type: ignore[index]
        made["channel"] = wide(n, 50)[: 50 if order_chars else 0]
        yield made
        for i in range(10):
            refund = wide(100 * n + i, message_chars) or f"{n:x}{i}"
            yield events.commerce("order_refunded", at + i, refund, order_id=order_id,
                                  currency=currency, total=AMOUNT)


# -- profile ---------------------------------------------------------------------------------------


def profile() -> Row:
    """As many of the longest traits as there is room for, each of another call, over small ones."""
    return row_of(TABLES["profile"], [*(_trait(n, 0, 1, 0) for n in range(40)),
                                      *(_trait(n, 100, 499, 50) for n in range(40, 55))])


def profile_of_small_traits() -> Row:
    """More than are kept."""
    return row_of(TABLES["profile"], (_trait(n, 6, 10, 6) for n in range(310)))


def _trait(n: int, name_chars: int, value_chars: int, source_chars: int) -> Interaction:
    event = events.plain(START + n, message_id(n), {
        "traits": {wide(n, name_chars) or f"{n}": wide(n, value_chars)}})
    event["type"], event["source"] = "identify", wide(n, source_chars)
    return event


# -- risk ------------------------------------------------------------------------------------------


def risk() -> Row:
    """Every signal in every bucket; devices, networks, cards, coupons and orders, all too many."""
    return row_of(TABLES["risk"], _frauds(), doubled=True, silences=(DAY,))


def _frauds() -> Iterator[Interaction]:
    for week in range(14, 0, -1):
        for name in ("Order Refunded", "Order Completed"):
            yield _signal(name, NEWEST - week * 7 * DAY, week)
    for quarter in range(40 * 4, 0, -1):
        for name in ("Payment Failed", "Login Failed"):
            yield _signal(name, NEWEST - quarter * 15 * MINUTE, quarter)
    for minute in range(20, -1, -1):
        for name in ("Order Completed", "Order Refunded", "Payment Failed", "Login Failed"):
            yield _signal(name, NEWEST - minute * MINUTE, 1000 + minute)


def _signal(name: str, at: int, n: int) -> Interaction:
    event = events.plain(at, message_id(n))
    if name == "Order Completed":
        event = events.ordered(at, message_id(n), total=AMOUNT)
    event["event"] = name
    event["personal"] = json.dumps({
        "context": {"device": {"id": wide(n, 50)}, "ip": f"10.{n // 256}.{n % 256}.1"},
        "properties": {"card_fingerprint": wide(n, 50), "coupon": wide(n, 50)}}).encode()
    return event


# -- rules and segments ----------------------------------------------------------------------------


RULES = msgspec.convert({"definitions": [
    {"name": f"rule_{n}", "version": 1, "on": {"call": "page"}, "wait": "1d"}
    for n in range(rules_row.RULES_MAX)]}, rules_row.RulesConfig)
SEGMENTS = msgspec.convert({"definitions": [
    {"name": f"segment_{n}", "version": 1, "if": {"field": "risk.level", "exists": True}}
    for n in range(rules_row.SEGMENTS_MAX)]}, segments_row.SegmentsConfig)
#: Configurations under which such rows are read.
CONFIGS: dict[str, Any] = {"rules": RULES, "segments": SEGMENTS}


def rules() -> Row:
    """As many rules as there may be, each of which fired; waits, keys and outcomes as many and as
    long as they may be.
    """
    codes = [code_of(said.name) for said in RULES.definitions]
    key = wide(0, rules_told.KEY_BYTES_MAX // 4)
    cause = wide(0, rules_told.CAUSE_BYTES_MAX // 4)
    told = rules_told.RulesTold(
        2**31,
        tuple(rules_told.Standing(code, NEWEST, rules_told.FIRED_MAX, True, 2**31,
                                 NEWEST if n < COUNTED_MAX else 0)
              for n, code in enumerate(codes)),
        tuple(rules_told.Wait(codes[n], key, NEWEST, NEWEST - 1, NEWEST - 1, cause)
              for n in range(rules_told.WAITS_MAX)),
        tuple(n.to_bytes(8, "big") for n in range(rules_told.ONCE_MAX)),
        tuple(rules_told.Outcome(codes[n], NEWEST, 1, rules_row.CONDITIONS_MAX,
                                wide(0, rules_told.FOUND_BYTES_MAX // 4), cause, 1_000_000)
              for n in range(rules_told.OUTCOMES_MAX)))
    return Row(1, rules_told.RulesFacts(), told)


def segments() -> Row:
    """As many segments as there may be."""
    told = segments_row.SegmentsTold(2**31, tuple(
        segments_row.Membership(code_of(said.name), True, NEWEST, 2**31, NEWEST)
        for said in SEGMENTS.definitions))
    return Row(1, segments_row.SegmentsFacts(), told)


# -- timeline --------------------------------------------------------------------------------------


def timeline() -> Row:
    """More than are kept, each at a place of its own."""
    return row_of(TABLES["timeline"], (_interaction(n) for n in range(25)))


def _interaction(n: int) -> Interaction:
    event = events.plain(NEWEST + n, message_id(n))
    event["event"], event["channel"], event["source"] = wide(n, 90), wide(n, 90), wide(n, 90)
    return event


#: Table -> rows, the largest of which counts.
ROWS: dict[str, tuple[Callable[[], Row], ...]] = {
    "cart": (cart,),
    "computed": (computed,),
    "consent": (consent,),
    "engagement": (engagement,),
    "identity": (identity,),
    "links": (links,),
    "orders": (orders, orders_of_long_texts),
    "profile": (profile, profile_of_small_traits),
    "risk": (risk,),
    "rules": (rules,),
    "segments": (segments,),
    "timeline": (timeline,),
}
