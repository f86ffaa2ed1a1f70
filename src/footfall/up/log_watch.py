"""The lines of a child's log that belong on the screen: warnings, errors and last words.

Decides which and how many: at most some in a window, then one line that says that there are more.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

LINES_MAX = 6
WINDOW_S = 10.0
READ_BYTES_MAX = 65_536
LINE_CHARS_MAX = 400
_IMPORTANT = re.compile(
    r"\b(WARN(ING)?|ERROR|CRITICAL)\b|^footfall: |^\w*(Error|Refused)\b|: ready partitions=\d+"
    r'|"level":"(warning|error|critical)"|"message":"ready"'
)


class LogWatch:
    """Follows one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._position = 0
        self._window_began = 0.0
        self._shown = 0

    def skip(self) -> None:
        """Begin at the end of what is there."""
        self._position = self._size()

    def lines(self) -> list[str]:
        """New important lines, whole ones only, within the limit."""
        size = self._size()
        if size < self._position:
            self._position = 0  # it was put aside
        if size == self._position:
            return []
        with self._file.open("rb") as file:
            file.seek(max(self._position, size - READ_BYTES_MAX))
            text = file.read(size - file.tell())
        whole = text[: text.rfind(b"\n") + 1]
        self._position = size - (len(text) - len(whole))
        found = [line for line in whole.decode(errors="replace").splitlines()
                 if _IMPORTANT.search(line)]
        return self._limited(found)

    def _limited(self, found: list[str]) -> list[str]:
        now = time.monotonic()
        if now - self._window_began > WINDOW_S:
            self._window_began, self._shown = now, 0
        room = max(LINES_MAX - self._shown, 0)
        shown = [line[:LINE_CHARS_MAX] for line in found[:room]]
        if 0 < room < len(found):
            shown.append(f"... more in {self._file}")
        self._shown += len(found)
        return shown

    def _size(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0
