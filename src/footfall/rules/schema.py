"""The JSON Schema of a rules file, for editors: completion, and what is wrong while one types.

Decides its name and its title. What fields there are, and what may stand together, is said by
`footfall rules check`.
"""

from __future__ import annotations

from typing import Any, Final

from footfall.admin.file_schema import schema_of, text_of
from footfall.rules.keys import KEYS, RulesFile

#: Beside it lie the recipes (recipes.py).
NAME: Final = "rules.schema.json"
_TITLE: Final = "Footfall: rules, segments and computed traits"


def schema() -> dict[str, Any]:
    """The schema of the whole file."""
    return schema_of(RulesFile, KEYS, _TITLE, _named)


def text() -> str:
    """The schema as it is published."""
    return text_of(schema())


def _named(part: str) -> str:
    """A name that may stand in a reference: of two conditions the one on events has another."""
    module, _, name = part.rpartition(".")
    return f"Event{name}" if module.endswith("computed_row") else name
