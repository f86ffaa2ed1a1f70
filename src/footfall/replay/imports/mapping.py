"""From the values of a row to the item of a tracking call, by a mapping.

Decides the item's form: keys sorted, so that equal rows are equal items whatever order the mapping
has; an object nothing of which is there is left out. Compiled once a file, for its columns. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from footfall.events.field_names import shown
from footfall.replay.imports import mapping_columns, rows
from footfall.replay.imports.mapping_columns import Uneven
from footfall.replay.imports.mapping_row import INSTANTS, Column, Mapping
from footfall.replay.imports.rows import BadValue, FileFault
from footfall.replay.imports.values import converter, is_empty

Values = Sequence[Any]
Build = Callable[[Values], Any]
#: Stands for a field that is not there.
ABSENT: Final = object()
_NAMES_SHOWN_MAX: Final = 20


class Mapper:
    """Makes items of rows with these columns. `in_ms`: columns that are milliseconds already.
    Raises `FileFault` where the mapping names a column that is not there.
    """

    def __init__(self, mapping: Mapping, columns: Sequence[str], in_ms: Collection[str] = ()
                 ) -> None:
        _check(mapping, columns)
        self._index = {name: n for n, name in enumerate(columns)}
        self._in_ms = in_ms
        self._missing = mapping.missing
        call = dict(mapping.call)
        ids = call.pop("externalIds", None)
        if isinstance(ids, list):
            context = call.get("context", {})
            if not isinstance(context, dict):
                raise FileFault("mapping_wrong", "externalIds go into `context`, which is a column")
            call["context"] = {**context, "externalIds": [
                {**one, "collection": "users", "encoding": "none"} for one in ids]}
        self._build = self._object(call, "")
        self._build_all = self._whole(call, "")

    def items(self, columns: Sequence[Sequence[Any]], count: int) -> list[bytes | BadValue]:
        """The items of a batch, given as columns: of each row its item, or why there is none."""
        try:
            return list(map(rows.encode, self._build_all(columns, count)))
        except (Uneven, TypeError, ValueError, OverflowError, UnicodeError):
            return [self._tried(values) for values in zip(*columns, strict=True)]

    def _tried(self, values: Values) -> bytes | BadValue:
        try:
            return self.item(values)
        except BadValue as error:
            return error

    def _whole(self, node: object, path: str) -> mapping_columns.Build:
        """The same as `_node`, for `items`."""
        if isinstance(node, Column):
            is_ms, is_instant = node.column in self._in_ms, path in INSTANTS
            return mapping_columns.column(
                self._index[node.column], node, self._missing,
                converter(node, is_instant=is_instant, is_ms=is_ms),
                is_ms=is_ms and is_instant, is_time=is_instant)
        if isinstance(node, dict):
            below = f"{path}." if path else ""
            return mapping_columns.members([(name, self._whole(one, below + name))
                                            for name, one in sorted(node.items())])
        if isinstance(node, list):
            return mapping_columns.entries([self._whole(one, f"{path}[{n}]")
                                            for n, one in enumerate(node)])
        return mapping_columns.constant(node)

    def item(self, values: Values) -> bytes:
        """The item of one row; raises `BadValue`."""
        try:
            return rows.encode(self._build(values))
        except (TypeError, ValueError, OverflowError, UnicodeError):
            raise BadValue("value_unreadable", "item", "holds a value that JSON has no form for"
                           ) from None

    def _node(self, node: object, path: str) -> Build:
        if isinstance(node, Column):
            return self._column(node, path)
        if isinstance(node, dict):
            return self._object(node, path + ".")
        if isinstance(node, list):
            return self._list([self._node(one, f"{path}[{n}]") for n, one in enumerate(node)])
        return lambda _values: node

    def _object(self, members: dict[str, Any], path: str) -> Build:
        constant = {name: node for name, node in members.items()
                    if not isinstance(node, Column | dict | list)}
        found = [(name, self._node(node, path + name)) for name, node in members.items()
                 if name not in constant]
        is_kept = bool(constant) or not found
        # An identifier without its value identifies nobody.
        is_id = members.keys() == {"type", "id", "collection", "encoding"}

        def build(values: Values) -> Any:
            made = dict(constant)
            for name, node in found:
                value = node(values)
                if value is not ABSENT:
                    made[name] = value
            if not made or (is_id and "id" not in made):
                return {} if is_kept and not is_id else ABSENT
            return made

        return build

    def _list(self, members: list[Build]) -> Build:
        def build(values: Values) -> Any:
            made = [value for node in members if (value := node(values)) is not ABSENT]
            return made or ABSENT

        return build

    def _column(self, column: Column, path: str) -> Build:
        n, missing = self._index[column.column], self._missing
        convert = converter(column, is_instant=path in INSTANTS, is_ms=column.column in self._in_ms)
        instead = {"skip": ABSENT, "null": None}.get(column.empty)
        is_needed = column.empty == "reject"

        def build(values: Values) -> Any:
            value = values[n]
            if is_empty(value) or (value.__class__ is str and value in missing):
                if is_needed:
                    raise BadValue("value_missing", path, "is empty, which the mapping rejects")
                return instead
            try:
                return convert(value)
            except (ValueError, ArithmeticError) as error:
                raise BadValue("value_unreadable", path, _said(error)) from None

        return build


def columns_of(node: object) -> Iterator[str]:
    """The columns that a mapping reads."""
    if isinstance(node, Column):
        yield node.column
    elif isinstance(node, dict):
        for one in node.values():
            yield from columns_of(one)
    elif isinstance(node, list):
        for one in node:
            yield from columns_of(one)


def _check(mapping: Mapping, columns: Sequence[str]) -> None:
    absent = sorted(set(columns_of(mapping.call)) - set(columns))
    if absent:
        # Names of a file without a header are its first row: they are hidden as values are.
        there = ", ".join(map(shown, columns[:_NAMES_SHOWN_MAX]))
        raise FileFault("columns_wrong", f"the mapping names the column {absent[0]!r}, which the "
                        f"file has not; it has: {there}")
    if len(set(columns)) < len(columns):
        raise FileFault("columns_wrong", "two columns have one name")


def _said(error: Exception) -> str:
    """Our own words; those of others may hold the value."""
    return str(error) if isinstance(error, ValueError) and str(error).startswith(
        ("is ", "holds ")) else "cannot be read"
