"""The facts of risk: counts per time bucket, what was first seen when, the last orders' values.

Every event counts; most change nothing else, and that path is kept short. Rules:
- Of every event its minute is counted, ten minutes back from the greatest event time held.
- Signals are counted in buckets of their own length (`BUCKETS`), as far back as they can score.
- Of each device, network, card and coupon the least minute that named it: the first one of all and
  the 15 named first most recently.
- Of orders the newest 16 values; of two messages about one order the later counts. A message
  without a value above zero says nothing of it.
What is cut is cut by content alone. Dropping minutes, buckets and values keeps the law of facts;
only dropping a device, network, card or coupon is marked (`cut`).
Must never score, read configuration, or change what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from footfall.events.interaction import Interaction
from footfall.events.personal import read as read_personal
from footfall.tables.risk_row import Count, OrderValue, RiskFacts
from footfall.tables.risk_signals import (
    FAILED_LOGIN,
    FAILED_PAYMENT,
    HASH_BYTES,
    ORDER,
    REFUND,
    hashed,
    kind_of,
    network_of,
    read,
)

MINUTE_MS: Final = 60_000
#: Minutes whose events are counted one by one.
MINUTES: Final = 10
#: Kind -> (length of its buckets, how far back they can score), in minutes.
BUCKETS = {
    FAILED_PAYMENT: (60, 36 * 60),
    FAILED_LOGIN: (15, 6 * 60),
    REFUND: (7 * 1440, 84 * 1440),
    ORDER: (7 * 1440, 84 * 1440),
}
#: Devices, networks, cards or coupons of a customer.
SEEN_MAX: Final = 16
VALUES_MAX: Final = 16

_MINUTE_BYTES: Final = 4
#: One thing that was seen: the minute it was first named, big-endian, and its hash.
SEEN_BYTES: Final = _MINUTE_BYTES + HASH_BYTES


def observe(facts: RiskFacts, event: Interaction, when: int) -> RiskFacts:
    """Facts with one more event."""
    minute = when // MINUTE_MS if when > 0 else 0
    newest = facts.minute
    counts = facts.counts
    happened = facts.happened
    if minute == newest:
        counts = (counts[0] + 1, *counts[1:]) if counts else (1,)
    elif minute > newest:
        counts = _moved(counts, minute - newest)
        if happened:
            happened = _kept(happened, minute)
    else:
        counts = _joined_counts(newest, counts, minute, (1,))
    devices, networks = facts.devices, facts.networks
    cards, coupons = facts.cards, facts.coupons
    values = facts.values
    cut = facts.cut
    personal = event["read"] if "read" in event else read_personal(event)
    context = personal.context
    named = context.device if context is not None else None
    name = (named.id if named is not None else None) or personal.anonymous_id
    device = hashed(name) if name else b""
    # Eight bytes found anywhere in a run are the thing itself, as surely as two hashes differ; it
    # was first named no later than the newest event, so only a late one can change it.
    if device and (minute < newest or device not in devices):
        devices, over = _with(devices, minute, device)
        cut = cut or over
    if context is not None and context.ip:
        network = network_of(context.ip)
        if network and (minute < newest or network not in networks):
            networks, over = _with(networks, minute, network)
            cut = cut or over
    if minute > newest:
        newest = minute
    kind = kind_of(event["event"]) if event["type"] == "track" else None
    if kind is not None:
        signal = read(event, kind, when)
        if kind in BUCKETS:
            happened = _added((*happened, Count(kind, minute // BUCKETS[kind][0], 1)), newest)
        if signal.card:
            cards, over = _with(cards, minute, signal.card)
            cut = cut or over
        if signal.coupon:
            coupons, over = _with(coupons, minute, signal.coupon)
            cut = cut or over
        if signal.order is not None:
            values = _newest((*values, signal.order))
    return RiskFacts(newest, counts, devices, networks, cards, coupons, happened, values, cut)


def merge(mine: RiskFacts, theirs: RiskFacts) -> RiskFacts:
    """Facts of both, as if one customer had done it all."""
    a, b = (mine, theirs) if mine.minute >= theirs.minute else (theirs, mine)
    devices, more_devices = _union(a.devices, b.devices)
    networks, more_networks = _union(a.networks, b.networks)
    cards, more_cards = _union(a.cards, b.cards)
    coupons, more_coupons = _union(a.coupons, b.coupons)
    happened = a.happened
    if b.happened:
        happened = _added((*happened, *b.happened), a.minute)
    values = a.values or b.values
    if a.values and b.values:
        values = _newest((*a.values, *b.values))
    return RiskFacts(
        a.minute, _joined_counts(a.minute, a.counts, b.minute, b.counts),
        devices, networks, cards, coupons, happened, values,
        a.cut or b.cut or more_devices or more_networks or more_cards or more_coupons)


def first_seen(run: bytes) -> list[int]:
    """When each was first named, in minutes, sorted."""
    return [int.from_bytes(run[i : i + _MINUTE_BYTES], "big")
            for i in range(0, len(run), SEEN_BYTES)]


def _moved(counts: tuple[int, ...], minutes: int) -> tuple[int, ...]:
    """Counts with the first event of a later minute."""
    if minutes == 1:
        moved = (1, *counts)
    elif minutes < MINUTES:
        moved = (1, *(0,) * (minutes - 1), *counts) if counts else (1,)
    else:
        return (1,)
    if len(moved) <= MINUTES:
        return moved
    moved = moved[:MINUTES]
    while not moved[-1]:
        moved = moved[:-1]
    return moved


def _joined_counts(newest: int, counts: tuple[int, ...], minute: int, more: tuple[int, ...]
                   ) -> tuple[int, ...]:
    """Counts of both as of `newest`, which is not before `minute`."""
    back = newest - minute
    if back >= MINUTES or not more:
        return counts
    joined = [*counts, *(0,) * (back + len(more) - len(counts))]
    for i, n in enumerate(more, back):
        joined[i] += n
    del joined[MINUTES:]
    while joined and not joined[-1]:
        joined.pop()
    return tuple(joined)


def _kept(happened: tuple[Count, ...], minute: int) -> tuple[Count, ...]:
    """Buckets that can still score at the greatest event time."""
    for count in happened:
        length, horizon = BUCKETS[count.kind]
        if count.bucket < (minute - horizon) // length:
            break
    else:
        return happened
    return tuple(c for c in happened
                 if c.bucket >= (minute - BUCKETS[c.kind][1]) // BUCKETS[c.kind][0])


def _added(counts: Iterable[Count], minute: int) -> tuple[Count, ...]:
    found: dict[tuple[int, int], int] = {}
    for kind, bucket, n in counts:
        found[kind, bucket] = found.get((kind, bucket), 0) + n
    return _kept(tuple(Count(*key, n) for key, n in sorted(found.items())), minute)


def _newest(values: Iterable[OrderValue]) -> tuple[OrderValue, ...]:
    newest: dict[bytes, OrderValue] = {}
    for value in values:
        known = newest.get(value.order)
        newest[value.order] = value if known is None else max(known, value)
    return tuple(sorted(newest.values())[-VALUES_MAX:])


def _with(run: bytes, minute: int, digest: bytes) -> tuple[bytes, bool]:
    return _union(run, minute.to_bytes(_MINUTE_BYTES, "big") + digest)


def _union(run: bytes, more: bytes) -> tuple[bytes, bool]:
    """Both runs within the limit, and whether it dropped any."""
    if not more or run == more:
        return run, False
    if not run:
        return more, False
    if len(more) == SEEN_BYTES:
        at = run.find(more[_MINUTE_BYTES:]) - _MINUTE_BYTES
        if at >= 0 and not at % SEEN_BYTES and run[at : at + SEEN_BYTES] <= more:
            return run, False  # known for longer
    least: dict[bytes, bytes] = {}
    for part in (run, more):
        for i in range(0, len(part), SEEN_BYTES):
            one = part[i : i + SEEN_BYTES]
            digest = one[_MINUTE_BYTES:]
            known = least.get(digest)
            if known is None or one < known:
                least[digest] = one
    seen = sorted(least.values())
    if len(seen) <= SEEN_MAX:
        return b"".join(seen), False
    return b"".join([seen[0], *seen[1 - SEEN_MAX :]]), True
