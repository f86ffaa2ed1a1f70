"""Which state counts, and what is not changed over though it was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from footfall import tables
from footfall.errors import FootfallError
from footfall.replay.job import Job
from footfall.replay.rebuild.code import code_of
from footfall.replay.rebuild.command import DiffersError, _Asked, _check, of_one_number
from footfall.replay.rebuild.compare import Comparison, Rows
from footfall.replay.rebuild.topics import Generations, live_of
from footfall.tables.stored import SHADOW, PartitionState


def state(moved_to: int = 0) -> PartitionState:
    return PartitionState(next_offset=5, moved_to=moved_to)


@pytest.mark.parametrize(("states", "live"), [
    ({1: {}}, 1),
    ({1: {0: state()}}, 1),
    ({1: {0: state()}, 2: {0: state(SHADOW)}}, 1),
    # The worker has left, and the new state is not finished: it must be gone on with.
    ({1: {0: state(2)}, 2: {0: state(SHADOW)}}, 1),
    ({1: {0: state(2)}, 2: {}}, 1),
    # Finished, and the worker has not come to its `$cutover`.
    ({1: {0: state()}, 2: {0: state()}}, 1),
    ({1: {0: state(2)}, 2: {0: state()}}, 2),
    ({1: {0: state(2)}, 2: {0: state(3)}, 3: {0: state()}}, 3),
    ({1: {}, 2: {0: state()}}, 2),  # after a commit
])
def test_the_generation_that_counts(
        states: dict[int, dict[int, PartitionState]], live: int) -> None:
    """The lowest that knows the partition, then where that one leads, if it is finished."""
    assert live == live_of(0, states)


def test_what_no_partition_needs_any_more() -> None:
    """The old state, and not one that is empty since a commit."""
    kept = Generations(1, (1, 2), {1: {0: state(2)}, 2: {0: state()}}, {0: 2}, None)
    assert (1,) == kept.behind
    committed = Generations(1, (1, 2), {1: {}, 2: {0: state()}}, {0: 2}, None)
    assert () == committed.behind


@pytest.mark.parametrize(("wanted", "log", "state", "is_refused"), [
    (4, 4, 4, False), (12, 4, 4, False),  # 12: nobody said anything
    (24, 4, 4, True), (4, 5, 4, True), (5, 5, 4, True), (12, 5, 4, True)])
def test_a_rebuild_gives_no_other_number_of_partitions(
        wanted: int, log: int, state: int, *, is_refused: bool) -> None:
    """Refused before anything is made, with the page that has the way."""
    if not is_refused:
        of_one_number(wanted, log, state)
        return
    with pytest.raises(FootfallError, match="More partitions"):
        of_one_number(wanted, log, state)


def differing(*names: str) -> Comparison:
    found = Comparison(tables.ALL)
    found.tables = {"cart": Rows(equal=3), **{name: Rows(differ=1) for name in names}}
    return found


def asked(named: Sequence[str] = (), *, accepts: bool = False) -> _Asked:
    return _Asked(named, accepts, 0, cuts_over=True, accept_gap=False, rate_per_s=None)


def test_a_table_that_was_not_named_must_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    """The message and the report name it; what a record holds beside its rows may follow."""
    run = Job("rebuild", yes=True, as_json=True)
    found = differing("risk", "engagement", "(timers)")
    with pytest.raises(DiffersError, match=r"^risk: differ from the live state"):
        _check(run, found, asked(["engagement"]), {"compared": found.shown()})
    report = json.loads(capsys.readouterr().out)
    assert ["(timers)", "engagement", "risk"] == report["compared"]["differing"]
    for wanted in (asked(["engagement", "risk"]), asked(["engagement"], accepts=True), asked()):
        _check(run, found, wanted, {"compared": found.shown()})


def test_code_is_known_again() -> None:
    """The same for the same tables; another as soon as one is missing."""
    assert code_of(tables.ALL) == code_of(tuple(reversed(tables.ALL)))
    assert code_of(tables.ALL) != code_of(tables.ALL[1:])
    assert 0 <= code_of(tables.ALL) < 1 << 63
