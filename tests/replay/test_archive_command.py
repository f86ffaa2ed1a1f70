"""`footfall archive`: what it says, and when it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from footfall.cli import footfall
from footfall.errors import FootfallError, SettingsError
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.target import Folder, module
from tests.replay.kept import Kept, archived, log


def call(*arguments: str) -> Result:
    return CliRunner().invoke(footfall, ["archive", *arguments])


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    folder = Folder(tmp_path / "kept")
    archived(folder, Kept(log()))
    return folder


def test_days_and_partitions_are_listed(archive: Folder) -> None:
    """With their numbers; the JSON has every file."""
    shown = call("list", "--target", "kept")
    told = json.loads(call("list", "--target", "kept", "--json").output)
    kept = Kept(log())
    counts = {n: len(entries) for n, entries in kept.entries.items() if entries}

    assert 0 == shown.exit_code
    assert "2026-02-02" in shown.output
    assert counts == {one["partition"]: one["records"] for one in told["partitions"]}
    assert sum(counts.values()) == sum(day["records"] for day in told["days"])
    assert {n: (s.low, s.end) for n, s in kept.spans().items() if s.end} == {
        one["partition"]: (one["start"], one["end"]) for one in told["partitions"]}
    assert {entry["file"]["name"] for entry in told["entries"]} == {
        name for name in archive.names() if name.startswith("day=")}
    assert "t1" == told["log"]["topic_id"]


def test_a_sound_archive_is_verified(archive: Folder) -> None:
    """Exit code 0."""
    found = call("verify", "--target", "kept", "--json")

    assert 0 == found.exit_code
    assert [] == json.loads(found.output)["damages"]
    assert 0 == call("verify", "--target", "kept").exit_code


def test_damage_is_told_with_exit_code_1(archive: Folder) -> None:
    """The file is named, and what to do."""
    (name,) = (entry.file.name for entry in Catalog(archive).entries(Catalog(archive).parts()[:1])
               if entry.file)
    archive.remove(name)
    found = call("verify", "--target", "kept")
    told = json.loads(call("verify", "--target", "kept", "--json").output)

    assert 1 == found.exit_code
    assert f"missing: {name}" in found.output.replace("\n", "")
    assert [("missing", name)] == [(d["kind"], d["where"]) for d in told["damages"]]


def test_without_an_archive_or_a_target_it_says_so(archive: Folder) -> None:
    """And names the setting."""
    with pytest.raises(FootfallError, match="there is no archive"):
        CliRunner().invoke(footfall, ["archive", "list", "--target", "nowhere"],
                           catch_exceptions=False)
    for command in ("list", "verify", "run"):
        with pytest.raises(SettingsError, match=r"FOOTFALL_ARCHIVE_TARGET|no broker"):
            CliRunner().invoke(footfall, ["archive", command], catch_exceptions=False)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SettingsError, match=r"pyarrow is not installed: pip install "
                                            r"footfall\[files\]"):
        module("pyarrow.parquet")


def test_the_libraries_are_loaded_when_they_are_needed() -> None:
    """No other command pays for them."""
    program = ("import sys, footfall.replay.archive.command, footfall.replay.archive.reading, "
               "footfall.replay.archive.archiving, footfall.replay.sources; "
               "print(sorted({'pyarrow', 'fsspec', 'pandas'} & set(sys.modules)))")
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                           check=True)

    assert "[]" == found.stdout.strip()
