"""Which segments a customer is in, as the row of table `segments` says.

Decides only how that row is read; whether a customer is in a segment is decided by the table.
"""

from __future__ import annotations

from footfall.errors import FootfallError
from footfall.tables.fold import Fold
from footfall.tables.rules_conditions import code_of

TABLE = "segments"


def memberships(fold: Fold, key: bytes) -> list[str]:
    """The names of the segments that a customer is in, sorted; raises `FootfallError` where the
    table is not among those that are folded.
    """
    if TABLE not in fold.config.sections:
        raise FootfallError("segments are asked for, and the table `segments` is not folded")
    row = fold.row(key, TABLE)
    if row is None:
        return []
    inside = {one.segment for one in row.told.memberships if one.holds}
    definitions = fold.config.sections[TABLE].definitions
    return sorted(said.name for said in definitions if code_of(said.name) in inside)
