"""The files are read by the tools that docs/archive.md names, as it says there."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import duckdb
import fastavro
import pandas
import pytest

from footfall.errors import DecodeError
from footfall.replay.archive.target import Folder
from tests.replay.kept import INSTALLATION, Kept, archived, limits, log

PAGE = (Path(__file__).parents[2] / "docs/archive.md").read_text()
KEPT = Kept(log(400))
ALL = KEPT.entries[0] + KEPT.entries[1]


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the current folder, as the page has it."""
    monkeypatch.chdir(tmp_path)
    archived(Folder(tmp_path / "archive"), KEPT)
    return tmp_path / "archive"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_duckdb_answers_what_the_page_asks(archive: Path) -> None:
    """Both queries, against a recount."""
    by_event, by_user = (duckdb.sql(q).fetchall() for q in blocks("sql")[0].split(";")[:2])
    decoded = []
    for entry in ALL:
        with contextlib.suppress(DecodeError):
            decoded.append((entry, INSTALLATION.codecs.interaction.decode(entry.value)))
    tracked = [(e, d) for e, d in decoded if d["type"] == "track"]
    late = [d["event"] for e, d in tracked if e.timestamp >= 1_770_076_800_000]
    users = {user for user, _spent in by_user}

    assert sorted((name, late.count(name)) for name in set(late)) == [
        (name, count) for _day, name, count in by_event]
    assert 10 == len(by_user)
    assert {"u"} == {user[0] for user in users}
    spent = {f"u{n}": sum(7 for _e, d in tracked if f'"userId":"u{n}"'.encode() in d["personal"])
             for n in range(40)}
    assert sorted(spent.values(), reverse=True)[:10] == [int(total) for _user, total in by_user]


def test_duckdb_has_the_exact_bytes(archive: Path) -> None:
    """Head and then item, as the page says; times to the millisecond."""
    found = duckdb.sql(
        "SELECT epoch_ms(appended_at), coalesce(encode(key), key_bytes), "
        "head || coalesce(encode(item), ''::BLOB) "
        "FROM read_parquet('archive/day=*/*.parquet') ORDER BY partition, \"offset\"").fetchall()

    assert [(e.timestamp, e.key, e.value) for e in ALL] == found


def test_pandas_reads_the_folder(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the page; days are a column."""
    for block in blocks("python"):
        exec(block, {})  # noqa: S102 - our own page
    frame = pandas.read_parquet(archive)

    assert "Köfte bestellt" in capsys.readouterr().out
    assert len(ALL) == len(frame)
    assert {"2026-02-02", "2026-02-03"} == set(frame["day"].astype(str))
    assert (frame["appended_at"].dt.strftime("%Y-%m-%d") == frame["day"].astype(str)).all()
    assert {e.timestamp for e in ALL} == {int(at.timestamp() * 1000) for at in frame["appended_at"]}


def test_other_readers_of_avro_have_the_same_rows(tmp_path: Path) -> None:
    """fastavro, by the schema in the file alone."""
    archived(Folder(tmp_path / "archive"), KEPT, limits("avro"))
    rows = [row for file in sorted(tmp_path.rglob("*.avro"), key=lambda f: f.name)
            for row in fastavro.reader(file.open("rb"))]

    assert [(e.offset, e.timestamp, e.value) for e in ALL] == [
        (row["offset"], round(row["appended_at"].timestamp() * 1000),
         row["head"] if row["item"] is None else row["head"] + row["item"].encode())
        for row in rows]
    assert {"track", "$tick", "$import", None} == {row["type"] for row in rows}
    assert {"track", "$import"} == {row["type"] for row in rows if row["item"]}
    assert all(row["item"] for row in rows if row["type"] in {"track", "$import"})
