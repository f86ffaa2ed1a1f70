"""A configuration as an administrator writes it: TOML, YAML or JSON files and `--set` on top.

Decides how those become one document, how two documents differ, and where in the files a key
stands that is refused. Pure but for reading files.
Whether the values are allowed is decided by `tables/config.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from footfall.admin import config_yaml
from footfall.errors import ConfigError

YAML_SUFFIXES = frozenset({".yaml", ".yml"})
#: A section of files that is no configuration: scenarios for `footfall rules test`.
TESTS = "tests"


def read_document(path: Path) -> dict[str, Any]:
    """The document of a .toml, .yaml or .json file; the error names the file and the place."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            document: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        elif path.suffix == ".toml":
            document = tomllib.loads(text)
        elif path.suffix in YAML_SUFFIXES:
            document = config_yaml.load(text)
        else:
            raise ConfigError("expected a name that ends in .toml, .yaml, .yml or .json")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return document


def read_documents(paths: Sequence[Path]) -> dict[str, Any]:
    """One document of several files, less their tests; where two name a key the later one holds."""
    document: dict[str, Any] = {}
    for path in paths:
        document = merged(document, read_document(path))
    document.pop(TESTS, None)
    return document


def located(error: ConfigError, paths: Sequence[Path]) -> ConfigError:
    """An error with the file in which its key stands, of YAML with the line too."""
    best = 0
    message = str(error)
    for path in paths:
        depth = _depth(read_document(path), error.path)
        if depth and depth >= best:
            best = depth
            message = f"{path}: {error}"
            if path.suffix in YAML_SUFFIXES:
                lines = config_yaml.lines_of(path.read_text(encoding="utf-8"))
                message = f"{path}:{config_yaml.line_of(lines, error.path)}: {error}"
    return ConfigError(message, error.path)


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


def _depth(value: Any, path: Sequence[str | int]) -> int:
    """How far a document goes along a path."""
    for depth, key in enumerate(path):
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(path)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
