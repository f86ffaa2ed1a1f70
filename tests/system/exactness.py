"""The one checker of all crash tests: what the topics hold against two folds of the log.

The product's own pure fold gives the bytes that must be there, the independent oracle
(`tests/oracle.py`) says whether they are right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from typing import Any, NamedTuple

import msgspec

from footfall import tables
from footfall.errors import DecodeError
from footfall.events.customer_key import is_customer_key
from footfall.events.topics import INTERACTIONS, REJECTED, TRIGGERS
from footfall.stream.generations import FIRST, topic_of
from footfall.tables import outputs
from footfall.tables.fold import Fold
from footfall.tables.spec import AnyTable
from footfall.tables.stored import PartitionState
from tests import oracle
from tests.system.topics import Entry, State, committed, read_all
from tests.system.workers import PARTITIONS
from tests.tables.held import carts_held
from tests.tables.logs import CODECS, KEYS, RESERVED

#: The oracle is slow, and slower the longer a history is.
IN_PARALLEL_FROM = 100_000


class Folded(NamedTuple):
    """What folding the log from its start gives; `customers` are the folds' own views."""

    records: dict[int, dict[bytes, bytes]]
    states: dict[int, PartitionState]
    triggers: dict[str, bytes]
    rejected: dict[tuple[int, int], list[bytes]]
    counts: Counter[str]
    folds: dict[int, Fold]


class Seen(NamedTuple):
    """What a test found, for its own assertions."""

    log: int
    triggers: int
    trigger_names: Counter[str]
    #: Triggers that are in the topic more than once.
    repeated: int
    rejected: int
    #: Changelog records and `$partition` records that came after a better one.
    stale: int
    went_back: int
    counts: Counter[str]


def fold(log: Sequence[Entry], specs: Sequence[AnyTable] = tables.ALL,
         ends: dict[int, int] | None = None, generation: int = FIRST) -> Folded:
    """Fold a log, partition by partition, with the product's pure fold; up to `ends`."""
    made = Folded({}, {}, {}, {}, Counter(), {})
    for number in range(PARTITIONS):
        machine = Fold(number, specs, codecs=CODECS, keys=KEYS, reserved=RESERVED,
                       topic=INTERACTIONS, generation=generation)
        for entry in log:
            if entry.partition == number and (ends is None or entry.offset < ends[number]):
                before = len(machine.outputs)
                machine.apply(entry)
                for output in machine.outputs[before:]:
                    if output.kind == outputs.REJECTED:
                        made.rejected.setdefault((number, entry.offset), []).append(output.value)
        for output in machine.outputs:
            if output.kind == outputs.TRIGGER:
                made.triggers[_trigger_id(output.value)] = output.value
        for (what, _label), count in machine.counts.items():
            made.counts[what] += count
        list(machine.snapshot())
        made.records[number] = dict(machine.store)
        made.states[number] = machine.state()
        made.folds[number] = machine
    return made


def check(bootstrap: str, specs: Sequence[AnyTable] = tables.ALL, *, carts: bool = True,
          generation: int = FIRST) -> Seen:
    """Assert that log, state, triggers and rejected records are exactly what they must be."""
    state = State(bootstrap, topic_of(generation))
    assert state.covered()
    log = read_all(bootstrap, INTERACTIONS)
    folded = fold(log, specs, generation=generation)
    _same_records(folded, state)
    told = read_all(bootstrap, TRIGGERS)
    repeated = _same_triggers(folded, told)
    rejected = _same_rejected(log, folded, read_all(bootstrap, REJECTED))
    check_commits(bootstrap, state)
    state.close()
    # Accepted = processed + repeated + rejected; nothing is in flight.
    assert len(log) == (folded.counts["processed"] + folded.counts["repeat"]
                        + len(folded.rejected))
    if carts:
        _as_the_oracle_says(log, folded)
    names = Counter(CODECS.trigger.decode(v)["name"] for v in folded.triggers.values())
    return Seen(len(log), len(folded.triggers), names, repeated, rejected, state.stale,
                state.went_back, folded.counts)


def check_commits(bootstrap: str, state: State) -> None:
    """Assert that no commit is ahead of what the changelog held before it was asked for."""
    found = committed(bootstrap, PARTITIONS)
    offsets = state.offsets()
    for partition, (offset, metadata) in found.items():
        assert offset <= offsets.get(partition, 0), (partition, found, offsets)
        assert metadata.partition(":")[0] == str(offset), (partition, found, offsets)


def _same_records(folded: Folded, state: State) -> None:
    for number, expected in folded.records.items():
        actual = state.records[number]
        wrong = [k for k in expected.keys() | actual.keys() if expected.get(k) != actual.get(k)]
        assert not wrong, (
            f"partition {number}: {len(wrong)} of {len(expected)} records differ; the first: "
            f"{wrong[0]!r}\n{expected.get(wrong[0])!r}\n{actual.get(wrong[0])!r}")
        if number in state.partitions:
            assert folded.states[number] == state.partitions[number]


def _same_triggers(folded: Folded, told: Sequence[Entry]) -> int:
    seen: dict[str, set[bytes]] = {}
    times: Counter[str] = Counter()
    for entry in told:
        assert entry.value is not None
        trigger_id = _trigger_id(entry.value)
        seen.setdefault(trigger_id, set()).add(entry.value)
        times[trigger_id] += 1
    assert folded.triggers.keys() == seen.keys()
    for trigger_id, values in seen.items():
        assert {folded.triggers[trigger_id]} == values
    return sum(1 for count in times.values() if count > 1)


def _same_rejected(log: Sequence[Entry], folded: Folded, entries: Sequence[Entry]) -> int:
    seen: dict[tuple[int, int], set[bytes]] = {}
    original = {(e.partition, e.offset): e.value for e in log}
    for entry in entries:
        assert entry.value is not None
        record = CODECS.rejected.decode(entry.value)
        at = record["partition"], record["offset"]
        assert (INTERACTIONS, original[at]) == (record["topic"], record["personal"])
        seen.setdefault(at, set()).add(entry.value)
    assert {at: set(values) for at, values in folded.rejected.items()} == seen
    return len(seen)


def _as_the_oracle_says(log: Sequence[Entry], folded: Folded) -> None:
    carts: dict[bytes, dict[str, oracle.CartContent]] = {}
    triggers: set[tuple[bytes, str, str, int]] = set()
    parts = [[e for e in log if e.partition == number] for number in range(PARTITIONS)]
    if len(log) > IN_PARALLEL_FROM:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            answers = list(pool.map(_expected, parts))
    else:
        answers = [_expected(part) for part in parts]
    for expected in answers:
        carts |= expected.carts
        triggers |= expected.triggers
    got = set()
    carts_told = 0
    for value in folded.triggers.values():
        told = CODECS.trigger.decode(value)
        if not told["name"].startswith("cart_"):
            continue  # of other tables the oracle says nothing
        carts_told += 1
        deadline = msgspec.convert(json.loads(told["evidence"])["deadline"], datetime)
        got.add((told["customer_key"].encode(), told["name"], json.loads(told["data"])["cart_id"],
                 round(deadline.timestamp() * 1000)))
    assert triggers == got
    assert len(got) == carts_told
    assert carts == {
        key: found
        for number, records in folded.records.items() for key in records
        if (found := carts_held(folded.folds[number].row(key, "cart")))
    }


def _expected(part: Sequence[Entry]) -> oracle.Expected:
    return oracle.fold(map(_decoded, part))


def _decoded(entry: Entry) -> tuple[int, bytes | None, Any]:
    """For the oracle; what no worker can read moves its clock and nothing else."""
    try:
        event = CODECS.interaction.decode(entry.value)
        if event["type"].startswith("$"):
            RESERVED.check(event, entry.key or b"")
        elif not is_customer_key(entry.key):
            raise DecodeError("key_invalid", "")
    except DecodeError:
        return entry.timestamp, entry.key, {"type": "$tick"}
    return entry.timestamp, entry.key, event




def _trigger_id(value: bytes) -> str:
    return str(CODECS.trigger.decode(value)["trigger_id"])
