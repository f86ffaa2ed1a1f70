"""Explanations on a terminal: why a trigger fired, why a rule did not. Pure.

Decides what comes first and how it is laid out. Text comes from anywhere: every character that a
terminal could take for an order is shown escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from footfall.query.customer_text import INDENT, block, short
from footfall.view.terminal import safe

Parts = list[RenderableType]


def why_text(shown: Mapping[str, Any]) -> RenderableType:
    """A trigger, what it acted on, its conditions, its evidence and its data, what became of it."""
    parts: Parts = [_headline(shown)]
    parts.append(_pairs({
        "when": f"{shown['occurred_at']}, emitted at {shown['emitted_at']}",
        "customer": shown["customer_key"], "ids": shown["ids"],
        "trigger_id": shown["trigger_id"], "configuration": shown["config_version"],
        "told": "nobody: the customer is in the held-out part" if shown["held_out"] else None,
    }))
    if shown["on"]:
        parts += _titled("acted on", block(shown["on"]))
    if shown["conditions"]:
        parts += _titled("conditions", _conditions(shown["conditions"]))
    caused = shown["caused_by"]
    if caused["message_ids"] or caused["trigger_id"]:
        parts += _titled("caused by", _pairs({
            "events": caused["message_ids"], "trigger": caused["trigger_id"]}))
    for name in ("evidence", "data"):
        if shown[name]:
            parts += _titled(name, block(shown[name]))
    if "deliveries" in shown:
        parts += _titled("what became of it", _deliveries(shown["deliveries"]))
    if "source" in shown:
        parts += [Text(), Text(f"as recorded, from the {shown['source']['kind']}", style="dim")]
    return Group(*parts)


def why_not_text(shown: Mapping[str, Any]) -> RenderableType:
    """What is in the way, and what else was recorded."""
    parts: Parts = [
        Text.assemble((safe(shown["rule"]), "bold yellow"), f"  {safe(shown['reason'])}"),
        Text(safe(shown["text"])),
    ]
    last = shown["last"]
    if last is not None:
        condition = last["condition"]
        parts += _titled("asked last", _pairs({
            "at": last["at"], "what came of it": last["text"],
            "condition": condition and condition["text"],
            "value found": last["value"], "cause": last["cause"]}))
    fired, once, cooldown = shown["fired"], shown["once"], shown["cooldown"]
    parts += _titled("the rule, for this customer", _pairs({
        "acts on": shown["on"], "version": shown["version"],
        "fired": f"{fired['times']} times, last at {fired['last_at']}" if fired else "never",
        "its condition holds now": shown["holds"],
        "once": once and (f"for each {once['for_each']}" if once["for_each"] else
                          "and it has fired" if once["fired"] else "and it has not fired"),
        "cooldown": cooldown and (f"until {cooldown['until']}" if cooldown["until"] else
                                  f"{cooldown['length']}, over"),
        "starts": shown["period"]["starts_at"], "ends": shown["period"]["ends_at"],
        "held out": f"{shown['holdout_percent']} % of customers" if shown["holdout_percent"]
        else None,
    }))
    if shown["waiting"]:
        parts += _titled("waits", _table(shown["waiting"]))
    if shown["consent"]:
        parts += _titled("kept out by consent", _table(shown["consent"]))
    if shown.get("triggers"):
        parts += _titled("fired of late", _table(shown["triggers"]))
    parts += [Text(), Text(
        f"customer {safe(shown['customer_key'])}, log clock {shown['clock']}, configuration "
        f"{safe(shown['config_version'])}, from the {safe(shown['source']['kind'])}", style="dim")]
    return Group(*parts)


def _headline(shown: Mapping[str, Any]) -> Text:
    line = Text(safe(shown["name"]), style="bold yellow" if shown["held_out"] else "bold green")
    if shown["rule"]:
        line.append(f"  rule, version {safe(str(shown['rule']['version']))}", style="")
    if shown["held_out"]:
        line.append("  held out", style="yellow")
    return line


def _deliveries(rows: Sequence[Mapping[str, Any]] | None) -> RenderableType:
    """A line a destination, and what comes next."""
    if rows is None:
        return Text("not known: footfall.deliveries cannot be read, or holds too much since; "
                    "`footfall deliveries show` reads it all", style="dim")
    if not rows:
        return Text("no route takes it, or delivery has not come to it", style="dim")
    lines: Parts = []
    for row in rows:
        what = [row["status"], row["reason"] and f"({row['reason']})", row["text"]]
        lines += [
            Text.assemble((safe(row["destination"]), "bold"), "  ",
                          safe(" ".join(filter(None, what))), f"  {row['at'] or ''}"),
            Padding(Text(f"next: {safe(row['next'])}", style="dim"), INDENT)]
    return Group(*lines)


def _conditions(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Value against threshold, one a line."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("condition", "value", ""):
        table.add_column(name, overflow="fold")
    for row in rows:
        holds = ("", "")
        if isinstance(row["holds"], bool):
            holds = ("holds", "green") if row["holds"] else ("does not hold", "red")
        table.add_row(Text(safe(row["text"])), Text(short(row["value"])), Text(*holds))
    return table


def _titled(title: str, part: RenderableType) -> Parts:
    return [Text(), Text(title, style="bold cyan"), Padding(part, INDENT)]


def _pairs(values: Mapping[str, Any]) -> Table:
    """Names and values; what is not there is left out."""
    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        if value is not None and value not in ("", [], {}):
            grid.add_row(Text(safe(name), style="dim"), Text(short(value)))
    return grid


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    for name in names:
        table.add_column(Text(safe(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(short(row[name])) for name in names))
    return table
