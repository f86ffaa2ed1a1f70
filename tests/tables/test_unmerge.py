"""Unmerge: scenarios of people, browsers and mailboxes taken apart again."""

from __future__ import annotations

import pytest

from footfall.admin.unmerge import NotOneCustomerError, plan, was_done
from footfall.events.customer_key import order
from footfall.tables import cart, consent, engagement, links
from footfall.tables.links_letters import part
from footfall.tables.links_row import Here, Link, LinksConfig, LinksTold
from tests.tables.log import Log
from tests.tables.logs import KEYS, START
from tests.tables.test_links import MINUTE, People
from tests.tables.unmerging import append, history, unmerge

ANNA = KEYS.of("user_id", "anna")
BROWSER = KEYS.of("anonymous_id", "b")


def signed_up() -> People:
    """A browser with a cart became anna, and each did something since."""
    shop = People()
    shop.added("b")
    shop.page("anna", "b")
    shop.page(browser="b")
    shop.page("anna")
    return shop


def test_each_side_has_what_it_did_itself() -> None:
    """Also what the browser did as hers; from then on each goes its own way."""
    shop = signed_up()
    assert ["m1", "m2", "m3", "m4"] == shop.applied("user_id", "anna")
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    shop.page(browser="b")
    shop.page("anna")
    assert ["m2", "m4", "m6"] == shop.applied("user_id", "anna")
    assert ["m1", "m3", "m5"] == shop.applied("anonymous_id", "b")
    assert not shop.told("anonymous_id", "b").owner
    assert () == shop.told("user_id", "anna").owned
    assert shop.log.records() == shop.log.fold_again().records()
    assert shop.log.handoffs() == shop.log.fold_again().handoffs()


def test_an_event_that_names_both_merges_nobody_any_more() -> None:
    """Whichever of the two it belongs to, and a mailbox that both name."""
    shop = signed_up()
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    shop.page("anna", "b")
    shop.page("anna", "b", traits={"email": "a@example.org"})
    shop.page(None, "b", traits={"email": "a@example.org"})
    shop.page("anna", None)
    assert ["m2", "m4", "m5", "m6", "m8"] == shop.applied("user_id", "anna")
    assert ["m1", "m3", "m7"] == shop.applied("anonymous_id", "b")


def test_each_side_is_seen_by_whom_its_own_consent_lets_see_it() -> None:
    """What the browser did as hers was seen by hers; on its own it has consented to nothing."""
    shop = People()
    shop.log = Log((*shop.log.specs, consent.TABLE), 4)
    shop.log.config(shop.at, 1, consent={"gate": {"cart": "analytics"}})
    shop.page("anna", "b", consent={"categoryPreferences": {"analytics": True}})
    shop.added("b")
    seen = shop.log.facts(ANNA, "cart")
    assert cart.TABLE.facts() != seen
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    assert ["m2"] == shop.applied("anonymous_id", "b")
    assert cart.TABLE.facts() == shop.log.facts(ANNA, "cart")
    assert cart.TABLE.facts() == shop.log.facts(BROWSER, "cart")
    assert shop.log.count("gated", "cart") == shop.log.fold_again().count("gated", "cart")


def test_what_was_told_is_told_by_neither_side_again() -> None:
    """The cart that was abandoned before: it is the browser's now, and silent."""
    shop = signed_up()
    for minutes in (31, 32):
        shop.log.tick(START + minutes * MINUTE)
        shop.log.run()
    assert 1 == len(shop.log.triggers("cart_abandoned"))
    before = shop.log.triggers()
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    for minutes in (90, 91, 200):
        shop.log.tick(START + minutes * MINUTE)
        shop.log.run()
    assert 1 == len(shop.log.triggers("cart_abandoned"))
    assert before == shop.log.triggers()[:len(before)]
    facts = shop.log.facts(BROWSER, "cart")
    assert facts != cart.TABLE.facts()
    assert cart.TABLE.facts() == shop.log.facts(ANNA, "cart")


def test_a_cart_that_waits_is_told_once_by_whose_it_is() -> None:
    """The timer goes with the cart."""
    shop = signed_up()
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    for minutes in (29, 31, 32, 90):
        shop.log.tick(START + minutes * MINUTE)
        shop.log.run()
    assert [BROWSER.decode()] == [
        t["customer_key"] for t in shop.log.triggers("cart_abandoned")]


def test_what_hangs_on_it_alone_leaves_with_it() -> None:
    """A mailbox with two browsers leaves; one of them that signed in itself stays."""
    shop = People()
    lead = {"traits": {"email": "lead@example.org"}}
    shop.page(browser="b1", **lead)
    shop.page(browser="b2", **lead)
    shop.page("anna", "b2")
    shop.page("anna", None, **lead)
    assert 4 == len(shop.applied("user_id", "anna"))
    wanted, _place = unmerge(shop.log, ANNA, KEYS.of("email", "lead@example.org"))
    assert (KEYS.of("email", "lead@example.org"), KEYS.of("anonymous_id", "b1")) \
        == wanted.leaves.keys
    shop.log.run()
    shop.page(browser="b1")
    shop.page(browser="b2", **lead)
    assert ["m2", "m3", "m4", "m6"] == shop.applied("user_id", "anna")
    assert ["m1", "m5"] == shop.applied("email", "lead@example.org")


def test_users_joined_by_alias_are_two_again() -> None:
    """With their browsers; the call itself belongs to who made it."""
    shop = People()
    shop.page("anna", "a")
    shop.page("bert", "b")
    shop.call("alias", "anna", previousId="bert")
    both = KEYS.of("user_id", "bert"), ANNA
    assert 1 == len({shop.owner("user_id", user) for user in ("anna", "bert")})
    unmerge(shop.log, *both)
    shop.log.run()
    for user, browser in (("anna", "a"), ("bert", "b")):
        shop.page(browser=browser)
        assert KEYS.of("user_id", user) == shop.owner("anonymous_id", browser)
    shop.call("alias", "bert", previousId="anna")
    assert 2 == len({shop.owner("user_id", user) for user in ("anna", "bert")})
    assert ["m1", "m3", "m4"] == shop.applied("user_id", "anna")
    assert ["m2", "m5", "m6"] == shop.applied("user_id", "bert")
    assert set() == {t["data"]["why"] for t in shop.log.triggers("merge_refused")}


def test_sides_stay_apart_under_whoever_owns_them_later() -> None:
    """The mailbox becomes anna's: the browser that was taken out of it stays out of hers."""
    shop = People()
    lead = {"traits": {"email": "lead@example.org"}}
    shop.page(browser="b", **lead)
    shop.page(browser="c", **lead)
    unmerge(shop.log, KEYS.of("email", "lead@example.org"), BROWSER)
    shop.log.run()
    shop.page("anna", None, **lead)
    shop.page(browser="b", **lead)
    assert ["m1", "m4"] == shop.applied("anonymous_id", "b")
    shop.page("anna", "b", **lead)
    assert ["m2", "m3", "m5"] == shop.applied("user_id", "anna")
    assert ["m1", "m4"] == shop.applied("anonymous_id", "b")


def test_who_claims_both_sides_gets_one() -> None:
    """Their rows come together at anna, and the second to come is sent back."""
    shop = People()
    lead = {"traits": {"email": "lead@example.org"}}
    shop.page(browser="b", **lead)
    shop.page(browser="c", **lead)
    unmerge(shop.log, KEYS.of("email", "lead@example.org"), BROWSER)
    shop.log.run()
    shop.page("anna", "b", **lead)
    shop.page(browser="b")
    shop.page(browser="c")
    assert 2 == len({shop.owner("anonymous_id", "b"), shop.owner("anonymous_id", "c")})
    mine, *others = sorted(
        (shop.applied(*one) for one in (("user_id", "anna"), ("email", "lead@example.org"),
                                        ("anonymous_id", "b"))), key=len, reverse=True)
    assert ["m3"] == [m for m in mine if m == "m3"]
    assert ["m1", "m2", "m3", "m4", "m5"] == sorted([*mine, *others[0], *others[1]])
    assert ["unmerged"] == [t["data"]["why"] for t in shop.log.triggers("merge_refused")]


def test_a_record_that_comes_late_does_nothing() -> None:
    """The customer has done something since the log was read: the next run does it."""
    shop = signed_up()
    read = history(shop.log, ANNA, BROWSER)
    wanted = plan(read, ANNA, BROWSER, KEYS)
    shop.page("anna")
    place = append(shop.log, wanted, read)
    shop.log.run()
    assert 5 == len(shop.applied("user_id", "anna"))
    assert 1 == shop.log.count("repeat", "unmerge")
    assert not was_done(history(shop.log, ANNA, BROWSER), wanted, place)
    _wanted, place = unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    assert ["m2", "m4", "m5"] == shop.applied("user_id", "anna")
    assert was_done(history(shop.log, ANNA, BROWSER), wanted, place)


def test_a_second_run_finds_out_what_the_first_has_done() -> None:
    """Written twice it is done once; asked again it says where it was done."""
    shop = signed_up()
    read = history(shop.log, ANNA, BROWSER)
    wanted = plan(read, ANNA, BROWSER, KEYS)
    place = append(shop.log, wanted, read)
    append(shop.log, wanted, read)
    shop.log.run()
    assert ["m2", "m4"] == shop.applied("user_id", "anna")
    assert ["m1", "m3"] == shop.applied("anonymous_id", "b")
    with pytest.raises(NotOneCustomerError, match="two customers already") as refused:
        plan(history(shop.log, ANNA, BROWSER), ANNA, BROWSER, KEYS)
    assert place == refused.value.place


def test_each_side_is_told_of_all_of_the_other() -> None:
    """Who leaves may point at the customer through one who stays, and the other way round."""
    mailbox = KEYS.of("email", "a@example.org")
    told = LinksTold(owned=(Link(mailbox, 0), Link(BROWSER, 0)))
    here = Here(ANNA, START, LinksConfig(), is_empty=False)
    said, letter = part(told, here, [BROWSER], BROWSER, (0, 7))
    assert (mailbox,) == letter.lost
    assert () == said.moves
    said, letter = part(told, here, [mailbox], mailbox, (0, 7))
    assert () == letter.lost
    ((moved,),) = [move.letters for move in said.moves]
    assert ("moved", (Link(ANNA, 0),), (mailbox,)) == (moved.what, moved.owned, moved.lost)


def test_what_comes_through_another_goes_back_to_who_left() -> None:
    """An event of the browser passes through a user whom the root owns by now."""
    shop = People()
    log = shop.log
    between, root = sorted(("anna", "bert"), key=lambda user: order(KEYS.of("user_id", user)))
    users = {log.partition_of(KEYS.of("user_id", user)) for user in (between, root)}
    browser = next(f"b{n}" for n in range(100)
                   if log.partition_of(KEYS.of("anonymous_id", f"b{n}")) not in users)
    key = KEYS.of("anonymous_id", browser)
    number = log.partition_of(key)
    shop.page(between, browser)
    shop.page(root)
    held = log.workers.pop(number)
    shop.page(browser=browser)
    shop.call("alias", root, previousId=between)
    unmerge(log, KEYS.of("user_id", root), key)
    log.run()
    log.workers.insert(number, held)
    log.run()
    assert ["m3"] == shop.applied("anonymous_id", browser)
    assert ["m1", "m2", "m4"] == shop.applied("user_id", root)


def test_the_record_of_links_says_so_on_both_sides() -> None:
    """With the time and the other's key."""
    shop = signed_up()
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    for mine, other in ((ANNA, BROWSER), (BROWSER, ANNA)):
        shown = links.view(links.LinksFacts(), shop.told_of(mine), 0, links.LinksConfig())
        assert ("unmerged", other.decode()) == (
            shown["record"][0]["what"], shown["record"][0]["customer_key"])


def test_engagement_tells_no_level_for_half_a_customer() -> None:
    """What was told of both is what each is compared with, with its own facts in place."""
    shop = signed_up()
    told = len(shop.log.triggers("session_started"))
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    assert told == len(shop.log.triggers("session_started"))
    assert engagement.TABLE.facts() != shop.log.facts(BROWSER, "engagement")


def test_a_log_is_read_the_same_again() -> None:
    """Records, triggers and handoffs, byte for byte; and a worker that dies anywhere."""
    shop = signed_up()
    unmerge(shop.log, ANNA, BROWSER)
    for worker in shop.log.workers:
        worker.checkpoint(0)
    shop.log.run()
    again = Log(shop.log.specs, entries=shop.log.entries).run()
    assert shop.log.records() == again.records()
    assert shop.log.outputs() == again.outputs()
    assert shop.log.handoffs() == again.handoffs()
