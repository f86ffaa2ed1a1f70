"""From the text of a routes file to its structs, with the place of everything that does not fit.

Decides what is lenient (one text where a list of one is meant, numbers and truth where texts are
compared), and that each destination and route is read by itself, so that all that is wrong is found
at once. Secrets are refused before anything of the file can be shown in a message. What may not
stand together is decided by `routes_checks.py`. Pure. Must never show a value that looks like a
secret, nor make of a file anything but the structs of `routes_row.py`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

from footfall.admin import config_yaml
from footfall.admin.config_yaml import Path
from footfall.delivery.routes_row import (
    DESTINATIONS_MAX,
    NAME_PATTERN,
    ROUTES_MAX,
    AnyDestination,
    EmailDestination,
    KafkaDestination,
    NotifyDestination,
    RedisDestination,
    Route,
    RoutesFile,
    WebhookDestination,
)
from footfall.errors import ConfigError
from footfall.tables.config import section
from footfall.view.trigger_fields import DEPTH_MAX, PATH_CHARS_MAX, VALUE_CHARS_MAX, path_of

Level = Literal["error", "warning", "hint"]
#: docs/delivery.md, "Checking".
Code = Literal[
    "refused", "secret", "destination_unknown", "trigger_invalid", "url_invalid",
    "header_invalid", "file_invalid", "template_missing", "thin_template", "cap_twice",
    "unsubscribe_missing", "smtp_invalid", "security_invalid", "breaker_invalid",
    "destination_unused", "amount", "below_data", "unsigned", "not_encrypted", "header_secret",
    "hold_endless", "trigger_unknown", "variable_unset"]

DESTINATIONS: Final = "destinations"
ROUTES: Final = "routes"
WHERE_VALUES_MAX: Final = 200

CHANNELS: Final[dict[str, type[AnyDestination]]] = {
    "webhook": WebhookDestination, "email": EmailDestination, "kafka": KafkaDestination,
    "redis": RedisDestination, "notify": NotifyDestination,
}
#: Signing keys of Standard Webhooks, tokens of chat services, private keys.
_SECRET: Final = re.compile(r"whs(?:ec|k)_|\bxox[a-z]-|-----BEGIN ")
_NAME: Final = re.compile(NAME_PATTERN)


class Finding(NamedTuple):
    """Something that does not fit (error), is most likely a mistake (warning) or may be one
    (hint), and where it stands.
    """

    level: Level
    code: Code
    path: Path
    message: str


class Reading(NamedTuple):
    """What could be read, and what could not. `names`: of all destinations, also of those that
    could not be read.
    """

    file: RoutesFile
    names: frozenset[str]
    findings: tuple[Finding, ...]


def read_text(text: str) -> Reading:
    """All of a file; raises `ConfigError` where it is no document of destinations and routes."""
    document = _loaded(text)
    secrets = tuple(_secrets(document, ()))
    if secrets:
        return Reading(RoutesFile(destinations={}), frozenset(), secrets)
    destinations, routes = _sections(document)
    findings: list[Finding] = []
    read: dict[str, AnyDestination] = {}
    for name, said in destinations.items():
        try:
            read[name] = _destination(name, said)
        except ConfigError as error:
            findings.append(_refused(error, (DESTINATIONS, name)))
    made: list[Route] = []
    for n, said in enumerate(routes):
        try:
            findings += _of_amounts(said, (ROUTES, n))
            made.append(_route(n, said))
        except ConfigError as error:
            findings.append(_refused(error, (ROUTES, n)))
            made.append(_NOWHERE)  # so that later ones keep their place
    return Reading(RoutesFile(destinations=read, routes=tuple(made)), frozenset(destinations),
                   tuple(findings))


def _loaded(text: str) -> dict[str, Any]:
    """The document; what is wrong with the YAML is told without what it was found in."""
    try:
        return config_yaml.load(text, DESTINATIONS)
    except ConfigError as error:
        if not _SECRET.search(str(error)):
            raise
        line = str(error).partition(":")[0] if str(error).startswith("line ") else "the file"
        raise ConfigError(f"{line}: is no YAML that can be read, or a key stands twice, near what "
                          "looks like a secret; secrets never stand in the file") from None


def _sections(document: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """`destinations` and `routes`, as far as their kind and number go."""
    for key in document:
        if key not in (DESTINATIONS, ROUTES):
            raise ConfigError(f"unknown key {key!r}; known keys: {DESTINATIONS}, {ROUTES}", (key,))
    destinations = document.get(DESTINATIONS)
    routes = document.get(ROUTES)
    routes = [] if routes is None else routes
    if not isinstance(destinations, dict) or not destinations:
        raise ConfigError(f"`{DESTINATIONS}` is to name at least one destination: its name, and "
                          "beneath it `channel`, `purpose` and what the channel needs",
                          (DESTINATIONS,))
    if not isinstance(routes, list):
        raise ConfigError(f"`{ROUTES}` is no list; begin each route with `- triggers:`", (ROUTES,))
    for key, found, most in ((DESTINATIONS, destinations, DESTINATIONS_MAX),
                             (ROUTES, routes, ROUTES_MAX)):
        if len(found) > most:
            raise ConfigError(f"`{key}` has {len(found)} entries; at most {most}", (key,))
    return destinations, routes


def _destination(name: str, said: Any) -> AnyDestination:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"the name {name!r} of a destination: small letters, digits, _ and -, at "
                          "most 64, beginning with a letter")
    place = f"{DESTINATIONS}.{name}"
    if not isinstance(said, dict):
        raise ConfigError(f"[{place}] is no object; give it `channel` and `purpose`")
    kind = CHANNELS.get(str(said.get("channel")))
    if kind is None:
        given = f" = {said['channel']!r}" if "channel" in said else ""
        raise ConfigError(f"[{place}] channel{given}: expected one of {', '.join(CHANNELS)}",
                          (place, "channel"))
    made: AnyDestination = section(place, kind, _with_lists(said, "secret_env"))
    return made


def _route(n: int, said: Any) -> Route:
    place = f"{ROUTES}[{n}]"
    if not isinstance(said, dict):
        raise ConfigError(f"[{place}] is no object; give it `triggers` and `to`")
    given = _with_lists(said, "triggers", "to")
    if isinstance(given.get("where"), dict):
        given["where"] = {path: list(_texts(place, str(path), values))
                          for path, values in given["where"].items()}
    made: Route = section(place, Route, given)
    return made


#: Stands for a route that could not be read.
_NOWHERE: Final = Route(triggers=(), to=())


def _with_lists(said: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A text where a list of one is meant."""
    return {**said, **{key: [said[key]] for key in keys if isinstance(said.get(key), str)}}


def _texts(place: str, path: str, values: Any) -> Iterator[str]:
    """What a field may be, as texts."""
    where = (place, "where", path)
    if path_of(path) is None:
        raise ConfigError(f"[{place}] where: {path[:PATH_CHARS_MAX]!r} is no path below `data`: at "
                          f"most {DEPTH_MAX} names with a point between, {PATH_CHARS_MAX} "
                          "characters in all", where)
    listed = values if isinstance(values, list) else [values]
    if not 0 < len(listed) <= WHERE_VALUES_MAX:
        raise ConfigError(f"[{place}] where.{path} has {len(listed)} values; give 1 to "
                          f"{WHERE_VALUES_MAX}", where)
    for value in listed:
        if isinstance(value, bool):
            yield "true" if value else "false"
        elif isinstance(value, int | float) and math.isfinite(value):
            yield str(value)
        elif isinstance(value, str) and len(value) <= VALUE_CHARS_MAX:
            yield value
        else:
            raise ConfigError(f"[{place}] where.{path}: each value is a text of at most "
                              f"{VALUE_CHARS_MAX} characters, a number, true or false (nothing at "
                              'all is "null", in quotes)', where)


def _of_amounts(said: Any, path: Path) -> Iterator[Finding]:
    """A number with a fraction is most likely an amount, and amounts in triggers are texts."""
    where = said.get("where") if isinstance(said, dict) else None
    for key, values in where.items() if isinstance(where, dict) else ():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, float):
                yield Finding("warning", "amount", (*path, "where", key),
                              f"[{ROUTES}[{path[1]}]] where.{key}: amounts in triggers are texts; "
                              f'if this is one, write it as the trigger has it, in quotes: "9.90"')


def _secrets(value: Any, path: Path) -> Iterator[Finding]:
    """Texts that look like secrets; the message never has them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(str(key), path)
            yield from _secrets(inner, (*path, key))
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _secrets(inner, (*path, n))
    elif isinstance(value, str) and _SECRET.search(value):
        shown = ".".join(str(key) for key in path if not _SECRET.search(str(key)))
        yield Finding("error", "secret", path,
                      f"{shown} holds what looks like a secret. Secrets never stand in the file: "
                      "make a new one, for this one has been written down, put it into an "
                      "environment variable, and name that variable here (secret_env: CRM_SECRET)")


def _refused(error: ConfigError, place: Path) -> Finding:
    """`section` counts its paths from the place that it is told."""
    return Finding("error", "refused", (*place, *error.path[1:]), str(error))
