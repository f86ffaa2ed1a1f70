"""What a rebuild is for: a table that had a bug, a table that is new, a log that was cut short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from footfall import tables
from footfall.admin.history import HistoryGapError
from footfall.admin.scan import Span
from footfall.replay.rebuild.compare import Comparison
from footfall.replay.rebuild.run import within
from footfall.replay.rebuild.shadow import fresh
from footfall.tables import engagement, timeline
from footfall.tables.spec import AnyTable
from tests.replay.made import CODE, MemoryChangelog, Run, stores
from tests.replay.test_together import PARTITIONS, live

NEW = timeline.TABLE.name
MENDED = engagement.TABLE.name


def _twice(facts: Any, event: Any, when: int) -> Any:
    return engagement.TABLE.observe(engagement.TABLE.observe(facts, event, when), event, when)


#: Counts everything twice, and knows no timeline.
OLD: tuple[AnyTable, ...] = tuple(
    replace(t, observe=_twice) if t.name == MENDED else t for t in tables.ALL if t.name != NEW)


def test_mended_and_added_tables_are_right_across_merged_customers() -> None:
    """As if the table had never had the bug, and had always been there: also of those who were
    merged, whose rows the log holds as the old code made them.
    """
    for seed in (1, 2, 3):
        old, right = live(seed, 200, OLD), live(seed, 200)
        assert [[e.offset for e in part] for part in old.entries] == [
            [e.offset for e in part] for part in right.entries]
        changelog = MemoryChangelog()
        run = Run(old.entries, changelog)
        run.fold()
        assert run.together.counts["recomputed"] > 20
        assert stores(right) == [changelog.best(n).store for n in range(PARTITIONS)]
        assert stores(old) != stores(right)


def compared(log: Any, new: Run) -> Comparison:
    """Every partition of a live log against a shadow."""
    found = Comparison(tables.ALL, shown_max=3)
    for worker in log.workers:
        fold = new.together.folds[worker.number]
        worker.fold.snapshot()
        changelog = MemoryChangelog([(0, k, v) for k, v in worker.fold.store.items()])
        found.take(changelog.best(0), worker.fold.next_offset, fold.store, fold.next_offset)
    return found


def test_comparison_names_the_tables_that_differ() -> None:
    """Those two alone, with how many rows and whose; everything else is the same."""
    old = live(4, 200, OLD)
    run = Run(old.entries, MemoryChangelog())
    run.fold()
    found = compared(old, run)
    assert [MENDED, NEW] == [n for n in found.differing if not n.startswith("(")]
    rows = found.tables
    assert (0, 0) == (rows[NEW].differ, rows[NEW].only_live)
    assert rows[NEW].only_new >= 5 and rows[MENDED].differ >= 5
    assert 0 == rows["cart"].differs and rows["cart"].equal >= 5
    assert 3 == len(found.shown()["tables"][MENDED]["customer_keys"])
    assert all(":" in key for key in rows[MENDED].keys)
    assert 0 == found.moved
    assert "customer_keys" not in Comparison(tables.ALL).shown()


def test_comparison_leaves_out_who_moved_meanwhile() -> None:
    """A customer who did something beyond where one of the two states is, is counted, no more."""
    log = live(5, 200)
    shorter = [part[: len(part) - 10] for part in log.entries]
    run = Run(shorter, MemoryChangelog())
    run.folding.to({n: len(part) for n, part in enumerate(shorter)})
    run.folding.checkpoint()
    found = compared(log, run)
    assert [] == found.differing
    assert found.moved > 3 and found.compared > 3


def test_a_log_cut_short_is_refused_unless_it_is_accepted() -> None:
    """The message names partition and offsets; what there is can be taken, counted."""
    log = live(6, 200)
    low = {0: 30, 2: 25}
    spans = {n: Span(low.get(n, 0), len(e)) for n, e in enumerate(log.entries)}
    origins = {n: fresh(span.low, CODE) for n, span in spans.items()}
    with pytest.raises(HistoryGapError, match=r"partition 0 begins at offset 30 \(0 to 29 are"):
        within(origins, spans, accept_gap=False)
    found = within(origins, spans, accept_gap=True)
    assert {0: 30, 1: 0, 2: 25} == {n: o.given_up for n, o in found.items()}
    changelog = MemoryChangelog()
    run = Run(log.entries, changelog, low=low)
    run.fold()
    counts = run.together.counts
    assert counts["recorded"] > 0 and counts["recorded_otherwise"] > 0
    # Gone on with, it knows what was given up without being told.
    again = Run(log.entries, MemoryChangelog(changelog.records), low=low)
    again.fold()
    assert {n: len(e) for n, e in enumerate(log.entries)} == {
        n: fold.next_offset for n, fold in again.together.folds.items()}


def test_what_waits_in_memory_is_bounded_by_a_checkpoint() -> None:
    """Contents that have come are let go of at each checkpoint, and records wait a slice long."""
    log = live(7, 600)
    run = Run(log.entries, MemoryChangelog(), slice_records=10, checkpoint_records=40)
    most = {"taken": 0, "inflight": 0, "waiting": 0}
    together = run.together
    folded = run.folding.folded

    def watch(records: int) -> None:
        most["taken"] = max(most["taken"], sum(map(len, together.taken.values())))
        most["inflight"] = max(most["inflight"], sum(map(len, together.inflight.values())))
        most["waiting"] = max(most["waiting"], sum(map(together.waiting, range(PARTITIONS))))
        folded(records)

    run.folding.folded = watch
    run.fold()
    assert together.counts["recomputed"] > 200
    assert 0 < most["taken"] <= 40 + 2 * 10
    assert most["waiting"] <= 10 * PARTITIONS
    assert most["inflight"] <= 10 * PARTITIONS
