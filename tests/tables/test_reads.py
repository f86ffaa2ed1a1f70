"""Every table says which fields of an item it reads: found out by changing each one.

An item with a random part of all fields that anybody may read, and of some that nobody does, is
sent as an app sends it; then once more for each of its fields, with that one changed or left out.
A field that ever changes a row is read; `TableSpec.reads` must name exactly those.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from footfall import tables
from footfall.errors import Rejected
from footfall.events import commerce
from footfall.events.admit import CALLS, admit
from footfall.events.arrival import Admitted, Arrival
from footfall.tables import consent_signals, risk_signals
from footfall.tables.spec import AnyTable
from tests.tables.logs import KEYS, START

ITEMS = 120
LINE: dict[str, Any] = {
    "product_id": "p1", "productId": "p2", "id": "p3", "sku": "p4", "variant": "red",
    "name": "Shirt", "category": "Shirts", "price": 9.5, "quantity": 3, "brand": "b"}
PROPERTIES: dict[str, Any] = {
    **LINE, "products": [LINE, {**LINE, "product_id": "p9"}], "cart_id": "c1", "cartId": "c2",
    "order_id": "o1", "orderId": "o2", "checkout_id": "k1", "checkoutId": "k2", "currency": "EUR",
    "coupon": "X", "coupon_id": "Y", "coupon_code": "Z", "total": 50, "revenue": 40,
    "channel": "pos", "sales_channel": "store", "renewal": True, "subscription": True,
    "subscription_id": "s", "card_fingerprint": "f1", "payment_fingerprint": "f2",
    "card": {"fingerprint": "f3", "brand": "visa"}, "shipping": 5, "free": {"a": [1]},
    "purposes": {"ads": True}, "purpose": "ads", "expires_at": 1_900_000_000_000,
    "wording_version": "v1"}
CONTEXT: dict[str, Any] = {
    "ip": "192.0.2.1", "device": {"id": "d1", "type": "mobile", "model": "m"},
    "os": {"name": "iOS", "version": "9"}, "userAgent": "Mozilla", "locale": "de",
    "page": {"url": "https://shop.example/"}, "provenance": "declared",
    "externalIds": [{"id": "k1", "type": "crm", "collection": "users", "encoding": "none"}],
    "traits": {"email": "a@b.example", "phone": "+493012345678", "firstName": "Ann"},
    "consent": {"categoryPreferences": {"ads": True}}, "globalPrivacyControl": True,
    "consentManagement": {"allowedConsentIds": ["ads"], "deniedConsentIds": ["x"]}}
ITEM: dict[str, Any] = {"userId": "u1", "anonymousId": "a1", "properties": PROPERTIES,
                        "context": CONTEXT,
                        "traits": {"email": "a@b.example", "phone": "+4930123456", "plan": "p"}}
#: Properties of which the first that is there is read.
ASKED = (("product_id", "productId", "id", "sku"), ("coupon", "coupon_code", "coupon_id"),
         ("card_fingerprint", "payment_fingerprint"), ("total", "revenue"))
#: Call, and of tracked events the name.
EVENTS = [(call, "Order Completed" if call in ("page", "screen") else "")
          for call in sorted(CALLS - {"track"})]
EVENTS += [("track", name) for name in sorted(
    {*commerce.ACTIONS.values(), *consent_signals.NAMES, *risk_signals.NAMES, "added product",
     "Failed Payment", "Anything"})]


def part_of(dice: random.Random, value: Any) -> Any:
    """An object with some of its members."""
    if isinstance(value, list):
        return [part_of(dice, inner) for inner in value]
    if not isinstance(value, dict):
        return value
    share = dice.choice((0.5, 0.8, 1))
    return {name: part_of(dice, inner) for name, inner in value.items() if dice.random() < share}


def narrowed(dice: random.Random, item: dict[str, Any]) -> dict[str, Any]:
    """The item without the first few of what is asked one after the other: the next is then read.
    """
    properties = item.get("properties", {})
    for holder in (properties, *properties.get("products", ())):
        for asked in ASKED:
            for name in asked[:dice.randint(0, len(asked))]:
                holder.pop(name, None)
    context = item.get("context", {})
    highest_first = (
        (item, "userId"), (item.get("traits"), "email"), (context.get("traits"), "email"),
        (item.get("traits"), "phone"), (context.get("traits"), "phone"), (context, "externalIds"),
        (context.get("device"), "id"))
    for within, name in highest_first[:dice.choice((0, 0, *range(len(highest_first) + 1)))]:
        if within:
            within.pop(name, None)
    return item


def fields(value: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, the object or array that holds it, its name there) of everything that is no object."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in pairs:
        path = at if isinstance(value, list) else f"{at}.{name}".lstrip(".")
        if isinstance(inner, dict | list) and inner:
            yield from fields(inner, path)
        else:
            yield path, value, name


def another(path: str, value: Any) -> Any:
    """A value that whoever reads this field takes for another."""
    if path.endswith(".ip"):
        return "198.51.100.7"
    if path.endswith(".currency"):
        return "USD"
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}x"


def variants(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The item with one field left out or changed, and which."""
    text = json.dumps(item)
    for n, (path, _holder, _name) in enumerate(list(fields(item))):
        for is_out in (True, False):
            changed = json.loads(text)
            _path, holder, name = list(fields(changed))[n]
            if is_out:
                del holder[name]
            elif not isinstance(holder[name], dict | list):
                holder[name] = another(path, holder[name])
            yield path, changed


def sent(call: str, name: str, item: dict[str, Any]) -> Admitted | Rejected:
    whole = {**item, "type": call, "messageId": "m1", "timestamp": START, "previousId": "p",
             "groupId": "g", "event" if call == "track" else "name": name}
    return admit(json.dumps(whole).encode(), 0, Arrival("test", START, "0" * 32), KEYS)


def rows(admitted: Admitted) -> dict[str, bytes]:
    """The row that each table makes of one event."""
    event = admitted.event
    return {t.name: msgspec.msgpack.encode(t.observe(t.facts(), event, START))
            for t in tables.ALL if t.wants(event)}


@cache
def found(call: str, name: str) -> dict[str, set[str]]:
    """Table -> paths that change its row."""
    read: dict[str, set[str]] = {t.name: set() for t in tables.ALL}
    dice = random.Random(7)
    for _ in range(ITEMS):
        item = narrowed(dice, part_of(dice, ITEM))
        whole = sent(call, name, item)
        if isinstance(whole, Rejected):
            continue
        before = rows(whole)
        for path, changed in variants(item):
            other = sent(call, name, changed)
            if isinstance(other, Admitted):
                after = rows(other)
                for table in before.keys() | after.keys():
                    if before.get(table) != after.get(table):
                        read[table].add(path)
    return read


def declared(table: AnyTable, call: str, name: str) -> set[str]:
    squeezed = commerce.squeeze(name)
    return {path for reads in table.reads
            if (reads.names is None or (call == "track" and squeezed in reads.names))
            and (reads.calls is None or call in reads.calls)
            for path in reads.paths}


def as_said(path: str, said: set[str]) -> str:
    """The path, or that of the object around it which is read whole."""
    return next((one for one in said if path.startswith(f"{one}.")), path)


@pytest.mark.parametrize(("call", "name"), EVENTS)
def test_a_table_reads_what_it_says_and_nothing_else(call: str, name: str) -> None:
    for table in tables.ALL:
        said, read = declared(table, call, name), found(call, name)[table.name]
        # An object that is named stands for all that is in it.
        read = {next((one for one in said if path.startswith(f"{one}.")), path) for path in read}
        # Of an empty product the array is the path.
        read -= {path for path in read if any(one.startswith(f"{path}.") for one in said)}
        assert (set(), set()) == (read - said, said - read), table.name


def test_names_that_are_declared_mean_something() -> None:
    """A squeezed name that no event has would never be looked up."""
    named = {name for t in tables.ALL for reads in t.reads for name in reads.names or ()}
    assert named
    assert set() == {name for name in named
                     if name not in commerce.ACTIONS and risk_signals.kind_of(name) is None
                     and consent_signals.kind_of(name) is None}
