"""Records of the log as rows of a file, and back, byte for byte. Pure.

Decides which columns there are. The item, as the app sent it, is the last field of a record: it is
a column of its own, as text, and `head` is what comes before it, so the record is head + item.
Decided on 2026-11-26 by measurement: beside the item the whole value would cost half as much again
(161 bytes a record of 632, against 111). Of reserved records, but for imported interactions, and of
what is no record, all of the value is the head. A key that is no text is in `key_bytes`, so that
keys can be text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from footfall.admin.history import Entry
from footfall.errors import DecodeError
from footfall.events.interaction import IMPORT, Interaction

#: In the order of the files; `day` is a folder.
COLUMNS: Final = ("partition", "offset", "appended_at", "key", "type", "event", "message_id",
                  "event_time", "received_at", "source", "channel", "item", "head", "key_bytes")
#: What a record is made of again.
EXACT: Final = ("offset", "appended_at", "key", "item", "head", "key_bytes")
_NOTHING: Final = (None, None, None, None, None, None, None)


class Row(NamedTuple):
    """One record as it stands in a file; times in milliseconds since 1970."""

    partition: int
    offset: int
    appended_at: int
    key: str | None
    type: str | None
    event: str | None
    message_id: str | None
    event_time: int | None
    received_at: int | None
    source: str | None
    channel: str | None
    item: str | None
    head: bytes | None
    key_bytes: bytes | None


def rows_of(partition: int, entries: Iterable[Entry],
            decode: Callable[[bytes | None], Interaction]) -> list[Row]:
    """Rows of records; what cannot be decoded has no more than where it is, and its bytes."""
    rows = []
    for entry in entries:
        value, item = entry.value, None
        try:
            event = decode(value)
        except DecodeError:
            known: tuple[Any, Any, Any, Any, Any, Any, Any] = _NOTHING
        else:
            known = (event["type"], event["event"], event["message_id"], event["event_time"],
                     event["received_at"], event["source"], event["channel"])
            assert value is not None
            item, value = _parted(value, event)
        key, key_bytes = _text(entry.key)
        rows.append(Row(partition, entry.offset, entry.timestamp, key, *known, item, value,
                        key_bytes))
    return rows


def entries_of(columns: Sequence[Sequence[Any]]) -> list[Entry]:
    """The records again, of columns as in `EXACT`."""
    return [Entry(offset, at, key_bytes if key is None else key.encode(),
                  head if item is None else head + item.encode())
            for offset, at, key, item, head, key_bytes in zip(*columns, strict=True)]


def _parted(value: bytes, event: Interaction) -> tuple[str | None, bytes]:
    """The item, where it is clear text, and what comes before it."""
    personal = event["personal"]
    kind = event["type"]
    if (kind.startswith("$") and kind != IMPORT) or event["key_id"] is not None or not personal:
        return None, value
    item, _bytes = _text(personal)
    if item is None or not value.endswith(personal):
        return None, value
    return item, value[: -len(personal)]


def _text(data: bytes | None) -> tuple[str | None, bytes | None]:
    """Bytes as text, where they are; Python's UTF-8 gives the same bytes again, or fails."""
    if data is None:
        return None, None
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, data
