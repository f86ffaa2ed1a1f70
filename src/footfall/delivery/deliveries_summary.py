"""Deliveries in numbers: by destination, status and reason; the backlog; how long it took. Pure.

Decides what is counted where: every delivery once, by its last step; what was resent apart from
that, by how it ended before where that was read, as if nobody had. The time to `sent` is from the
instant at which the trigger fired, so that waiting counts, too: it is what a receiver sees.
Percentiles are those of all that was read, by nearest rank.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Any

from footfall.delivery.deliveries_account import Account, Delivery, End
from footfall.delivery.deliveries_shown import instant_or_none


class _Destination:
    """What is counted of one."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.resent: Counter[str] = Counter()
        self.pending = 0
        self.oldest = 0
        self.sent_ms = array("q")
        self.attempts: Counter[int] = Counter()

    def take(self, one: Delivery) -> None:
        if one.runs:
            self.resent[one.status] += 1
        if one.is_pending:
            self.pending += 1
            since = one.began_at if one.runs else one.emitted_at or one.began_at
            self.oldest = min(self.oldest or since, since)
        if not one.runs:
            self._count(End(one.status, one.reason, one.attempt, one.at), one.emitted_at)
        elif one.live is not None:
            self._count(one.live, one.emitted_at)

    def _count(self, end: End, emitted_at: int) -> None:
        self.statuses[end.status] += 1
        if end.reason:
            self.reasons[end.status, end.reason] += 1
        if end.attempt:
            self.attempts[end.attempt] += 1
        if end.status == "sent" and emitted_at:
            self.sent_ms.append(max(0, end.at - emitted_at))


class Summary:
    """Sums up partitions, one after the other."""

    def __init__(self) -> None:
        self._destinations: dict[str, _Destination] = {}
        self._disabled: dict[str, dict[str, Any]] = {}

    def take(self, partition: int, account: Account, meant: Iterable[Delivery]) -> None:
        """What is meant of one partition, and which destinations are disabled there."""
        for one in meant:
            self._of(one.destination).take(one)
        for switched in account.disabled():
            shown = self._disabled.setdefault(switched.destination, {
                "destination": switched.destination, "reason": switched.reason,
                "since": switched.at, "partitions": []})
            shown["partitions"].append(partition)
            if switched.at < shown["since"]:
                shown.update(since=switched.at, reason=switched.reason)

    def document(self, now: int) -> dict[str, Any]:
        """All of it, for people and programs."""
        return {
            "destinations": [_shown(name, one, now)
                             for name, one in sorted(self._destinations.items())],
            "disabled": [{**one, "since": instant_or_none(one["since"])}
                         for _name, one in sorted(self._disabled.items())],
        }

    def _of(self, destination: str) -> _Destination:
        found = self._destinations.get(destination)
        if found is None:
            found = self._destinations[destination] = _Destination()
        return found


def nearest_rank(ordered: array[int], percent: int) -> int | None:
    """A percentile of values in ascending order; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _shown(name: str, one: _Destination, now: int) -> dict[str, Any]:
    took = array("q", sorted(one.sent_ms))
    attempts = one.attempts
    return {
        "destination": name,
        "deliveries": one.statuses.total(),
        "statuses": dict(sorted(one.statuses.items())),
        "reasons": [{"status": status, "reason": reason, "deliveries": count}
                    for (status, reason), count in sorted(one.reasons.items())],
        "resent": {"deliveries": one.resent.total(), "statuses": dict(sorted(one.resent.items()))},
        "backlog": {
            "deliveries": one.pending,
            "oldest_at": instant_or_none(one.oldest),
            "oldest_age_s": max(0, now - one.oldest) // 1000 if one.pending else None,
        },
        "sent_ms": {"p50": nearest_rank(took, 50), "p95": nearest_rank(took, 95)},
        "attempts": {
            "mean": round(sum(n * count for n, count in attempts.items()) / attempts.total(), 2)
            if attempts else None,
            "max": max(attempts, default=None),
        },
    }
