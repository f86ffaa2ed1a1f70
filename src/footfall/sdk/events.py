"""Server-sent events as they are read (WHATWG HTML, 9.2). Pure.

Decides what an event is, from one line after another, and how large one may become. Must never
raise for a field that it does not know: servers may add some.
"""

from __future__ import annotations

from typing import NamedTuple

#: A trigger is at most as large as a record of Kafka, 1 MiB; escaped as JSON it may be longer.
EVENT_BYTES_MAX = 8 * 1024 * 1024


class Event(NamedTuple):
    """One event. Without a name it is the place alone that has been reached."""

    name: str
    id: str
    data: bytes


class TooLargeError(ValueError):
    """An event is larger than any trigger."""


class Parser:
    """Puts lines together to events; the id stays until another one comes."""

    def __init__(self) -> None:
        self._id = ""
        self._has_id = False
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def line(self, line: bytes) -> Event | None:
        """An event, where this line ends one. Raises `TooLargeError`."""
        line = line.rstrip(b"\r\n")
        if not line:
            return self._ended()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._size += len(value) + 1
            if self._size > EVENT_BYTES_MAX:
                raise TooLargeError
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            self._id, self._has_id = value.decode("utf-8", "replace"), True
        return None

    def _ended(self) -> Event | None:
        made: Event | None = None
        if self._data:
            made = Event(self._name or "message", self._id, b"\n".join(self._data))
        elif self._has_id:
            made = Event("", self._id, b"")
        self._name, self._data, self._size, self._has_id = "", [], 0, False
        return made
