"""A configuration in YAML: what is taken of it, and that an error names file, line and key."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from footfall.admin import config_command, config_yaml
from footfall.admin.config_document import located, read_document, read_documents
from footfall.cli import footfall
from footfall.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "docs/computed.yaml"
TRAITS = """\
# Comments may stand anywhere.
computed:
  definitions:
    - name: orders
      version: 1
      of: count
      over: {call: track, event: Order Completed}
    - name: spent
      version: 1
      of: sum
      value: properties.total
      over:
        where:
          any:
            - path: properties.total
              greater: 50
"""


def checked(*files: Path) -> Result:
    return CliRunner().invoke(footfall, ["config", "check", *map(str, files)])


def refusal(tmp_path: Path, text: str) -> str:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    result = checked(file)
    assert isinstance(result.exception, ConfigError), result
    return str(result.exception).removeprefix(f"{tmp_path}/")


def test_yaml_says_what_toml_says(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("cart:\n  idle_s: 900\n")
    (tmp_path / "b.toml").write_text("[clock]\ngrace_s = 1.5\n")
    assert {"cart": {"idle_s": 900}, "clock": {"grace_s": 1.5}} == read_documents(
        [tmp_path / "a.yml", tmp_path / "b.toml"])


def test_words_are_those_of_version_1_2() -> None:
    """`yes`, `on` and `no` are texts, as in JSON; an alias is followed."""
    assert {"a": ["yes", "on", "NO", True, None, 10, 1.5], "b": ["yes"], "c": ["yes"]} == (
        config_yaml.load("a: [yes, on, NO, true, null, 010, 1.5]\nb: &x [yes]\nc: *x\n"))


@pytest.mark.parametrize(("text", "said"), [
    ("a: 1\na: 2\n", 'line 2: found duplicate key "a"'),
    ("a: [1\nb: 2", "line 2: expected ',' or ']'"),
    ("a: {b: 2026-01-01}\n", "line 1: a.b is a date; put it into quotes"),
    ("a: 1\n2: 3\n", "line 2: the key 2 is no text"),
    ("- 1\n", "is no object of sections"),
    ("", "is no object of sections"),
    ("a: !!python/object:os.system x\n", "line 1: could not determine a constructor"),
    ("a: 1\n---\nb: 1\n", "line 2: but found another document"),
    ("a: &x\n  b: *x\n", "nested more than 32 deep"),
    ("a: \x00", "is not YAML: unacceptable character"),
    ("a: " + "x" * 1_000_001, "has 1000004 characters; at most 1000000"),
    ("a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
     "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]\n", "more than 20000 values"),
])
def test_what_is_not_taken_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)
    assert refusal(tmp_path, text).startswith("a.yaml: ")


@pytest.mark.parametrize(("old", "new", "said"), [
    ("of: sum", "of: summ", "a.yaml:10: [computed] definitions[1].of = 'summ': expected one of"),
    ("greater: 50", "greatr: 5", "a.yaml:16: [computed] definitions[1].over.where.any[0] Object "
                                 "contains unknown field `greatr`; known keys: path, equals"),
    ("      value: properties.total\n", "", "a.yaml:8: [computed] definitions[1].value: sum needs"),
    ("name: spent", "name: orders", "a.yaml:9: [computed] definitions[1].version: 'orders' has"),
    ("greater: 50", "greater: much", "a.yaml:16: [computed] definitions[1].over.where.any[0]"
                                     ".greater: 'much' is not a number"),
    ("      of: sum\n", "      of: sum\n      window: 90d\n",
     "a.yaml:11: [computed] definitions[1].window = '90d': expected one of 1h, 24h"),
    ("computed:", "computd:", "unknown section 'computd'"),
])
def test_an_error_names_file_line_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TRAITS
    assert refusal(tmp_path, TRAITS.replace(old, new)).startswith(said)


def test_of_several_files_the_one_that_says_it_is_named(tmp_path: Path) -> None:
    """Of TOML without a line."""
    (tmp_path / "a.yaml").write_text(TRAITS)
    (tmp_path / "b.toml").write_text("[cart]\nidle_s = -1\n")
    files = [tmp_path / "a.yaml", tmp_path / "b.toml"]
    result = checked(*files)
    assert str(result.exception).startswith(f"{files[1]}: [cart] idle_s = -1")
    elsewhere = located(ConfigError("[risk] x", ("risk", "x")), files)
    assert "[risk] x" == str(elsewhere)


RULES = """\
rules:
  definitions:
    - {name: NAME, version: 1, on: {call: track, event: Order Completed}}
    - name: NAME_too
      version: 1
      on: {trigger: NAME}
tests:
  - name: is left out
"""


@pytest.mark.parametrize(("old", "new", "said"), [
    ("trigger: b", "trigger: d", "b.yaml:6: [rules] definitions[1].on.trigger: nobody tells 'd'"),
    ("trigger: b", "triggr: b", "b.yaml:6: [rules] definitions[1].on Object contains unknown"),
    ("name: b_too", "name: a", "b.yaml:4: [rules] definitions[1].name: 'a' is there twice"),
    ("name: b_too", "name: B", "b.yaml:4: [rules] definitions[1].name = 'B'"),
])
def test_of_several_files_with_rules_the_one_that_says_it_is_named(
        tmp_path: Path, old: str, new: str, said: str) -> None:
    """With the place as it is counted there."""
    files = []
    for name in ("a", "b", "c"):
        text = RULES.replace("NAME", name)
        file = tmp_path / f"{name}.yaml"
        file.write_text(text.replace(old, new) if name == "b" else text)
        assert name != "b" or old in text
        files.append(file)
    result = checked(*files)
    assert isinstance(result.exception, ConfigError), result
    assert str(result.exception).removeprefix(f"{tmp_path}/").startswith(said)


def test_check_lists_rules_and_segments(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULES.replace("NAME", "a"))
    (tmp_path / "b.yaml").write_text("""\
segments:
  definitions:
    - {name: buyers, version: 2,
       if: {of: count, over: {call: track, event: Order Completed}, at_least: 1}}
rules:
  definitions:
    - {name: left, version: 1, on: {leaves: buyers}}
    - {name: many, version: 3, on: {becomes: false, when: {segment: buyers}}}
""")
    result = checked(tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert ["segment buyers version 2", "rule a version 1: on track Order Completed",
            "rule a_too version 1: on trigger a", "rule left version 1: on segment buyers left",
            "rule many version 3: on a condition that becomes false",
            "this configuration can be applied"] == result.output.splitlines()


def test_check_lists_traits_and_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TRAITS)
    result = checked(tmp_path / "a.yaml")
    assert 0 == result.exit_code
    assert ["orders version 1: count, ever, at most 44 bytes",
            "spent version 1: sum, ever, at most 57 bytes",
            "this configuration can be applied"] == result.output.splitlines()


def test_the_example_can_be_applied() -> None:
    """docs/computed.yaml, with one of each aggregate."""
    result = checked(EXAMPLE)
    assert 0 == result.exit_code, result.exception
    declared = read_document(EXAMPLE)["computed"]["definitions"]
    assert 12 <= len({one["of"] for one in declared})


def test_apply_names_file_and_line_before_it_asks_a_broker(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TRAITS.replace("of: sum", "of: summ"))
    result = CliRunner().invoke(footfall, ["config", "apply", str(tmp_path / "a.yaml")], env={
        "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "FOOTFALL_SYSTEM_SECRET": "s" * 20})
    assert "a.yaml:10: [computed]" in str(result.exception)


def test_the_command_is_of_its_group() -> None:
    assert "check" in config_command.config.list_commands(click.Context(config_command.config))
