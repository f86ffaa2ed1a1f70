"""Who may read customers: an API key has a role, a role has a clearance.

Decides the roles and what each may see at most (docs/view.md has the table and the reasons). The
one key of `api_key` is the owner's. A named key has at most two values at once, so that it can be
replaced without a gap; like write keys they may be configured as hashes, and are looked up as keyed
hashes, so that the time it takes tells nothing. Must never write a key to a log or an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from footfall.errors import SettingsError
from footfall.events.schema_rules import Class
from footfall.key_hashes import KEYS_MAX, KeyHashes, digest_of
from footfall.settings import ApiKeySettings, Role

CLEARANCES: Mapping[Role, Class] = {
    "owner": "sensitive",
    "admin": "internal",
    "analyst": "internal",
    "marketer": "internal",
    "support": "personal",
    "auditor": "internal",
    "service": "personal",
}
NAME_CHARS_MAX = 100
OWNER = "api_key"


class ApiKey(NamedTuple):
    """A key by its name, with what it may see."""

    name: str
    role: Role
    #: Names of triggers that there are for it; empty: all.
    triggers: frozenset[str] = frozenset()
    #: Of its value, of which a name may have two; it is not told.
    fingerprint: bytes = b""

    @property
    def clearance(self) -> Class:
        """The highest class that it may see."""
        return CLEARANCES[self.role]

    def may_read(self, trigger: str) -> bool:
        """Whether a trigger of this name is there for it."""
        return not self.triggers or trigger in self.triggers


class ApiKeys:
    """The API keys of an installation; raises `SettingsError` naming the key."""

    def __init__(self, api_key: str, api_keys: Mapping[str, ApiKeySettings] | None = None) -> None:
        self._keys: KeyHashes[ApiKey] = KeyHashes()
        if api_key:
            digest = digest_of("api_key", api_key)
            self._keys.add(digest, ApiKey(OWNER, "owner", fingerprint=_fingerprint(digest)))
        for name, said in (api_keys or {}).items():
            if not 1 <= len(name) <= NAME_CHARS_MAX or name == OWNER:
                raise SettingsError(f"api_keys: a name has {len(name)} characters; 1 to "
                                    f"{NAME_CHARS_MAX}, and not {OWNER}")
            if not 1 <= len(said.keys) <= KEYS_MAX:
                raise SettingsError(f"api_keys: {name} has {len(said.keys)} keys; 1 or {KEYS_MAX}")
            for key in said.keys:
                digest = digest_of(f"api_keys: a key of {name}", key)
                known = self._keys.add(digest, ApiKey(
                    name, said.role, frozenset(said.triggers), _fingerprint(digest)))
                if known.name != name:
                    raise SettingsError(f"api_keys: {name} and {known.name} share a key")

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._keys)

    def of_header(self, authorization: str) -> ApiKey | None:
        """The key that an Authorization header shows as a bearer token; None: none known."""
        scheme, _, given = authorization.strip().partition(" ")
        return self._keys.get(given.strip()) if scheme.lower() == "bearer" else None

    def holders(self) -> list[ApiKey]:
        """All of them; once for each value."""
        return self._keys.holders()


def _fingerprint(digest: bytes) -> bytes:
    return hashlib.blake2b(digest, digest_size=16, person=b"api key").digest()
