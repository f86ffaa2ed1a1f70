"""What differs, by rule and by customer, as one document.

Decides what is counted and in which order it is listed: what differs most first. Customers are
named by their keys, as everywhere outside the view. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from footfall.replay.what_if.comparing import Outcome
from footfall.replay.what_if.ledger import ADDED, CHANGED, REMOVED, Difference
from footfall.tables.cart_triggers import instant

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the report says of the question. `asked`: the label of the configuration, None for the
    recorded one; `left_out`: records that no worker had committed; `lost`, `unknown`: as of
    `recorded.Beginning`.
    """

    since: int
    until: int
    against: str
    asked: str | None
    left_out: int
    lost: Mapping[int, int]
    unknown: tuple[int, ...] = ()


def document(outcome: Outcome, of: Circumstances, differences_max: int | None = None) -> Document:
    """The whole report; of single differences at most so many."""
    seen, found = outcome.seen, outcome.differences
    counts = Counter(one.what for one in found)
    customers = _customers(found)
    return {
        "since": instant(of.since) if of.since else None,
        "until": instant(of.until) if of.until else None,
        "against": of.against,
        "configuration": of.asked,
        "recorded_configurations": sorted(seen.versions),
        "handoffs": "delivered" if seen.delivered else "recorded",
        "handoffs_with_recorded_rows": seen.handoffs_recorded,
        "unmerges_left_out": seen.unmerges_left_out,
        "records": seen.records,
        "records_not_committed": of.left_out,
        "customers_seen": seen.customers,
        "deadlines_pending": seen.pending,
        "ticks_added": seen.woken,
        "rejected": {"recorded": outcome.rejected[0], "what_if": outcome.rejected[1]},
        "state_known_from": {str(p): low for p, low in sorted(of.lost.items())},
        "configuration_unknown_at_start": list(of.unknown),
        "customers_approximate": seen.customers if of.lost else 0,
        "customers_left_out": len(seen.strangers),
        "triggers": {"both": outcome.both.total(), ADDED: counts[ADDED],
                     REMOVED: counts[REMOVED], CHANGED: counts[CHANGED]},
        "customers_concerned": len(customers),
        "rules": _rules(outcome),
        "customers": customers,
        "differences": [_shown(one) for one in found[:differences_max]],
    }


def _rules(outcome: Outcome) -> Document:
    """By name: how many triggers, and which customers are told of by one side alone. `moved`: pairs
    of an added and a removed one of one customer: another cause, as another deadline is.
    """
    both: Counter[str] = Counter()
    whose: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for (name, key), n in outcome.both.items():
        both[name] += n
        whose[name]["both"].add(key)
    counts: Counter[tuple[str, str]] = Counter()
    of_customer: Counter[tuple[str, str, bytes]] = Counter()
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcome.differences:
        counts[one.name, one.what] += 1
        of_customer[one.what, one.name, one.key] += 1
        whose[one.name][one.what].add(one.key)
        members[one.name].update(one.members)
    shown: Document = {}
    for name in sorted(whose, key=lambda name: (-_weight(counts, name), name)):
        of = whose[name]
        shown[name] = {
            "recorded": both[name] + counts[name, REMOVED],
            "what_if": both[name] + counts[name, ADDED],
            **{what: counts[name, what] for what in (ADDED, REMOVED, CHANGED)},
            "moved": sum(min(of_customer[ADDED, name, key], of_customer[REMOVED, name, key])
                         for key in of[ADDED] & of[REMOVED]),
            "changed_members": dict(members[name].most_common()),
            "customers_new": len(of[ADDED] - of["both"] - of[REMOVED]),
            "customers_gone": len(of[REMOVED] - of["both"] - of[ADDED]),
        }
    return shown


def _weight(counts: Counter[tuple[str, str]], name: str) -> int:
    return sum(counts[name, what] for what in (ADDED, REMOVED, CHANGED))


def _customers(found: Sequence[Difference]) -> list[Document]:
    of: dict[bytes, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    weight: Counter[bytes] = Counter()
    for one in found:
        of[one.key][one.what][one.name] += 1
        weight[one.key] += 1
    return [{"customer_key": key.decode(),
             **{what: dict(of[key][what]) for what in (ADDED, REMOVED, CHANGED)}}
            for key in sorted(of, key=lambda key: (-weight[key], key))]


def _shown(one: Difference) -> Document:
    return {"what": one.what, "trigger_id": one.trigger_id, "name": one.name,
            "customer_key": one.key.decode(), "occurred_at": instant(one.occurred_at),
            "emitted_at": instant(one.emitted_at), "members": list(one.members)}
