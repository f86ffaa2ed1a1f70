"""A state made anew is the live one byte for byte, wherever its making was broken off."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from footfall.admin.history import Entry
from footfall.events.interaction import HANDOFF
from footfall.replay.rebuild.shadow import ShadowRefusedError, resumed
from footfall.replay.together import Start, Together
from footfall.tables.outputs import TRIGGER
from footfall.tables.records import Best
from footfall.tables.stored import SHADOW, Coordinates, PartitionState, inflight
from footfall.testing.log import Log
from tests.replay.made import KilledError, MemoryChangelog, Run, cut_over, stores
from tests.replay.test_together import INSTALLATION, PARTITIONS, live


def test_equals_live_with_the_same_triggers() -> None:
    """Rows, watermarks, memory of repeats: all bytes; and what would be told is what was told."""
    for seed in range(4):
        log = live(seed)
        changelog = MemoryChangelog()
        run = Run(log.entries, changelog)
        run.fold()
        assert stores(log) == [changelog.best(n).store for n in range(PARTITIONS)]
        told = {o.value for _partition, o in log.sent if o.kind == TRIGGER}
        assert told == set(run.triggers)
        assert any(o.kind == HANDOFF for _partition, o in log.sent)
        assert run.shadow.checkpoints > 3
        # Nothing is on its way, so nothing lies about.
        assert [{}] * PARTITIONS == [changelog.best(n).inflight for n in range(PARTITIONS)]


def test_nobody_may_start_from_it_before_its_last_checkpoint() -> None:
    """A shadow that is being made says so in each `$partition`; one that is done does not."""
    log = live(1, calls=60)
    changelog = MemoryChangelog()
    Run(log.entries, changelog).fold()
    assert {SHADOW} == {changelog.state(n).moved_to for n in range(PARTITIONS)}
    cut_over(log)
    Run(log.entries, changelog).fold()
    assert {0} == {changelog.state(n).moved_to for n in range(PARTITIONS)}
    assert {} == changelog.state(0).positions


def test_killed_after_any_write_and_gone_on_with() -> None:
    """Every place at which a checkpoint of two partitions or more can be broken off."""
    log = live(3, calls=90)
    expected = stores(log)
    cut_over(log)
    whole = MemoryChangelog()
    Run(log.entries, whole, checkpoint_records=40).fold()
    assert whole.put_records > 100
    for until in range(whole.put_records):
        changelog = MemoryChangelog(until=until)
        with pytest.raises(KilledError):
            Run(log.entries, changelog, checkpoint_records=40).fold()
        again = MemoryChangelog(changelog.records)
        run = Run(log.entries, again, checkpoint_records=40)
        run.fold()
        assert expected == [again.best(n).store for n in range(PARTITIONS)], until
        assert {0} == {again.state(n).moved_to for n in range(PARTITIONS)}
        assert [{}] * PARTITIONS == [again.best(n).inflight for n in range(PARTITIONS)], until


def test_killed_again_and_again() -> None:
    """Each process gets on by a few records and dies; the state is the same in the end."""
    dice = random.Random(5)
    kills = 0
    for seed in range(6, 10):
        log = live(seed, calls=120)
        expected = stores(log)
        cut_over(log)
        changelog = MemoryChangelog()
        while True:
            changelog = MemoryChangelog(changelog.records, until=dice.randrange(5, 50))
            try:
                Run(log.entries, changelog, checkpoint_records=30,
                    slice_records=dice.randrange(1, 30)).fold()
                break
            except KilledError:
                kills += 1
        assert expected == [changelog.best(n).store for n in range(PARTITIONS)]
    assert kills > 10


def handoffs(entries: Sequence[Entry], at_ms: int) -> Iterator[tuple[Coordinates, bytes]]:
    """Those that a partition reads at an instant or later."""
    for entry in entries:
        if entry.timestamp < at_ms or entry.value is None or entry.key is None:
            continue
        event = INSTALLATION.codecs.interaction.decode(entry.value)
        if event["type"] == HANDOFF:
            move = INSTALLATION.reserved.read_handoff(event, entry.key)
            yield (entry.key, move.partition, move.offset, move.n), entry.value


def test_handoffs_on_their_way_over_the_cut_are_in_the_changelog() -> None:
    """Sent before the sender's `$cutover`, read after the receiver's: their contents, and no
    others, lie with the receiver, and who is killed meanwhile leaves the same.
    """
    over = 0
    for seed in range(4):
        log = live(seed, calls=80)
        for at_ms in sorted({e.timestamp for part in log.entries for e in part})[20::5]:
            before = [[e for e in part if e.timestamp < at_ms] for part in log.entries]
            if any(part and part[-1].offset >= len(part) for part in before):
                continue  # append times went back there: it is no instant of all partitions
            expected = [
                dict(inflight(place, value) for place, value in handoffs(part, at_ms)
                     if place[2] < len(before[place[1]])) for part in log.entries]
            cut = Log(log.specs, PARTITIONS, log.installation, at_ms, entries=before)
            cut_over(cut)
            changelog = MemoryChangelog()
            Run(cut.entries, changelog).fold()
            assert expected == [changelog.best(n).inflight for n in range(PARTITIONS)]
            killed = MemoryChangelog(until=changelog.put_records - 8)
            with pytest.raises(KilledError):
                Run(cut.entries, killed).fold()
            again = MemoryChangelog(killed.records)
            Run(cut.entries, again).fold()
            assert expected == [again.best(n).inflight for n in range(PARTITIONS)]
            over += sum(map(len, expected))
    assert over > 10


def test_contents_written_down_are_not_replaced() -> None:
    """Who goes on further back than his own records are may send other contents under a number
    that was given before: the receiver gets what was written down.
    """
    log = live(4, calls=60)
    number, part = next((n, part) for n, part in enumerate(log.entries) if [*handoffs(part, 0)])
    place, value = next(handoffs(part, 0))
    together = Together(
        {n: Start(PartitionState(), Best(), {place: b"written down"} if n == number else {})
         for n in range(PARTITIONS)}, log.specs, codecs=INSTALLATION.codecs,
        keys=INSTALLATION.keys, reserved=INSTALLATION.reserved, keep_taken=True)
    # First what sends it, then what is read up to it.
    together.put(place[1], [Entry(*e) for e in log.entries[place[1]][: place[2] + 1]])
    together.run()
    at = next(e.offset for e in part if e.value == value)
    together.put(number, [Entry(*e) for e in part[together.folds[number].next_offset : at + 1]])
    together.run()
    assert at + 1 == together.folds[number].next_offset
    assert value != b"written down"
    assert b"written down" == together.taken[number][place]


def test_other_code_does_not_go_on_with_it() -> None:
    """Half of the state would be of each code."""
    log = live(2, calls=40)
    changelog = MemoryChangelog()
    Run(log.entries, changelog).fold()
    with pytest.raises(ShadowRefusedError, match="abandon"):
        resumed(changelog.best(0), 0, code=2)


def test_a_log_that_is_another_is_refused() -> None:
    """The last record read has to be there, and to be the same, as for a worker."""
    log = live(2, calls=40)
    changelog = MemoryChangelog()
    Run(log.entries, changelog).fold()
    forgot = [entries[:-1] for entries in log.entries]
    with pytest.raises(ShadowRefusedError, match="forgot"):
        Run(forgot, changelog)
    other = [[*entries[:-1], entries[-1]._replace(value=b"another"), entries[-1]._replace(
        offset=len(entries))] for entries in log.entries]
    with pytest.raises(ShadowRefusedError, match="another record"):
        Run(other, changelog).fold()
