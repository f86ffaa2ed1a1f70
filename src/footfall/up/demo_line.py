"""A trigger in a line for the demo's screen: who, and what of its data matters at a glance. Pure.

Knows fields, not triggers: a field that several tables use is worded the same everywhere, and a
trigger of a table that comes later is shown by the fields it has in common, else by its first ones.
Must never fail for a trigger of any table, nor show a character that a terminal could obey.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from footfall.events.codec import TriggerRecord
from footfall.view.terminal import safe

LINES_MAX = 3
FACTORS_MAX = 3
#: Fields shown of a trigger that has none that is known here.
UNKNOWN_MAX = 3

Document = dict[str, Any]


class Shown(NamedTuple):
    """A trigger as the screen needs it."""

    name: str
    customer: str
    cart_id: str
    text: str


def describe(record: TriggerRecord) -> Shown:
    """The line of a trigger."""
    data: Document = msgspec.json.decode(record["data"])
    evidence: Document = msgspec.json.decode(record["evidence"])
    ids: dict[str, str] = msgspec.json.decode(record["personal"] or b"{}").get("ids", {})
    customer = ids.get("user_id") or next(iter(ids.values()), record["customer_key"])
    parts = [_levels(data), _thing(data), _money(data), _lines(data), _why(data, evidence)]
    text = "  ".join(part for part in parts if part) or _first(data)
    return Shown(record["name"], safe(customer), str(data.get("cart_id", "")), safe(text))


def _levels(data: Document) -> str:
    before, after = (data.get("from", data.get("previous")), data.get("to", data.get("level")))
    if before is None or after is None:
        return ""
    return f"{before} -> {after}, score {data.get('score')}"


def _thing(data: Document) -> str:
    """What it is about: an order, a cart, a session."""
    if data.get("order_id") or data.get("cart_id"):
        return str(data.get("order_id") or data["cart_id"])
    return f"session {data['number']}" if "number" in data else ""


def _money(data: Document) -> str:
    """Currency -> value, or an amount beside its currency."""
    value = data.get("amount") or data.get("value")
    if isinstance(value, dict):
        return ", ".join(f"{amount} {currency}" for currency, amount in value.items())
    return f"{value} {data.get('currency', '')}".strip() if value else ""


def _lines(data: Document) -> str:
    lines = data.get("lines") or []
    more = f" and {len(lines) - LINES_MAX} more" if len(lines) > LINES_MAX else ""
    return " + ".join(f"{line.get('quantity')} x {line.get('name') or line.get('product_id')}"
                      for line in lines[:LINES_MAX]) + more


def _why(data: Document, evidence: Document) -> str:
    factors = sorted((f for f in data.get("factors", []) if f.get("points")),
                     key=lambda f: -f["points"])
    parts = [f"{f['name']} {f['points']}" for f in factors[:FACTORS_MAX]]
    if "dormant_s" in evidence:
        parts.append(f"silent for {evidence['dormant_s']} s")
    elif "idle_s" in evidence and "deadline" in evidence:
        parts.append(f"no move for {evidence['idle_s']} s")
    if data.get("away_ms") is not None:
        parts.append(f"back after {_span(data['away_ms'])}")
    if "after_ms" in data:
        parts.append(f"ordered {data['after_ms'] / 1000:.1f} s after it was left")
    return ", ".join(parts)


def _span(milliseconds: int) -> str:
    minutes = milliseconds // 60_000
    return f"{minutes} min" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def _first(data: Document) -> str:
    plain = [(k, v) for k, v in data.items() if isinstance(v, str | int | float) and v != ""]
    return "  ".join(f"{key} {value}" for key, value in plain[:UNKNOWN_MAX])
