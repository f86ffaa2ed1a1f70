"""An expression in CEL over interactions, or over triggers: the names are those of rules.

Decides that an expression asks only of the record itself (`event...`, `trigger...`): what a
customer was then is nowhere to be read. Compiled once; what is refused names its column. What fails
on a record (a member that it does not have) does not hold. Pure.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from footfall.errors import MisfitError
from footfall.events.codec import TriggerRecord
from footfall.events.interaction import Interaction
from footfall.tables.computed_filter import Paths
from footfall.tables.record import CustomerRecord
from footfall.tables.rules_conditions import Compiler
from footfall.tables.rules_fields import EVENT, TRIGGER, Catalogue, Seen
from footfall.tables.rules_row import CEL_CHARS_MAX, Condition
from footfall.tables.spec import Trigger

_NOBODY: Final = CustomerRecord()
_object = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class Expression:
    """One expression; `subject`: EVENT or TRIGGER. Raises `MisfitError` with what is wrong."""

    def __init__(self, text: str, subject: str) -> None:
        if not 0 < len(text) <= CEL_CHARS_MAX:
            raise MisfitError(f"has 1 to {CEL_CHARS_MAX} characters, this one has {len(text)}")
        self.text = text
        self.subject = subject
        said = Compiler(Catalogue((), {}), ()).compiled(Condition(cel=text), subject)
        self._holds = said.holds
        self._paths = Paths(said.paths)

    def of_event(self, event: Interaction) -> bool:
        """Whether it holds of an interaction."""
        seen = Seen({}, _NOBODY, (), event, event["event_time"])
        seen.paths = self._paths
        return self._holds(seen)

    def of_trigger(self, record: TriggerRecord) -> bool:
        """Whether it holds of a trigger."""
        seen = Seen({}, _NOBODY, (), None, record["emitted_at"])
        seen.trigger = Trigger(record["name"], (), record["occurred_at"],
                               _content(record["data"]), _content(record["evidence"]))
        return self._holds(seen)


def _content(raw: bytes) -> dict[str, Any]:
    """A JSON object; what is none has no members."""
    try:
        return _object.decode(raw)
    except (msgspec.DecodeError, ArithmeticError, UnicodeDecodeError, RecursionError):
        return {}


__all__ = ["EVENT", "TRIGGER", "Expression"]
