"""Deliveries on a terminal. Pure.

Decides what comes first and how it is laid out. Text comes from anywhere: every character that a
terminal could take for an order is shown escaped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from footfall.delivery.deliveries_filter import STATUSES
from footfall.view.terminal import safe

_INDENT = (0, 0, 0, 2)
_STATUS_CHARS = max(map(len, STATUSES))
#: Of an id, as `tail` shows it.
_ID_CHARS = 8
_STYLES = {"sent": "green", "dead": "bold red", "suppressed": "yellow", "failed": "red",
           "held": "cyan"}
Parts = list[RenderableType]
_object = msgspec.json.Decoder(dict[str, Any])


def list_text(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line a delivery."""
    return Group(*(_line(
        row["recorded_at"] or "-", _status(row["status"]), row["reason"], row["destination"],
        row["trigger"], _attempt(row), row["customer_key"],
        Text(safe(row["trigger_id"][:_ID_CHARS]), style="dim")) for row in rows))


def summary_text(shown: Mapping[str, Any]) -> RenderableType:
    """A destination a block: statuses, reasons, backlog, times."""
    parts: Parts = []
    for one in shown["destinations"]:
        backlog, sent, attempts = one["backlog"], one["sent_ms"], one["attempts"]
        grid = Table.grid(padding=(0, 2))
        _pair(grid, "deliveries", f"{one['deliveries']:,}")
        for status, count in one["statuses"].items():
            reasons = ", ".join(f"{r['reason']} {r['deliveries']:,}" for r in one["reasons"]
                                if r["status"] == status)
            grid.add_row(_status(status), Text(f"{count:,}" + (f"  ({safe(reasons)})"
                                                               if reasons else "")))
        if one["resent"]["deliveries"]:
            _pair(grid, "resent", ", ".join(
                f"{status} {count:,}" for status, count in one["resent"]["statuses"].items()))
        if backlog["deliveries"]:
            _pair(grid, "backlog", f"{backlog['deliveries']:,}, the oldest for "
                                   f"{age_text(backlog['oldest_age_s'])}")
        if sent["p50"] is not None:
            _pair(grid, "time to sent", f"p50 {sent['p50']:,} ms, p95 {sent['p95']:,} ms")
        if attempts["max"] is not None:
            _pair(grid, "attempts", f"{attempts['mean']} on average, at most {attempts['max']}")
        parts += _titled(one["destination"], grid)
    for one in shown["disabled"]:
        parts += [Text(), Text.assemble(
            (safe(one["destination"]), "bold cyan"), ("  disabled", "bold red"),
            f" since {one['since'] or '?'} ({safe(one['reason'])}), on {len(one['partitions'])} "
            f"partitions: `footfall deliveries enable {safe(one['destination'])}`")]
    return Group(*parts[1:]) if parts else Text("no deliveries", style="dim")


def show_text(shown: Mapping[str, Any]) -> RenderableType:
    """A trigger, and of each destination every step and what comes next."""
    grid = Table.grid(padding=(0, 2))
    for name in ("trigger_id", "customer_key", "emitted_at"):
        _pair(grid, name, str(shown[name] or "-"))
    parts: Parts = [Text(safe(shown["trigger"]), style="bold green"), grid]
    for one in shown["deliveries"]:
        steps = Group(*(_line(
            step["at"] or "-", _status(step["status"]), _attempt(step), str(step["code"] or ""),
            f"{step['took_ms']} ms" if step["took_ms"] else "", step["reason"],
            f"goes on at {step['due_at']}" if step["due_at"] else "") for step in one["steps"]))
        parts += _titled(f"{one['destination']}  ({one['channel']})", steps)
        parts += [Padding(Text(f"next: {safe(one['next'])}"), _INDENT)]
        parts += [part for step in one["steps"] if step.get("personal")
                  for part in _personal(step)]
    return Group(*parts)


def age_text(seconds: int) -> str:
    """In the largest unit of which there are two or more."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _personal(step: Mapping[str, Any]) -> Parts:
    """What a step carried: recipient, headers and body of the message, and the trigger."""
    parts: Parts = []
    for name, raw in step["personal"].items():
        fields: Mapping[str, Any] = {name: raw}
        if name == "message":
            with contextlib.suppress(msgspec.MsgspecError):  # then it is shown as it is
                fields = _object.decode(raw)
        for field, content in fields.items():
            text = content if isinstance(content, str) else msgspec.json.encode(content).decode()
            if text and text != "{}":
                parts += [Padding(Text(f"{safe(field)} of {safe(step['status'])}", style="dim"),
                                  _INDENT), Padding(Text(_lines(text)), (0, 0, 0, 4))]
    return parts


def _lines(text: str) -> str:
    """A body with its own lines, in full."""
    return "\n".join("".join(safe(line[at:at + 100]) for at in range(0, len(line), 100))
                     for line in text.split("\n"))


def _status(status: str) -> Text:
    return Text(f"{safe(status):<{_STATUS_CHARS}}", style=_STYLES.get(status, ""))


def _pair(grid: Table, name: str, value: str) -> None:
    grid.add_row(Text(name, style="dim"), Text(safe(value)))


def _titled(title: str, part: RenderableType) -> Parts:
    return [Text(), Text(safe(title), style="bold cyan"), Padding(part, _INDENT)]


def _attempt(row: Mapping[str, Any]) -> str:
    return f"attempt {row['attempt']}" if row["attempt"] else ""


def _line(*cells: Text | str) -> Text:
    """What there is, one after the other."""
    line = Text()
    for cell in cells:
        if cell:
            line.append("  " if line else "")
            line.append(Text(safe(cell)) if isinstance(cell, str) else cell)
    return line
