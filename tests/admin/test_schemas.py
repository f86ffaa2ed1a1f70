"""The folder of schemas: checked, released, registered."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from footfall.admin import schemas
from footfall.admin.schemas_command import schemas as command
from footfall.errors import FootfallError, SchemaError
from footfall.settings import Settings

FIELD = {"name": "later", "type": "string", "default": "", "class": "internal", "doc": "Later."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of our own folder."""
    return Path(shutil.copytree(schemas.own_folder(), tmp_path / "schemas"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object],
         name: str = "trigger.avsc") -> None:
    file = folder / name
    schema = json.loads(file.read_text())
    change(schema)
    file.write_text(json.dumps(schema))


def run(*arguments: str, settings: Settings | None = None) -> Result:
    @click.group()
    @click.pass_context
    def program(ctx: click.Context) -> None:
        ctx.obj = lambda: settings or Settings()

    program.add_command(command)
    return CliRunner().invoke(program, ["schemas", *arguments])


def test_our_own_folder_passes() -> None:
    """CI runs this command."""
    result = run("check")
    assert (0, 4) == (result.exit_code, result.output.count(" ok, "))


def test_incompatible_change_is_refused_and_named(folder: Path) -> None:
    """Exit code 1, subject, version and reason; release makes nothing of it."""
    edit(folder, lambda s: s["fields"].pop(0))
    result = run("check", "--folder", str(folder))
    assert 1 == result.exit_code
    assert "trigger      refused" in result.output
    assert "against version 1" in result.output
    assert "trigger_id" in result.output
    with pytest.raises(SchemaError, match="nothing was released: trigger: against version 1"):
        schemas.release(folder)
    assert [1, 2, 3] == schemas.versions(folder, "trigger")


def test_one_refused_subject_stops_all(folder: Path) -> None:
    """All or none."""
    edit(folder, lambda s: s["fields"].append(FIELD))
    edit(folder, lambda s: s["fields"].pop(0), "rejected.avsc")
    with pytest.raises(SchemaError, match="rejected"):
        schemas.release(folder)
    assert [1, 2, 3] == schemas.versions(folder, "trigger")


def test_release_makes_the_next_version_once(folder: Path) -> None:
    """What was in work, byte for byte; the second time there is nothing to do."""
    edit(folder, lambda s: s["fields"].append(FIELD))
    assert "to be released" in run("check", "--folder", str(folder)).output
    assert "released version 4, id 65" in run("release", "--folder", str(folder)).output
    assert (folder / "trigger.avsc").read_bytes() == (
        folder / "released/trigger/4.avsc").read_bytes()
    assert "nothing to release" in run("release", "--folder", str(folder)).output
    listed = run("list", "--folder", str(folder)).output
    assert "version 3, id 49" in listed
    assert "changed since" not in listed
    assert 0 == run("check", "--folder", str(folder)).exit_code


def test_a_new_version_is_checked_against_all(folder: Path) -> None:
    """Transitive: fits the newest, not the one before."""
    edit(folder, lambda s: s["fields"].append(FIELD))
    schemas.release(folder)
    edit(folder, lambda s: s["fields"].pop())
    schemas.release(folder)
    edit(folder, lambda s: s["fields"].append({**FIELD, "type": "int", "default": 0}))
    (state,) = [s for s in schemas.check(folder) if s.subject == "trigger"]
    assert state.problems
    assert {"against version 4"} == {p.partition(":")[0] for p in state.problems}


@pytest.mark.parametrize("harm", [
    lambda folder: edit(folder, lambda s: s.update(doc="other"), "released/trigger/1.avsc"),
    lambda folder: (folder / "released/trigger/3.avsc").unlink(),
    lambda folder: shutil.copy(folder / "released/trigger/1.avsc",
                               folder / "released/trigger/4.avsc"),
    lambda folder: (folder / "released/sha256sums").unlink(),
])
def test_a_released_file_never_changes(folder: Path, harm: Callable[[Path], object]) -> None:
    """Edited, deleted or smuggled in past `release`."""
    harm(folder)
    (state,) = [s for s in schemas.check(folder) if s.subject == "trigger"]
    assert [p for p in state.problems if "not as it was released" in p]


def test_gap_in_the_versions_is_told(folder: Path) -> None:
    """A number left out is a release lost."""
    shutil.copy(folder / "released/trigger/1.avsc", folder / "released/trigger/5.avsc")
    with pytest.raises(SchemaError, match=r"has versions \[1, 2, 3, 5\]"):
        schemas.check(folder)


def test_unreadable_schema_names_its_file(folder: Path) -> None:
    """Not a traceback."""
    (folder / "trigger.avsc").write_text("{")
    with pytest.raises(SchemaError, match=r"trigger\.avsc"):
        schemas.check(folder)


def test_register_needs_a_url() -> None:
    """And says how to give it."""
    result = run("register")
    assert isinstance(result.exception, FootfallError)
    assert "--url" in str(result.exception)


@pytest.mark.kafka
def test_register_in_a_real_registry(registry_url: str) -> None:
    """Twice, with the same ids; by option or by setting."""
    first = run("register", "--url", registry_url)
    assert 0 == first.exit_code, first.output
    assert 4 == first.output.count("version 1, id ")
    second = run("register", settings=Settings(schema_registry_url=registry_url))
    assert first.output == second.output
