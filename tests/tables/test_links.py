"""Who is whose: the scenarios of people and devices, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from footfall.errors import Rejected, StateRefused
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.tables import cart, engagement, identity, links
from footfall.tables.links_row import LinksTold
from footfall.tables.record import RecordCodec
from tests.tables.log import Log
from tests.tables.logs import CODECS, KEYS, START
from tests.tables.made import TALLY

SPECS = (cart.TABLE, engagement.TABLE, identity.TABLE, links.TABLE, TALLY)
MINUTE = 60_000


class People:
    """Calls as SDKs send them, admitted as the collector does, each read to the end of the log."""

    def __init__(self, partitions: int = 4, **limits: Any) -> None:
        self.log = Log(SPECS, partitions)
        self.at = START
        self.sent = 0
        if limits:
            self.log.config(self.at, 1, links=limits)

    def call(self, kind: str, user: str | None = None, browser: str | None = None,
             **members: Any) -> None:
        self.at += 1000
        self.sent += 1
        ids = {"userId": user, "anonymousId": browser}
        item = {"type": kind, "messageId": f"m{self.sent}", "timestamp": self.at, **members,
                **{name: value for name, value in ids.items() if value is not None}}
        admitted = admit(json.dumps(item).encode(), 0, Arrival("web", self.at, "0" * 32), KEYS)
        assert not isinstance(admitted, Rejected), admitted.detail
        self.log.append_bytes(admitted.key, CODECS.interaction.encode(admitted.event),
                              max(self.at, self.log.now))
        self.log.run()
        self.at = max(self.at, self.log.now)

    def page(self, user: str | None = None, browser: str | None = None, **context: Any) -> None:
        self.call("page", user, browser, context=context)

    def added(self, browser: str) -> None:
        self.call("track", None, browser, event="Product Added",
                  properties={"product_id": "p1", "price": 10, "currency": "EUR"})

    def told(self, kind: str, value: str) -> LinksTold:
        key = KEYS.of(kind, value)
        row = self.log.fold_of(key).row(key, "links")
        return LinksTold() if row is None else row.told

    def owner(self, kind: str, value: str) -> bytes:
        """Where what this identifier does ends up."""
        key = KEYS.of(kind, value)
        while owner := self.told_of(key).owner:
            key = owner
        return key

    def told_of(self, key: bytes) -> LinksTold:
        row = self.log.fold_of(key).row(key, "links")
        return LinksTold() if row is None else row.told

    def applied(self, kind: str, value: str) -> list[str]:
        """messageIds that count for exactly this identifier."""
        facts = self.log.facts(KEYS.of(kind, value), "tally")
        if facts is None:
            return []
        assert {1} == {count for count, _when in facts.seen.values()}
        return sorted(facts.seen, key=lambda m: int(m[1:]))

    def names(self) -> list[str]:
        told = (t["name"] for t in self.log.triggers())
        return [n for n in told if n in links.TABLE.triggers]


USER = KEYS.of("user_id", "anna")


def test_a_visitor_signs_up() -> None:
    """Cart and counts are carried over; the abandoned cart is told once, by the customer."""
    shop = People()
    shop.page(browser="b")
    shop.added("b")
    shop.call("identify", "anna", "b", traits={"email": "Anna@example.org"})
    assert ["m1", "m2", "m3"] == shop.applied("user_id", "anna")
    assert [] == shop.applied("anonymous_id", "b")
    assert 3 == sum(w["total"] for w in _windows(shop, USER))
    for minutes in (29, 31, 32, 90, 91):
        shop.log.tick(START + minutes * MINUTE)
        shop.log.run()
    told = shop.log.triggers("cart_abandoned")
    assert [USER.decode()] == [t["customer_key"] for t in told]
    assert {"user_id": "anna", "anonymous_id": "b", "email": "anna@example.org"} == told[0]["ids"]
    assert ["customer_identified"] == shop.names()


def _windows(shop: People, key: bytes) -> Any:
    row = shop.log.fold_of(key).row(key, "engagement")
    assert row is not None
    assert engagement.TABLE.view is not None
    shown: Any = engagement.TABLE.view(row.facts, row.told, shop.at, engagement.TABLE.config())
    return shown["interactions"]


def test_a_cart_abandoned_before_the_sign_up_is_not_told_again() -> None:
    """What was told of the visitor goes along; the order recovers it at the customer."""
    shop = People()
    shop.added("b")
    for minutes in (31, 32):
        shop.log.tick(START + minutes * MINUTE)
        shop.log.run()
    shop.at = shop.log.now
    shop.page("anna", "b")
    shop.log.tick(shop.at + 90 * MINUTE)
    shop.log.run()
    assert 1 == len(shop.log.triggers("cart_abandoned"))
    shop.at = shop.log.now
    shop.call("track", "anna", event="Order Completed", properties={"order_id": "o", "total": 10})
    assert [USER.decode()] == [
        t["customer_key"] for t in shop.log.triggers("cart_recovered")]


def test_two_users_alternate_on_a_tablet() -> None:
    """What nobody signs goes to whoever was last; the former owner is told and claims it again."""
    shop = People()
    shop.page(browser="tablet")
    for user in ("anna", "bert", "anna", "bert", "anna"):
        shop.page(user, "tablet")
        shop.page(browser="tablet")
    assert ["m1", "m2", "m3", "m6", "m7", "m10", "m11"] == shop.applied("user_id", "anna")
    assert ["m4", "m5", "m8", "m9"] == shop.applied("user_id", "bert")
    assert KEYS.of("user_id", "anna") == shop.owner("anonymous_id", "tablet")


def test_users_never_merge_by_what_they_share() -> None:
    """One tablet, one mailbox, one number: two customers."""
    shop = People()
    shared = {"traits": {"email": "family@example.org", "phone": "+49 30 1234567"}}
    for user in ("anna", "bert", "anna"):
        shop.page(user, "tablet", **shared)
    assert ["m1", "m3"] == shop.applied("user_id", "anna")
    assert ["m2"] == shop.applied("user_id", "bert")
    assert [] == [n for n in shop.names() if n != "customer_identified"]


def test_one_user_on_three_devices() -> None:
    """Each browser's past and future are hers, whichever signed in first."""
    shop = People()
    for browser in ("phone", "laptop", "work"):
        shop.page(browser=browser)
        shop.page("anna", browser)
    for browser in ("work", "phone", "laptop"):
        shop.page(browser=browser)
    assert 9 == len(shop.applied("user_id", "anna"))
    assert 3 == len(shop.told("user_id", "anna").owned)


def test_a_lead_known_by_address_becomes_a_user() -> None:
    """With all that its browsers did; however the address is written."""
    shop = People()
    shop.page(browser="b1")
    shop.page(browser="b1", traits={"email": "lead@example.org"})
    shop.page(browser="b2", traits={"email": " LEAD@Example.org "})
    assert ["m1", "m2", "m3"] == shop.applied("email", "lead@example.org")
    shop.call("identify", "anna", "b3", traits={"email": "Lead@example.org"})
    assert ["m1", "m2", "m3", "m4"] == shop.applied("user_id", "anna")
    for browser in ("b1", "b2", "b3"):
        shop.page(browser=browser)
    assert 7 == len(shop.applied("user_id", "anna"))
    assert USER == shop.told("anonymous_id", "b1").owner, "compressed: one hop"
    assert ["customer_identified", "customer_identified", "customers_merged"] == shop.names()


def test_chains_of_aliases_and_both_ways_at_once() -> None:
    """One customer under the highest key; shown is the user_id of the newest call."""
    shop = People()
    users = ["anna", "bert", "cleo", "dora"]
    for user in users:
        shop.page(user)
    for later, before in (("bert", "anna"), ("anna", "bert"), ("cleo", "bert"), ("dora", "cleo")):
        shop.call("alias", later, previousId=before)
    roots = {shop.owner("user_id", user) for user in users}
    assert roots == {max(KEYS.of("user_id", user) for user in users)}
    shop.page("anna")
    root = roots.pop()
    facts = shop.log.facts(root, "identity")
    assert "dora" == identity.ids(facts)["user_id"]
    seen = shop.log.facts(root, "tally").seen
    assert {f"m{n}": 1 for n in range(1, 10)} == {m: count for m, (count, _when) in seen.items()}


def test_an_alias_may_name_a_browser() -> None:
    """previousId is an anonymous_id where an SDK aliases a visitor."""
    shop = People()
    shop.page(browser="b")
    shop.call("alias", "anna", previousId="b")
    shop.page(browser="b")
    assert ["m1", "m2", "m3"] == shop.applied("user_id", "anna")


def test_an_alias_that_comes_late_links_all_the_same() -> None:
    """A newer one says which user_id is shown; whom the older one names is the same person."""
    shop = People()
    shop.page("bert")
    shop.page("anna")
    shop.call("alias", "anna", previousId="b")
    shop.call("alias", "anna", previousId="bert", timestamp=START + 2500)
    assert shop.owner("user_id", "anna") == shop.owner("user_id", "bert")


def test_two_users_who_were_one_browser_are_two() -> None:
    """An anonymous_id that two users call their previous one makes them no one customer; a user_id
    does, also where its first event comes after the calls.
    """
    shop = People()
    for user in ("anna", "bert"):
        shop.call("alias", user, previousId="b")
    assert ["m1"] == shop.applied("user_id", "anna")
    assert ["m2"] == shop.applied("user_id", "bert")
    assert not shop.told("user_id", "b").owner
    shop.page("b")
    assert 1 == len({shop.owner("user_id", user) for user in ("anna", "bert", "b")})
    assert ["customers_merged"] * 2 == shop.names()


def test_an_alias_to_oneself_changes_nothing() -> None:
    """And sends nothing."""
    shop = People()
    shop.call("alias", "anna", previousId="anna")
    assert ["m1"] == shop.applied("user_id", "anna")
    assert not shop.told("user_id", "anna").owner


@pytest.mark.parametrize("context", [
    {"traits": {"email": "info@example.org"}}, {"traits": {"email": "No-Reply+x@example.org"}},
    {"traits": {"email": "null"}}, {"traits": {"phone": "030 1234567"}},
    {"traits": {"phone": "000"}}, {"traits": {"email": 7, "phone": ["+49"]}},
    {"externalIds": [{"id": "undefined", "type": "crm"}]},
    {"externalIds": [{"id": "x", "type": "crm", "collection": "accounts"}]},
    {"externalIds": "x"}, {"device": {"id": "00000000-0000-0000-0000-000000000000"}}])
def test_a_thousand_events_of_nobody_merge_nobody(context: dict[str, Any]) -> None:
    """Values that stand for nobody: each visitor stays its own."""
    shop = People(kinds=["email", "phone", "device", "crm"])
    for n in range(1000):
        shop.page(browser=f"b{n}", **context)
    assert {f"m{n + 1}" for n in range(1000)} == {
        m for n in range(1000) for m in shop.applied("anonymous_id", f"b{n}")}
    assert set() == shop.log.handoffs()


def test_external_ids_and_devices_link_where_the_configuration_says_so() -> None:
    """By default neither does."""
    context = {"device": {"id": "d1"}, "externalIds": [{"id": "77", "type": "CRM.id"}]}
    for kinds, owner in (([], ("anonymous_id", "b")), (["device"], ("device", "d1")),
                         (["crm_id"], ("crm_id", "77")), (["crm_id", "device"], ("crm_id", "77"))):
        shop = People(kinds=kinds)
        shop.page(browser="b", **context)
        assert KEYS.of(*owner) == shop.owner("anonymous_id", "b")
        assert ["m1"] == shop.applied(*owner)


def test_a_user_past_its_limit_refuses_what_is_new() -> None:
    """It stays a customer of its own, and both are told of it once."""
    shop = People(anonymous_id_max=3)
    for n in range(5):
        shop.page(browser=f"b{n}")
        for _ in range(2):
            shop.page("anna", f"b{n}")
    for n in range(5):
        shop.page(browser=f"b{n}")
    assert 3 == len(shop.told("user_id", "anna").owned)
    assert [["m10", "m19"], ["m13", "m20"]] == [
        shop.applied("anonymous_id", f"b{n}") for n in (3, 4)]
    refused = shop.log.triggers("merge_refused")
    assert [("limit", "anonymous_id")] * 2 == [
        (t["data"]["why"], t["data"]["kind"]) for t in refused]


def test_what_was_refused_does_not_come_in_by_another_door() -> None:
    """An address that owns a refused browser joins its user: the browser is set free."""
    shop = People(anonymous_id_max=1)
    shop.page("anna", "b0")
    shop.page("anna", "b1")
    shop.page(browser="b1", traits={"email": "anna@example.org"})
    shop.page("anna", traits={"email": "anna@example.org"})
    shop.page(browser="b1")
    assert ["m5"] == shop.applied("anonymous_id", "b1")
    assert ["m1", "m2", "m3", "m4"] == shop.applied("user_id", "anna")


def test_what_too_many_share_links_nobody_from_then_on() -> None:
    """A till's mailbox: what had been linked by it is unlinked; its history stays."""
    shop = People(anonymous_id_max=3)
    for n in range(6):
        shop.page(browser=f"b{n}", traits={"email": "till@example.org"})
    for n in range(6):
        shop.page(browser=f"b{n}")
    assert ["m1", "m2", "m3"] == shop.applied("email", "till@example.org")
    assert [["m7"], ["m8"], ["m9"], ["m4", "m10"], ["m5", "m11"], ["m6", "m12"]] == [
        shop.applied("anonymous_id", f"b{n}") for n in range(6)]
    assert shop.told("email", "till@example.org").shared
    shop.page("anna", "b0", traits={"email": "till@example.org"})
    assert ["m7", "m13"] == shop.applied("user_id", "anna")


def test_what_too_many_users_claim_belongs_to_none() -> None:
    """A kiosk: its events that name nobody are a customer of their own."""
    shop = People(users_max=3)
    for n in range(5):
        shop.page(f"u{n}", "kiosk")
    shop.page(browser="kiosk")
    assert ["m6"] == shop.applied("anonymous_id", "kiosk")
    assert [[f"m{n + 1}"] for n in range(5)] == [shop.applied("user_id", f"u{n}") for n in range(5)]


def test_within_a_window_old_links_do_not_count() -> None:
    """Three new browsers a day are nobody's limit."""
    shop = People(anonymous_id_max=3, window_s=86_400)
    for n in range(9):
        shop.page("anna", f"b{n}")
        if n % 3 == 2:
            shop.at += 2 * 86_400_000
    assert 9 == len(shop.told("user_id", "anna").owned)
    assert [] == shop.log.triggers("merge_refused")


def test_the_record_says_who_what_when_and_why() -> None:
    """At the owner, also of what was linked before it was known."""
    shop = People()
    shop.page(browser="b", traits={"email": "lead@example.org"})
    shop.page("anna", None, traits={"email": "lead@example.org"})
    shown = links.view(links.LinksFacts(), shop.told("user_id", "anna"), 0, links.LinksConfig())
    lead, browser = (KEYS.of(*one).decode() for one in (
        ("email", "lead@example.org"), ("anonymous_id", "b")))
    assert {("linked", lead, "m2"), ("merged", lead, "m2"), ("linked", browser, "m1"),
            ("merged", browser, "m1")} <= {
        (r["what"], r["customer_key"], r["message_id"]) for r in shown["record"]}
    assert {lead, browser} == {one["customer_key"] for one in shown["owns"]}


def test_letters_of_newer_code_stop_the_worker() -> None:
    """Like rows: an older worker must not guess what they say."""
    shop = People()
    shop.page("anna", "b")
    (_partition, claim) = next(one for one in shop.log.handoffs() if one[1].key != USER)
    event = CODECS.interaction.decode(claim.value)
    rows = RecordCodec(SPECS).unpack(event["personal"])
    assert {"links"} == rows.keys()
    fold = shop.log.fold_of(claim.key)
    assert fold._linking is not None
    with pytest.raises(StateRefused, match="version 2"):
        fold._linking.opened({"links": type(rows["links"])(
            type(rows["links"].row)(b"\x92\x02\x90"), None)})
