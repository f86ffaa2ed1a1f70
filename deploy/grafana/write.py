"""Writes the JSON of every dashboard: `python deploy/grafana/write.py`.

What they show is in `boards/`, one module for each. Change the code, never the JSON: a test holds
the one to the other.
"""

from __future__ import annotations

from pathlib import Path

import boards
from boards.building import built

FOLDER = Path(__file__).parent / "dashboards"


def written() -> dict[str, str]:
    """File name -> JSON, of every dashboard."""
    return {f"{board.uid}.json": built(board) for board in boards.ALL}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in written().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
