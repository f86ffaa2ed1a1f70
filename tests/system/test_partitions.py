"""More partitions, from end to end: the way of docs/operate/README.md, with its commands.

An installation of four partitions is archived and imported into one of six, on a cluster of its
own, that takes what comes while the rest of the history is imported. Every customer's facts are
those that an observation of their own events gives, each event once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from footfall import tables
from footfall.admin import config
from footfall.admin.topics import ensure
from footfall.errors import DecodeError
from footfall.events.interaction import HANDOFF, IMPORT, TICK
from footfall.events.reserved_row import DeliveryPayload
from footfall.events.topics import INTERACTIONS, REJECTED, TRIGGERS
from footfall.tables.fold import Fold
from footfall.tables.outputs import TRIGGER
from footfall.testing.log import Installation
from footfall.up.ports import free_port
from tests.replay.past_logs import differing, facts_from, facts_in, groups_of, happened
from tests.services import KafkaNode
from tests.system.mixed import Mixed
from tests.system.shop import Loader
from tests.system.storm import UNLIMITED
from tests.system.test_import import IMPORT_S_MAX
from tests.system.test_import import report as report_of
from tests.system.test_kill import QUICK, QUIET_S_MAX
from tests.system.test_log import metric
from tests.system.topics import Entry, State, read_all
from tests.system.workers import REFUSED, SYSTEM_SECRET, Workers
from tests.tables.logs import CODECS, KEYS, RESERVED

pytestmark = pytest.mark.kafka

MORE = 6
IMPORTED_AGAIN = 'footfall_duplicates_total{kind="import"}'
CALLS_BEFORE, CALLS_AFTER, CUSTOMERS = 2_000, 1_000, 100
PLACE = Installation(CODECS, KEYS, RESERVED)


@pytest.fixture
def second(own_kafka: Callable[..., KafkaNode], tmp_path: Path) -> Iterator[tuple[str, Workers]]:
    """Another cluster, and its programs."""
    node = own_kafka()
    ensure(node.bootstrap, MORE, 1)
    (tmp_path / "second").mkdir()
    workers = Workers(node.bootstrap, tmp_path / "second")
    yield node.bootstrap, workers
    workers.end()


def outcomes(count: int) -> Iterator[tuple[bytes, bytes]]:
    """What became of deliveries, some told twice."""
    for n in range(count):
        payload = DeliveryPayload("opened" if n % 2 else "bounced", "crm", "email", "email",
                                  "marketing", "cart_abandoned", f"t{n // 2 % 40}")
        key = KEYS.of("user_id", f"customer-{n % 100}")
        yield key, CODECS.interaction.encode(
            RESERVED.delivery(key, payload, time.time_ns() // 1_000_000))


def archived(workers: Workers, archive: Path) -> None:
    """All that the log holds now."""
    done = workers.start(program=("-m", "footfall", "archive"), archive_target=archive,
                         arguments=["run", "--once"])
    assert 0 == done.wait(IMPORT_S_MAX), done.output()


def imported(workers: Workers, archive: Path, *more: str) -> dict[str, Any]:
    """The command of the docs, and what it says at its end."""
    done = workers.start(program=("-m", "footfall", "import"), partitions=MORE,
                         arguments=[str(archive), "--yes", "--json", *more])
    assert 0 == done.wait(IMPORT_S_MAX), done.output()
    return report_of(done)


def held(state: State) -> dict[bytes, bytes]:
    """All records."""
    state.update()
    return {key: value for store in state.records.values() for key, value in store.items()}


def rejects(log: list[Entry], bootstrap: str) -> Counter[str]:
    """Reasons for which workers rejected interactions; a forged tick is none."""
    found: Counter[str] = Counter()
    values = {(entry.partition, entry.offset): entry.value for entry in log}
    for at, reason in {((record["partition"], record["offset"]), record["reason"])
                       for entry in read_all(bootstrap, REJECTED)
                       for record in [CODECS.rejected.decode(entry.value)]}:
        value = values[at]
        if reason != "reserved_forged" or CODECS.interaction.decode(value)["type"] != TICK:
            found[reason] += 1
    return found


def test_an_installation_with_more_partitions_comes_to_the_same(
        footfall_topics: str, workers: Workers, second: tuple[str, Workers], tmp_path: Path
        ) -> None:
    """Nothing is lost, nothing counts twice: neither what was sent again on the way, nor all of
    it when the import runs again; and nobody hears of the past.
    """
    settings, archive = {**QUICK, **UNLIMITED}, tmp_path / "a"
    seed = int(time.time())
    print("seed", seed)
    mixed = Mixed(seed, households=25, customers=CUSTOMERS)
    loader, state = Loader(footfall_topics), State(footfall_topics)
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), settings)
    worker = workers.start()
    loader.load(mixed.records(CALLS_BEFORE // 2))

    # What there is, while the old installation goes on.
    begun = datetime.now(UTC).isoformat()
    archived(workers, archive)
    bootstrap, others = second
    config.apply(bootstrap, SYSTEM_SECRET.encode(), settings)
    assert imported(others, archive)["imported"] > CALLS_BEFORE // 3
    loader.load(mixed.records(CALLS_BEFORE // 2))
    loader.load(outcomes(120))

    # The collectors change over: no more comes to the old one, and it is stopped.
    worker.until(state.quiet, QUIET_S_MAX, "quiet")
    assert 0 == worker.stop()
    port = free_port()
    new = others.start(partitions=MORE, metrics_port=port).until_ready(IMPORT_S_MAX)
    live, seen = Loader(bootstrap), State(bootstrap)
    before = read_all(footfall_topics, INTERACTIONS)
    with ThreadPoolExecutor(1) as beside:
        # So many however long the import takes: of more a limit would cut some.
        loading = beside.submit(live.load, mixed.records(CALLS_AFTER), 100)
        archived(workers, archive)
        rest = imported(others, archive, "--appended-since", begun)
        loading.result()
    assert CALLS_BEFORE // 3 < rest["imported"] < CALLS_BEFORE
    new.until(seen.quiet, QUIET_S_MAX, "quiet")

    came = [entry for entry in read_all(bootstrap, INTERACTIONS) if type_of(entry) != IMPORT]
    past, both = happened(PLACE, before), happened(PLACE, [*before, *came])
    assert len(past) + CALLS_AFTER // 2 < len(both) < len(past) + len(came)
    groups = groups_of(PLACE, both)
    assert [] == differing(facts_from(past, groups), facts_in(held(state), groups), 0.1)
    assert [] == differing(facts_from(both, groups), facts_in(held(seen), groups), 0.1)
    # Who shares no identifier is compared as one customer, others as all of a family together.
    sizes = Counter(groups.values())
    assert {1} == {sizes[groups[KEYS.of("user_id", f"customer-{n}")]] for n in range(CUSTOMERS)}

    once = facts_in(held(seen), {})
    repeats = metric(port, IMPORTED_AGAIN)
    again = imported(others, archive)
    new.until(seen.quiet, QUIET_S_MAX, "quiet")
    assert once == facts_in(held(seen), {})
    assert again["imported"] == metric(port, IMPORTED_AGAIN) - repeats
    assert (len(before), rejects(before, footfall_topics)) == (again["rows"], again["rejected"])
    assert len(before) == (again["imported"] + sum(again["rejected"].values())
                           + sum(again["no_interactions"].values()))
    assert 0 == new.stop()
    told = {entry.value for entry in read_all(bootstrap, TRIGGERS)}
    assert (told, set()) == told_by(read_all(bootstrap, INTERACTIONS)) and told


def test_what_does_not_fit_is_refused(footfall_topics: str, workers: Workers, tmp_path: Path
                                      ) -> None:
    """A worker and a rebuild with another number, with the page that has the way; and the import
    of an archive into the log that it is of.
    """
    Loader(footfall_topics).load(outcomes(40))
    worker = workers.start(partitions=MORE)
    rebuild = workers.start(partitions=MORE, program=("-m", "footfall", "replay", "rebuild"))
    archived(workers, tmp_path / "a")
    own = workers.start(program=("-m", "footfall", "import"), partitions=MORE,
                        arguments=[str(tmp_path / "a"), "--yes"])
    for refused, code in ((worker, REFUSED), (rebuild, 1), (own, 1)):
        assert code == refused.wait(IMPORT_S_MAX), refused.output()
    for refused in (worker, rebuild):
        assert refused.says(f"FOOTFALL_PARTITIONS is {MORE}")
        assert refused.says("docs/operate/README.md, More partitions")
    assert own.says("the archive is of the very log that it would be imported into")


def told_by(log: list[Entry]) -> tuple[set[bytes], set[bytes]]:
    """Triggers of a fold of the log: of what came live, and of what was imported or moved by it."""
    found: tuple[set[bytes], set[bytes]] = (set(), set())
    for number in range(MORE):
        machine = Fold(number, tables.ALL, codecs=CODECS, keys=KEYS, reserved=RESERVED,
                       topic=INTERACTIONS)
        for entry in log:
            if entry.partition == number:
                machine.pass_time(entry.timestamp, entry)  # of what came live before
                timers, machine.outputs = machine.outputs, []
                machine.apply(entry)
                outputs, machine.outputs = machine.outputs, []
                found[0].update(o.value for o in timers if o.kind == TRIGGER)
                found[is_muted(entry)].update(o.value for o in outputs if o.kind == TRIGGER)
    return found


def is_muted(entry: Entry) -> bool:
    """Whether an import caused a record."""
    kind = type_of(entry)
    return kind == IMPORT or (kind == HANDOFF and RESERVED.read_handoff(
        CODECS.interaction.decode(entry.value), entry.key or b"").muted)


def type_of(entry: Entry) -> str:
    """A record's type; "" of what is none."""
    try:
        return CODECS.interaction.decode(entry.value)["type"]
    except DecodeError:
        return ""
