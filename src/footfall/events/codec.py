"""Avro in Confluent's wire format: a zero byte, the schema's id, the record.

Decides what bytes are a record: the id must be known, every byte must be used, numbers must be in
range. All else is a `DecodeError`, never another exception. Of what `events/avro.py` cannot read,
fastavro decides. Looser spellings of one number that fastavro reads (padded varints, a union branch
counted from the end) are that number: the fold reads them the same for ever, and a second check
would cost every record. Schemas come from the folder `schemas/` (ids by `folder_id`) or from a
registry (`events/registry.py`).
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Final, Generic, TypedDict, TypeVar, cast

import fastavro
from fastavro.types import AvroMessage

from footfall.errors import DecodeError, SchemaError
from footfall.events import amount, avro
from footfall.events.commerce import LINES_MAX
from footfall.events.interaction import MESSAGE_ID_CHARS_MAX, Interaction

SUBJECTS = ("interaction", "trigger", "rejected", "delivery")
_HEADER = struct.Struct(">bI")
#: What `avro.reader` says of a record that is not a common one, or none.
_UNCOMMON = (avro.Unreadable, IndexError, ValueError, struct.error)
#: Only an amount of so many bytes can be too large by its value.
_DECIMAL_BYTES_MAX: Final = 12
#: Year 9999, in milliseconds.
TIME_MAX: Final = 253_402_300_799_999

Schema = dict[str, Any]
R = TypeVar("R", bound=Mapping[str, Any])


class TriggerRecord(TypedDict):
    """Decoded schemas/trigger.avsc."""

    trigger_id: str
    name: str
    customer_key: str
    occurred_at: int
    emitted_at: int
    config_version: str
    data: bytes
    evidence: bytes
    key_id: str | None
    personal: bytes
    held_out: bool
    depth: int
    integrations: bytes


class RejectedRecord(TypedDict):
    """Decoded schemas/rejected.avsc."""

    stage: str
    reason: str
    detail: str
    source: str
    rejected_at: int
    topic: str
    partition: int
    offset: int
    key_id: str | None
    personal: bytes


class DeliveryRecord(TypedDict):
    """Decoded schemas/delivery.avsc."""

    status: str
    reason: str
    trigger_id: str
    trigger: str
    customer_key: str
    destination: str
    channel: str
    medium: str
    purpose: str
    attempt: int
    at: int
    due_at: int
    emitted_at: int
    code: int
    took_ms: int
    trigger_offset: int
    routes_version: str
    depth: int
    key_id: str | None
    personal: bytes
    run: str


def folder_id(subject: str, version: int) -> int:
    """Id of a released version when no registry is configured: fixed for all time."""
    return version * 16 + SUBJECTS.index(subject)


def released_text(subject: str, version: int) -> str:
    """A released schema as it was written, documentation and classes included."""
    path = f"released/{subject}/{version}.avsc"
    return resources.files("footfall").joinpath("schemas", path).read_text("utf-8")


def read_schema(subject: str, version: int) -> Schema:
    """A released schema. The one in work is nobody's but `footfall schemas`'."""
    return cast(Schema, json.loads(released_text(subject, version)))


def released_versions(subject: str) -> list[int]:
    """Released versions of a subject, ascending."""
    folder = resources.files("footfall").joinpath("schemas", "released", subject)
    return sorted(int(f.name.removesuffix(".avsc")) for f in folder.iterdir())


def _plain(schema: Any) -> Any:
    """The schema without logical types: decimals stay bytes, which is faster and exact."""
    if isinstance(schema, dict):
        return {k: _plain(v) for k, v in schema.items()
                if k not in ("logicalType", "precision", "scale", "class", "doc")}
    if isinstance(schema, list):
        return [_plain(s) for s in schema]
    return schema


class Codec(Generic[R]):
    """Encodes and decodes the records of one subject.

    `schema_id` is the id of the current schema; `lookup` gives the schema of another id, or None.
    """

    def __init__(self, subject: str, schema_id: int,
                 lookup: Callable[[int], Schema | None] = lambda _id: None) -> None:
        self.subject = subject
        self.schema_id = schema_id
        self._lookup = lookup
        # The newest release, whose id this is: the schema in work is not on the wire.
        self._schema = fastavro.parse_schema(
            _plain(read_schema(subject, released_versions(subject)[-1]))
        )
        self._read = avro.reader(self._schema)
        self._write = avro.writer(self._schema)
        self._header = _HEADER.pack(0, schema_id)
        self._older: dict[int, Any] = {}
        #: Of what an older record does not have fastavro gives the default as it is written: text.
        self._added_bytes = [f["name"] for f in self._schema["fields"]
                             if f["type"] == "bytes" and "default" in f]

    def encode(self, record: R) -> bytes:
        """Wire format of a record; the record must fit the schema (a programmer's error if not)."""
        if self._write is not None:
            try:
                return self._write(self._header, record)
            except avro.UNCOMMON:
                pass
        return self._encode_any(record)

    def _encode_any(self, record: Mapping[str, Any]) -> bytes:
        """What the fast writer does not know, and what is no record at all."""
        out = io.BytesIO()
        out.write(self._header)
        fastavro.schemaless_writer(out, self._schema, record)
        return out.getvalue()

    def decode(self, data: bytes | None) -> R:
        """The record; raises `DecodeError` for anything that is not exactly one."""
        if data is None:
            raise DecodeError("value_null", "the record has no value")
        if self._read is not None and data[:5] == self._header:
            try:
                common, end = self._read(data, 5)
            except _UNCOMMON:
                pass
            else:
                if end == len(data):
                    return cast(R, common)
        return self._decode_any(data)

    def _decode_any(self, data: bytes) -> R:
        """What the fast reader does not know, and what is no record at all."""
        stream = io.BytesIO(data)
        header = stream.read(5)
        try:
            if header == self._header:
                record: AvroMessage = fastavro.schemaless_reader(stream, self._schema, None)
            else:
                record = fastavro.schemaless_reader(stream, self._writer(header), self._schema)
                self._complete(record)
        except (DecodeError, SchemaError):
            raise
        except Exception as error:  # fastavro raises a dozen kinds on bad bytes
            raise DecodeError("avro_invalid", f"{self.subject}: {type(error).__name__}") from None
        if stream.tell() != len(data):
            left = len(data) - stream.tell()
            raise DecodeError("avro_trailing", f"{left} bytes after the record")
        return cast(R, record)

    def _complete(self, record: Any) -> None:
        for name in self._added_bytes:
            if isinstance(record[name], str):
                record[name] = record[name].encode("latin-1")

    def _writer(self, header: bytes) -> Any:
        if len(header) < _HEADER.size or header[0] != 0:
            raise DecodeError("avro_no_magic", "does not begin with a zero byte and a schema id")
        (_magic, schema_id) = _HEADER.unpack(header)
        if schema_id not in self._older:
            schema = self._lookup(schema_id)
            if schema is None:
                raise DecodeError("schema_unknown", f"schema id {schema_id} is not known")
            self._older[schema_id] = fastavro.parse_schema(_plain(schema))
        return self._older[schema_id]


class InteractionCodec(Codec[Interaction]):
    """The codec of the log, with the range checks that Avro's types do not make."""

    def decode(self, data: bytes | None) -> Interaction:
        """The interaction; raises `DecodeError`."""
        event = super().decode(data)
        if not 0 <= event["event_time"] <= TIME_MAX:
            raise DecodeError("time_out_of_range", "event_time is not within years 1970 to 9999")
        if not 0 < len(event["message_id"]) <= MESSAGE_ID_CHARS_MAX:
            raise DecodeError(
                "message_id_length", f"message_id has not 1 to {MESSAGE_ID_CHARS_MAX} characters"
            )
        commerce = event["commerce"]
        if commerce is not None:
            lines = commerce["lines"]
            if len(lines) > LINES_MAX:
                raise DecodeError("too_many_lines", f"{len(lines)} lines, at most {LINES_MAX}")
            amounts = [commerce["total"], commerce["revenue"]]
            for line in lines:
                amounts += (line["price"], line["quantity"])
            if any(a is not None and len(a) >= _DECIMAL_BYTES_MAX and _too_large(a)
                   for a in amounts):
                raise DecodeError("amount_too_large", "an amount has more than 27 digits")
        return event


class Codecs:
    """The codecs of all subjects, under ids from the folder unless `ids` and `lookup` are given."""

    def __init__(self, ids: Mapping[str, int] | None = None,
                 lookup: Callable[[int], Schema | None] | None = None) -> None:
        latest = {s: released_versions(s)[-1] for s in SUBJECTS}
        ids = ids or {s: folder_id(s, latest[s]) for s in SUBJECTS}
        lookup = lookup or _from_folder
        self.interaction = InteractionCodec("interaction", ids["interaction"], lookup)
        self.trigger: Codec[TriggerRecord] = Codec("trigger", ids["trigger"], lookup)
        self.rejected: Codec[RejectedRecord] = Codec("rejected", ids["rejected"], lookup)
        self.delivery: Codec[DeliveryRecord] = Codec("delivery", ids["delivery"], lookup)


def _too_large(data: bytes) -> bool:
    return len(data) > _DECIMAL_BYTES_MAX or abs(amount.from_bytes(data)) >= amount.LIMIT


def _from_folder(schema_id: int) -> Schema | None:
    version, index = divmod(schema_id, 16)
    if index >= len(SUBJECTS) or version not in released_versions(SUBJECTS[index]):
        return None
    return read_schema(SUBJECTS[index], version)
