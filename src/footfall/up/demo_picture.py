"""Draws the demo's live view as it stands `AT_S` after the opening, from the rehearsal of a seed.

    python -m footfall.up.demo_picture docs/demo.svg

The same view as on a terminal, with a key that is none. Must never differ between machines.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console

from footfall.up.demo_config import IDLE_S
from footfall.up.demo_levels import levels_of
from footfall.up.demo_line import describe
from footfall.up.demo_rehearsal import Rehearsal
from footfall.up.demo_seen import Seen
from footfall.up.demo_view import foot_of, view
from footfall.up.shop import shop

SEED, OPEN_S, AT_S = 1, 120.0, 75.0
COLUMNS, LINES = 116, 42
#: It would load a font from elsewhere whenever the picture is looked at.
_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def picture() -> str:
    """The SVG."""
    rehearsal = Rehearsal(IDLE_S)
    seen = Seen(0.0)
    for told in rehearsal.play(shop(SEED, OPEN_S, IDLE_S), AT_S):
        seen.told(told.at_s, describe(told.record))
    for action in shop(SEED, OPEN_S, IDLE_S):
        if action.at_s <= AT_S:
            seen.sent(action.at_s, 1)
    list(rehearsal.fold.snapshot())
    levels = rehearsal.fold.records.levels()
    seen.levels = {label: levels.get(label, 0) for label in levels_of(())}
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True,
                      color_system="truecolor", highlight=False)
    foot = foot_of("http://127.0.0.1:8080", "YOUR-WRITE-KEY", IDLE_S)
    console.print(view(seen, AT_S, OPEN_S - AT_S, foot, LINES))
    return _FONTS.sub("", console.export_svg(title="footfall demo", unique_id="demo"))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), encoding="utf-8")
