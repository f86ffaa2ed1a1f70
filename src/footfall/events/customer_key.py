"""The customer key: the Kafka key of everything about one customer (law 6).

Identifier kind and a keyed hash of the value; without the secret nobody can compute or undo it.
Decides which identifier of an event is its root: the highest rank named. The relative rank of two
kinds never changes in an installation (design.md, section 4).
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Mapping
from typing import Final

#: Highest first; between phone and device rank all external ids (`is_kind`), by their keys alone.
KINDS: Final = ("user_id", "email", "phone", "device", "anonymous_id")
_RANKS: Final = {b"user_id": 5, b"email": 4, b"phone": 3, b"device": 1, b"anonymous_id": 0}
_EXTERNAL: Final = 2
SECRET_BYTES_MIN: Final = 16
_HASH_BYTES: Final = 16
#: In base64, without what fills it up.
_HASH_CHARS: Final = 22
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_KEY = re.compile(rb"[a-z][a-z0-9_]{0,31}:[A-Za-z0-9_-]{22}")

#: Values that many people share by accident; an event that names only these has no customer.
BLOCKED = frozenset(
    {"", "-1", "null", "undefined", "none", "nan", "true", "false", "guest", "anonymous", "unknown",
     "[object object]"}
)
_LONGEST: Final = max(map(len, BLOCKED))
_ZEROS = re.compile(r"[0-]*")


def is_blocked(value: str) -> bool:
    """Whether an identifier's value stands for nobody in particular."""
    if (len(value) > _LONGEST and value[0] not in "0-" and not value[0].isspace()
            and not value[-1].isspace()):
        return False
    value = value.strip().lower()
    return value in BLOCKED or (value[0] in "0-" and _ZEROS.fullmatch(value) is not None)


class CustomerKeys:
    """Makes customer keys under one permanent secret (`FOOTFALL_CUSTOMER_KEY_SECRET`)."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"customer_key_secret needs at least {SECRET_BYTES_MIN} bytes")
        # Copying a prepared state is three times as fast as hashing with a key anew.
        customer = hashlib.blake2b(
            key=hashlib.blake2b(secret, digest_size=32, person=b"customer_key").digest(),
            digest_size=_HASH_BYTES,
        )
        self._new_customer = customer.copy
        message = hashlib.blake2b(
            key=hashlib.blake2b(secret, digest_size=32, person=b"message_id").digest(),
            digest_size=8,
        )
        self._new_message = message.copy
        row = hashlib.blake2b(
            key=hashlib.blake2b(secret, digest_size=32, person=b"imported_row").digest(),
            digest_size=8,
        )
        self._new_row = row.copy
        #: Of the links by which customers unsubscribe (`events/unsubscribe.py`).
        self.link_key = hashlib.blake2b(secret, digest_size=64, person=b"unsubscribe").digest()
        self.fingerprint = hashlib.blake2b(secret, digest_size=8, person=b"fingerprint").hexdigest()

    def of(self, kind: str, value: str) -> bytes:
        """Key of one identifier: b"user_id:" + 22 characters."""
        state = self._new_customer()
        state.update(f"{kind}\x00{value}".encode())
        in_base64 = binascii.b2a_base64(state.digest(), newline=False)
        return kind.encode() + b":" + in_base64[:_HASH_CHARS].translate(_URL_SAFE)

    def root(self, ids: Mapping[str, str]) -> bytes | None:
        """Key of the highest identifier named that is not blocked; None when there is none."""
        for kind in KINDS:
            value = ids.get(kind)
            if value is not None and not is_blocked(value):
                return self.of(kind, value)
        return None

    def message_hash(self, message_id: str) -> bytes:
        """8 bytes for the memory of messageIds (law 2)."""
        state = self._new_message()
        state.update(message_id.encode())
        return state.digest()

    def row_hash(self, row: bytes) -> bytes:
        """8 bytes for the ledger of imported rows: whoever may send rows must not find two of one
        hash.
        """
        state = self._new_row()
        state.update(row)
        return state.digest()


def order(key: bytes) -> tuple[int, bytes]:
    """The fixed order over content alone in which owners stand above what they own: by kind, then
    by key (design.md, section 4).
    """
    return _RANKS.get(key[:key.index(b":")], _EXTERNAL), key


def is_user(key: bytes) -> bool:
    """Whether a customer_key is a user_id's: two of them are one customer only by an alias."""
    return key.startswith(b"user_id:")


def kind_of(key: bytes) -> str:
    """The kind of identifier that a customer_key was made of."""
    return key[:key.index(b":")].decode()


def is_customer_key(key: bytes | None) -> bool:
    """Whether a Kafka key has the form that `CustomerKeys.of` gives."""
    return key is not None and _KEY.fullmatch(key) is not None
