"""`footfall import` as far as it goes without a broker: the plan, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from footfall.cli import footfall
from footfall.errors import FootfallError
from footfall.events import reasons
from footfall.replay import imports
from footfall.replay.imports import importing
from footfall.replay.imports.files import found
from footfall.replay.imports.reading import read
from footfall.replay.imports.rows import Row
from tests.test_docs import page, rows, section

SECRETS = {"FOOTFALL_CUSTOMER_KEY_SECRET": "a secret for tests only",
           "FOOTFALL_SYSTEM_SECRET": "another secret for tests"}
MAPPING = """
call:
  type: track
  event: Order Completed
  userId: {column: mail}
  timestamp: {column: day}
  properties: {total: {column: total, as: number}, currency: EUR, note: {column: note}}
"""
HEADER = "mail,day,total,note\n"
CANARY = "canary@example.org"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.yaml").write_text(MAPPING)
    return tmp_path


def called(*arguments: str, secrets: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and all that is said."""
    environment: Any = {**dict.fromkeys(SECRETS), **(SECRETS if secrets is None else secrets)}
    done = CliRunner().invoke(footfall, ["import", *arguments], env=environment)
    if isinstance(done.exception, FootfallError):
        return 1, str(done.exception)
    return done.exit_code, done.output


def planned(*arguments: str) -> dict[str, Any]:
    code, said = called(*arguments, "--plan", "--json")
    assert 0 == code, said
    plan: dict[str, Any] = json.loads(said)["plan"]
    return plan


def test_a_plan(folder: Path) -> None:
    """Files, rows, times, rejects with a reason, items: and nothing is written."""
    (folder / "a.csv").write_text(HEADER + f"{CANARY},2020-01-01,9.5,secret\n,2020-01-02,1,\n"
                                  "u2,2021-01-01,x,\nu3,2020-06-01,1,\n")
    (folder / "b.csv").write_text(HEADER + "u4,2019-01-01,9.5,\n")
    (folder / "c.csv").write_text("")
    plan = planned("*.csv", "--mapping", "orders.yaml")
    assert (2, {"csv": 2}, "5", 5) == (
        plan["files"], plan["formats"], plan["rows"], plan["sample"])
    assert ("2019-01-01T00:00:00.000Z", "2020-06-01T00:00:00.000Z") == (
        plan["first in the sample"], plan["last in the sample"])
    assert {"identifier_missing", "value_unreadable"} == plan["rejected of the sample"].keys()
    assert ["c.csv"] == list(plan["files that cannot be read"])
    assert CANARY not in json.dumps(plan) and "secret" not in json.dumps(plan)
    assert {"type": "track", "event": "Order Completed", "userId": "(text)",
            "timestamp": 1577836800000, "properties": {
                "total": "(number)", "currency": "EUR", "note": "(text)"}} == json.loads(
                    plan["items"][0])
    shown = planned("a.csv", "--mapping", "orders.yaml", "--show-sample")
    assert CANARY == json.loads(shown["items"][0])["userId"]
    assert {"a.csv", "b.csv", "c.csv", "orders.yaml"} == {one.name for one in folder.iterdir()}


def test_a_plan_for_people(folder: Path) -> None:
    """The same in a table; a value in brackets is no markup."""
    (folder / "a.csv").write_text(HEADER + f"{CANARY},2020-01-01,9.5,[/x]\n")
    code, said = called("a.csv", "--mapping", "orders.yaml", "--plan", "--show-sample")
    assert 0 == code
    assert "[/x]" in "".join(said.split())
    assert CANARY not in called("a.csv", "--mapping", "orders.yaml", "--plan")[1]


def test_rows_are_counted_or_reckoned(folder: Path) -> None:
    """Parquet says how many there are; of text the beginning is taken for the rest."""
    pq.write_table(pa.table({"mail": ["u"] * 3000, "day": ["2020-01-01"] * 3000,
                             "total": [1.5] * 3000, "note": [""] * 3000}), folder / "a.parquet")
    assert "3,000" == planned("a.parquet", "--mapping", "orders.yaml")["rows"]
    lines = 400_000
    (folder / "a.csv").write_text(HEADER + "u1,2020-01-01,9.5,x\n" * lines)
    reckoned = planned("a.csv", "--mapping", "orders.yaml")["rows"]
    assert reckoned.startswith("about ")
    assert lines * 0.5 < int(reckoned[6:].replace(",", "")) < lines * 2


def test_a_selection(folder: Path) -> None:
    """Rows are chosen by their own time and content, and the plan says so."""
    (folder / "a.csv").write_text(HEADER + "u1,2020-01-01,9.5,\nu2,2021-01-01,9.5,\n")
    plan = planned("a.csv", "--mapping", "orders.yaml", "--since", "2020-06-01T00:00:00Z",
                   "--customer", "user_id:u2", "--where", "event.properties.total > 5")
    assert 1 == len(plan["items"])
    assert "2021-01-01T00:00:00.000Z" == plan["first in the sample"]
    assert {"since", "customers", "where"} == plan["selection"].keys()


@pytest.mark.parametrize(("arguments", "said"), [
    (("nobody.csv",), "nobody.csv: there is no such file"),
    (("*.parquet",), "*.parquet: no file has such a name"),
    ((".",), ".: is a folder; name its files"),
    (("a.csv",), "nothing can be imported: a.csv: mapping_missing"),
    (("a.csv", "--mapping", "a.csv"), "a.csv"),
    (("empty",), "nothing can be imported: empty: file_empty"),
    (("orders.yaml", "--mapping", "orders.yaml", "--format", "parquet"), "file_damaged"),
    (("nostore://x/y",), "cannot be reached"),
])
def test_what_is_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    """Before anything is asked or written, with what is wrong."""
    (folder / "a.csv").write_text(HEADER + "u1,2020-01-01,9.5,\n")
    (folder / "empty").write_text("")
    code, told = called(*arguments, "--yes")
    assert (1, True) == (code, said in told), told
    assert not (folder / "footfall-import-rejected.jsonl").exists()


@pytest.mark.parametrize("name", SECRETS)
def test_both_secrets_are_needed(folder: Path, name: str) -> None:
    """Who may not write reserved records may not write the past."""
    (folder / "a.csv").write_text(HEADER)
    code, told = called("a.csv", "--mapping", "orders.yaml", "--plan",
                        secrets={one: value for one, value in SECRETS.items() if one != name})
    assert 1 == code
    assert f"give {name}" in told


def test_it_needs_a_broker(folder: Path) -> None:
    """And says how to name one."""
    (folder / "a.csv").write_text(HEADER + "u1,2020-01-01,9.5,\n")
    code, told = called("a.csv", "--mapping", "orders.yaml", "--yes")
    assert 1 == code
    assert "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS" in told


def test_files_of_urls_and_patterns(folder: Path) -> None:
    """Each file once, sorted; of folders below folders, too; of any store fsspec knows."""
    (folder / "x" / "y").mkdir(parents=True)
    for name in ("x/y/1.gz", "x/2.gz", "3.gz", "4.csv"):
        (folder / name).write_text("{}")
    names = [one.name for one in found(["**/*.gz", "3.gz"])]
    assert ["3.gz", "x/2.gz", "x/y/1.gz"] == names
    system = fsspec.filesystem("memory")
    for n in range(2):
        system.pipe(f"/bucket/{n}.jsonl", b"{}")
    files = found(["memory://bucket/*.jsonl"])
    assert ["memory:///bucket/0.jsonl", "memory:///bucket/1.jsonl"] == [f.name for f in files]
    assert [2, 2] == [one.size for one in files]
    with files[0].unpacked() as stream:
        assert b"{}" == stream.read()


def test_a_store_that_does_not_tell_sizes(tmp_path: Path) -> None:
    """Its file is read all the same, and not taken for an empty one."""
    (tmp_path / "a").write_bytes(b"{}\n")
    (known,) = found([str(tmp_path / "a")])
    assert [b"{}"] == [one.item for one in read(known._replace(size=-1), "jsonl", None)
                       if isinstance(one, Row)]
    assert known._replace(size=-1).identity() == known._replace(size=-1).identity()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_the_second_one_ends(number: signal.Signals) -> None:
    """A run ends between two chunks; who cannot wait asks twice."""
    before = signal.getsignal(number)
    with importing._asked_to_end() as asks_end:
        assert not asks_end()
        signal.raise_signal(number)
        assert asks_end()
        assert before == signal.getsignal(number)
    assert before == signal.getsignal(number)


def test_every_reason_is_in_the_docs() -> None:
    """And none that nobody gives."""
    written = {name for row in rows(section(page("import.md"), "What cannot be imported"))
               for name in re.findall(r"`(\w+)`", row[0])}
    source = "".join(path.read_text() for path in Path(imports.__path__[0]).glob("*.py"))
    given = set(re.findall(
        r'"((?:file|columns|csv|row|value|text|format|mapping)_(?!path)[a-z_]+)"', source))
    assert given == written
    assert not written & set(reasons.COLLECTOR) - {"text_not_unicode"}
