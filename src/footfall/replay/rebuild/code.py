"""By which code a shadow is made, as a number: one that was begun by other code is not gone on
with. Decides what counts: every file that a fold's bytes may depend on, and the tables' versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import footfall
from footfall.tables.spec import AnyTable

_FOLDERS = ("tables", "events", "schemas")
#: Fits an integer of MessagePack.
_BITS = 63


def code_of(tables: Sequence[AnyTable]) -> int:
    """The same for the same code, whichever machine it is on."""
    state = hashlib.blake2b(digest_size=8)
    root = Path(footfall.__file__).parent
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".py", ".avsc"}:
                state.update(f"{path.relative_to(root).as_posix()}\n".encode())
                state.update(hashlib.blake2b(path.read_bytes()).digest())
    for table in sorted(tables, key=lambda table: table.name):
        state.update(f"{table.name} {table.version}\n".encode())
    return int.from_bytes(state.digest(), "big") >> (64 - _BITS)
