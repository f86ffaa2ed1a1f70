"""The reject file: each row that could not be imported, with its line, why, and as it was.

Decides that only its owner may read it, for rows are personal, and that it is added to: a file of
an earlier run is never lost. Nothing is written where nothing is rejected.
"""

from __future__ import annotations

import os
from collections import Counter
from io import BufferedWriter
from pathlib import Path
from typing import Any

import msgspec


class Rejects:
    """Rows refused in one run, counted by reason; `close` when done."""

    def __init__(self, path: Path, run: str, bytes_kept: int | None = None) -> None:
        self._path = path
        self._run = run
        self._out: BufferedWriter | None = None
        if bytes_kept is not None and path.exists() and path.stat().st_size > bytes_kept:
            os.truncate(path, bytes_kept)  # what a run that ended wrote of rows that come again
        self.counts: Counter[str] = Counter()
        #: How long the file is, with what is not on disk yet.
        self.size = path.stat().st_size if path.exists() else 0

    def add(self, file: str, number: int, reason: str, detail: str, raw: bytes) -> None:
        """Keep one row; number 0: the file as a whole."""
        self.counts[reason] += 1
        if self._out is None:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._out = os.fdopen(descriptor, "ab")
        self.size += self._out.write(msgspec.json.encode({
            "run": self._run, "file": file, "line": number, "reason": reason, "detail": detail,
            "row": _readable(raw)}) + b"\n")

    def sync(self) -> None:
        """Make it durable."""
        if self._out is not None:
            self._out.flush()
            os.fsync(self._out.fileno())

    def close(self) -> None:
        """Write what is left."""
        if self._out is not None:
            self._out.close()
            self._out = None


def _readable(raw: bytes) -> Any:
    """A row as JSON where it is an object, else as text, bytes that are none of it replaced."""
    if raw.startswith(b"{"):
        try:
            msgspec.json.decode(raw)
            return msgspec.Raw(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    return raw.decode("utf-8", "backslashreplace")
