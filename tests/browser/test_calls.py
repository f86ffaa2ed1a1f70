"""Each call of a page, in real Chromium, as it stands in the log."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.shop import STUB, TAG, Shop, kept
from tests.collector.edge import KEY

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ADDED = {"product_id": "p1", "price": 9.9, "quantity": 2, "currency": "EUR", "cart_id": "c1"}


def of(shop: Shop, kind: str) -> dict[str, Any]:
    """The one item of that type."""
    (item,) = [item for item in shop.items() if item["type"] == kind]
    return item


async def test_every_call_reaches_the_log(shop: Shop) -> None:
    page = await shop.page(path="/socks?utm_campaign=spring&utm_source=mail#top")
    await page.evaluate("""added => {
      footfall.page("Docs", "Socks", {size: 3})
      footfall.track("Product Added", added)
      footfall.identify("u1", {email: "ann@example.org"})
      footfall.group("g1", {name: "Initech"})
      footfall.alias("u1", "old")
      footfall.track("Later", {n: 1}, {timestamp: new Date("2026-11-20T12:00:00Z"),
                                       messageId: "m1", context: {active: true}})
    }""", ADDED)
    await shop.until(lambda: len(shop.items()) == 6)
    assert ["page", "track", "identify", "group", "alias", "track"] == [
        item["type"] for item in shop.items()]
    seen = of(shop, "page")
    url = shop.url("/socks?utm_campaign=spring&utm_source=mail")
    told = {"path": "/socks", "referrer": "", "search": "?utm_campaign=spring&utm_source=mail",
            "title": "Shop", "url": url}
    assert ({**told, "name": "Socks", "category": "Docs", "size": 3}, "Socks", "Docs") == (
        seen["properties"], seen["event"], seen["category"])
    context = seen["context"]
    assert (told, {"name": "spring", "source": "mail"}, "127.0.0.1") == (
        context["page"], context["campaign"], context["ip"])
    assert "footfall.js" == context["library"]["name"]
    assert {"locale", "timezone", "userAgent"} < context.keys()
    assert UUID.fullmatch(seen["anonymousId"])
    assert "userId" not in seen
    assert {"email": "ann@example.org"} == of(shop, "identify")["traits"]
    assert ("g1", "u1") == (of(shop, "group")["groupId"], of(shop, "group")["userId"])
    assert ("old", "u1") == (of(shop, "alias")["previousId"], of(shop, "alias")["userId"])
    assert 1 == len({item["anonymousId"] for item in shop.items()})
    later = shop.items()[-1]
    assert ("m1", True) == (later["messageId"], later["context"]["active"])


async def test_the_cart_is_read_and_the_channel_is_web(shop: Shop) -> None:
    page = await shop.page()
    await page.evaluate("added => footfall.track('Product Added', added)", ADDED)
    await shop.until(lambda: bool(shop.items()))
    (event,) = shop.sink.events()
    assert ("web", "web", "c1") == (
        event["source"], event["channel"], event["commerce"]["cart_id"])


async def test_one_request_without_preflight_and_no_key_in_an_address(shop: Shop) -> None:
    """Many calls make one batch, and the key is in no URL."""
    page = await shop.page()
    await page.evaluate("for (let n = 0; n < 50; n++) footfall.track('Clicked', {n})")
    await shop.until(lambda: len(shop.items()) == 50 and bool(shop.sent))
    assert ["POST /v1/batch"] == shop.sent
    assert list(range(50)) == [item["properties"]["n"] for item in shop.items()]


async def test_the_documented_snippet_queues_what_is_called_before_the_script_is_there(
    shop: Shop
) -> None:
    """In the order of the calls; whoever holds its object reaches the script."""
    tag = TAG.replace("https://HOST", shop.collector).replace("KEY", KEY).replace(
        ' data-consent="required"', "")
    early = "<script>const held = footfall; footfall.track('Early')</script>"
    page = await shop.page(STUB + early + tag)
    await page.wait_for_function("'anonymousId' in footfall")
    await page.evaluate("held.track('Held')")
    await shop.until(lambda: len(shop.items()) == 3)
    assert ["", "Early", "Held"] == [item["event"] for item in shop.items()]


async def test_options_may_be_given_by_a_call(shop: Shop) -> None:
    """Before or after the script is there."""
    script = f'<script async src="{shop.collector}/footfall.js"></script>'
    load = f"footfall.load({{writeKey: '{KEY}', host: '{shop.collector}/'}})"
    for n, html in enumerate((STUB + f"<script>{load}</script>" + script, STUB + script)):
        page = await shop.page(html)
        await page.wait_for_function("'anonymousId' in footfall")
        await page.evaluate(f"footfall.track('{n}'); {load if n else ''}")
        await shop.until(lambda n=n: shop.events() == [str(k) for k in range(n + 1)])


async def test_calls_that_wait_for_the_options_have_an_end(shop: Shop) -> None:
    """What is past it is counted and told once somebody can be."""
    page = await shop.page(f'<script src="{shop.collector}/footfall.js"></script>')
    told = await page.evaluate(f"""() => {{
      const told = []
      footfall.on("error", (error, items) => told.push(error.reason, items.length))
      for (let n = 0; n < 1001; n++) footfall.track("Clicked", {{n}})
      footfall.load({{writeKey: "{KEY}", consent: "required"}})
      return told.concat(footfall.counts().waiting)
    }}""")
    assert ["queue_full", 2, 999] == told


async def test_the_first_page_view_is_called_where_the_tag_says_so(shop: Shop) -> None:
    await shop.page(shop.tag(auto_page=""))
    await shop.until(lambda: ["page"] == [item["type"] for item in shop.items()])


async def test_the_visitor_stays_the_same_and_a_new_user_is_a_new_visitor(shop: Shop) -> None:
    """Over pages; reset and another userId end it, for two people share a browser. Traits are not
    kept."""
    page = await shop.page()
    ids = [await page.evaluate("(footfall.identify('u1'), footfall.anonymousId())")]
    page = await shop.page()
    ids += [await page.evaluate(f"({call}, footfall.anonymousId())") for call in (
        "footfall.track('a')", "footfall.identify('u1', {email: 'ann@example.org'})",
        "footfall.identify('u2')", "footfall.reset()")]
    await page.evaluate("(footfall.track('b'), footfall.flush())")
    await shop.until(lambda: ["a", "b"] == shop.events())
    assert [ids[0]] * 3 == ids[:3]
    assert 3 == len(set(ids))
    users = {item["event"]: item.get("userId") for item in shop.items()}
    assert ("u1", None) == (users["a"], users["b"])
    await page.wait_for_function("footfall.flush()")  # the other tab may be sending
    assert "ann@" not in str(await kept(page))


async def test_a_session_ends_after_half_an_hour_of_silence(shop: Shop) -> None:
    """Over all tabs; only its first item says that it begins."""
    page = await shop.page()
    await page.clock.install()
    await page.evaluate("footfall.track('1')")
    await page.clock.fast_forward(29 * 60_000)
    await page.evaluate("footfall.track('2')")
    other = await shop.page()
    await other.clock.install(time=await page.evaluate("Date.now() / 1000") + 29 * 60)
    await other.evaluate("footfall.track('3')")
    await other.clock.fast_forward(31 * 60_000)
    await other.evaluate("footfall.track('4')")
    await shop.until(lambda: 4 == len(shop.items()))
    found = {item["event"]: item["context"] for item in shop.items()}
    first = found["1"]["sessionId"]
    assert [first, first, first] == [found[n]["sessionId"] for n in "123"]
    assert found["4"]["sessionId"] > first
    assert [True, None, None, True] == [found[n].get("sessionStart") for n in "1234"]


async def test_nothing_is_thrown_into_the_page(shop: Shop) -> None:
    """Whatever it gives; what cannot be sent is told."""
    page = await shop.page(shop.tag() + '<div id="footfall"></div>')
    told = await page.evaluate("""() => {
      const told = [], loop = {}
      loop.loop = loop
      footfall.on("error", error => told.push(error.reason))
      footfall.on("error", () => { throw "a listener's own" })
      footfall.track("x", loop)
      footfall.track("x", {n: 1n})
      footfall.track("x", {text: "ä".repeat(20000)})
      footfall.page(null, undefined, 7)
      footfall.identify(null)
      footfall.consent("yes")
      footfall.consent(null)
      footfall.consent({["ä".repeat(2000)]: true})
      return told
    }""")
    assert ["call_failed"] * 2 + ["item_too_large"] + ["consent_unreadable"] * 3 == told
    await shop.until(lambda: len(shop.items()) == 2)


async def test_an_element_of_that_name_is_no_harm(shop: Shop) -> None:
    page = await shop.page('<div id="footfall"></div>' + shop.tag())
    await page.evaluate("footfall.track('a')")
    await shop.until(lambda: ["a"] == shop.events())


async def test_a_refused_item_is_told_and_its_neighbours_are_kept(shop: Shop) -> None:
    """With the collector's reason and the item itself."""
    page = await shop.page()
    told = await page.evaluate("""async () => {
      const told = []
      footfall.on("error", (error, items) => told.push([error.reason, error.detail, items]))
      footfall.track("Good")
      footfall.track("Order Completed", {total: "much"})
      footfall.track("")
      await footfall.flush()
      return [told, footfall.counts()]
    }""")
    (amount, missing), counts = told
    assert ("amount_unreadable", "much") == (amount[0], amount[2][0]["properties"]["total"])
    assert ("field_missing", True) == (missing[0], missing[1].startswith("event "))
    assert {"accepted": 1, "duplicate": 0, "waiting": 0,
            "dropped": {"amount_unreadable": 1, "field_missing": 1}} == counts
    assert ["Good"] == shop.events()
