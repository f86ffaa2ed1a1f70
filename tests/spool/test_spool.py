"""The spool: what was appended is read, in order, through any end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.spool import Spool, SpoolError, SpoolFullError, SpoolInUseError
from footfall.spool.frames import HEAD_BYTES, MARKER, PAYLOAD_BYTES_MAX, Frame, frame, scan

SMALL = {"bytes_max": 100_000, "segment_bytes": 1_000}
payloads = st.lists(st.binary(max_size=300), max_size=30).map(
    lambda contents: [b"%d" % n + content for n, content in enumerate(contents)])


#: As customers' texts are: the marker cannot be in them.
texts = st.lists(st.text(max_size=100), max_size=30).map(
    lambda contents: [f"{n}{content}".encode() for n, content in enumerate(contents)])


def all_of(spool: Spool) -> list[bytes]:
    found = []
    while batch := spool.read(7, 500):
        found += [entry.payload for entry in batch]
    return found


def filled(folder: Path, contents: list[bytes]) -> None:
    spool = Spool(folder, **SMALL)
    for payload in contents:
        spool.append(payload)
    spool.close()


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


@given(payloads, st.data())
@settings(max_examples=60, deadline=None)
def test_any_history_reads_as_a_list_would(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], data: st.DataObject
) -> None:
    """Append, read, acknowledge, close and open in any order: the oldest unacknowledged first."""
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, **SMALL)
    waiting: list[bytes] = []
    unread = 0
    numbers: list[int] = []
    for payload in contents:
        numbers.append(spool.append(payload))
        waiting.append(payload)
        match data.draw(st.sampled_from("arrko")):
            case "r":
                got = spool.read(3, 400)
                assert waiting[unread:unread + len(got)] == [e.payload for e in got]
                assert bool(got) == (unread < len(waiting))
                unread += len(got)
            case "k" if unread:
                done = data.draw(st.integers(1, unread))
                spool.acknowledge(numbers[-len(waiting)] + done - 1)
                waiting, unread = waiting[done:], unread - done
            case "o":
                spool.close()
                spool = Spool(folder, **SMALL)
                unread = 0
                assert len(waiting) == spool.recovered.records
    spool.sync()
    assert waiting[unread:] == all_of(spool)
    assert numbers == sorted(set(numbers))
    spool.close()


@given(texts.filter(bool), st.data())
@settings(max_examples=60, deadline=None)
def test_a_tail_cut_anywhere_costs_only_the_record_it_cuts(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    filled(folder, contents)
    last = files(folder)[-1]
    whole = last.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    os.truncate(last, at)
    kept = sum(isinstance(f, Frame) and f.end <= at for f in scan(whole, 0))
    lost = sum(isinstance(f, Frame) for f in scan(whole, 0)) - kept
    spool = Spool(folder, **SMALL)
    assert contents[:len(contents) - lost] == all_of(spool)
    torn = at - max([f.end for f in scan(whole, 0) if isinstance(f, Frame) and f.end <= at] or [0])
    assert (torn, min(torn, 1)) == (spool.recovered.cut_bytes, spool.recovered.cut_records)
    assert 0 == spool.recovered.damaged_records
    spool.append(b"after")
    spool.close()
    assert [*contents[:len(contents) - lost], b"after"] == all_of(Spool(folder, **SMALL))


@given(texts.filter(lambda c: len(c) > 1), st.data())
@settings(max_examples=100, deadline=None)
def test_a_flipped_bit_costs_one_record_and_is_counted(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], data: st.DataObject
) -> None:
    """Whichever bit it is. All other records are read, none that was never appended."""
    folder = tmp_path_factory.mktemp("spool")
    filled(folder, contents)
    file = data.draw(st.sampled_from(files(folder)))
    content = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    spool = Spool(folder, **SMALL)
    found = all_of(spool)
    assert len(contents) - 1 == len(found)
    hit = next(n for n, pair in enumerate(zip(contents, [*found, None], strict=True))
               if pair[0] != pair[1])
    assert contents[:hit] + contents[hit + 1:] == found
    recovered = spool.recovered
    assert 1 == recovered.cut_records + recovered.damaged_records
    assert (hit == len(contents) - 1) == bool(recovered.cut_records)
    assert recovered.cut_bytes + recovered.damaged_bytes == HEAD_BYTES + len(contents[hit])
    spool.close()


@given(texts.filter(bool), st.data())
@settings(max_examples=60, deadline=None)
def test_a_bit_flipped_while_it_is_open_costs_one_record(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = Spool(folder, **SMALL)
    for payload in contents:
        spool.append(payload)
    file = data.draw(st.sampled_from(files(folder)))
    content = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    assert len(contents) - 1 == len(all_of(spool))
    assert 1 == spool.damaged
    spool.acknowledge(spool.last)
    assert ([], 1) == (files(folder), spool.damaged)
    spool.close()


def test_text_of_a_customer_never_passes_for_a_record(tmp_path: Path) -> None:
    """The marker is in no UTF-8: a frame cannot be smuggled in a text and found behind a damage."""
    with pytest.raises(UnicodeDecodeError):
        MARKER.decode()


def test_what_is_acknowledged_is_gone_from_the_disk(tmp_path: Path) -> None:
    """And its number is not given again."""
    spool = Spool(tmp_path, **SMALL)
    for n in range(40):
        spool.append(b"seen by nobody else %d" % n)
    assert len(files(tmp_path)) > 1
    last = spool.read(100, 100_000)[-1].number
    spool.acknowledge(last)
    assert ([], 0) == (files(tmp_path), spool.bytes_held)
    spool.close()
    spool = Spool(tmp_path, **SMALL)
    assert last + 1 == spool.append(b"x")


def test_full_at_its_bound_and_not_before(tmp_path: Path) -> None:
    """And not any more once something is acknowledged."""
    spool = Spool(tmp_path, bytes_max=2_000, segment_bytes=1_000)
    for _ in range(20):
        spool.append(b"x" * (100 - HEAD_BYTES))
    with pytest.raises(SpoolFullError):
        spool.append(b"")
    assert 2_000 == spool.bytes_held
    spool.acknowledge(spool.read(10, 2_000)[-1].number)
    spool.append(b"x")
    with pytest.raises(ValueError, match="at most"):
        spool.append(bytes(PAYLOAD_BYTES_MAX + 1))


def test_a_full_disk_costs_only_the_record_that_met_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short write is taken back."""
    spool = Spool(tmp_path, **SMALL)
    spool.append(b"one")
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, at: pwrite(file, data[:5], at))
    with pytest.raises(SpoolFullError):
        spool.append(b"two")
    monkeypatch.undo()
    spool.append(b"three")
    assert [b"one", b"three"] == all_of(spool)
    spool.close()
    assert (2, 0) == (Spool(tmp_path, **SMALL).recovered.records, 0)


def test_a_failed_fsync_is_never_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, **SMALL)
    spool.append(b"one")

    def fails(_file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(SpoolError, match="fsync"):
        spool.sync()
    monkeypatch.undo()
    with pytest.raises(SpoolError, match="fsync"):
        spool.sync()
    with pytest.raises(SpoolError, match="fsync"):
        spool.append(b"two")
    assert [b"one"] == all_of(spool)


def test_callers_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group commit: all that come during one fsync are served by the next."""
    spool = Spool(tmp_path)
    fdatasync, calls = os.fdatasync, []
    begun, gate = threading.Event(), threading.Event()

    def slow(file: int) -> None:
        calls.append(file)
        begun.set()
        assert gate.wait(30)
        fdatasync(file)

    monkeypatch.setattr(os, "fdatasync", slow)

    def caller() -> None:
        spool.append(b"x")
        appended.release()
        spool.sync()

    appended = threading.Semaphore(0)
    threads = [threading.Thread(target=caller) for _ in range(20)]
    threads[0].start()
    assert begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    for _ in threads:
        assert appended.acquire(timeout=30)
    gate.set()
    for thread in threads:
        thread.join()
    assert 2 == len(calls)
    assert 20 == len(all_of(spool))


def test_a_folder_has_one_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolInUseError):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


APPENDER = """
import sys
from pathlib import Path
from footfall.spool import Spool
spool = Spool(Path(sys.argv[1]), 100_000_000, 50_000)
for n in range(10_000_000):
    spool.append(b"%d" % n * 20)
    sys.stdout.buffer.write(b"%d\\n" % n)
    sys.stdout.buffer.flush()
"""


@pytest.mark.parametrize("after", [50, 500, 3_000])
def test_kill_9_loses_nothing_that_append_returned(tmp_path: Path, after: int) -> None:
    """A real process, killed while it appends; the ledger is what it said on its output."""
    with subprocess.Popen([sys.executable, "-c", APPENDER, str(tmp_path / "s")],
                          stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == after:
                process.kill()
                break
        told = after + len(process.stdout.read().split(b"\n")[:-1])
    found = all_of(Spool(tmp_path / "s"))
    assert [b"%d" % n * 20 for n in range(len(found))] == found
    assert told + 1 <= len(found) <= told + 2


def test_frames_are_read_back() -> None:
    data = frame(1, b"a") + frame(2, b"")
    assert [b"a", b""] == [f.payload for f in scan(data, 0) if isinstance(f, Frame)]
