"""The script as it is shipped: built from its sources, by the pinned tool, and small."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from footfall import __version__
from footfall.collector.script import PATH
from tests.browser.node import installed, run

pytestmark = pytest.mark.browser

SOURCES = PATH.parent
ROOT = Path(__file__).parents[2]
GZIP_BYTES_MAX = 6 * 1024


def test_it_is_what_its_sources_make(missing: Callable[[str], None], tmp_path: Path) -> None:
    """Byte for byte; else `npm run build` was forgotten. The types are checked, too."""
    modules = installed(SOURCES, missing)
    run(modules, "tsc")
    command = json.loads((SOURCES / "package.json").read_text())["scripts"]["build"]
    built = tmp_path / "footfall.js"
    arguments = [part for part in re.findall(r"'[^']*'|\S+", command)[1:]
                 if not part.startswith("--outfile")]
    run(modules, "esbuild", *(part.strip("'") for part in arguments), f"--outfile={built}")
    assert PATH.read_bytes() == built.read_bytes()


def test_it_is_small() -> None:
    assert len(gzip.compress(PATH.read_bytes(), 9)) < GZIP_BYTES_MAX


def test_it_is_installed_with_the_package() -> None:
    """Without its sources: nobody who installs Footfall needs Node."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    data = project["tool"]["setuptools"]["package-data"]["footfall"]
    assert [str(PATH.relative_to(ROOT / "src/footfall"))] == [
        pattern for pattern in data if pattern.startswith("browser")]


def test_it_has_the_version_of_the_package() -> None:
    assert __version__ == json.loads((SOURCES / "package.json").read_text())["version"]


@pytest.mark.parametrize("folder", [SOURCES, ROOT / "tests/browser"], ids=lambda f: f.name)
def test_the_locks_pin_what_is_installed_and_name_no_address(folder: Path) -> None:
    named = json.loads((folder / "package.json").read_text())
    lock = json.loads((folder / "package-lock.json").read_text())
    for versions in (named.get("dependencies", {}), named.get("devDependencies", {})):
        for name, version in versions.items():
            assert version == lock["packages"][f"node_modules/{name}"]["version"]
    assert "resolved" not in json.dumps(lock)
    assert all("integrity" in package for path, package in lock["packages"].items() if path)
