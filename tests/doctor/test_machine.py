"""Disk, data directory and programs of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from footfall.doctor import machine
from footfall.settings import Settings


@pytest.mark.parametrize(("free", "status"), [
    (99 << 20, "error"), (101 << 20, "warning"), (1 << 30, "ok")])
def test_a_full_disk_is_told_before_it_is_full(
        free: int, status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the folder that will be made, too."""
    class Usage:
        def __init__(self) -> None:
            self.free = free

    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: Usage())
    settings = Settings(data_dir=str(tmp_path / "not" / "yet"))
    disk = next(f for f in machine.machine(settings) if f.subject == "disk")
    assert (status, free) == (disk.status, disk.details["free_bytes"])
    assert not (tmp_path / "not").exists()


def test_a_program_that_is_not_there_says_nothing() -> None:
    """Nor one that fails."""
    assert "" == machine.said("no-such-program-of-ours")
    assert "" == machine.said("false")
    assert machine.said(sys.executable, "--version").startswith("Python 3")
