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
from tests.node.packages import run

pytestmark = pytest.mark.browser

SOURCES = PATH.parent
ROOT = Path(__file__).parents[2]
GZIP_BYTES_MAX = 6 * 1024


def test_it_is_what_its_sources_make(npm: Callable[[Path], Path], tmp_path: Path) -> None:
    """Byte for byte; else `npm run build` was forgotten. The types are checked, too."""
    run(npm(SOURCES), "tsc")
    command = json.loads((SOURCES / "package.json").read_text())["scripts"]["build"]
    built = tmp_path / "footfall.js"
    arguments = [part for part in re.findall(r"'[^']*'|\S+", command)[1:]
                 if not part.startswith("--outfile")]
    run(SOURCES, "esbuild", *(part.strip("'") for part in arguments), f"--outfile={built}")
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
