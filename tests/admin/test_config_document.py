"""A configuration as an administrator writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from footfall.admin.config_document import (
    differences,
    joined,
    merged,
    read_changes,
    read_document,
    read_documents,
)
from footfall.errors import ConfigError


@pytest.mark.parametrize(("name", "text"), [
    ("a.toml", "[cart]\nidle_s = 900\n"), ("a.json", '{"cart": {"idle_s": 900}}')])
def test_reads_toml_and_json(tmp_path: Path, name: str, text: str) -> None:
    """Both forms give the same document."""
    (tmp_path / name).write_text(text)
    assert {"cart": {"idle_s": 900}} == read_document(tmp_path / name)


@pytest.mark.parametrize(("name", "content"), [
    ("a.toml", b"[cart\n"), ("a.json", b"{"), ("a.json", b"[]"), ("a.ini", b"cart: 1"),
    ("a.yaml", b"{"), ("a.toml", b"\xff")])
def test_unreadable_file_names_itself(tmp_path: Path, name: str, content: bytes) -> None:
    """A file that is not one is an error with its name, not a traceback."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name):
        read_document(tmp_path / name)


def test_changes_are_toml_values() -> None:
    """Numbers, lists and text, each as TOML says; bare words are text."""
    changes = read_changes(["cart.idle_s=900", "cart.names = ['a', 'b']", "a.b.c=x y", "a.b.d="])
    assert {"cart": {"idle_s": 900, "names": ["a", "b"]},
            "a": {"b": {"c": "x y", "d": ""}}} == changes


@pytest.mark.parametrize("assignment", ["cart.idle_s", "idle_s=1", "=1", "cart.=1", ".a=1"])
def test_bad_change_names_itself(assignment: str) -> None:
    """A change that names no section, key or value is refused."""
    with pytest.raises(ConfigError, match=r"expected SECTION\.KEY=VALUE"):
        read_changes([assignment])


def test_value_is_no_section() -> None:
    """A key cannot be a value and a section at once."""
    with pytest.raises(ConfigError, match="already has a value"):
        read_changes(["a.b=1", "a.b.c=2"])


def test_merge_and_differences() -> None:
    """Tables are merged, lists replaced; only what differs is told."""
    before = {"cart": {"idle_s": 1, "names": ["a"]}}
    after = merged(before, {"cart": {"names": []}, "risk": {"on": True}})
    assert {"cart": {"idle_s": 1, "names": []}, "risk": {"on": True}} == after
    assert {"cart.names": (["a"], []), "risk.on": (None, True)} == differences(before, after)


def test_definitions_of_several_files_are_put_one_after_the_other(tmp_path: Path) -> None:
    """Of rules, segments and computed; of all else the later file wins, and tests are left out."""
    (tmp_path / "a.yaml").write_text(
        "rules: {definitions: [{name: a}]}\ncart: {idle_s: 1}\ntests: [1]\n")
    (tmp_path / "b.yaml").write_text(
        "rules: {definitions: [{name: b}, {name: c}]}\nsegments: {definitions: [{name: s}]}\n"
        "tests: [2]\ncart: {idle_s: 2}\n")
    (tmp_path / "c.toml").write_text('[[computed.definitions]]\nname = "t"\n')
    assert {"rules": {"definitions": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
            "segments": {"definitions": [{"name": "s"}]},
            "computed": {"definitions": [{"name": "t"}]},
            "cart": {"idle_s": 2}} == read_documents(
                [tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.toml"])


def test_joining_leaves_what_it_is_given() -> None:
    under, over = {"rules": {"definitions": [1]}}, {"rules": {"definitions": [2]}}
    assert {"rules": {"definitions": [1, 2]}} == joined(under, over)
    assert ([1], [2]) == (under["rules"]["definitions"], over["rules"]["definitions"])


@pytest.mark.parametrize("said", ["5", "[1]", "{definitions: {a: 1}}", ""])
def test_definitions_that_are_no_list_name_their_file(tmp_path: Path, said: str) -> None:
    """Also where another file has a list: it must not hide them."""
    (tmp_path / "a.yaml").write_text(f"cart: {{}}\nrules: {said}\n")
    (tmp_path / "b.yaml").write_text("rules: {definitions: []}\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:2: \[rules\] is no object"):
        read_documents([tmp_path / "a.yaml", tmp_path / "b.yaml"])
