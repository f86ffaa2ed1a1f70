"""The npm packages of the tests: exactly pinned, and their absence is never taken for success."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from footfall.collector.script import PATH as SCRIPT
from tests.node.packages import FOLDER, NodeError, install


@pytest.mark.parametrize("folder", [FOLDER, FOLDER.parent / "browser", SCRIPT.parent],
                         ids=lambda folder: str(folder.relative_to(FOLDER.parents[1])))
def test_versions_are_exact_and_no_address_is_recorded(folder: Path) -> None:
    """Each package has a checksum; where it comes from is the business of who installs."""
    named = json.loads((folder / "package.json").read_text())
    wanted = {**named.get("dependencies", {}), **named.get("devDependencies", {})}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    locked = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert wanted == {name: locked[f"node_modules/{name}"]["version"] for name in wanted}
    for name, package in locked.items():
        assert "resolved" not in package, name
        assert not name or package["integrity"].startswith("sha512-"), name


def test_without_node_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeError, match="no Node 20 with npm"):
        install()


@pytest.mark.parametrize(("version", "npm", "why"), [
    ("v18.20.1", "exit 0", "Node v18.20.1 is older than 20"),
    ("v20.0.0", "echo no network >&2; exit 1", "npm ci failed: no network"),
])
def test_what_cannot_be_had_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, npm: str, why: str
) -> None:
    for name, script in (("node", f"echo {version}"), ("npm", npm)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "package-lock.json").write_text("{}")
    with pytest.raises(NodeError, match=why):
        install(tmp_path)
