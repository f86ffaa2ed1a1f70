"""How a customer is named from outside: `KIND:VALUE`, as apps name it.

Decides what is no identifier, and which customer key one stands for. Must never put a value into an
error: it may be a person's address.
"""

from __future__ import annotations

from footfall.events.customer_key import KINDS, CustomerKeys, is_blocked


class IdentifierError(Exception):
    """It names nobody; the message says what was expected."""


def parse(text: str) -> tuple[str, str]:
    """(kind, value); the value may hold colons. Raises `IdentifierError`."""
    kind, _, value = text.partition(":")
    if kind not in KINDS or not value:
        raise IdentifierError(f"expected KIND:VALUE with a KIND of {', '.join(KINDS)}, for example "
                              f"{KINDS[0]}:u1")
    if is_blocked(value):
        raise IdentifierError("this value stands for nobody in particular; nothing is kept under "
                              "it")
    return kind, value


def key_of(kind: str, value: str, keys: CustomerKeys) -> bytes:
    """The customer key of one identifier."""
    return keys.of(kind, value)
