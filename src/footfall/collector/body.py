"""A request's body: read up to a limit, unpacked, and split into items.

Decides when a body as a whole cannot be taken. Its Content-Type is not looked at: stock SDKs send
JSON under several. The limit counts unpacked bytes while they come, so neither a missing length nor
a small body that unpacks to a large one gets past it. Items are only cut out here, never judged:
that is `events/admit.py`, so that one bad item cannot cost its neighbours.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import msgspec
from aiohttp import hdrs, web

from footfall.collector.answers import RequestError
from footfall.collector.packing import ENCODINGS, TooLong, Unpacker
from footfall.collector.room import Held
from footfall.events.admit import BATCH_ITEMS_MAX, SHARED, SHARED_BYTES_MAX, decode, split
from footfall.events.arrival import Raws
from footfall.events.fields import FieldError, kind_of

READ_S_MAX = 20.0
_TIME_BYTES_MAX = 64


class Body(NamedTuple):
    """The items of a request, each as its bytes, and what its root says of all of them."""

    items: list[bytes]
    write_key: Any = None
    sent_at: str | int | None = None
    shared: Mapping[str, Raws] = MappingProxyType({})
    #: Whether it may have more than one item: then each is told its own outcome.
    is_many: bool = False


def at_hand(request: web.BaseRequest, bytes_max: int, held: Held) -> bytes | None:
    """The body, if it is not packed and came with its headers, as most do, `held`; else None, and
    then it is `read`. Raises `RequestError`.
    """
    if hdrs.CONTENT_ENCODING in request.headers or not request.content.is_eof():
        return None
    data = request.content.read_nowait()
    if len(data) > bytes_max:
        raise _too_large(bytes_max)
    held.take(len(data))
    return data


async def read(request: web.BaseRequest, bytes_max: int, held: Held) -> bytes:
    """The unpacked body, every byte of which is `held`; raises `RequestError`."""
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if encoding not in ENCODINGS:
        raise RequestError(400, "encoding_unsupported", "Content-Encoding must be gzip or deflate")
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    unpacker, parts = Unpacker(encoding, bytes_max), []
    try:
        async with asyncio.timeout(READ_S_MAX):
            async for part in request.content.iter_any():
                parts.append(unpacker.feed(part))
                held.take(len(parts[-1]))
    except TooLong:
        raise _too_large(bytes_max) from None
    except TimeoutError:
        raise RequestError(408, "body_timeout",
                           f"the body took longer than {READ_S_MAX:g} s") from None
    except (web.RequestPayloadError, zlib.error):
        raise _unreadable() from None
    if not unpacker.is_whole:
        raise _unreadable()
    return b"".join(parts)


def one(data: bytes) -> Body:
    """The body of a call with one item; raises `RequestError` if it is no JSON object."""
    root = _root(_shielded(data), _one)
    return Body([data], _value(root.writeKey))


def batch(data: bytes, items_max: int = BATCH_ITEMS_MAX) -> Body:
    """The body of a batch; raises `RequestError` if it cannot be split into items."""
    shielded = _shielded(data)
    root = _root(shielded, _batch)
    items = _items(_raws(root.batch), items_max, shielded is not data)
    return Body(items, _value(root.writeKey), _sent_at(root.sentAt), _shared(root), is_many=True)


def webhook(data: bytes, items_max: int = BATCH_ITEMS_MAX) -> Body:
    """The body of a webhook, an item or an array of them; raises `RequestError` if it is neither.

    A `writeKey` in it says nothing: it is the key that the item had where it was sent first.
    """
    if data.lstrip(_BLANKS)[:1] != b"[":
        return one(data)._replace(write_key=None)
    shielded = _shielded(data)
    raws = _root(shielded, _list)
    return Body(_items(raws, items_max, shielded is not data), is_many=True)


class _One(msgspec.Struct):
    writeKey: msgspec.Raw = msgspec.Raw()  # noqa: N815 (the wire's own name)


class _Batch(_One):
    batch: msgspec.Raw = msgspec.Raw()
    sentAt: msgspec.Raw = msgspec.Raw()  # noqa: N815
    context: msgspec.Raw = msgspec.Raw()
    integrations: msgspec.Raw = msgspec.Raw()


def _too_large(bytes_max: int) -> RequestError:
    return RequestError(413, "body_too_large", f"the body is longer than {bytes_max} bytes "
                        "when unpacked; send fewer items at once")


def _unreadable() -> RequestError:
    return RequestError(400, "body_unreadable",
                        "the body is cut off or not packed as its Content-Encoding says")


def _root(data: bytes, decoder: msgspec.json.Decoder[_R]) -> _R:
    try:
        return decoder.decode(data)
    except RecursionError:
        raise RequestError(400, "too_deep", "the body is nested too deep") from None
    except UnicodeDecodeError:
        raise RequestError(400, "text_not_unicode", "the body's names are not UTF-8") from None
    except msgspec.ValidationError:
        raise RequestError(400, "not_an_object", "the body is not a JSON object") from None
    except msgspec.DecodeError as error:
        raise RequestError(400, "not_json", f"the body is not JSON: {error}") from None


def _raws(raw: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        return _list.decode(raw) if _given(raw) else []
    except msgspec.ValidationError:
        raise RequestError(400, "field_kind", "batch is not an array of items", "batch") from None


def _items(raws: list[msgspec.Raw], items_max: int, is_shielded: bool) -> list[bytes]:
    items = [bytes(raw) for raw in raws]
    if is_shielded:
        items = [item.replace(_SHIELD, b"\\") for item in items]
    if not items:
        raise RequestError(400, "batch_empty",
                           "batch is absent or empty; send at least one item", "batch")
    if len(items) > items_max:
        raise RequestError(413, "batch_too_large",
                           f"batch has {len(items)} items; at most {items_max}", "batch")
    return items


def _shared(root: _Batch) -> dict[str, Raws]:
    """The objects of the root that hold for all items; empty ones left out."""
    shared = {}
    for name in SHARED:
        raw = bytes(getattr(root, name))
        if len(raw) > SHARED_BYTES_MAX:
            raise RequestError(413, "shared_too_large",
                               f"{name} of the batch is {len(raw)} bytes long; at most "
                               f"{SHARED_BYTES_MAX}, for every item repeats it", name)
        value = _checked(raw, name) if raw else None
        if value is not None and not isinstance(value, dict):
            raise RequestError(400, "field_kind",
                               f"{name} is {kind_of(value)}; send an object", name)
        if value:
            shared[name] = split(raw)
    return shared


def _sent_at(raw: msgspec.Raw) -> str | int | None:
    """What may be a time; anything else says nothing, and corrects nothing."""
    try:
        value = _value(raw) if len(bytes(raw)) <= _TIME_BYTES_MAX else None
    except RequestError:
        return None
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def _given(raw: msgspec.Raw) -> bool:
    """Whether it is neither absent nor null."""
    return bytes(raw) not in (b"", b"null")


def _value(raw: msgspec.Raw) -> Any:
    return _checked(bytes(raw), "writeKey") if _given(raw) else None


def _checked(raw: bytes, name: str) -> Any:
    try:
        return decode(raw, name)
    except FieldError as error:
        raise RequestError(400, error.reason, error.detail, name) from None


def _shielded(data: bytes) -> bytes:
    """The body with the backslash of each half of a surrogate pair replaced by a byte that is in no
    UTF-8. A browser that cuts a text inside an emoji sends such a half; msgspec then refuses the
    whole body. So shielded it splits, and only the item concerned is refused.
    """
    if b"\\u" not in data or _SHIELD in data:
        return data
    shielded = _ESCAPES.sub(lambda found: _SHIELD + found[1] if found[1] else found[0], data)
    return shielded if _SHIELD in shielded else data


_R = TypeVar("_R")
_BLANKS = b" \t\r\n"
_SHIELD = b"\xff"
#: A whole pair, one half (group 1), or any other escape; read from the left, so none is split.
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_one = msgspec.json.Decoder(_One)
_batch = msgspec.json.Decoder(_Batch)
_list = msgspec.json.Decoder(list[msgspec.Raw])
