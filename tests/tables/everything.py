"""All that the shipped tables write and send of one long log, as text: for comparing two builds.

    python -m tests.tables.everything

prints it, folded by whichever `footfall` that Python finds. The log is made of tracking calls as
the collector admits them, from a fixed seed: shoppers and risky ones, well-formed and not, early
and late, up to dormancy. The worker restarts on the way, so that rows are also read from bytes; in
the end rows of neighbours are merged.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from footfall import tables
from footfall.errors import Rejected
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.tables.spec import AnyTable
from tests.tables import traits
from tests.tables.log import Log
from tests.tables.logs import CODECS, KEYS, START

EVENTS = 3_000
CUSTOMERS = 24
MINUTE, DAY = 60_000, 86_400_000

_NAMES = (
    *["Product Viewed", "Product Added", "Product Added", "Product Removed", "Cart Viewed"] * 3,
    "Order Completed", "Order Completed", "Order Updated", "Order Refunded", "Order Cancelled",
    "Order Returned", "Subscription Renewed", "Payment Failed", "Payment Failed", "Login Failed",
    "Payment Info Entered", "Coupon Entered", "Coupon Denied",
    "Segment Consent Preference Updated", "Unsubscribed", "Subscribed", "Email Marked as Spam")
_CONTEXTS: tuple[Any, ...] = (
    None, {"device": []}, {"ip": "192.0.2.1"}, {"ip": "2001:db8::1", "os": {"name": "iOS"}},
    {"ip": "nowhere", "device": 7}, {"ip": "::ffff:192.0.2.9", "userAgent": 5},
    {"device": {"id": "d" * 70, "type": "mobile"}}, {"os": 5, "device": {"type": None}},
    {"consent": {"categoryPreferences": {"ads": True, "b": False}}},
    {"consent": {"categoryPreferences": {"ads": True}}, "consentManagement": {
        "allowedConsentIds": ["ads"], "deniedConsentIds": ["b"]}},
    {"consent": {"categoryPreferences": {}}, "globalPrivacyControl": True}, {"consent": [1]})
_AMOUNTS: tuple[Any, ...] = (None, 0, 1, 9.99, "19.99", "-3", "0.000000001", "9" * 18)
#: From one event to the next, of whichever customer; every 1,000th comes after 31 days.
_STEPS = (0, 1, 60, 900, MINUTE // 8, 3 * MINUTE // 8, 2 * MINUTE, 22 * MINUTE)


def encoded(value: Any) -> bytes:
    """Stored bytes of one part of a row."""
    return msgspec.msgpack.encode(value)


def written(specs: Sequence[AnyTable] = tables.ALL) -> list[str]:
    """One line for each record and output, in order, and for each merge."""
    dice = random.Random(11)
    log = Log(specs, 2)
    at = START
    if any(table.name == "computed" for table in specs):
        log.config(at, 1, computed=msgspec.to_builtins(traits.EACH))
    keys: dict[bytes, None] = {}
    for n in range(EVENTS):
        at += dice.choice(_STEPS) if n % 1_000 else 31 * DAY
        late = dice.choice((0, 0, 0, 0, 400, 9_000, 20 * MINUTE, 3 * DAY))
        outcome = admit(json.dumps(_item(dice, n, max(at - late, START))).encode(), 0,
                        Arrival("test", at, "0" * 32), KEYS)
        assert not isinstance(outcome, Rejected), outcome.detail
        keys[outcome.key] = None
        _append(log, outcome, at)
        if not n % 100:
            log.tick(at)
            log.run()
            for worker in log.workers:
                worker.checkpoint()
                worker.crash()
    log.tick(at + 40 * DAY)
    log.run()
    assert [] == log.rejected()
    return [*(f"record {key!r} {value!r}" for key, value in sorted(log.records().items())),
            *(f"sent {sent!r}" for sent in log.sent), *_merged(log, list(keys)), *_shown(log, keys)]


def _append(log: Log, admitted: Admitted, at: int) -> None:
    log.append_bytes(admitted.key, CODECS.interaction.encode(admitted.event), at)


def _item(dice: random.Random, n: int, at: int) -> dict[str, Any]:
    customer = int(CUSTOMERS * dice.random() ** 2)
    item: dict[str, Any] = {
        "type": dice.choice(("page", "identify", "screen", "track", "track", "track")),
        "messageId": f"m{n if n % 50 else 0}", "timestamp": at, "userId": f"u{customer}"}
    if dice.random() < 0.7:
        item["anonymousId"] = f"a{customer}-{dice.randrange(20)}"
    context = dice.choice(_CONTEXTS)
    if context is not None:
        item["context"] = context
    if item["type"] == "identify" or dice.random() < 0.1:
        item["traits"] = _traits(dice, n)
        item["context"] = {"traits": _traits(dice, n), **(item.get("context") or {}),
                           "provenance": dice.choice((None, "declared", "third-party", 5))}
    if item["type"] == "track":
        item |= {"event": dice.choice(_NAMES), "properties": _properties(dice, n)}
    return item


def _traits(dice: random.Random, n: int) -> dict[str, Any]:
    return {dice.choice(("firstName", "first_name", "email", "age", "address", f"t{n % 400}")):
            dice.choice((None, "Ann", " A@B.example ", n, 1.50, {"city": 7}, ["a"], "x" * 2000))
            for _ in range(dice.choice((0, 1, 3)))}


def _properties(dice: random.Random, n: int) -> dict[str, Any]:
    lines = [{"product_id": f"p{dice.randrange(5)}", "name": "Shirt ü" * dice.choice((1, 1, 20)),
              "price": dice.choice(_AMOUNTS), "quantity": dice.choice((1, 1, 2, "0.5")),
              "variant": dice.choice(("", "red"))} for _ in range(dice.choice((1, 2, 40)))]
    return {
        **lines[0], "products": lines, "currency": dice.choice(("EUR", "EUR", "USD")),
        "cart_id": dice.choice(("", "", "c1", "c2", f"c{n % 40}")),
        "order_id": dice.choice(("", f"o{n}", f"o{n % 30}")), "total": dice.choice(_AMOUNTS),
        "channel": dice.choice((None, "POS", 7)), "renewal": dice.choice((None, True)),
        "value": [None, n % 40, f"v{n % 7}", "1.5", [n % 3, "x"]][n % 5],
        "card_fingerprint": dice.choice((None, f"f{dice.randrange(9)}", 5)),
        "coupon": dice.choice((None, f"k{n % 90}")),
        "purposes": dice.choice((None, {"ads": True, "b": "withdrawn"}, {"ads": False}, 5)),
        "purpose": dice.choice((None, None, "ads", 5)),
        "expires_at": dice.choice((None, None, START + 60 * DAY, "2024-01-01T00:00:00Z"))}


def _merged(log: Log, keys: list[bytes]) -> Iterator[str]:
    """Each table's rows of a customer and the next one, joined."""
    for mine, theirs in itertools.pairwise(keys):
        for table in tables.ALL:
            a, b = log.fold_of(mine).row(mine, table.name), log.fold_of(theirs).row(
                theirs, table.name)
            if a is not None and b is not None:
                facts, told = table.merge_facts(a.facts, b.facts), table.merge_told(a.told, b.told)
                said = table.announce(told, facts, log.now, table.config(), log.now)
                yield f"merged {table.name} {encoded((facts, told))!r} {said!r}"


def _shown(log: Log, keys: dict[bytes, None]) -> Iterator[str]:
    """What people see of each customer."""
    for key in keys:
        for table in tables.ALL:
            row = log.fold_of(key).row(key, table.name)
            if row is not None and table.view is not None:
                yield f"shown {table.view(row.facts, row.told, log.now, _config(log, table))!r}"


def _config(log: Log, table: AnyTable) -> Any:
    return log.workers[0].fold.config.sections[table.name]


if __name__ == "__main__":
    for line in written():
        print(line)
