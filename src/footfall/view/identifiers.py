"""How a customer is named from outside: `KIND:VALUE`, as apps name it.

Decides what is no identifier, and which customer key one stands for. Must never put a value into an
error: it may be a person's address.
"""

from __future__ import annotations

from footfall.events.customer_key import KINDS, CustomerKeys
from footfall.events.identifiers import is_kind, normalised


class IdentifierError(Exception):
    """It names nobody; the message says what was expected."""


def parse(text: str) -> tuple[str, str]:
    """(kind, value as it is kept); the value may hold colons. Raises `IdentifierError`."""
    kind, _, value = text.partition(":")
    if not is_kind(kind) or not value:
        raise IdentifierError(f"expected KIND:VALUE with a KIND of {', '.join(KINDS)} or an "
                              f"external id's type, for example {KINDS[0]}:u1")
    kept = normalised(kind, value)
    if kept is None:
        raise IdentifierError(f"this is no {kind}, or it stands for nobody in particular; nothing "
                              "is kept under it")
    return kind, kept


def key_of(kind: str, value: str, keys: CustomerKeys) -> bytes:
    """The customer key of one identifier."""
    return keys.of(kind, value)
