"""Recipes and the examples that they are: each can be applied, passes the lint, and is tested."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest
from click.testing import CliRunner, Result

from footfall import tables
from footfall.admin import config_yaml
from footfall.admin.config import checked
from footfall.admin.config_document import TESTS, read_document
from footfall.cli import footfall
from footfall.errors import ConfigError
from footfall.rules.add import added
from footfall.rules.add_command import add
from footfall.rules.lint import lint
from footfall.rules.recipes import names, recipe
from footfall.testing.scenario import read
from footfall.testing.verdict import Report
from footfall.testing.verdict import run as play

EXAMPLES = Path(__file__).parents[2] / "rules/examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))
#: Other values for each parameter: examples must stay true under them.
OTHER = {"after": "3d", "then": "36h", "min-value": "249.5", "currency": "USD", "days": "3",
         "country": "FR"}


def played(path: Path) -> list[tuple[str, Report]]:
    """The scenarios of a file with what is wrong with each."""
    file = read(path)
    return [(one.name, play(file, n)) for n, one in enumerate(file.scenarios)]


def test_every_example_is_a_recipe() -> None:
    assert [path.stem for path in FILES] == names()
    assert 7 <= len(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_names_its_schema_and_fits_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert "# yaml-language-server: $schema=../rules.schema.json" == first
    schema = json.loads((EXAMPLES.parent / "rules.schema.json").read_text())
    validator = jsonschema_rs.validator_for(schema)
    assert [] == [error.message for error in validator.iter_errors(read_document(path))]


@pytest.mark.parametrize("given", [{}, OTHER], ids=["as it is", "with other values"])
@pytest.mark.parametrize("name", names())
def test_a_recipe_can_be_applied_and_means_what_it_says(name: str, given: dict[str, str]) -> None:
    found = recipe(name)
    text = found.filled({key: value for key, value in given.items()
                         if key in {one.name for one in found.parameters}})
    assert "# --" not in text
    said = config_yaml.load(text)
    assert said.pop(TESTS)
    assert [] == lint(tables.ALL, checked(said), 0)


@pytest.mark.parametrize("given", [{}, OTHER, {"after": "90s", "then": "2h", "min-value": "1"}],
                         ids=["as it is", "with other values", "with small ones"])
@pytest.mark.parametrize("name", names())
def test_the_tests_of_a_recipe_pass(tmp_path: Path, name: str, given: dict[str, str]) -> None:
    """Under its own name and under another."""
    found = recipe(name)
    given = {key: value for key, value in given.items()
             if key in {one.name for one in found.parameters}}
    for other in (None, "mine"):
        text = found.filled(given, other)
        path = tmp_path / f"{other or name}.yaml"
        path.write_text(text)
        reports = played(path)
        assert 2 <= len(reports)
        assert [] == [one for one in reports if not one[1].passed]


@pytest.mark.parametrize("name", names())
def test_a_recipe_as_it_is_says_what_its_file_says(name: str) -> None:
    """So each marked value follows from the parameters as they are."""
    found = recipe(name)
    assert 1 <= len(found.parameters)
    read, filled = config_yaml.load(found.text), config_yaml.load(found.filled({}))
    assert _plain(read) == _plain(filled)
    for section in ("rules", "segments"):
        for one in read.get(section, {}).get("definitions", ()):
            assert one["name"].startswith(name)
    assert all(one["name"].startswith(name) for one in read[TESTS])
    for one in found.parameters:
        assert f"# --{one.name}" in found.text, one.name
        other = found.filled({one.name: OTHER[one.name]})
        assert OTHER[one.name] in other


def _plain(value: Any) -> Any:
    """Lengths of time in one spelling."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    if isinstance(value, str) and re.fullmatch(r"(\d+[dhms])+", value):
        return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([dhms])", value))
    return value


def test_the_command_has_an_option_for_every_parameter() -> None:
    options = {option.opts[0] for option in add.params if isinstance(option, click.Option)}
    parameters = {f"--{one.name}" for name in names() for one in recipe(name).parameters}
    assert parameters | {"--name", "--into"} == options


@pytest.mark.parametrize(("name", "given", "said"), [
    ("abandoned_cart", {"days": "3"}, "has no --days; it has --after, --then, --min-value"),
    ("abandoned_cart", {"after": "soon"}, "--after 'soon': expected a length of time"),
    ("abandoned_cart", {"after": "9999d"}, "at most 366 days"),
    ("abandoned_cart", {"min-value": "much"}, "--min-value 'much': expected a number"),
    ("abandoned_cart", {"min-value": "0"}, "expected a number above 0"),
    ("abandoned_cart", {"min-value": "nan"}, "expected a number above 0"),
    ("abandoned_cart", {"currency": "usd"}, "--currency 'usd': expected three capital letters"),
    ("price_region", {"country": "D: 1"}, "--country 'D: 1': expected letters"),
    ("streak_offer", {"days": "11"}, "--days '11': expected a number above 0, 2 to 10"),
])
def test_a_bad_parameter_names_itself(name: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        recipe(name).filled(given)


def test_an_unknown_recipe_and_a_bad_name() -> None:
    with pytest.raises(ConfigError, match="there is no recipe 'x'; there are abandoned_cart"):
        recipe("x")
    with pytest.raises(ConfigError, match="--name 'Mine'"):
        recipe("welcome").filled({}, "Mine")


# -- adding to a file ------------------------------------------------------------------------------

MINE = """\
# My rules.
rules:
  definitions:
    # The first one.
    - name: 'mine'   # quoted
      version: 1
      on: {call: track, event: "Signed Up"}
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(footfall, ["rules", *map(str, arguments)])


def test_add_keeps_what_a_file_has(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    result = run("add", "welcome", "--after", "3d", "--into", file)
    assert 0 == result.exit_code, result.exception
    assert f"added to {file}" in result.output
    text = file.read_text()
    assert text.startswith(MINE)
    assert "# Also counts orders from before the customer signed up." in text
    said = read_document(file)
    assert ["mine", "welcome", "welcome_tips", "welcome_offer"] == [
        one["name"] for one in said["rules"]["definitions"]]
    assert "3d" == said["rules"]["definitions"][2]["wait"]
    assert 2 == len(said[TESTS])
    assert "0 errors, 0 warnings" in run("check", file).output
    assert [file] == list(tmp_path.iterdir())


def test_add_refuses_a_name_that_is_there(tmp_path: Path) -> None:
    """And leaves the file as it was; --name gives another."""
    file = tmp_path / "mine.yaml"
    assert f"wrote {file}" in run("add", "welcome", "--into", file).output
    before = file.read_text()
    result = run("add", "welcome", "--into", file)
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(f"{file}: line 10: 'welcome' is there already")
    assert before == file.read_text()
    assert 0 == run("add", "welcome", "--into", file, "--name", "hello").exit_code
    assert 6 == len(read_document(file)["rules"]["definitions"])
    assert 0 == run("add", "price_region", "--into", file).exit_code
    assert {"rules", "segments", TESTS} == read_document(file).keys()


@pytest.mark.parametrize(("text", "said"), [
    ("rules: [", "a.yaml: line 1"), ("rules: 5\n", "a.yaml: rules.definitions is no list"),
    ("tests: {a: 1}\n", "a.yaml: tests is no list"), ("- 1\n", "a.yaml: is no object")])
def test_add_to_a_file_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    result = run("add", "welcome", "--into", file)
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)
    assert text == file.read_text()


def test_add_writes_no_other_format(tmp_path: Path) -> None:
    result = run("add", "welcome", "--into", tmp_path / "a.toml")
    assert isinstance(result.exception, ConfigError)
    assert "expected a name that ends in .yaml" in str(result.exception)


def test_add_keeps_the_indentation_of_a_file() -> None:
    text = "rules:\n  definitions:\n  - name: mine\n    version: 1\n    on: {call: page}\n"
    assert added(text, recipe("welcome").filled({})).startswith(text)


def test_without_a_file_the_rules_are_printed() -> None:
    result = run("add", "welcome")
    assert recipe("welcome").filled({}) == result.output


def test_list_shows_recipes_with_their_parameters() -> None:
    lines = run("list").output.splitlines()
    assert "abandoned_cart" in lines
    assert any(line.split()[:2] == ["--after", "30m"] for line in lines)
    shown = json.loads(run("list", "--json").output)
    assert names() == [one["recipe"] for one in shown]
    assert {"option": "--days", "default": "5", "about": "days in a row, in UTC (2 to 10)"} in [
        said for one in shown for said in one["parameters"]]
