"""What a mapping file may say, as data: which column becomes which field of a tracking call.

Decides names, defaults and limits; docs/import.md explains them. `mapping_reading.py` reads the
file, `mapping.py` makes items of rows by it. Stays interpreted.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

#: Values and objects of one mapping.
FIELDS_MAX: Final = 500
NAME_CHARS_MAX: Final = 500

#: How a value is written in the item. `decimal`: a number as text, every digit kept by all readers.
As = Literal["text", "number", "integer", "decimal", "bool", "time", "json"]
#: What becomes of an empty one: no field, null, or the row is rejected.
Empty = Literal["skip", "null", "reject"]
#: Of the item itself; all others are refused, for a misspelt one would be lost in silence.
CALL_FIELDS: Final = (
    "type", "event", "name", "userId", "anonymousId", "previousId", "groupId", "messageId",
    "timestamp", "originalTimestamp", "sentAt", "receivedAt", "channel", "properties", "traits",
    "context", "integrations", "externalIds",
)
#: Those that are instants, in milliseconds whatever the column has.
INSTANTS: Final = frozenset({"timestamp", "originalTimestamp", "sentAt", "receivedAt"})
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Mark = Annotated[str, msgspec.Meta(max_length=1)]


class Csv(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a CSV file is written."""

    #: One character, or the words `tab` and `whitespace` (one blank or more).
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=10)] = ","
    quote: Mark = '"'
    #: Names of the columns of a file without a header; empty: its first line names them.
    columns: Annotated[tuple[Name, ...], msgspec.Meta(max_length=2_000)] = ()

    def __post_init__(self) -> None:
        if len(self.delimiter) > 1 and self.delimiter not in ("tab", "whitespace"):
            raise ValueError("is not one character, `tab` or `whitespace`")


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"as_": "as"}):
    """A value from a column of the file."""

    column: Name
    as_: As | None = None
    empty: Empty = "skip"
    #: What the column says -> what is written instead; any other value rejects the row.
    values: Annotated[dict[str, str], msgspec.Meta(min_length=1, max_length=1_000)] | None = None
    #: Of times: `iso`, `s`, `ms`, `us`, `ns`, or a pattern as of strptime ("%d.%m.%Y %H:%M").
    format: Name = "iso"
    #: Of times without an offset.
    zone: Name = "UTC"
    decimal_mark: Mark = "."
    thousands_mark: Mark = ""


class Mapping(msgspec.Struct, frozen=True):
    """A mapping file. `call`: field -> constant, `Column`, list or object of these."""

    call: dict[str, object]
    csv: Csv = Csv()
    #: Texts that mean that there is nothing, beside the empty one: NULL, \\N, NA.
    missing: frozenset[str] = frozenset()
