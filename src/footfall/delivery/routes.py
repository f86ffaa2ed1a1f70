"""Routes: which triggers go where. From a file, checked, to an answer for each trigger.

Decides what a trigger's destinations are: those of every route whose name and `where` fit, each
once, in the order of the routes and of their `to`. Routes are found by the trigger's name, so that
of a thousand only those are looked at that have it. Must never keep a route that is not in force in
full: one error, and nothing of the file is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from footfall.admin import config_yaml
from footfall.delivery import routes_checks
from footfall.delivery.routes_reading import Finding, Reading, read_text
from footfall.delivery.routes_row import AnyDestination, Route, RoutesFile
from footfall.errors import ConfigError
from footfall.view.trigger_fields import Fields, fits, path_of

BYTES_MAX: Final = 1_000_000
VERSION_BYTES: Final = 6
_LINE: Final = re.compile(r"line (\d+): (.*)", re.DOTALL)


class Compiled(NamedTuple):
    """A route as it is asked."""

    where: Fields
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes in force. `version`: of their content, 12 hexadecimal digits. `folder`: where the
    files lie that destinations name.
    """

    destinations: Mapping[str, AnyDestination]
    routes: tuple[Route, ...]
    version: str
    folder: Path
    _compiled: tuple[Compiled, ...]
    #: Name of a trigger -> the places of its routes; what names with `*` begin with -> the same.
    _exact: Mapping[str, tuple[int, ...]]
    _prefixes: Mapping[str, tuple[int, ...]]
    _prefix_lengths: tuple[int, ...]

    def targets(self, name: str, data: Mapping[str, Any]) -> list[str]:
        """Where a trigger goes: its destinations, each once."""
        places = set(self._exact.get(name, ()))
        for length in self._prefix_lengths:
            if length > len(name):
                break
            places.update(self._prefixes.get(name[:length], ()))
        found: dict[str, None] = {}
        for place in sorted(places):
            where, to = self._compiled[place]
            if fits(data, where):
                found.update(dict.fromkeys(to))
        return list(found)


def read(path: Path) -> Routes:
    """The routes of a file; raises `ConfigError` with file, line, key, value, limit and what to
    do. The files that its destinations name must be there.
    """
    text = text_of(path)
    reading = _read(text, str(path))
    _raise([*all_of(reading), *routes_checks.of_files(reading.file.destinations, path.parent)],
           text, str(path))
    return routes_of(reading.file, path.parent)


def parse(text: str, name: str) -> Routes:
    """The same of a text. `name`: of its file, for messages; files beside it are not looked for."""
    reading = _read(text, name)
    _raise(all_of(reading), text, name)
    return routes_of(reading.file, Path(name).parent)


def routes_of(file: RoutesFile, folder: Path) -> Routes:
    """Routes that somebody has checked."""
    exact: dict[str, list[int]] = {}
    prefixes: dict[str, list[int]] = {}
    for place, route in enumerate(file.routes):
        for name in dict.fromkeys(route.triggers):
            if name.endswith("*"):
                prefixes.setdefault(name[:-1], []).append(place)
            else:
                exact.setdefault(name, []).append(place)
    return Routes(
        MappingProxyType(dict(file.destinations)), file.routes, version_of(file), folder,
        tuple(Compiled({path: frozenset(texts) for key, texts in route.where.items()
                        if (path := path_of(key)) is not None}, route.to)
              for route in file.routes),
        {name: tuple(places) for name, places in exact.items()},
        {name: tuple(places) for name, places in prefixes.items()},
        tuple(sorted({len(name) for name in prefixes})))


def version_of(file: RoutesFile) -> str:
    """Of the content in full, defaults too: order of keys, comments and spelling do not count."""
    content = msgspec.json.encode(file, order="sorted")
    return hashlib.blake2b(content, digest_size=VERSION_BYTES).hexdigest()


def channel_of(destination: AnyDestination) -> str:
    """webhook, email, kafka, redis or notify."""
    return str(type(destination).__struct_config__.tag)


def medium_of(destination: AnyDestination) -> str:
    """By what consent and caps are counted."""
    return destination.medium or channel_of(destination)


def text_of(path: Path) -> str:
    """The text of a file; raises `ConfigError`."""
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such file; give the path of a file of routes")
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise ConfigError(f"{path}: has more than {BYTES_MAX} bytes; use `*` and lists of "
                              "triggers in the place of many routes")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def all_of(reading: Reading) -> list[Finding]:
    """All that the text alone shows."""
    return [*reading.findings, *routes_checks.of_reading(reading)]


def placed(error: ConfigError, text: str) -> tuple[int, str]:
    """The line of an error of a whole file, 0 where there is none, and its message without it."""
    found = _LINE.fullmatch(str(error))
    if found is not None:
        return int(found[1]), found[2]
    if not error.path:
        return 0, str(error)
    return config_yaml.line_of(config_yaml.lines_of(text), error.path), str(error)


def _read(text: str, name: str) -> Reading:
    try:
        return read_text(text)
    except ConfigError as error:
        line, message = placed(error, text)
        raise ConfigError(f"{name}{f':{line}' if line else ''}: {message}", error.path) from None


def _raise(findings: list[Finding], text: str, name: str) -> None:
    """The first error, and how many there are besides."""
    errors = [one for one in findings if one.level == "error"]
    if not errors:
        return
    first = errors[0]
    others = f"; and {len(errors) - 1} more: `footfall routes check` shows all" \
        if len(errors) > 1 else ""
    line = config_yaml.line_of(config_yaml.lines_of(text), first.path)
    raise ConfigError(f"{name}:{line}: {first.message}{others}", first.path)
