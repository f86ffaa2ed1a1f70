"""A customer's document on a terminal. Pure.

Decides how any table's view is laid out, without knowing any: plain values as a list of names and
values, what is one for each of several things as a table, the rest nested. Text comes from
anywhere: every character that a terminal could take for an order is shown escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from footfall.query.customer_timeline import INTERACTIONS, interactions, told
from footfall.view.terminal import safe

INDENT = (0, 0, 0, 2)
#: Of one list; `--json` has all.
ROWS_MAX = 20


def text_of(document: Mapping[str, Any]) -> RenderableType:
    """The whole of it, with where it comes from and how old it is."""
    parts: list[RenderableType] = [
        Text(safe(document["customer_key"]), style="bold"),
        *(Text(safe(said), style="dim") for said in _origin(document)),
    ]
    for name, view in document["tables"].items():
        if name == INTERACTIONS:
            continue  # it stands below, newest first
        parts += [Text(), Text(safe(name), style="bold cyan"), Padding(block(view), INDENT)]
    for title, lines in (("newest interactions", interactions(document)),
                         ("told and merged", told(document))):
        if lines:
            parts += [Text(), Text(title, style="bold cyan"), Padding(_table(lines), INDENT)]
    if document["timers"]:
        parts += [Text(), Text("waits until", style="bold cyan"),
                  Padding(_pairs({n: t["wake_at"] for n, t in document["timers"].items()}), INDENT)]
    return Group(*parts)


def _origin(document: Mapping[str, Any]) -> Iterator[str]:
    source = document["source"]
    clock = document["clock"]
    age_s = (_moment(document["as_of"]) - _moment(clock)).total_seconds()
    if source["kind"] == "worker":
        yield f"live, from the worker at {source['url']}"
    else:
        yield f"copy, from {source['topic']}: as of the last checkpoint"
        if not source["asked"]:
            yield "no worker was asked: none is known, or no API key is set"
        for asked in source["asked"]:
            yield f"the worker at {asked['url']} did not have it: {asked['answer']}"
    behind = document["behind_records"]
    yield f"{'?' if behind is None else behind} records of the log are not in it yet"
    yield (f"partition {document['partition']}, applied up to offset {document['watermark']}; "
           f"log clock {clock}, {age_s:.1f} s before {document['as_of']}; "
           f"configuration {document['config_version']}")


def block(value: Mapping[str, Any]) -> RenderableType:
    """An object: what stands on one line first, then the rest, nested."""
    plain = {name: v for name, v in value.items() if _is_short(v)}
    parts: list[RenderableType] = [_pairs(plain)] if plain else []
    for name, part in value.items():
        if name not in plain:
            parts += [Text(safe(name), style="cyan"), Padding(_nested(part), INDENT)]
    return Group(*parts) if parts else Text("nothing", style="dim")


def _nested(value: Any) -> RenderableType:
    if isinstance(value, Mapping):
        if value and all(isinstance(v, Mapping) for v in value.values()):
            return _table([{"": name, **row} for name, row in value.items()])
        return block(value)
    if all(isinstance(row, Mapping) for row in value):
        return _table(value)
    return Text(short(value))


def _pairs(values: Mapping[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        grid.add_row(Text(safe(name)), Text(short(value)))
    return grid


def _table(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line a row; one block a row where rows hold rows of their own, as carts do."""
    more = [Text(f"... {len(rows) - ROWS_MAX} more", style="dim")] if len(rows) > ROWS_MAX else []
    if any(not _is_short(value) for row in rows for value in row.values()):
        return Group(*(block(row) for row in rows[:ROWS_MAX]), *more)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(Text(safe(name)), overflow="fold")
    for row in rows[:ROWS_MAX]:
        table.add_row(*(Text(short(row.get(name))) for name in columns))
    return Group(table, *more)


def _is_short(value: Any) -> bool:
    """Whether it stands on one line."""
    if isinstance(value, Mapping):
        return all(not isinstance(v, Mapping | list) for v in value.values())
    return not value or not isinstance(value, list) or not isinstance(value[0], Mapping | list)


def short(value: Any) -> str:
    """A value on one line."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "  ".join(f"{safe(str(k))} {short(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(short(v) for v in value)
    return safe(str(value))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
