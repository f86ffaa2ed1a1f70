"""Why a trigger fired: its recorded evidence, taken apart for people and programs. Pure.

Decides the form, the same for triggers of tables and of rules: what it acted on, each condition
with threshold and value, what else was asked, and the rest of the evidence as it was recorded. All
of it was written when the trigger fired; nothing is worked out anew. Must never raise for anything
that a trigger may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from footfall.errors import DecodeError
from footfall.events.codec import TriggerRecord
from footfall.tables.rules_row import Condition
from footfall.view.rule_text import of_condition
from footfall.view.trigger import Document, moment, trigger

TRIGGER_ID_CHARS: Final = 32
#: A beginning of one that is long enough to mean no other.
TRIGGER_ID_CHARS_LEAST: Final = 8
#: How many of a rule go with an answer to why it did not fire.
FIRED_MAX: Final = 5
_HEX = frozenset("0123456789abcdef")
#: Of a rule's evidence, what is shown in a place of its own.
_OF_RULES: Final = ("rule", "version", "on", "conditions")
_free = msgspec.json.Decoder(dict[str, Any])


def is_trigger_id(text: str, chars_least: int = TRIGGER_ID_CHARS) -> bool:
    """Whether this is an id of a trigger, or so much of its beginning."""
    return chars_least <= len(text) <= TRIGGER_ID_CHARS and _HEX.issuperset(text)


def why(record: TriggerRecord) -> Document:
    """A trigger, explained; raises `DecodeError` for what is none."""
    shown = trigger(record)
    data, evidence = (_opened(shown.pop(name), name) for name in ("data", "evidence"))
    on = evidence.get("on")
    rule = evidence.get("rule")
    is_of_rule = isinstance(rule, str) and isinstance(on, dict)
    found: list[Any] = []
    if is_of_rule:
        found += _list(evidence.get("conditions"))
        if isinstance(on, dict):
            found += _list(on.get("conditions"))
            on = {name: value for name, value in on.items() if name != "conditions"}
    return {
        **shown,
        "rule": {"name": rule, "version": evidence.get("version")} if is_of_rule else None,
        "on": on if is_of_rule else None,
        "conditions": [_condition(one) for one in found if isinstance(one, Mapping)],
        "caused_by": _caused_by(evidence, on if is_of_rule else None),
        "data": data,
        "evidence": {name: value for name, value in evidence.items()
                     if not (is_of_rule and name in _OF_RULES)},
    }


def fired_of(records: Iterable[bytes], name: str, decode: Callable[[bytes], TriggerRecord]
             ) -> list[Document]:
    """The newest triggers of one name among records of a customer's, the newest first."""
    found: list[Document] = []
    for record in records:
        try:
            said = decode(record)
            if said["name"] == name:
                found.append({"trigger_id": said["trigger_id"],
                              "emitted_at": moment(said["emitted_at"]),
                              "held_out": said["held_out"]})
        except DecodeError:
            continue
        if len(found) == FIRED_MAX:
            break
    return found


def _opened(raw: msgspec.Raw, name: str) -> dict[str, Any]:
    try:
        return _free.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        raise DecodeError(f"{name}_invalid", f"{name} cannot be read") from None


def _condition(said: Mapping[str, Any]) -> Document:
    """One comparison: what was asked, what was found, and whether it held."""
    definition = said.get("condition")
    shown: Document = {"text": str(definition), "operator": None, "threshold": None}
    try:
        condition = msgspec.convert(definition, Condition)
    except (msgspec.ValidationError, ValueError):  # of another Footfall
        pass
    else:
        shown = {"text": of_condition(condition), "operator": condition.operator or None,
                 "threshold": msgspec.to_builtins(condition.operand),
                 **{name: getattr(condition, name) for name in ("field", "of", "segment", "cel")
                    if getattr(condition, name) is not None}}
    return {**shown, "value": said.get("value"), "holds": said.get("holds")}


def _caused_by(evidence: Mapping[str, Any], on: Mapping[str, Any] | None) -> Document:
    """The messageIds of the events, or the id of the trigger, that it came of."""
    ids = _list(evidence.get("message_ids")) or [evidence.get("message_id")]
    trigger_id = None
    if on is not None:
        ids = [on.get("message_id")]
        trigger_id = on.get("trigger_id")
        cause = on.get("cause")
        if isinstance(cause, str):  # what began a wait: an event, or a trigger
            if is_trigger_id(cause):
                trigger_id = trigger_id or cause
            else:
                ids.append(cause)
    return {"message_ids": [one for one in ids if isinstance(one, str) and one],
            "trigger_id": trigger_id if isinstance(trigger_id, str) else None}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
