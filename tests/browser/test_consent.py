"""What a visitor allows, in real Chromium: what is stored, what is sent, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.shop import Shop, kept

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

#: Longer than the script waits before it sends.
QUIET_S = 1.2
EVENT = "Segment Consent Preference Updated"
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"
LISTEN = """
  window.told = []
  footfall.on("error", (error, items) => told.push(error.reason + " " + items.map(i => i.event)))
"""


async def asking(shop: Shop) -> Page:
    """A page that needs consent, with two calls on it."""
    page = await shop.page(shop.tag(consent="required"))
    await page.evaluate(LISTEN + "footfall.identify('u1'); footfall.track('Seen')")
    return page


def preferences(shop: Shop) -> list[Any]:
    """Of every item in the log."""
    return [item["context"].get("consent", {}).get("categoryPreferences") for item in shop.items()]


async def test_nothing_is_stored_or_sent_before_it_is_granted(shop: Shop) -> None:
    """Also not when it is asked to, when the tab is hidden, and when the page is left."""
    page = await asking(shop)
    assert await page.evaluate("footfall.flush()") is False
    await asyncio.sleep(QUIET_S)
    assert {} == await kept(page)
    await page.goto(shop.url("/next"))
    await page.evaluate("footfall.track('Seen next')")
    assert {} == await kept(page)
    await page.close()
    await asyncio.sleep(QUIET_S)
    assert [] == shop.sent
    assert [] == await shop.visitor.cookies()


async def test_a_grant_sends_what_waited_and_is_remembered(shop: Shop) -> None:
    """Each item with what was granted; the decision itself once, however often it is repeated."""
    page = await asking(shop)
    granted = {"analytics": True, "marketing": False}
    for _ in range(2):
        await page.evaluate("said => footfall.consent(said)", granted)
    assert await page.evaluate("footfall.flush()") is True
    assert ["", "Seen", EVENT] == [item["event"] for item in shop.items()]
    assert {"footfall:anonymous_id", "footfall:user_id", "footfall:session", "footfall:consent"
            } == (await kept(page)).keys()
    page = await shop.page(shop.tag(consent="required"))
    await page.evaluate("said => { footfall.track('Next'); footfall.consent(said) }", granted)
    await shop.until(lambda: "Next" in shop.events())
    assert [granted] * 4 == preferences(shop)
    assert 1 == len({item["anonymousId"] for item in shop.items()})


@pytest.mark.parametrize("refusal", ["false", "{}", "{analytics: false}",
                                     "{necessary: true, analytics: false}"])
async def test_a_refusal_drops_what_waited_and_all_that_follows(shop: Shop, refusal: str) -> None:
    """Nothing is stored but the refusal, which the next page knows; every drop is told."""
    page = await asking(shop)
    await page.evaluate(f"footfall.consent({refusal}); footfall.track('After')")
    assert ["consent_refused ,Seen", "consent_refused After"] == await page.evaluate("told")
    assert {"consent_refused": 3} == (await page.evaluate("footfall.counts()"))["dropped"]
    page = await shop.page(shop.tag(consent="required"))
    await page.evaluate("footfall.track('Next')")
    await asyncio.sleep(QUIET_S)
    await page.close()
    page = await shop.page("")
    assert {"footfall:consent"} == (await kept(page)).keys()
    assert [] == shop.sent


async def test_a_grant_is_withdrawn_with_one_last_word(shop: Shop) -> None:
    """Which says so; nothing after it, and nothing is left in the browser."""
    page = await asking(shop)
    await page.evaluate("footfall.consent({analytics: true})")
    await shop.until(lambda: 3 == len(shop.items()))
    await page.evaluate("footfall.consent({analytics: false}); footfall.track('After')")
    await shop.until(lambda: 4 == len(shop.items()))
    await asyncio.sleep(QUIET_S)
    assert [{"analytics": True}] * 3 + [{"analytics": False}] == preferences(shop)
    last = shop.items()[-1]
    assert (EVENT, "u1") == (last["event"], last["userId"])
    assert 4 == len(shop.items())
    assert {"footfall:consent"} == (await kept(page)).keys()


async def test_a_refusal_holds_in_every_tab_and_a_grant_too(shop: Shop) -> None:
    first = await asking(shop)
    second = await asking(shop)
    await first.evaluate("footfall.consent(true)")
    await shop.until(lambda: ["Seen", "Seen"] == shop.events())
    await first.evaluate("footfall.consent(false)")
    await second.wait_for_function("(footfall.track('More'), told.length)")
    await shop.until(lambda: EVENT in shop.events())
    await asyncio.sleep(QUIET_S)
    assert {"footfall:consent"} == (await kept(second)).keys()
    assert ["Seen", "Seen", EVENT] == [name for name in shop.events() if name != "More"]


async def test_without_required_only_a_refusal_changes_anything(shop: Shop) -> None:
    page = await shop.page()
    await page.evaluate("footfall.track('Before')")
    await shop.until(lambda: ["Before"] == shop.events())
    await page.evaluate("footfall.consent(false); footfall.track('After')")
    await shop.until(lambda: ["Before", EVENT] == shop.events())
    await asyncio.sleep(QUIET_S)
    assert [None, {}] == preferences(shop)
    assert 2 == len(shop.items())


async def test_another_value_of_consent_is_taken_for_required(shop: Shop) -> None:
    """A slip of the pen must not send."""
    page = await shop.page(shop.tag(consent="Required"))
    await page.evaluate("footfall.track('Seen')")
    await asyncio.sleep(QUIET_S)
    assert ([], {}) == (shop.sent, await kept(page))


@pytest.mark.parametrize("consent", [None, "required"])
async def test_global_privacy_control_keeps_nothing_and_grants_nothing(
    shop: Shop, consent: str | None
) -> None:
    """What was stored before is removed; calls are still sent, each saying so."""
    page = await shop.page()
    await page.evaluate("(footfall.identify('u0'), footfall.flush())")
    assert len(await kept(page)) == 3
    await shop.stop()
    await page.evaluate("footfall.track('Left over')")
    await shop.start()
    await shop.visitor.add_init_script(GPC)
    page = await shop.page(shop.tag(**({"consent": consent} if consent else {})))
    assert {} == await kept(page)
    await page.evaluate("footfall.track('Seen'); footfall.consent({analytics: true})")
    await shop.until(lambda: {"Seen", "Left over"} <= set(shop.events()))
    assert {"footfall:consent"} == (await kept(page)).keys()
    seen = next(item for item in shop.items() if item["event"] == "Seen")
    assert seen["context"]["globalPrivacyControl"] is True
    assert {"analytics": False, "necessary": True} == seen["context"]["consent"][
        "categoryPreferences"]


async def test_what_is_said_of_a_channel_leaves_the_page_as_it_is(shop: Shop) -> None:
    """It is sent with its words; nothing of it is remembered, and nothing else changes."""
    page = await shop.page()
    await page.evaluate(
        "footfall.consent({news: true}, {channel: 'email', wordingVersion: 'v2', expiresAt: 5})")
    await page.evaluate("footfall.track('After')")
    await shop.until(lambda: "After" in shop.events())
    said = shop.items()[0]
    assert (EVENT, {"purposes": {"news": True}, "channel": "email", "wording_version": "v2",
                    "expires_at": 5}) == (said["event"], said["properties"])
    assert [None, None] == preferences(shop)
    assert "footfall:consent" not in await kept(page)


async def test_a_decision_with_details_is_sent_each_time(shop: Shop) -> None:
    """A grant that is renewed says when it ends now."""
    page = await shop.page()
    for day in (1, 2):
        await page.evaluate(
            f"footfall.consent({{analytics: true}}, {{expiresAt: new Date({day} * 864e5)}})")
    await shop.until(lambda: 2 == len(shop.items()))
    assert ["1970-01-02T00:00:00.000Z", "1970-01-03T00:00:00.000Z"] == [
        item["properties"]["expires_at"] for item in shop.items()]
    assert [{"analytics": True}] * 2 == preferences(shop)
