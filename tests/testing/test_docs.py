"""docs/testing.md: its examples run as they stand, under pytest with the plugin as it is declared.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import footfall
from footfall.testing.scenario import Expected, Scenario, Step, read
from footfall.testing.verdict import run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/testing.md").read_text()
SOURCE = str(Path(footfall.__file__).parents[1])


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest with this Footfall installed: as its entry points say, whatever else there is."""
    places = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    installed = folder / "site/footfall_here-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: footfall-here\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
        for group, entries in places.items()))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(installed.parent), SOURCE])},
        capture_output=True, text=True, timeout=120, check=False)


def test_the_example_runs_with_the_plugin_that_is_declared(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(block("python"))
    found = pytest_in(tmp_path, "test_example.py")
    assert "2 passed" in found.stdout, found.stdout + found.stderr
    assert 0 == found.returncode


def test_a_test_that_fails_says_why(tmp_path: Path) -> None:
    example = block("python").replace('footfall.advance("2m")', 'footfall.advance("30s")')
    (tmp_path / "test_example.py").write_text(example)
    found = pytest_in(tmp_path, "test_example.py")
    assert "1 failed, 1 passed" in found.stdout, found.stdout + found.stderr
    assert "the next timer: is due at +15m500ms" in found.stdout


def test_a_base_install_is_not_hindered(tmp_path: Path) -> None:
    """Without the extra `server` pytest runs, and who asks for the fixture is told."""
    (tmp_path / "conftest.py").write_text(
        "import sys\nfor name in ('aiokafka', 'click', 'rich'):\n    sys.modules[name] = None\n")
    (tmp_path / "test_light.py").write_text(
        "def test_other():\n    import sys\n    assert 'footfall.tables' not in sys.modules\n"
        "def test_kit(footfall):\n    pass\n")
    found = pytest_in(tmp_path, "test_light.py")
    assert "1 passed, 1 error" in found.stdout, found.stdout + found.stderr
    assert "pip install 'footfall[server]'" in found.stdout


def test_the_scenarios_pass(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(block("yaml"))
    found = read(file)
    assert [True, True] == [run(found, n).passed for n in range(len(found.scenarios))]


def test_every_key_of_a_scenario_is_documented() -> None:
    for struct in (Scenario, Step, Expected):
        for key in struct.__struct_fields__:
            assert f"`{key}`" in PAGE, key
