"""A configuration as an administrator writes it: a TOML or JSON file and `--set` on top.

Decides how those become one document and how two documents differ. Pure but for reading the file.
Whether the values are allowed is decided by `tables/config.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from footfall.errors import ConfigError


def read_document(path: Path) -> dict[str, Any]:
    """The document of a .toml or .json file; the error names the file and the place."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            document: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        elif path.suffix == ".toml":
            document = tomllib.loads(text)
        else:
            raise ConfigError(f"{path}: expected a name that ends in .toml or .json")
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return document


def read_changes(assignments: Iterable[str]) -> dict[str, Any]:
    """`section.key=value` as a document; a value is TOML, or text where it is not."""
    document: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        *sections, key = name.strip().split(".")
        if not equals or not sections or not all([*sections, key]):
            raise ConfigError(f"--set {assignment}: expected SECTION.KEY=VALUE")
        place = document
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise ConfigError(f"--set {assignment}: {section} already has a value")
        place[key] = _value(value.strip())
    return document


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One document, in which `over` wins; tables are merged, all else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(below, value) if isinstance(below, dict) and both else value
    return result


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`section.key` -> value, for showing."""
    result: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict) and value:
            result.update(flat(value, f"{prefix}{key}."))
        else:
            result[f"{prefix}{key}"] = value
    return result


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """`section.key` -> (before, after) where they differ; None stands for absent."""
    old, new = flat(before), flat(after)
    return {name: (old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
