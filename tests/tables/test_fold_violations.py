"""Violations of the tracking plan lie in the log and touch nobody."""

from __future__ import annotations

from typing import Any

import pytest

from footfall import tables
from footfall.events.interaction import VIOLATION, VIOLATION_KEY, Interaction
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, BERT, START

MINUTE = 60_000


def violation(n: int) -> Interaction:
    event: Any = events.plain(START, f"v{n}", {"properties": {"count": 3}})
    event.update(type=VIOLATION, event="Product Added")
    return event


def folded(key: bytes | None) -> Log:
    """Two customers who shop; violations among their records under a key, or none."""
    log = Log(tables.ALL)
    for n in range(20):
        log.append((ANNA, BERT)[n % 2], events.added(START + n * MINUTE, f"m{n}"),
                   START + n * MINUTE)
        if key is not None:
            log.append(key, violation(n), START + n * MINUTE)
    for minutes in (48, 49):  # half an hour after their last one
        log.tick(START + minutes * MINUTE + 600)
    return log.run()


@pytest.mark.parametrize("key", [VIOLATION_KEY, ANNA], ids=["its own", "a customer's"])
def test_the_tables_of_customers_are_as_without_them(key: bytes) -> None:
    """Rows and triggers; neither a customer nor poison is made of them, whatever their key."""
    log, without = folded(key), folded(None)
    for customer in (ANNA, BERT):
        for table in tables.ALL:
            assert (without.fold_of(customer).row(customer, table.name)
                    == log.fold_of(customer).row(customer, table.name))
    assert without.triggers() == log.triggers()
    assert without.triggers("cart_abandoned")
    assert {ANNA, BERT} == log.records().keys()
    assert [] == log.rejected()
    assert 20 == log.workers[0].fold.counts["processed", VIOLATION]


def test_folding_them_again_gives_the_same() -> None:
    log = folded(VIOLATION_KEY)
    again = log.fold_again()
    assert (log.records(), log.triggers()) == (again.records(), again.triggers())
