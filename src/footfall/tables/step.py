"""A table under the configuration in force, taken apart for the path that every event takes.

Decides nothing: what a table and its configuration say is read once here instead of with each
event, and from a compiled class instead of a dataclass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from footfall.events.interaction import Interaction
from footfall.tables.row import RowCodec
from footfall.tables.spec import Announcement, says_nothing, wants_all
from footfall.tables.stored import Kept


class Step:
    """One table: its functions, its rows, its section of the configuration. `bound`: in the place
    of the section, what its events are taken under.
    """

    def __init__(self, rows: RowCodec, config: Any, bound: Any = None) -> None:
        table = rows.table
        self.table = table
        self.rows = rows
        self.config = config
        self.name = table.name
        wants, observe = (table.wants, table.observe) if table.bind is None else table.bind(
            config if bound is None else bound)
        #: None: every event.
        self.wants: Callable[[Interaction], bool] | None = None if wants is wants_all else wants
        self.observe: Callable[[Any, Interaction, int], Any] = observe
        self.announce: Callable[[Any, Any, int, Any, int | None], Announcement[Any]] = (
            table.announce)
        self.tells: bool = table.announce is not says_nothing
        self.limited: Callable[[Any], bool] | None = table.limited
        self.sees_all: bool = table.sees_all
        self.unreadable: Callable[[Interaction], tuple[str, ...]] | None = table.unreadable


#: What stepping one table would change: its row (None: it stays as it is), facts, announcement.
#: Nothing is changed until all tables have been stepped.
Staged = tuple[Step, Kept | None, Any, Announcement[Any]]
