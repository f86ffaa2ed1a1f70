"""A rendered record as one line for people. Pure.

Decides what of a record matters at a glance. Text comes from anywhere: every character that a
terminal could take for an order is shown escaped.
"""

from __future__ import annotations

from typing import Any

from rich.text import Text

from footfall.events.interaction import VIOLATION
from footfall.query.rendering import readable
from footfall.view.terminal import safe
from footfall.view.trigger import Document


def text_of(document: Document) -> Text:
    """The line of a trigger, an interaction, a rejected record or poison."""
    if "poison" in document:
        return _joined(document["appended_at"], ("poison", "bold red"), document["poison"],
                       document["detail"], _place(document))
    if "trigger_id" in document:
        data = readable(document["data"])
        held_out = document["held_out"]
        return _joined(document["emitted_at"],
                       (document["name"], "bold yellow" if held_out else "bold green"),
                       ("held out" if held_out else "", "yellow"), _who(document),
                       _pairs(data), (document["trigger_id"][:8], "dim"))
    if "reason" in document:
        return _joined(document["rejected_at"], (document["reason"], "bold red"),
                       document["stage"], document["detail"], document["source"])
    name = document.get("event") or ""
    source = document["source"] if document["type"] == VIOLATION else ""
    return _joined(document["appended_at"], (document["type"], "bold cyan"), name,
                   document["customer_key"] or source, _what(document), (_place(document), "dim"))


def _who(document: Document) -> str:
    named = [f"{kind}={value}" for kind, value in document["ids"].items()]
    return ", ".join(named) or str(document["customer_key"])


def _what(document: Document) -> str:
    if document["type"] == VIOLATION:
        return _violation(readable(document["personal"]))
    commerce = document.get("commerce")
    if not commerce:
        return ""
    items = [f"{item['quantity']} x {item['name'] or item['product_id']}"
             for item in commerce["lines"]]
    return ", ".join(items)


def _violation(personal: Any) -> str:
    """`3 x properties.price type, omitted`; anything may stand in a topic."""
    said = personal.get("properties") if isinstance(personal, dict) else None
    if not isinstance(said, dict):
        return ""
    count, field, rule, done = (said.get(name) for name in (
        "count", "violationField", "violationType", "violationAction"))
    return f"{count} x {field} {rule}, {done}"


def _place(document: Document) -> str:
    return f"partition {document['partition']} offset {document['offset']}"


def _pairs(data: Any) -> str:
    """`key=value` of what says something; of a list, how many."""
    if not isinstance(data, dict):
        return str(data)
    return "  ".join(f"{key}={_short(value)}" for key, value in data.items()
                     if value or (value == 0 and value is not False))


def _short(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    if isinstance(value, dict):
        return ",".join(f"{key}:{_short(part)}" for key, part in value.items())
    return str(value)


def _joined(*parts: tuple[str, str] | str | None) -> Text:
    line = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        if words:
            line.append("  " if line else "")
            line.append(safe(words), style=style)
    return line
