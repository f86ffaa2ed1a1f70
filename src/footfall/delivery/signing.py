"""Signatures of webhooks by Standard Webhooks 1.0.0, symmetric (`v1`). Pure: bytes in, text out.

What is signed is `{id}.{timestamp}.{body}`, byte for byte as it is sent, with HMAC-SHA256. While a
key is being changed both sign and a receiver may know either. Written here, for the reference
library of Python signs text alone and takes every time zone for UTC; tests verify with it.
Must never put a secret, or part of one, into a message: the variable is named instead.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

from footfall.errors import ConfigError

SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets begin
SECRET_BYTES_MIN = 24
SECRET_BYTES_MAX = 64
ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
_HOW = (f"it is {SECRET_PREFIX!r} and {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} random bytes in "
        "base64; make one with: echo whsec_$(openssl rand -base64 32)")


def secret_of(variable: str, environment: Mapping[str, str]) -> bytes:
    """The key that a variable holds; raises `ConfigError`, which names the variable alone."""
    text = environment.get(variable, "").strip()
    if not text:
        raise ConfigError(f"variable {variable} holds no secret for webhooks: {_HOW}")
    if not text.startswith(SECRET_PREFIX):
        raise ConfigError(f"variable {variable} does not begin with {SECRET_PREFIX!r}: {_HOW}")
    coded = text.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        raise ConfigError(f"variable {variable} is not base64 after its prefix: {_HOW}") from None
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise ConfigError(f"variable {variable} holds {len(key)} bytes: {_HOW}")
    return key


def headers(keys: Sequence[bytes], message_id: str, at_s: float, body: bytes) -> dict[str, str]:
    """The headers of one attempt at the time `at_s`; without keys it is not signed."""
    assert "." not in message_id, "a point in the id would let it flow into the timestamp"
    second = str(int(at_s))
    made = {ID: message_id, TIMESTAMP: second}
    if keys:
        signed = f"{message_id}.{second}.".encode() + body
        made[SIGNATURE] = " ".join([_signature(key, signed) for key in keys])
    return made


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
