"""A configuration as an administrator writes it: TOML, YAML or JSON files and `--set` on top.

Decides how those become one document (definitions of rules, segments and computed traits add up
over files, of all else the later file wins), how two documents differ, and where in the files a key
stands that is refused. Pure but for reading files.
Whether the values are allowed is decided by `tables/config.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from footfall.admin import config_yaml
from footfall.errors import ConfigError

YAML_SUFFIXES = frozenset({".yaml", ".yml"})
#: A section of files that is no configuration: scenarios for `footfall rules test`.
TESTS = "tests"
#: Sections whose lists of definitions are put one after the other over several files.
JOINED = ("computed", "rules", "segments")
DEFINITIONS = "definitions"


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
    """One document of several files, less their tests: definitions one after the other, and where
    two name another key the later one holds.
    """
    document: dict[str, Any] = {}
    for path in paths:
        read = read_document(path)
        for section in JOINED:
            if _definitions(read, section) is None:
                error = ConfigError(f"[{section}] is no object with a list `{DEFINITIONS}`",
                                    (section, DEFINITIONS))
                raise located(error, [path])
        document = joined(document, read)
    document.pop(TESTS, None)
    return document


def joined(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One document of two files: `merged`, but the definitions of both stay."""
    result = merged(under, over)
    for section in JOINED:
        both = [*(_definitions(under, section) or ()), *(_definitions(over, section) or ())]
        if both:
            result[section] = {**result[section], DEFINITIONS: both}
    return result


class Place(NamedTuple):
    """Where a key stands: the file, its line (of YAML, else 0), and the path that leads to it in
    that file.
    """

    file: Path
    line: int
    path: tuple[str | int, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else str(self.file)


def place_of(inner: Sequence[str | int], paths: Sequence[Path]) -> Place | None:
    """Where in the files something stands to which a path leads in the document of all of them;
    None where no file has it.
    """
    best = 0
    found = None
    passed = 0  # definitions of the files before
    for path in paths:
        document = read_document(path)
        here = tuple(inner)
        if _is_joined(here):
            here = (*here[:2], int(here[2]) - passed, *here[3:])
            passed += len(_definitions(document, str(inner[0])) or ())
        depth = _depth(document, here)
        if depth and depth >= best and not (_is_joined(here) and depth < 3):
            best = depth
            found = Place(path, _line(path, here), here)
    return found


def located(error: ConfigError, paths: Sequence[Path]) -> ConfigError:
    """An error with the file in which its key stands, of YAML with the line too. A place in joined
    definitions is given as it is counted in that file.
    """
    place = place_of(error.path, paths)
    if place is None:
        return error
    message = str(error)
    if _is_joined(place.path):
        message = message.replace(f"{DEFINITIONS}[{error.path[2]}]",
                                  f"{DEFINITIONS}[{place.path[2]}]", 1)
    return ConfigError(f"{place}: {message}", place.path)


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


def _definitions(document: Mapping[str, Any], section: str) -> list[Any] | None:
    """The definitions of a section; None where they are none."""
    said = document.get(section, {})
    found = said.get(DEFINITIONS, []) if isinstance(said, dict) else None
    return found if isinstance(found, list) else None


def _is_joined(path: Sequence[str | int]) -> bool:
    """Whether a path leads into a definition that was counted over several files."""
    return (len(path) > 2 and path[0] in JOINED and path[1] == DEFINITIONS
            and isinstance(path[2], int))


def _line(path: Path, inner: tuple[str | int, ...]) -> int:
    if path.suffix not in YAML_SUFFIXES:
        return 0
    return config_yaml.line_of(config_yaml.lines_of(path.read_text(encoding="utf-8")), inner)


def _depth(value: Any, path: Sequence[str | int]) -> int:
    """How far a document goes along a path."""
    for depth, key in enumerate(path):
        if isinstance(key, int) and key < 0:
            return depth
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
