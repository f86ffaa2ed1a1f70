"""How far an import has come, on disk beside its reject file, so that it goes on after any end.

Decides when an earlier run is gone on with: the same mapping and options, and of each file the same
name, size, head and tail. The file appears whole or not at all. Nothing depends on it but time: the
workers recognise rows that come again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

SUFFIX: Final = ".position"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far one file is imported: so many rows, good ones and bad ones."""

    identity: str
    rows: int = 0
    is_done: bool = False


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run has come. `asked`: a hash of what was asked for. Of the reject file: its length
    when the run began, and where it is now.
    """

    run: str
    asked: str
    rejects_began: int = 0
    rejects_bytes: int = 0
    files: dict[str, Place] = {}


class Journal:
    """The position of the run that writes one reject file."""

    def __init__(self, rejects: Path) -> None:
        self._path = rejects.with_name(rejects.name + SUFFIX)

    def read(self, asked: str) -> Position | None:
        """Where a run that was asked the same has come; None where there is none."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=Position)
        except (OSError, msgspec.MsgspecError):
            return None
        return found if found.asked == asked else None

    def write(self, position: Position) -> None:
        """Keep a position; durable when this returns."""
        new = self._path.with_name(self._path.name + ".new")
        with new.open("wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(position)))
            out.flush()
            os.fsync(out.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self) -> None:
        """The run is complete: the next one begins anew."""
        self._path.unlink(missing_ok=True)
