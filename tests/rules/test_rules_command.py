"""`footfall rules test`: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from footfall.cli import footfall
from footfall.errors import ConfigError

GOOD = """\
tests:
  - name: a first visit
    steps:
      - send: {type: page, userId: anna, name: Home}
    expect:
      - {trigger: session_started, customer: "user_id:anna", at: 0s}
"""
BAD = GOOD + """\
  - name: "[red] no visit"
    steps:
      - send: {type: page, userId: anna, name: Home}
    expect:
      - {trigger: session_started, times: 0}
"""


def called(*words: str) -> Result:
    return CliRunner().invoke(footfall, ["rules", "test", *words])


def test_scenarios_are_listed_with_what_failed(tmp_path: Path) -> None:
    """Exit code 1 where one fails. A name is shown as it is."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(BAD)

    assert (0, True) == ((found := called(str(good))).exit_code,
                         "1 passed, 0 failed" in found.output)
    found = called(str(good), str(bad))
    assert 1 == found.exit_code
    assert f"{bad}:7 [red] no visit" in found.output.replace("\n", "")
    assert "too much: +0s session_started of user_id:anna" in found.output
    assert "2 passed, 1 failed" in found.output


def test_json_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    found = called(str(file), "--json")
    said = json.loads(found.output)
    assert (1, 1, 1) == (found.exit_code, said["passed"], said["failed"])
    assert [(str(file), 2, True), (str(file), 7, False)] == [
        (one["file"], one["line"], one["passed"]) for one in said["scenarios"]]
    assert [] == said["scenarios"][1]["missing"]
    assert len(said["scenarios"][1]["unexpected"]) == 1


def test_missing_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD.replace("at: 0s", "at: 1s"))
    found = called(str(file))
    assert "line 6: missing session_started of user_id:anna at 1s" in found.output
    assert "there is one, but it occurred at 0s" in found.output
    said = json.loads(called(str(file), "--json").output)["scenarios"][0]["missing"]
    assert [{"line": 6, "expected": "session_started of user_id:anna at 1s",
             "because": ["it occurred at 0s"]}] == said


def test_a_file_that_cannot_be_read_is_an_error_with_its_place(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("expect", "expects"))
    found = called(str(good), str(bad))
    assert isinstance(found.exception, ConfigError)
    assert f"{bad}:5: [tests] [0] Object contains unknown field `expects`" in str(found.exception)
    assert 2 == called(str(tmp_path / "none.yaml")).exit_code


def test_another_configuration_holds_besides(tmp_path: Path) -> None:
    file, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.write_text(GOOD)
    other.write_text("cart: {idle_s: 0}\n")
    found = called(str(file), "--with", str(other))
    assert f"{other}:1: [cart] idle_s = 0" in str(found.exception)
    other.write_text("cart: {idle_s: 5}\n")
    assert 0 == called(str(file), "--with", str(other)).exit_code
