"""The demo's live view, drawn for a terminal of some size. Pure: what was seen -> what is shown.

Decides what stands where: rates and customers by level above, the newest triggers below, at the
foot a curl line for the watcher and what it will bring. The foot is never cut off, whatever the
height, and stands without a frame: people copy from it.
"""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from footfall.up.demo_line import Shown
from footfall.up.demo_seen import Seen

COLOURS = {
    "cart_abandoned": "bold yellow", "cart_recovered": "bold green",
    "risk_level_changed": "bold red", "order_completed_first": "bold cyan",
    "order_refunded": "bold magenta", "session_started": "blue",
    "engagement_level_changed": "green", "customer_dormant": "dim",
}
#: Who the curl line speaks for.
WATCHER = "you"
LINES_MAX = 20
#: Of a table besides its rows, less one that stays empty in its place.
_TABLE_LINES = 3
_FRAME_LINES = 9
_NAME_CHARS = max(map(len, COLOURS))


def view(seen: Seen, now_s: float, left_s: float, foot: Text, height: int) -> RenderableType:
    """All of it; `left_s`: how long the shop is still open."""
    above = Table.grid(padding=(0, 4))
    above.add_row(_triggers(seen, now_s), _customers(seen))
    rows = max(len(seen.counts), len(seen.levels), 1)
    foot_lines = foot.plain.count("\n") + 1
    room = height - _FRAME_LINES - rows - len(seen.own) - foot_lines
    newest = list(reversed(seen.newest))[:max(0, min(room, LINES_MAX))]
    # Too low for both: the tables go first where the newest would have no line.
    if not newest and seen.newest:
        newest = list(reversed(seen.newest))[:max(0, room + rows + _TABLE_LINES)]
        above = Table.grid()
    return Group(
        Text.assemble(("Footfall demo  ", "bold"), f"{seen.events_a_second(now_s):.0f} events/s  "
                      f"{seen.posted} events  {sum(seen.counts.values())} triggers  "
                      f"{max(left_s, 0):.0f} s left"),
        above,
        Text("Newest triggers", "bold"), *(_line(*each) for each in newest), Text(),
        foot, *(_line(*each) for each in seen.own))


def foot_of(http_url: str, write_key: str, idle_s: float) -> Text:
    """The curl line, in lines that a narrow terminal does not break, and what it brings."""
    return Text.assemble(
        ("Be a customer yourself, in another terminal:\n", "bold"),
        (f"curl -u {write_key}: \\\n"
         f"  {http_url}/v1/track -d '\n"
         f'  {{"userId": "{WATCHER}", "event": "Product Added", "properties":\n'
         '   {"product_id": "p1", "price": "9.90", "quantity": 1, "currency": "EUR"}}\'\n', "cyan"),
        "Below: session_started and engagement_level_changed at once, cart_abandoned "
        f"after {idle_s:g} s.", overflow="fold")


def _triggers(seen: Seen, now_s: float) -> Table:
    table = Table("trigger", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("a minute", justify="right")
    table.add_column("in all", justify="right")
    lately = seen.triggers_a_minute(now_s)
    for name, count in sorted(seen.counts.items()):
        table.add_row(Text(name, COLOURS.get(name, "bold")), str(lately[name]), str(count))
    return table


def _customers(seen: Seen) -> Table:
    table = Table("customers", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("level")
    table.add_column("now", justify="right")
    known = ""
    for (name, level), count in seen.levels.items():
        table.add_row("" if name == known else name, level, str(count))
        known = name
    return table


def _line(at_s: float, shown: Shown) -> Text:
    name = f"{shown.name:<{_NAME_CHARS}}  "
    return Text.assemble(
        (f"{at_s:6.1f} s  ", "dim"), (name, COLOURS.get(shown.name, "bold")),
        f"{shown.customer:<15}  {shown.text}", no_wrap=True, overflow="ellipsis")
