"""The archive: how fast the log is written into files, and read from them.

    N=400000 python bench/run.py archive --rounds 3

`footfall archive run --once` is the program itself, start and all, from a Kafka on this machine;
reading is `ArchiveSource` in a process of its own, without Kafka. CPU is that of the process alone.
Its memory must not grow with the log: a tenth of it is archived and read as well.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from customers import visits
from figures import console, ratio_text, show, spread
from lab import Lab

from footfall.admin.topics import ensure
from footfall.events import topics
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.reading import ArchiveSource
from footfall.replay.archive.target import Folder

PARTITIONS = 4
EVENTS_A_CUSTOMER = 50
SMALLER = 10
FORMATS = ("parquet", "avro")


def run(lab: Lab, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """`n` interactions of realistic customers, each format once a round."""
    ensure(lab.bootstrap, PARTITIONS, 1)
    _preload(lab, n // SMALLER)
    target = lab.folder / "smaller"
    small = {"written": _child(lab, target, "parquet", "run"),
             "read": _child(lab, target, "parquet", "read")}
    size = _preload(lab, n - n // SMALLER)
    found: dict[str, Any] = {"records": n, "smaller": small, "bytes_a_record": size}
    for kind in FORMATS:
        results: dict[str, list[dict[str, float]]] = {"run": [], "read": []}
        for number in range(rounds):
            target = lab.folder / f"{kind}-{number}"
            for what, of in results.items():
                of.append(_child(lab, target, kind, what))
            entries = Catalog(Folder(target))
            files = [e.file for e in entries.entries(entries.parts()) if e.file]
            found[f"{kind}_bytes_a_record"] = sum(f.bytes for f in files) / n
            assert n == sum(f.records for f in files)
            shutil.rmtree(target)
        found[kind] = results
    _show(found, n)
    return found


def _show(found: dict[str, Any], n: int) -> None:
    rows = []
    for kind in FORMATS:
        for what, of in found[kind].items():
            rows.append((f"{kind}, {'written' if what == 'run' else 'read'}",
                         spread([n / one["cpu_s"] for one in of]),
                         spread([n / one["s"] for one in of]),
                         ratio_text([one["rss_mb"] for one in of])))
    show(f"archive: {n:,} records of {found['bytes_a_record']:.0f} bytes; in Parquet "
         f"{found['parquet_bytes_a_record']:.0f}, in Avro {found['avro_bytes_a_record']:.0f}",
         ("what", "records a CPU-second", "a second", "resident at its highest, MB"), rows)
    console.print(f"a tenth of the log: {found['smaller']['written']['rss_mb']:.0f} MB written, "
                  f"{found['smaller']['read']['rss_mb']:.0f} MB read")


def _preload(lab: Lab, n: int) -> float:
    """Into the log; bytes a record."""
    producer = Producer({"bootstrap.servers": lab.bootstrap, "partitioner": "murmur2_random",
                         "linger.ms": 50, "queue.buffering.max.kbytes": 256 * 1024})
    size = 0
    for number, entry in enumerate(visits(max(1, n // EVENTS_A_CUSTOMER + 1))):
        if number == n:
            break
        assert entry.value is not None
        size += len(entry.value)
        while True:
            try:
                producer.produce(topics.INTERACTIONS, entry.value, entry.key)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(120) == 0
    return size / n


def _child(lab: Lab, target: Path, kind: str, what: str) -> dict[str, float]:
    """Runs it; its CPU seconds, seconds, and memory at its highest."""
    program = [sys.executable, "-m", "footfall", "archive", "run", "--once", "--json"]
    if what == "read":
        program = [sys.executable, __file__, str(target)]
    began = time.monotonic()
    with (lab.folder / f"{what}.out").open("wb") as out:
        process = subprocess.Popen(program, env=lab.footfall(archive_target=target,
                                                             archive_format=kind),
                                   stdout=out, stderr=subprocess.STDOUT)
        _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (lab.folder / f"{what}.out").read_text()[-2000:]
    return {"cpu_s": used.ru_utime + used.ru_stime, "s": time.monotonic() - began,
            "rss_mb": used.ru_maxrss / 1024}


def _read(target: Path) -> int:
    """All of an archive, as replay takes it: some of each partition in turn."""
    with ArchiveSource(Catalog(Folder(target))) as source:
        spans = source.spans()
        source.seek({number: span.low for number, span in spans.items()})
        left, records = set(spans), 0
        while left:
            for number in sorted(left):
                some = source.take(number, spans[number].end)
                records += len(some)
                if not some:
                    left.discard(number)
    return records


if __name__ == "__main__":
    counted = _read(Path(sys.argv[1]))
    print(json.dumps({"records": counted,
                      "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
