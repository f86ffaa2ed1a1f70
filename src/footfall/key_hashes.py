"""Keys that others show, kept as hashes: write keys and API keys.

Decides how a key may be configured, as it is or as its SHA-256, and how it is looked up: as a keyed
hash under a secret of this process, so that the time it takes tells nothing about any key.
Must never keep a key, nor put one into an error.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Generic, TypeVar

from footfall.errors import SettingsError

HASHED = "sha256:"
#: Of one holder at once.
KEYS_MAX = 2
KEY_CHARS_MAX = 200
_HEX = re.compile(r"[0-9a-fA-F]{64}")

H = TypeVar("H")


class KeyHashes(Generic[H]):
    """Keys and whose they are."""

    def __init__(self) -> None:
        # Copying a prepared state is three times as fast as hashing with a key anew.
        self._new = hashlib.blake2b(key=secrets.token_bytes(32), digest_size=32).copy
        self._holders: dict[bytes, H] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._holders)

    def add(self, digest: bytes, holder: H) -> H:
        """Whose the key of this digest is from now on: who had it before, else `holder`."""
        return self._holders.setdefault(self.hash(digest), holder)

    def get(self, key: str) -> H | None:
        """Whose key this is; None where it is nobody's."""
        return self._holders.get(self.hash(digest(key if len(key) <= KEY_CHARS_MAX else "")))

    def holders(self) -> list[H]:
        """All of them; once for each key."""
        return list(self._holders.values())

    def hash(self, data: bytes) -> bytes:
        """A keyed hash, of this process alone."""
        state = self._new()
        state.update(data)
        return state.digest()


def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def digest_of(what: str, configured: str) -> bytes:
    """The digest of a key as it is configured; `what` names it in the `SettingsError`."""
    if configured.startswith(HASHED):
        if _HEX.fullmatch(configured.removeprefix(HASHED)) is None:
            raise SettingsError(f"{what} begins with {HASHED} but is not followed by 64 "
                                "hexadecimal digits")
        return bytes.fromhex(configured.removeprefix(HASHED))
    if not configured or len(configured) > KEY_CHARS_MAX:
        raise SettingsError(f"{what} has {len(configured)} characters; 1 to {KEY_CHARS_MAX}")
    return digest(configured)
