"""`footfall rules check`: findings with file, line and key; exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from footfall.cli import footfall

GOOD = """\
rules:
  definitions:
    - {name: good, version: 1, on: {call: track, event: Order Completed}}
"""
BAD = """\
segments:
  definitions:
    - name: viewers
      version: 1
      if: {of: count, over: {call: track, event: Product Viewed}, at_least: 1}
rules:
  definitions:
    - name: bad
      version: 1
      on: {call: track, event: Product Viewed}
      if:
        all:
          - segment: viewers
          - of: count
            over: {call: track, event: Product Viewed}
            less: 1
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(footfall, ["rules", "check", *map(str, arguments)])


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(BAD)
    return good, bad


def test_an_error_names_file_line_and_key_of_its_own_file(files: tuple[Path, Path]) -> None:
    result = run(*files)
    assert 1 == result.exit_code
    assert [f"{files[1]}:14: error: bad if.all[1] is never true: count over ever cannot be less 1 "
            "and at_least 1 [always_false]", "1 error, 0 warnings, 0 hints"] == (
                result.output.splitlines())
    assert 0 == run(files[0]).exit_code
    assert "0 errors, 0 warnings, 0 hints\n" == run(files[0]).output


def test_what_cannot_be_applied_is_an_error(files: tuple[Path, Path]) -> None:
    files[1].write_text(BAD.replace("segment: viewers", "segment: viewrs"))
    result = run(*files)
    assert 1 == result.exit_code
    assert result.output.startswith(f"{files[1]}:13: error: [rules] definitions[0].if.all[0]"
                                    ".segment: there is no segment 'viewrs'")
    assert "[refused]" in result.output


def test_what_cannot_be_read_is_an_error(files: tuple[Path, Path]) -> None:
    files[1].write_text("rules: [")
    result = run(*files)
    assert 1 == result.exit_code
    assert f"error: {files[1]}: line 1" in result.output


def test_a_warning_fails_only_where_it_is_asked_to(files: tuple[Path, Path]) -> None:
    files[1].write_text(GOOD.replace("good", "again"))
    assert 0 == run(*files).exit_code
    assert 1 == run(*files, "--strict").exit_code
    assert f"{files[1]}:3: warning: again name says the same as 'good' [duplicate]" in (
        run(*files).output)


def test_json_for_programs(files: tuple[Path, Path]) -> None:
    shown = json.loads(run(*files, "--json").output)
    assert (1, 0, 0) == (shown["errors"], shown["warnings"], shown["hints"])
    one, = shown["findings"]
    assert ("error", "always_false", "bad", str(files[1]), "if.all[1]") == (
        one["level"], one["code"], one["name"], one["file"], one["key"])


def test_names_of_events_in_tests_are_known(files: tuple[Path, Path]) -> None:
    misspelt = GOOD.replace("Order Completed", "Order Complted")
    files[0].write_text(misspelt)
    assert "hint: good on.event nothing else mentions 'Order Complted'; is 'Order Completed'" in (
        run(files[0]).output)
    files[0].write_text(misspelt + "tests:\n  - steps:\n      - send: {event: Order Complted}\n")
    assert "0 hints" in run(files[0]).output
    for odd in ("5", "[5]", "[{steps: 5}]", "[{steps: [{send: 5}]}]"):
        files[0].write_text(f"{misspelt}tests: {odd}\n")
        assert "1 hint" in run(files[0]).output
