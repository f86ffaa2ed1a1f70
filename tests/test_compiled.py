"""What setup.py compiles is compiled here, from these sources, and keeps to mypyc's limits."""

import ast
import importlib
import importlib.machinery
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tables import everything

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / path
           for path in re.findall(r'^    "(src/.*\.py)",$', (ROOT / "setup.py").read_text(), re.M)]


def name_of(source: Path) -> str:
    return ".".join(source.relative_to(ROOT / "src").with_suffix("").parts)


def has_compiler() -> bool:
    return shutil.which(str(sysconfig.get_config_var("CC") or "cc").split()[0]) is not None


def test_there_is_something_to_compile() -> None:
    assert len(SOURCES) > 5
    assert all(source.exists() for source in SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_it_runs_compiled_from_the_source_as_it_is(source: Path) -> None:
    """A machine that is older than its source would test yesterday's code."""
    if not has_compiler():
        pytest.skip("no C compiler: the sources run as they are")
    module = importlib.import_module(name_of(source))
    assert isinstance(module.__loader__, importlib.machinery.ExtensionFileLoader), (
        "not compiled: `make .venv/ready` (was FOOTFALL_PURE set?)")
    assert module.__file__ is not None
    assert Path(module.__file__).stat().st_mtime >= source.stat().st_mtime, (
        "the source is newer: `make .venv/ready`")


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_it_defines_nothing_that_msgspec_decodes(source: Path) -> None:
    """mypyc drops `frozen`, `array_like` and some annotations: it would write other bytes."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            assert not bases & {"Struct", "NamedTuple"}, node.name


@pytest.mark.parametrize("source", SOURCES, ids=name_of)
def test_no_loop_changes_the_range_that_it_runs_over(source: Path) -> None:
    """mypyc compares with the variable, not with what it was when the loop began."""
    for loop in ast.walk(ast.parse(source.read_text())):
        if isinstance(loop, ast.For) and isinstance(loop.iter, ast.Call):
            bounds = {n.id for a in loop.iter.args for n in ast.walk(a) if isinstance(n, ast.Name)}
            assert not bounds & set(_assigned(loop)), f"line {loop.lineno}"


def _assigned(loop: ast.For) -> Iterator[str]:
    for statement in loop.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def test_the_sources_as_they_are_write_the_same_bytes(tmp_path: Path) -> None:
    """Records, outputs, merged rows and views of one log, folded here and by plain Python."""
    shutil.copytree(ROOT / "src/footfall", tmp_path / "footfall",
                    ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    script = ("from footfall.tables import fold; assert fold.__file__.endswith('.py'), fold; "
              "import runpy; runpy.run_module('tests.tables.everything', run_name='__main__')")
    plain = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}).stdout.splitlines()
    here = everything.written()
    kinds = {line.partition(" ")[0] for line in here}
    assert {"record", "sent", "merged", "shown"} == kinds
    assert [] == [pair for pair in zip(plain, here, strict=True) if pair[0] != pair[1]][:3]
