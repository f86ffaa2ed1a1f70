"""The archive on a real Kafka: retention may take what is archived, kill -9 costs nothing."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition

from footfall.admin.cluster import admin_client
from footfall.admin.history import Entry
from footfall.events.topics import INTERACTIONS
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.reading import ArchiveSource
from footfall.replay.archive.target import Folder
from footfall.replay.archive.verify import verify
from footfall.replay.sources import source_of
from footfall.settings import Settings
from footfall.up.ports import HOST, free_port
from tests.replay.kept import drained
from tests.replay.kept import records as made
from tests.services import fresh_topics, is_apache_kafka
from tests.system.test_rebuild import lived, reported, same_as_live
from tests.system.topics import read_all, until
from tests.system.workers import KILLED, PARTITIONS, Worker, Workers

pytestmark = pytest.mark.kafka
ARCHIVE = ("-m", "footfall", "archive")
KILLS = 10


def append(bootstrap: str, records: Iterable[Entry], until: threading.Event | None = None) -> None:
    """Into partitions by chance, at once or slowly until told; all are acknowledged in the end."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    dice = random.Random(1)
    for record in records:
        producer.produce(INTERACTIONS, record.value, record.key, dice.randrange(PARTITIONS))
        producer.poll(0)
        if until is not None and until.wait(0.001):
            break
    assert 0 == producer.flush(30)


def append_in_transactions(bootstrap: str, records: Sequence[Entry]) -> None:
    """Some committed and some not: each leaves an offset without a record."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "archive-tests"})
    producer.init_transactions(30)
    for number, batch in enumerate(_batches(records, 20)):
        producer.begin_transaction()
        for record in batch:
            producer.produce(INTERACTIONS, record.value, record.key, number % PARTITIONS)
        producer.flush(30)
        if number % 3:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)


def _batches(records: Sequence[Entry], size: int) -> Iterator[Sequence[Entry]]:
    for at in range(0, len(records), size):
        yield records[at : at + size]


def whole(bootstrap: str) -> dict[int, list[Entry]]:
    """The log, read by a client that shares no code with the archive."""
    found: dict[int, list[Entry]] = {number: [] for number in range(PARTITIONS)}
    for one in read_all(bootstrap, INTERACTIONS):
        found[one.partition].append(Entry(one.offset, one.timestamp, one.key, one.value))
    return found


def forget(bootstrap: str, archive: Path, keep: int) -> None:
    """What retention does to all that is archived, but the newest offsets of each partition."""
    spans = ArchiveSource(Catalog(Folder(archive))).spans()
    wanted = [TopicPartition(INTERACTIONS, n, span.end - keep * n) for n, span in spans.items()]
    admin = admin_client(bootstrap)  # gone before its answers, it gives none
    for done in admin.delete_records(wanted).values():
        done.result(10)


def run(workers: Workers, target: Path, *arguments: str, **settings: object) -> Worker:
    return workers.start("", program=(*ARCHIVE, *arguments), archive_target=target,
                         archive_file_bytes_max=65_536, archive_file_age_s_max=1, **settings)


def test_the_whole_log_comes_back_when_kafka_has_forgotten(
        footfall_topics: str, workers: Workers, tmp_path: Path) -> None:
    """Archived twice, forgotten in part, written on: byte for byte what was there. Records of
    transactions among it, with offsets that hold none.
    """
    if not is_apache_kafka(footfall_topics):
        pytest.skip("the demo broker has no transactions, and deletes no records")
    append(footfall_topics, made(5_000, 1))
    append_in_transactions(footfall_topics, made(600, 2))
    first = run(workers, tmp_path / "a", "run", "--once", "--json")
    assert 0 == first.wait(), first.output()
    append(footfall_topics, made(3_000, 3))
    append_in_transactions(footfall_topics, made(300, 4))
    second = run(workers, tmp_path / "a", "run", "--once", archive_format="avro")
    assert 0 == second.wait(), second.output()
    append(footfall_topics, made(2_000, 5))
    before = whole(footfall_topics)
    forget(footfall_topics, tmp_path / "a", keep=10)
    source = source_of(Settings(archive_target=str(tmp_path / "a")), footfall_topics)

    assert before == drained(source)
    source.close()
    assert 10_900 == sum(map(len, before.values()))
    assert sum(map(len, whole(footfall_topics).values())) < 3_000
    listed = run(workers, tmp_path / "a", "list")
    assert 0 == listed.wait(), listed.output()
    checked = run(workers, tmp_path / "a", "verify", "--json")
    assert 0 == checked.wait(), checked.output()
    report = json.loads(checked.output())
    assert (8_900, []) == (report["records"], report["damages"])


def test_state_is_made_anew_from_the_archive(
        footfall_topics: str, workers: Workers, tmp_path: Path) -> None:
    """`footfall replay rebuild`, with nothing left in the log but its newest records: every row is
    the live one's, byte for byte, handoffs between partitions among what made it.
    """
    if not is_apache_kafka(footfall_topics):
        pytest.skip("the demo broker deletes no records")
    lived(footfall_topics, workers, 2_000, seed=13)
    assert 0 == run(workers, tmp_path / "a", "run", "--once").wait()
    forget(footfall_topics, tmp_path / "a", keep=20)
    rebuilt = workers.start("", program=("-m", "footfall", "replay", "rebuild", "--no-cutover",
                                         "--yes", "--json"), archive_target=tmp_path / "a")
    report = reported(rebuilt)

    assert same_as_live(footfall_topics) == report["customers"] > 50
    assert [] == report["compared"]["differing"]
    assert report["handoffs"]["recomputed"] > 20


def test_another_log_of_that_name_is_refused(footfall_topics: str, workers: Workers,
                                             tmp_path: Path) -> None:
    """The topic was deleted and made again: neither archived nor read together."""
    append(footfall_topics, made(100))
    assert 0 == run(workers, tmp_path / "a", "run", "--once").wait()
    fresh_topics(footfall_topics)
    append(footfall_topics, made(100))
    again = run(workers, tmp_path / "a", "run", "--once")

    assert 1 == again.wait()
    assert again.says("cannot follow one another") or again.says("another record than the archive")


def test_an_archiver_killed_at_any_moment_leaves_no_trace(
        footfall_topics: str, workers: Workers, tmp_path: Path) -> None:
    """Ten random kills while the log is written: what is there is sound each time, and at the end
    it is the log.
    """
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    enough = threading.Event()
    load = threading.Thread(target=append,
                            args=(footfall_topics, itertools.cycle(made(5_000, 6)), enough))
    load.start()
    catalog = Catalog(Folder(tmp_path / "a"))
    try:
        for _ in range(KILLS):
            entries = len(catalog.parts())
            archiver = run(workers, tmp_path / "a", "run")
            if chance.random() < 0.8:
                archiver.until(lambda before=entries: len(catalog.parts()) > before, 60, "entries")
            time.sleep(chance.random() * 2.5)
            archiver.kill()
            assert KILLED == archiver.wait()
            assert [] == verify(catalog).damages
    finally:
        enough.set()
        load.join()
    last = run(workers, tmp_path / "a", "run", "--once")
    assert 0 == last.wait(), last.output()
    named = {entry.file.name for entry in catalog.entries(catalog.parts()) if entry.file}

    assert whole(footfall_topics) == drained(ArchiveSource(catalog))
    assert [] == verify(catalog).damages
    assert named == {name for name in catalog.target.names() if name.startswith("day=")}
    assert len(named) > KILLS


def test_a_stop_closes_what_is_open(footfall_topics: str, workers: Workers, tmp_path: Path
                                    ) -> None:
    """SIGTERM: exit code 0, what was read is archived; meanwhile it has metrics, and is ready."""
    port = free_port()
    archiver = workers.start("", program=(*ARCHIVE, "run"), archive_target=tmp_path / "a",
                             archive_file_age_s_max=3600, metrics_port=port)
    append(footfall_topics, made(500))

    def lag() -> float:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        return sum(float(line.split()[-1]) for line in lines
                   if line.startswith("footfall_archive_lag_records{"))

    until(lambda: lag() == 500, 60, "500 records in open files")
    for path in ("/healthz", "/readyz"):
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
            assert 200 == answer.status
    assert 0 == archiver.stop(), archiver.output()
    source = ArchiveSource(Catalog(Folder(tmp_path / "a")))
    assert whole(footfall_topics) == drained(source)
