"""An archive and what is live give the whole log, each record once, wherever one takes over."""

from __future__ import annotations

import random
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.admin.history import Entry
from footfall.replay.archive import chained
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.chained import ChainedSource
from footfall.replay.archive.manifest import ArchiveError
from footfall.replay.archive.reading import ArchiveSource
from footfall.replay.archive.target import Remote
from tests.replay.kept import Kept, archived, drained, log


def place() -> Remote:
    return Remote(f"memory://{uuid.uuid4().hex}")


def upto(kept: Kept, records: dict[int, int]) -> Kept:
    """The log when it had so many records of these partitions."""
    early = Kept(kept.entries)
    for number, count in records.items():
        early.ends[number] = kept.entries[number][count].offset
    return early


def since(kept: Kept, records: dict[int, int]) -> Kept:
    """The log once retention has taken so many."""
    late = Kept(kept.entries)
    for number, count in records.items():
        late.lows[number] = kept.entries[number][count].offset
    return late


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 299), st.integers(0, 299), st.integers(0, 99), st.integers(0, 99),
       st.integers(0, 3))
def test_the_whole_log_comes_back(a: int, b: int, c: int, d: int, seed: int) -> None:
    """Whatever retention has taken of what is archived."""
    kept = Kept(log(300, seed))
    catalog = archived(place(), upto(kept, {0: max(a, b), 1: max(c, d)}))
    live = since(kept, {0: min(a, b), 1: min(c, d)})
    source = ChainedSource(ArchiveSource(catalog), live)

    assert kept.spans() == source.spans()
    assert kept.entries == drained(source)


def test_reading_may_begin_anywhere_and_end_anywhere() -> None:
    """In the archive, where both are, and in Kafka."""
    kept = Kept(log(120))
    catalog = archived(place(), upto(kept, {0: 60, 1: 20}))
    source = ChainedSource(ArchiveSource(catalog), since(kept, {0: 40, 1: 10}))
    dice = random.Random(1)
    for at in range(0, kept.ends[0] + 1, 3):
        end = dice.randint(at, kept.ends[0])
        source.seek({0: at, 1: kept.lows[1]})
        taken: list[Entry] = []
        while some := source.take(0, end):
            taken += some
        assert [e for e in kept.entries[0] if at <= e.offset < end] == taken


def test_an_archive_that_grows_is_read_on() -> None:
    """Retention may take meanwhile what was archived since reading began."""
    kept = Kept(log(300))
    target = place()
    catalog = archived(target, upto(kept, {0: 60, 1: 20}))
    live = since(kept, {0: 50, 1: 10})
    source = ChainedSource(ArchiveSource(catalog), live)
    source.seek({0: 0, 1: kept.lows[1]})
    taken = source.take(0, kept.ends[0])
    archived(target, upto(kept, {0: 200, 1: 80}))
    live.lows[0] = kept.entries[0][180].offset
    live.lows[1] = kept.entries[1][70].offset
    while some := source.take(0, kept.ends[0]):
        taken += some
    others = []
    while some := source.take(1, kept.ends[1]):
        others += some

    assert kept.entries[0] == taken
    assert kept.entries[1] == others


def test_a_gap_between_archive_and_log_is_refused() -> None:
    """It is named, with what to do."""
    kept = Kept(log(300))
    catalog = archived(place(), upto(kept, {0: 60, 1: 20}))
    source = ChainedSource(ArchiveSource(catalog), since(kept, {0: 61, 1: 10}))

    with pytest.raises(ArchiveError, match=r"partition 0: the archive ends at offset \d+, and the "
                                           r"log begins at \d+.*--accept-gap"):
        source.spans()


def test_a_gap_that_comes_while_it_is_read_is_refused() -> None:
    """Retention was faster than the archive."""
    kept = Kept(log(300))
    live = Kept(kept.entries)
    source = ChainedSource(ArchiveSource(archived(place(), upto(kept, {0: 60, 1: 20}))), live)
    source.seek({0: 0})
    source.take(0, kept.ends[0])
    live.lows[0] = kept.entries[0][70].offset
    with pytest.raises(ArchiveError, match="is in neither"):
        while source.take(0, kept.ends[0]):
            pass


def test_a_log_that_ends_before_the_archive_is_refused() -> None:
    """A broker forgot."""
    kept = Kept(log(300))
    source = ChainedSource(ArchiveSource(archived(place(), kept)), upto(kept, {0: 60}))
    with pytest.raises(ArchiveError, match="a broker forgot"):
        source.spans()


def test_without_an_archive_there_is_the_log_alone() -> None:
    """A target that is set and empty."""
    kept = Kept(log(30))
    assert kept is chained.source(Catalog(place()), kept)


def test_an_archive_that_begins_later_than_the_log_adds_what_it_has() -> None:
    """What retention has not taken yet is read from Kafka."""
    kept = Kept(log(300))
    catalog = archived(place(), since(kept, {0: 100, 1: 50}))
    source = ChainedSource(ArchiveSource(catalog), kept)

    assert kept.spans() == source.spans()
    assert kept.entries == drained(source)
