"""A configuration as an administrator writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from footfall.admin.config_document import differences, merged, read_changes, read_document
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
