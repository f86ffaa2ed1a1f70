"""What a key that is for some triggers alone sees of a customer and of rules. Pure.

For such a key there are no other triggers: a rule tells one under its own name, so of rules only
those are shown that it is for, and one that it is not for is answered as one that there is not.
What a table holds (a cart that was left, a level, a segment) is the customer's state and shown as
the role may see it: decided here and in docs/subscriptions.md. Must never change what it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from footfall.view.document import Document
from footfall.view.roles import ApiKey
from footfall.view.why_not import RULE_UNKNOWN, RULES

UNKNOWN: Final = "there is no such rule for this key"
#: What is left of an answer for a rule that the key is not for.
_HEAD: Final = ("rule", "customer_key", "owner", "as_of", "clock", "behind_records",
                "config_version")


def customer(shown: Document, reader: ApiKey) -> Document:
    """A customer's document with the rules alone that the key is for."""
    if not reader.triggers:
        return shown
    seen = {**shown, "timers": {name: timer for name, timer in shown["timers"].items()
                                if name != RULES}}
    if RULES in shown["tables"]:
        seen["tables"] = {**shown["tables"], RULES: _rules(shown["tables"][RULES], reader)}
    return seen


def why_not(shown: Document, reader: ApiKey) -> Document:
    """Why a rule did not fire. Of one that there is not no others are named that are alike."""
    if not reader.triggers or (reader.may_read(shown["rule"])
                               and shown["reason"] != RULE_UNKNOWN):
        return shown
    return {**{name: shown[name] for name in _HEAD if name in shown},
            "reason": RULE_UNKNOWN, "text": UNKNOWN}


def _rules(view: Mapping[str, Any], reader: ApiKey) -> Mapping[str, Any]:
    """Of each part the rules that the key is for; a part of another form is left out."""
    return {part: [one for one in said if reader.may_read(one["rule"])]
            for part, said in view.items() if isinstance(said, list)}
