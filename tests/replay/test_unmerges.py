"""Unmerges of the past, folded again by code that knows a table more than they did."""

from __future__ import annotations

from typing import Any

import pytest

from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.admin.unmerge import plan
from footfall.replay.together import Start, Together
from footfall.replay.unmerges import unmerges_anew
from footfall.tables.records import Best
from footfall.tables.stored import PartitionState
from tests.replay.made import MemorySource
from tests.tables import test_links
from tests.tables.log import Log
from tests.tables.logs import CODECS, KEYS, RESERVED
from tests.tables.test_unmerge import ANNA, BROWSER, signed_up
from tests.tables.unmerging import append, history, unmerge

WHOLE = test_links.SPECS
OTHER = KEYS.of("anonymous_id", "c")
FEWER = tuple(table for table in WHOLE if table.name != "tally")


def story(monkeypatch: pytest.MonkeyPatch, specs: Any) -> Log:
    """Merged, taken apart, and going on, as workers with these tables folded it."""
    monkeypatch.setattr(test_links, "SPECS", specs)
    shop = signed_up()
    unmerge(shop.log, ANNA, BROWSER)
    shop.log.run()
    shop.page(browser="b")
    shop.page("anna")
    shop.page("anna", "c")
    read = history(shop.log, ANNA, OTHER)
    wanted = plan(read, ANNA, OTHER, KEYS)
    shop.page("anna")  # she has gone on since it was planned: it comes to nothing
    append(shop.log, wanted, read)
    shop.log.run()
    assert ANNA == shop.owner("anonymous_id", "c")
    return shop.log


def again(log: Log) -> dict[int, dict[bytes, bytes]]:
    """The log folded together by code that has all tables."""
    source = MemorySource(log.entries)
    spans = {n: Span(0, len(entries)) for n, entries in enumerate(log.entries)}
    replaced = unmerges_anew(source, spans, WHOLE, codecs=CODECS, keys=KEYS, reserved=RESERVED)
    together = Together({n: Start(PartitionState(), Best(), {}) for n in spans}, WHOLE,
                        codecs=CODECS, keys=KEYS, reserved=RESERVED, replaced=replaced)
    for number, entries in enumerate(log.entries):
        together.put(number, [Entry(*entry) for entry in entries])
    together.run()
    for fold in together.folds.values():
        fold.snapshot()
    return {n: dict(fold.store) for n, fold in together.folds.items()}


def test_a_table_that_is_new_has_what_each_side_did_itself(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had been there from the start."""
    had = story(monkeypatch, FEWER)
    would_have = story(monkeypatch, WHOLE)
    assert again(had) == {worker.number: (worker.fold.snapshot(), dict(worker.fold.store))[1]
                          for worker in would_have.workers}


def test_the_same_code_reads_what_the_log_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte."""
    log = story(monkeypatch, WHOLE)
    spans = {n: Span(0, len(entries)) for n, entries in enumerate(log.entries)}
    replaced = unmerges_anew(MemorySource(log.entries), spans, WHOLE, codecs=CODECS, keys=KEYS,
                             reserved=RESERVED)
    assert len(replaced) > 0
    for (partition, offset), value in replaced.items():
        assert log.entries[partition][offset].value == value


def test_a_log_without_any_is_not_read_twice() -> None:
    """What costs nothing must stay so."""
    log = signed_up().log
    source = MemorySource(log.entries)
    spans = {n: Span(0, len(entries)) for n, entries in enumerate(log.entries)}
    found = unmerges_anew(source, spans, WHOLE, codecs=CODECS, keys=KEYS, reserved=RESERVED)
    assert ({}, sum(map(len, log.entries))) == (found, source.taken)
