"""Events of a stream as server-sent events have them (WHATWG HTML, 9.2). Pure.

Decides the bytes. Each line of data is a line of its own, so that no break of line within a trigger
ends its frame; an id or a name with a break never comes this far. A frame without data moves the
client's `Last-Event-ID` on and is shown to nobody: it goes with the heartbeat.
"""

from __future__ import annotations

import re

#: What browsers are asked to wait before they connect again (ms).
RETRY_MS = 2_000
TRIGGER = "trigger"
GAP = "gap"
OPENED = "opened"
#: What the format takes for the end of a line.
_BREAK = re.compile(rb"\r\n|\r|\n")


def event(name: str, cursor: str, data: bytes) -> bytes:
    """One event with its id."""
    return b"id: %b\nevent: %b\n%b\n" % (
        _line(cursor), _line(name), b"".join(b"data: %b\n" % part for part in _BREAK.split(data)))


def heartbeat(cursor: str) -> bytes:
    """A comment, and the place that has been reached."""
    return b": still here\nid: %b\n\n" % _line(cursor)


def opening(cursor: str) -> bytes:
    """The first bytes of a stream."""
    return b"retry: %d\n" % RETRY_MS + heartbeat(cursor)


def _line(text: str) -> bytes:
    assert text.isascii() and text.isprintable(), "an id or a name of an event is one line"
    return text.encode()
