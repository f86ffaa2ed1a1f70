"""The choices of a statement as the bytes that a row holds, and back.

Kept as bytes because most customers carry one of a few objects: what is stored is compared, not
taken apart, and what is taken apart is remembered by the process. One list of choices has one form
(law 3). Decides nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from footfall.tables.consent_row import Choice

#: Lists that are remembered, and up to which size.
_REMEMBERED: Final = 4_096
_REMEMBERED_BYTES: Final = 1_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Choice, ...]).decode
_remembered = lru_cache(maxsize=_REMEMBERED)(_decode)


def packed(choices: Iterable[Choice]) -> bytes:
    """Choices as bytes, sorted."""
    return _encode(sorted(choices))


def unpacked(data: bytes) -> tuple[Choice, ...]:
    """Inverse of `packed`."""
    return _remembered(data) if len(data) <= _REMEMBERED_BYTES else _decode(data)
