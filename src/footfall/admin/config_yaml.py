"""A configuration in YAML: its values, and the line of each of them.

Decides what of YAML is taken: version 1.2, as JSON has it (objects, lists, text, numbers, true,
false, null), loaded by ruamel.yaml's safe loader. A key that stands twice, a date, a tag or another
document in the file is refused, with its line. Aliases are followed within `VALUES_MAX` values, so
that a small file cannot become a large one. Must never make objects of any other kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from footfall.errors import ConfigError

TEXT_CHARS_MAX: Final = 1_000_000
VALUES_MAX: Final = 20_000
DEPTH_MAX: Final = 32

Path = tuple[str | int, ...]


def load(text: str, example: str = "computed") -> dict[str, Any]:
    """The document; raises `ConfigError` with line and what is wrong. `example`: one of the
    sections that it may have.
    """
    lines = lines_of(text)
    value = _parsed(text, "load")
    if not isinstance(value, dict):
        raise ConfigError(f"is no object of sections, such as `{example}:`")
    _check(value, (), lines)
    return value


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """The line of a path, or of the nearest thing that holds it."""
    return next(lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines)


def lines_of(text: str) -> dict[Path, int]:
    """The line of every key and of every member of a list."""
    if len(text) > TEXT_CHARS_MAX:
        raise ConfigError(f"has {len(text)} characters; at most {TEXT_CHARS_MAX}")
    node = _parsed(text, "compose")
    found: dict[Path, int] = {}
    waiting: list[tuple[Path, Node, int]] = [] if node is None else [((), node, 1)]
    while waiting:
        path, one, line = waiting.pop()
        found[path] = line
        if len(found) > VALUES_MAX or len(path) > DEPTH_MAX:
            raise ConfigError(f"line {line}: with its aliases the file has more than {VALUES_MAX} "
                              f"values, or is nested more than {DEPTH_MAX} deep")
        if isinstance(one, MappingNode):
            waiting += [((*path, str(key.value)), inner, key.start_mark.line + 1)
                        for key, inner in one.value]
        elif isinstance(one, SequenceNode):
            waiting += [((*path, n), inner, inner.start_mark.line + 1)
                        for n, inner in enumerate(one.value)]
    return found


def _check(value: Any, path: Path, lines: Mapping[Path, int]) -> None:
    """Refuses what JSON has no form for."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                line = line_of(lines, (*path, str(name)))
                raise ConfigError(f"line {line}: the key {name!r} is no text; put it into quotes")
            _check(inner, (*path, name), lines)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            _check(inner, (*path, n), lines)
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise ConfigError(f"line {line_of(lines, path)}: {'.'.join(map(str, path))} is a "
                          f"{type(value).__name__}; put it into quotes")


def _parsed(text: str, how: str) -> Any:
    try:
        return getattr(YAML(typ="safe", pure=True), how)(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise ConfigError(f"{line}{error.problem or error.context}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"is not YAML: {str(error).splitlines()[0]}") from None
