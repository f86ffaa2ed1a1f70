"""The report for people.

Decides what is shown of it: all rules that differ, the customers and triggers that differ most, and
in sentences what limits the answer. Decides nothing about what differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from footfall.replay.what_if.ledger import ADDED, CHANGED, REMOVED
from footfall.replay.what_if.report import Document
from footfall.view.terminal import safe

#: Of a trigger's id: `footfall why` takes its beginning.
ID_CHARS = 12
_SIGNS = {ADDED: "+", REMOVED: "-", CHANGED: "~"}
_STYLES = {ADDED: "green", REMOVED: "red", CHANGED: "yellow"}


def show(console: Console, found: Document, shown_max: int) -> None:
    """Print a report."""
    for line in _headline(found):
        console.print(Text(line))
    if found["rules"]:
        console.print(_rules(found["rules"]))
    if found["customers"]:
        console.print(_customers(found["customers"][:shown_max]))
        console.print(_differences(found["differences"][:shown_max]))
        console.print(Text(_left(found, shown_max)))
    for line in _notes(found):
        console.print(Text(f"note: {line}"))


def _headline(found: Document) -> Iterator[str]:
    asked = found["configuration"] or "this code under the recorded configuration"
    against = {"recorded": "what was recorded",
               "fold": "the same code under the recorded configuration"}[found["against"]]
    yield (f"{asked}, {found['since'] or 'from the start'} to {found['until'] or 'the end'}, "
           f"against {against}")
    counts = found["triggers"]
    yield (f"{counts['both']:,} triggers told by both, {counts[ADDED]:,} added, "
           f"{counts[REMOVED]:,} removed, {counts[CHANGED]:,} changed; "
           f"{found['customers_concerned']:,} customers concerned")


def _rules(rules: Document) -> Table | Text:
    """Those that differ; the others are one line."""
    differing = {name: one for name, one in rules.items() if any(one[what] for what in _SIGNS)}
    same = len(rules) - len(differing)
    if not differing:
        return Text(f"{same:,} names of triggers, none differs")
    table = Table("trigger", box=None, pad_edge=False)
    for column in ("recorded", "what if", ADDED, REMOVED, "moved", CHANGED, "new",
                   "gone"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("changed in", overflow="fold")
    for name, one in differing.items():
        numbers = [_number(one[what], _STYLES.get(what, "")) for what in (
            "recorded", "what_if", ADDED, REMOVED, "moved", CHANGED, "customers_new",
            "customers_gone")]
        table.add_row(Text(safe(name), overflow="fold"), *numbers,
                      Text(safe(", ".join(one["changed_members"]))))
    if same:
        table.add_row(Text(f"{same:,} others: no difference", "dim"))
    table.caption = ("moved: one added and one removed of one customer, as where a deadline is "
                     "another; new, gone: customers of whom only one side tells this at all")
    table.caption_justify = "left"
    return table


def _customers(customers: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("customer", overflow="fold")
    table.add_column("what differs", overflow="fold")
    for one in customers:
        parts = [f"{_SIGNS[what]}{n} {name}" for what in _SIGNS for name, n in one[what].items()]
        table.add_row(one["customer_key"], Text(safe(", ".join(parts))))
    return table


def _differences(differences: list[Document]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("", "emitted", "trigger", "customer", "trigger_id", "changed in"):
        table.add_column(column, overflow="fold")
    for one in differences:
        table.add_row(Text(_SIGNS[one["what"]], _STYLES[one["what"]]), one["emitted_at"],
                      Text(safe(one["name"])), one["customer_key"],
                      one["trigger_id"][:ID_CHARS], Text(safe(", ".join(one["members"]))))
    return table


def _left(found: Document, shown_max: int) -> str:
    customers, differing = len(found["customers"]), sum(
        found["triggers"][what] for what in _SIGNS)
    return (f"shown: {min(shown_max, customers):,} of {customers:,} customers, "
            f"{min(shown_max, differing):,} of {differing:,} triggers; --show N for more, --json "
            "for all")


def _notes(found: Document) -> Iterator[str]:
    yield (f"{found['records']:,} records read; {found['deadlines_pending']:,} customers have a "
           "deadline that lies after what was read: what it tells is not known")
    if len(found["recorded_configurations"]) > 1:
        yield (f"{len(found['recorded_configurations'])} configurations were in force in the "
               "window: differences come also of what changed between them")
    if found["records_not_committed"]:
        yield (f"the newest {found['records_not_committed']:,} records are left out: no worker has "
               "committed them")
    if found["rejected"]["what_if"] != found["rejected"]["recorded"] and (
            found["against"] == "fold"):
        yield (f"rejected by steps: {found['rejected']['what_if']:,} records, "
               f"{found['rejected']['recorded']:,} under the recorded configuration")
    yield from _unsure(found)


def _unsure(found: Document) -> Iterator[str]:
    if found["handoffs"] != "recorded":
        yield ("customers are joined as these settings say, handoffs come the moment they are "
               "sent, and nothing is claimed byte for byte")
        if found["unmerges_left_out"]:
            yield (f"{found['unmerges_left_out']:,} unmerges are left out: they name places in the "
                   "log")
    lost: dict[str, Any] = found["state_known_from"]
    if lost:
        places = ", ".join(f"{p} from offset {low:,}" for p, low in lost.items())
        yield (f"approximate: the log does not hold its beginning (partition {places}); up to "
               f"{found['customers_approximate']:,} customers may have a history before it, "
               f"{found['customers_left_out']:,} identifiers are left out of which it is not known "
               "whose they are")
    if found["configuration_unknown_at_start"]:
        yield ("the configuration in force where the log begins is not known: the code's defaults "
               "are taken until the first one in the log, on partitions "
               + ", ".join(map(str, found["configuration_unknown_at_start"])))


def _number(n: int, style: str) -> Text:
    return Text(f"{n:,}", style if n else "dim")
