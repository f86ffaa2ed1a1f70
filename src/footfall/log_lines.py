"""One line of a log, from what a program or a library says: its members, and what is in them.

Decides the schema (docs/operate/logs.md) and what is let through, for law 6 holds for every line,
at every level. Of our own loggers: a constant message and the fields named here, no other. Of
libraries: their message with the numbers, kinds of errors and, of Kafka's clients, plain names
(topics, hosts) in it; any other value is a `?`, and a message that came ready made is left out, for
nobody can say what they hold: the place in the source is told instead. Of an exception: its kind
and where it was raised; its text only where it is ours (`FootfallError`) or the system's
(`OSError`). Everything has a limit.

2026-11-26: not structlog or python-json-logger, which were looked at: both write whatever a record
carries, so what is decided here would have to be written all the same, and what they would save is
one call of msgspec. On a terminal lines are rich's.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from footfall.errors import FootfallError

#: Fields of our own lines, beside those that every line has.
FIELDS: Final = frozenset({
    "bytes", "code", "customers", "destination", "error", "error_places", "error_text",
    "events", "file", "from_offset", "generation", "offset", "partition", "partitions", "place",
    "reason", "records", "request_id", "route", "run", "seconds", "status", "topic",
    "trigger_id", "until_offset", "url"})
MESSAGE_CHARS_MAX: Final = 500
TEXT_CHARS_MAX: Final = 1_000
LIST_MAX: Final = 20
PLACES_MAX: Final = 8
OURS: Final = "footfall"
#: What a library may name: topics, groups, members, hosts; no blank, no @.
_NAME: Final = re.compile(r"[A-Za-z0-9_.:/\[\]-]{1,249}")
#: Clients of Kafka: their values are names of the cluster. Of others (asyncio prints whole
#: exceptions, aiohttp addresses) not even those are let through.
_NAMING: Final = ("aiokafka", "faust", "mode")
#: Speaks of brokers and connections, and of nothing that is in a record.
_TRUSTED: Final = ("librdkafka",)
#: Ready-made messages that are always the same.
_CONSTANT: Final = frozenset({
    "Task exception was never retrieved", "Future exception was never retrieved",
    "Task was destroyed but it is pending!", "Unclosed client session", "Unclosed connection",
    "Unclosed connector", "Unclosed response", "Unhandled exception"})
LEFT_OUT: Final = "a message of a library, left out: it may hold what was sent"
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SPECIFIER: Final = re.compile(
    r"%(?:\([^)]*\))?[#0 +-]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[hlL]?([a-zA-Z%])")

#: What all lines of a task have, such as the request's id.
BOUND: ContextVar[Mapping[str, object]] = ContextVar(
    "footfall_log", default=MappingProxyType({}))


def event_of(record: logging.LogRecord, program: str, instance: str, own: tuple[str, ...] = ()
             ) -> dict[str, Any]:
    """The members of a line, in order. `own`: the user's loggers, whose text is theirs to answer
    for.
    """
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    event: dict[str, Any] = {
        "time": at.replace("+00:00", "Z"), "level": record.levelname.lower(), "program": program,
        "instance": instance, "logger": record.name[:100], "message": _message(record, own)}
    if is_of(record.name, (OURS,)):
        for name, value in (*BOUND.get().items(), *record.__dict__.items()):
            if name in FIELDS:
                _put(event, name, value)
    else:
        for name, value in BOUND.get().items():
            _put(event, name, value)
    if event["message"] == LEFT_OUT:
        event["place"] = f"{record.module}.{record.funcName}:{record.lineno}"
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        _put(event, "error", error)
        event["error_places"] = places(error)
    return event


def is_of(logger: str, names: tuple[str, ...]) -> bool:
    """Whether a logger is one of these, or below one."""
    return any(logger == name or logger.startswith(name + ".") for name in names)


class JsonLines(logging.Formatter):
    """Each record as one line of JSON."""

    def __init__(self, program: str, instance: str, own: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._of = program, instance, own

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        return msgspec.json.encode(event_of(record, *self._of)).decode()


class TextLines(logging.Formatter):
    """Each record as a line for people. `is_short`: somebody else shows time and level."""

    def __init__(self, program: str, instance: str, own: tuple[str, ...] = (), *,
                 is_short: bool = False) -> None:
        super().__init__()
        self._of = program, instance, own
        self._is_short = is_short

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end: nothing in it makes another."""
        event = event_of(record, *self._of)
        head = [] if self._is_short else [event["time"], record.levelname, f"{event['logger']}:"]
        rest = [f"{name}={value}" for name, value in list(event.items())[6:]]
        return _UNSAFE.sub("?", " ".join([*head, event["message"], *rest]))


def _message(record: logging.LogRecord, own: tuple[str, ...]) -> str:
    if is_of(record.name, (*own, *_TRUSTED)):
        return _cut(record.getMessage(), MESSAGE_CHARS_MAX)
    said = str(record.msg)
    if is_of(record.name, (OURS,)):
        return _cut(said, MESSAGE_CHARS_MAX)
    # What follows the first line is reports, such as of an exception that nobody took.
    said = said.partition("\n")[0]
    names = is_of(record.name, _NAMING)
    if not record.args and not names and said not in _CONSTANT:
        return LEFT_OUT
    left = iter(record.args if isinstance(record.args, tuple) else ())

    def put(found: re.Match[str]) -> str:
        return "%" if found[1] == "%" else _shown(next(left, None), names)

    return _cut(_SPECIFIER.sub(put, said) if record.args else said, MESSAGE_CHARS_MAX)


def _shown(value: object, names: bool) -> str:
    """An argument of a library's message."""
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, BaseException):
        return type(value).__name__
    if names and isinstance(value, type):
        return value.__name__
    if names and isinstance(value, tuple) and hasattr(value, "topic"):
        return f"{value.topic}[{getattr(value, 'partition', '')}]"
    return value if names and isinstance(value, str) and _NAME.fullmatch(value) else "?"


def _put(event: dict[str, Any], name: str, value: object) -> None:
    """One field; an exception is its kind, and its text where that is ours."""
    if isinstance(value, BaseException):
        event[name] = type(value).__name__
        if name == "error" and (text := _text_of(value)):
            event["error_text"] = _cut(text, TEXT_CHARS_MAX)
    elif isinstance(value, str):
        event[name] = _cut(value, TEXT_CHARS_MAX)
    elif value is None or isinstance(value, bool | int | float):
        event[name] = value
    elif isinstance(value, list | tuple | set | frozenset):
        event[name] = [item if isinstance(item, int) else _cut(str(item), 100)
                       for item in list(value)[:LIST_MAX]]
    else:
        event[name] = type(value).__name__


def _text_of(error: BaseException) -> str:
    if isinstance(error, FootfallError):
        return str(error)
    return (error.strerror or "") if isinstance(error, OSError) else ""


def places(error: BaseException) -> list[str]:
    """Where it was raised, the innermost first: functions and lines, never what is in them."""
    frames = list(traceback.walk_tb(error.__traceback__))[-PLACES_MAX:]
    return [f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}:{line}"
            for frame, line in reversed(frames)]


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[:chars_max] + "..."
