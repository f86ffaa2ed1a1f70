"""The harness: items, time and configuration in; triggers, customers and readable failures out."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from footfall import tables
from footfall.errors import ConfigError, FootfallError
from footfall.events.interaction import HANDOFF, TICK
from footfall.testing import Harness, ItemRejected
from footfall.testing.harness import TICK_INTERVAL_MS, installation

IDLE = {"cart": {"idle_s": 1800}}


def added(user: str = "anna", product: str = "p1", **rest: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": "Product Added", "properties": {
        "product_id": product, "price": "9.90", "quantity": 1, "currency": "EUR"}, **rest}


def everything(shop: Harness) -> None:
    """A customer with a row in all tables."""
    shop.send(type="track", anonymousId="b1", event="Product Added", context={
        "consent": {"categoryPreferences": {"Advertising": True}}, "ip": "192.0.2.1"},
        properties={"product_id": "p1", "price": "9.90", "quantity": 1, "currency": "EUR"})
    shop.send(type="identify", userId="anna", anonymousId="b1",
              traits={"email": "anna@example.org", "plan": "gold"})
    shop.send(type="track", userId="anna", event="Order Completed",
              properties={"order_id": "o1", "total": "19.90", "currency": "EUR"})
    for _ in range(7):
        shop.send(type="track", userId="anna", event="Payment Failed", properties={"order_id": "o"})
    shop.send(added())


DECLARED = {"computed": {"definitions": [
    {"name": "added_24h", "version": 1, "of": "count", "window": "24h",
     "over": {"call": "track", "event": "Product Added"}}]},
    "rules": {"definitions": [
        {"name": "ordered", "version": 1, "on": {"call": "track", "event": "Order Completed"}}]},
    "segments": {"definitions": [{"name": "buyers", "version": 1, "if": {
        "of": "count", "over": {"call": "track", "event": "Order Completed"}, "at_least": 1}}]}}


def test_time_alone_brings_what_time_brings() -> None:
    shop = Harness(IDLE)
    shop.send(added())
    assert [] == shop.advance("30m500ms")

    (told,) = shop.advance("1ms")

    assert "cart_abandoned" == told["name"]
    assert ("2026-01-05T09:30:00.000Z", "2026-01-05T09:30:00.500Z") == (
        told["occurred_at"], told["emitted_at"])
    assert {"user_id": "anna"} == told["ids"]
    assert ("9.9", False) == (told["data"]["value"]["EUR"], told["held_out"])
    assert ["test-1"] == told["evidence"]["message_ids"]
    assert datetime(2026, 1, 5, 9, 30, 0, 501_000, UTC) == shop.now


def test_a_tick_comes_when_a_timer_is_due_and_never_else() -> None:
    """And not sooner than 200 ms after the one before it on that partition."""
    shop = Harness(IDLE, partitions=1)
    shop.send(added())
    shop.advance("50ms")
    shop.send(added("bert"))
    shop.advance("1h")

    decode = installation().codecs.interaction.decode
    ticks = [entry.timestamp for entry in shop._log.entries[0]
             if decode(entry.value)["type"] == TICK]
    due = ticks_from(shop, 1_800_501)
    assert [due, due + TICK_INTERVAL_MS] == ticks
    assert 2 == len(shop.triggers_of("cart_abandoned"))


def ticks_from(shop: Harness, after_ms: int) -> int:
    return round(shop.now.timestamp() * 1000) - shop.elapsed_ms + after_ms


def test_customers_are_joined_over_partitions() -> None:
    """Whatever the partition of either: what was in the browser's cart is told of the user."""
    across = set()
    for n in range(8):
        shop = Harness(IDLE)
        item = added()
        del item["userId"]
        shop.send(item, anonymousId=f"b{n}")
        shop.send(type="identify", userId="anna", anonymousId=f"b{n}")
        shop.advance("31m")
        told = shop.assert_triggered("cart_abandoned", "user_id:anna", times=1)
        found = shop.customer(f"anonymous_id:b{n}")
        assert found is not None
        assert (told["customer_key"], 1) == (found["customer_key"], len(found["passed"]))
        across |= {partition for partition, output in shop._log.sent if output.kind == HANDOFF
                   and shop._log.partition_of(output.key) != partition}
    assert {0, 1} == across


def test_a_week_passes_in_under_10_ms() -> None:
    """For a customer with a row in every table; of this thread's own time: others may run, too."""
    shop = Harness(DECLARED)
    everything(shop)
    found = shop.customer("user_id:anna")
    assert found is not None
    assert {t.name for t in tables.ALL} == found["tables"].keys()
    best = 1.0
    for _ in range(5):
        shop.send(added())
        began = time.thread_time()
        told = shop.advance("1w")
        best = min(best, time.thread_time() - began)
        assert told
    assert best < 0.01


def test_two_runs_are_the_same_byte_for_byte() -> None:
    runs = []
    for _ in range(2):
        shop = Harness(DECLARED)
        everything(shop)
        shop.advance("52w")
        runs.append((shop.triggers, shop.customer("email:Anna@Example.org"), shop._log.sent))
    assert runs[0] == runs[1]
    assert runs[0][1] is not None


def test_an_item_that_the_collector_refuses_raises_its_reason() -> None:
    shop = Harness()
    with pytest.raises(ItemRejected, match="identifier_missing: userId and anonymousId") as found:
        shop.send(type="track", event="x")
    assert "identifier_missing" == found.value.reason
    assert [] == shop.triggers


def test_what_a_worker_rejects_raises_too() -> None:
    """Nothing is lost: the test goes on after it."""
    class Broken(Exception):
        pass

    def broken(*_given: Any) -> Any:
        raise Broken

    cart = next(table for table in tables.ALL if table.name == "cart")
    shop = Harness(tables=[type(cart)(**{
        **{name: getattr(cart, name) for name in cart.__slots__}, "observe": broken})])
    with pytest.raises(ItemRejected, match="step_failed: cart: Broken"):
        shop.send(added())
    shop.send(type="page", userId="anna", name="Home")


def test_configurations_hold_from_the_next_step(tmp_path: Path) -> None:
    """As a whole, or over what is in force; documents and files."""
    file = tmp_path / "cart.yaml"
    file.write_text("cart: {idle_s: 60}\ntests: []\n")
    shop = Harness(IDLE, {"clock": {"grace_s": 0}})
    shop.configure({"engagement": {"dormant_s": 86400}}, keep=True)
    shop.send(added())
    (told,) = shop.advance("30m1ms")
    assert told["emitted_at"] == told["occurred_at"]
    assert told["config_version"].startswith("2:")

    shop.configure(file)
    shop.send(added("bert"))
    shop.assert_not_triggered("cart_abandoned", "user_id:bert")
    shop.advance(timedelta(seconds=61))
    assert "3:" == shop.assert_triggered("cart_abandoned", "user_id:bert")["config_version"][:2]


def test_a_configuration_that_cannot_be_applied_is_refused(tmp_path: Path) -> None:
    """With its place; what is in force stays."""
    file = tmp_path / "cart.yaml"
    file.write_text("cart:\n  idle_s: -1\n")
    shop = Harness(IDLE)
    with pytest.raises(ConfigError, match=r"cart\.yaml:2: \[cart\] idle_s = -1"):
        shop.configure(file)
    with pytest.raises(ConfigError, match="unknown section 'carts'"):
        Harness({"carts": {}})
    shop.send(added())
    assert shop.advance("31m")[0]["config_version"].startswith("1:")


def test_a_failure_says_what_was_told_instead() -> None:
    shop = Harness(IDLE)
    shop.send(added())
    shop.advance("31m")
    shop.send(added("bert"))
    with pytest.raises(AssertionError) as found:
        shop.assert_triggered("cart_abandoned", "user_id:bert", data={"value": {"EUR": "1"}},
                              at="5m")
    said = str(found.value)
    assert "expected cart_abandoned of user_id:bert with data" in said
    assert ('but it is of user_id:anna; it occurred at 30m; data.value.EUR is "9.9", not "1"'
            in said)
    assert "+31m session_started of user_id:bert" in said
    assert "it is +31m; the next timer: is due at +1h1m500ms" in said

    shop.assert_triggered("cart_abandoned", "user_id:anna", at="30m", times=1)
    with pytest.raises(AssertionError, match="expected 2 times cart_abandoned; 1 of them"):
        shop.assert_triggered("cart_abandoned", times=2)
    with pytest.raises(AssertionError, match="expected no cart_abandoned of user_id:anna; 1 told"):
        shop.assert_not_triggered("cart_abandoned", "user_id:anna")
    shop.assert_not_triggered("cart_abandoned", "user_id:bert")
    assert {} == shop.assert_triggered("cart_recovered", times=0)


def test_nobody_and_nonsense() -> None:
    """Each says what was expected."""
    shop = Harness(tables=[next(t for t in tables.ALL if t.name == "cart")])
    assert None is shop.customer("user_id:nobody")
    shop.send(added())
    assert {} == shop.customer("user_id:anna")["ids"]  # type: ignore[index]
    shop.advance("31m")
    shop.assert_triggered("cart_abandoned", "user_id:anna")  # by the key: no table knows ids
    with pytest.raises(ValueError, match="expected KIND:VALUE"):
        shop.customer("anna")
    with pytest.raises(ValueError, match="'soon' is no length of time"):
        shop.advance("soon")
    with pytest.raises(ValueError, match="is not between 0 and 3660 days"):
        shop.advance(timedelta(days=-1))
    with pytest.raises(ValueError, match="no instant such as"):
        Harness(start="2026-01-05")
    with pytest.raises(ValueError, match="partitions = 0"):
        Harness(partitions=0)
    if not any(t.name == "segments" for t in shop._tables):
        with pytest.raises(FootfallError, match="`segments` is not folded"):
            shop.segments("user_id:anna")


def test_folding_the_log_again_tells_the_same() -> None:
    """Law 4: what the harness appended is a log like any other."""
    from footfall.testing.log import Log

    shop = Harness(DECLARED)
    everything(shop)
    shop.advance("1w")
    log = shop._log
    again = Log(log.specs, 0, log.installation, 0, entries=log.entries)
    again.run()
    assert sorted(again.sent) == sorted(log.sent)


def test_what_becomes_of_a_delivery_is_said_by_the_test() -> None:
    """Of the newest such trigger; its depth goes along."""
    on = {"call": "delivery", "event": "delivery_dead"}
    shop = Harness({"rules": {"definitions": [
        {"name": "alarm", "version": 1, "on": on, "data": {"why": "event.properties.reason"}}]}})
    with pytest.raises(LookupError, match="no session_started was told"):
        shop.deliver(trigger="session_started", outcome="dead")
    shop.send(type="page", userId="anna")
    alarm, = shop.deliver(trigger="session_started", outcome="dead", reason="gone",
                          customer="user_id:anna")
    assert ({"why": "gone"}, 1) == (alarm["data"], alarm["depth"])
    assert 2 == shop.deliver(trigger="alarm", outcome="dead")[0]["depth"]
    with pytest.raises(msgspec.ValidationError, match="outcome"):
        shop.deliver(trigger="alarm", outcome="held")
