"""A run of an import without a broker: what is appended, rejected and kept, and how it goes on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from footfall.errors import BrokerError
from footfall.events.interaction import Interaction
from footfall.events.reserved_row import ImportPayload
from footfall.replay.imports import files, run
from footfall.replay.imports.admitting import Admission, Given, Ready
from footfall.replay.imports.journal import Journal, Position
from footfall.replay.imports.mapping_row import Mapping
from footfall.replay.imports.rejecting import Rejects
from footfall.replay.imports.sending import Reached
from footfall.replay.job import Rate
from tests.replay.import_files import mapping
from tests.tables.logs import CODECS, KEYS, RESERVED

NOW = 1_795_428_000_000
AT = "2020-01-01T00:00:00Z"


class Log:
    """A log in memory that takes `takes` records, then none; chunks are there `late` chunks later.
    """

    def __init__(self, takes: int | None = None, late: int = 0) -> None:
        self.records: list[Ready] = []
        self._takes = takes
        self._late = late
        self._waiting: list[Reached] = []

    def send(self, records: Sequence[Ready], reached: Reached) -> Reached | None:
        if self._takes is not None and len(self.records) + len(records) > self._takes:
            self.records += records[:self._takes - len(self.records)]
            raise BrokerError("away")
        self.records += records
        self._waiting.append(reached)
        return self._waiting[-1 - self._late] if len(self._waiting) > self._late else None

    def flush(self) -> Reached | None:
        reached = self._waiting[-1] if self._waiting else None
        self._waiting.clear()
        return reached

    def imported(self) -> list[tuple[bytes, bytes, Interaction]]:
        """Key, row id and interaction of each record, as a worker opens it."""
        found = []
        for key, value, _at, _row in self.records:
            payload, event = RESERVED.read_import(CODECS.interaction.decode(value), key)
            assert ("run", event["type"]) == (payload.run, payload.type)
            found.append((key, payload.row, event))
        return found


def admission(source: str = "import") -> Admission:
    return Admission(Given("run", source, NOW, 32_768, None, None), KEYS, RESERVED,
                     CODECS.interaction)


def go(folder: Path, log: Log, *names: str, how: Mapping | None = None, chunk_rows: int = 4,
       ends_after: int | None = None) -> run.Run:
    """One run over files of a folder, from where the last one was."""
    journal, rejects_path = Journal(folder / "rejects"), folder / "rejects"
    position = journal.read("asked")
    rejects = Rejects(rejects_path, "run", None if position is None else position.rejects_bytes)
    chunks = 0

    def asks_end() -> bool:
        nonlocal chunks
        chunks += 1
        return ends_after is not None and chunks >= ends_after

    made = run.Run(admission(), log, rejects, journal,  # type: ignore[arg-type]
                   position or Position(run="run", asked="asked"), Rate(None), chunk_rows, asks_end,
                   lambda _rows: None)
    chosen = {one.name: (one, files.format_of(one))
              for one in files.found([str(folder / name) for name in names])}
    try:
        made.files(chosen, how)
        journal.remove()
    finally:
        rejects.close()
    return made


def rejected(folder: Path) -> list[dict[str, Any]]:
    path = folder / "rejects"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def item(n: int, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": "x", "userId": f"u{n}", "timestamp": AT, **more}


def lines(*items: Any) -> bytes:
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n"
                    for one in items)


#: An archive of Segment: gzip, one message a line, with the vendor's times.
ARCHIVED = {"anonymousId": "browser-1", "context": {"library": {"name": "analytics.js"}},
            "event": "Order Completed", "integrations": {}, "messageId": "ajs-1",
            "originalTimestamp": "2019-12-31T22:00:00.000Z", "projectId": "p", "properties": {
                "total": 12.5, "currency": "EUR"}, "receivedAt": "2020-01-01T00:00:01.000Z",
            "sentAt": "2019-12-31T22:00:01.000Z", "timestamp": "2020-01-01T00:00:00.000Z",
            "type": "track", "userId": "u1", "version": 2}


@pytest.mark.parametrize(("changed", "expected"), [
    ({}, "2020-01-01T00:00:00Z"),
    ({"timestamp": None}, "2020-01-01T00:00:00Z"),
    ({"timestamp": None, "sentAt": None}, "2019-12-31T22:00:00Z"),
    ({"timestamp": None, "sentAt": "2019-12-31T22:00:02.000Z", "receivedAt": None},
     "2019-12-31T22:00:00Z"),
    ({"timestamp": None, "originalTimestamp": None}, "2020-01-01T00:00:01Z"),
    ({"timestamp": "1970-01-01T00:00:00Z"}, "1970-01-01T00:00:00Z"),
    ({"timestamp": NOW}, "2026-11-23T10:00:00Z"),
    ({"timestamp": None, "originalTimestamp": None, "receivedAt": None}, "field_missing"),
    ({"timestamp": "0001-01-01T00:00:00Z"}, "time_out_of_range"),
    ({"timestamp": "9999-12-31T23:59:59Z"}, "time_out_of_range"),
    ({"timestamp": -1}, "time_out_of_range"),
    ({"timestamp": "yesterday"}, "time_unreadable"),
    ({"timestamp": 1.5}, "time_unreadable"),
])
def test_when_a_message_of_an_archive_happened(tmp_path: Path, changed: dict[str, Any],
                                               expected: str) -> None:
    """The vendor's time as it is, else the device's with its clock's error, never now."""
    message = {name: value for name, value in {**ARCHIVED, **changed}.items() if value is not None}
    (tmp_path / "1.gz").write_bytes(gzip.compress(lines(message)))
    log = Log()
    go(tmp_path, log, "1.gz")
    if "T" not in expected:
        (one,) = rejected(tmp_path)
        assert [] == log.records
        assert (expected, 1, message) == (one["reason"], one["line"], one["row"])
        return
    ((key, _row, event),) = log.imported()
    assert KEYS.of("user_id", "u1") == key
    assert ("track", "Order Completed", "ajs-1", "import", NOW) == (
        event["type"], event["event"], event["message_id"], event["source"], event["received_at"])
    assert expected == _utc(event["event_time"])
    assert event["commerce"] is not None


def test_what_is_rejected_and_what_is_kept(tmp_path: Path) -> None:
    """Each bad row with its file, line, reason and content; the good ones around it are kept."""
    bad = [b'{"type":"tra', item(2, userId=None), item(3, type="$import"),
           b'{"a":"\xff"}', item(4, event=1), item(5, properties={"a": "x" * 40_000}),
           item(6, userId="null")]
    (tmp_path / "a.jsonl").write_bytes(lines(item(0), *bad, item(1)))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "b.gz").write_bytes(gzip.compress(lines(*[item(n) for n in range(5000)]))[:-9])
    log = Log()
    with pytest.raises(files.FileFault):
        files.format_of(files.found([str(tmp_path / "empty")])[0])
    done = go(tmp_path, log, "a.jsonl", "b.gz")
    found = rejected(tmp_path)
    a, b = str(tmp_path / "a.jsonl"), str(tmp_path / "b.gz")
    assert [(a, 2, "not_json"), (a, 3, "identifier_missing"), (a, 4, "type_reserved"),
            (a, 5, "text_not_unicode"), (a, 6, "field_kind"), (a, 7, "item_too_large"),
            (a, 8, "identifier_blocked"), (b, 0, "file_truncated")] == [
        (one["file"], one["line"], one["reason"]) for one in found]
    assert ['{"type":"tra', '{"a":"\\xff"}'] == [found[0]["row"], found[3]["row"]]
    assert item(3, type="$import") == found[2]["row"]
    assert (2, 7, 9) == (done.tallies[a].imported, done.tallies[a].rejected, done.tallies[a].rows)
    assert "file_truncated" == done.tallies[b].fault
    assert 2 + done.tallies[b].imported == len(log.records)
    assert done.tallies[b].imported == done.tallies[b].rows
    assert 0o600 == (tmp_path / "rejects").stat().st_mode & 0o777


def test_rows_that_lie_in_two_files_are_the_same(tmp_path: Path) -> None:
    """Overlapping exports: the row has one id; equal rows of one file have two."""
    rows = [item(n % 3) for n in range(6)]
    (tmp_path / "a").write_bytes(lines(*rows[:5]))
    (tmp_path / "b").write_bytes(lines(*reversed(rows)))
    log = Log()
    go(tmp_path, log, "a", "b")
    found = log.imported()
    first, second = ({row for _key, row, _event in part} for part in (found[:5], found[5:]))
    assert (5, 6, True) == (len(first), len(second), first < second)
    assert {row: event["message_id"] for _key, row, event in found} == {
        row: f"import-{row.hex()}" for row in second}


def test_a_row_is_the_same_from_another_source_and_run(tmp_path: Path) -> None:
    """An id is what the row says, and nothing that a run adds."""
    (tmp_path / "a").write_bytes(lines(item(1)))
    log = Log()
    go(tmp_path, log, "a")
    made = Admission(Given("another", "web", NOW + 1, 32_768, None, None), KEYS, RESERVED,
                     CODECS.interaction)
    ((key, row, _event),) = log.imported()
    record = made.of(run.Row(1, lines(item(1)).strip(), b""), row)
    assert isinstance(record, Ready)
    assert ImportPayload("another", row, "track") == RESERVED.read_import(
        CODECS.interaction.decode(record.value), key)[0]


@pytest.mark.parametrize("late", [0, 1, 3])
@pytest.mark.parametrize("takes", [0, 3, 8, 17, 30])
def test_a_run_goes_on_where_the_log_had_all(tmp_path: Path, takes: int, late: int,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the log had taken before it went away: at the end each row is there, each reject is
    told once, and equal rows have the ids they would have had.
    """
    monkeypatch.setattr(run, "JOURNAL_S", -1.0)
    rows = [b"{" if n % 5 == 4 else item(n % 3) for n in range(24)]
    (tmp_path / "a").write_bytes(lines(*rows[:10]))
    (tmp_path / "b").write_bytes(lines(*rows[10:]))
    whole = Log()
    go(tmp_path, whole, "a", "b")
    expected = rejected(tmp_path)
    (tmp_path / "rejects").unlink()

    first = Log(takes, late)
    if takes < len(whole.records):
        with pytest.raises(BrokerError):
            go(tmp_path, first, "a", "b", chunk_rows=2)
    second = Log()
    done = go(tmp_path, second, "a", "b", chunk_rows=3)
    resumed = sum(tally.resumed for tally in done.tallies.values())
    assert len(second.records) < len(whole.records) or not resumed
    assert {row for _key, row, _event in whole.imported()} == {
        row for _key, row, _event in first.imported() + second.imported()}
    assert expected == rejected(tmp_path)
    assert not (tmp_path / "rejects.position").exists()


def test_a_run_that_is_asked_to_end_has_sent_what_it_read(tmp_path: Path) -> None:
    """Two chunks of three, then the rest: nothing is sent twice."""
    (tmp_path / "a").write_bytes(lines(*[item(n) for n in range(10)]))
    log = Log(late=1)
    with pytest.raises(run.Stopped):
        go(tmp_path, log, "a", chunk_rows=3, ends_after=2)
    assert 6 == len(log.records)
    done = go(tmp_path, log, "a")
    assert [f"u{n}" for n in range(10)] == [
        json.loads(event["personal"])["userId"] for _key, _row, event in log.imported()]
    assert 6 == done.tallies[str(tmp_path / "a")].resumed


@pytest.mark.parametrize("change", ["content", "name", "nothing"])
def test_another_file_is_not_gone_on_with(tmp_path: Path, change: str) -> None:
    """A file of another content or name is begun anew."""
    path = tmp_path / "a"
    path.write_bytes(lines(*[item(n) for n in range(10)]))
    with pytest.raises(run.Stopped):
        go(tmp_path, Log(), "a", chunk_rows=3, ends_after=2)
    if change == "content":
        path.write_bytes(path.read_bytes().replace(b"u9", b"u8"))
    if change == "name":
        path = path.rename(tmp_path / "b")
    done = go(tmp_path, Log(), path.name)
    assert (6 if change == "nothing" else 0) == done.tallies[str(path)].resumed


def test_rejects_are_added_to_those_of_earlier_runs(tmp_path: Path) -> None:
    """Another run's file is never overwritten."""
    (tmp_path / "a").write_bytes(lines(b"{"))
    go(tmp_path, Log(), "a")
    go(tmp_path, Log(), "a")
    assert 2 == len(rejected(tmp_path))


def test_a_mapped_file_is_admitted_as_items_are(tmp_path: Path) -> None:
    """What the collector would refuse is refused of a mapped row, too, with the item it became."""
    (tmp_path / "orders.csv").write_text("customer,at,total\nu1,2020-01-01,9.5\n,2020-01-01,1\n"
                                         "u2,0001-01-01,1\nu3,9999-01-01,1\n")
    log = Log()
    go(tmp_path, log, "orders.csv", how=mapping())
    assert ["u1"] == [json.loads(e["personal"])["userId"] for _key, _row, e in log.imported()]
    assert [(3, "identifier_missing"), (4, "time_out_of_range"), (5, "time_out_of_range")] == [
        (one["line"], one["reason"]) for one in rejected(tmp_path)]


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")
