"""Which triggers a subscriber has asked for. Pure.

    name=cart_abandoned,risk_level_changed    by name, any of them
    customer=user_id:u1                       of one customer
    data.level=high                           what the trigger carries, at a path

Decides by what the subscriber may see: a field that is masked for them equals nothing, else a
filter could be asked what it holds. Must never put a value that was sent into an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from footfall.view.trigger_fields import DEPTH_MAX, VALUE_CHARS_MAX, fits, path_of

NAME = "name"
CUSTOMER = "customer"
DATA = "data."
NAMES_MAX = 100
NAME_CHARS_MAX = 200
FIELDS_MAX = 20
FIELD_CHARS_MAX = 200


class FilterError(ValueError):
    """A filter that cannot be; the message names the limit."""


class Customer(NamedTuple):
    """One customer: the keys that are theirs, and the identifier they were asked for by."""

    keys: frozenset[str]
    kind: str
    value: str


class Filter(NamedTuple):
    """Empty parts mean: any."""

    names: frozenset[str] = frozenset()
    customer: Customer | None = None
    #: Path below `data` -> the texts that its value may have.
    fields: Mapping[tuple[str, ...], frozenset[str]] = {}

    def takes(self, name: str, customer_key: str, ids: Mapping[str, Any]) -> bool:
        """Whether name and customer are asked for."""
        if self.names and name not in self.names:
            return False
        who = self.customer
        return who is None or customer_key in who.keys or ids.get(who.kind) == who.value

    def fits(self, data: Mapping[str, Any]) -> bool:
        """Whether all fields have what is asked for."""
        return fits(data, self.fields)


def parse(query: Iterable[tuple[str, str]]) -> Filter:
    """The filter of a query's parameters, without its customer; others are passed over. Raises
    `FilterError`.
    """
    names: set[str] = set()
    fields: dict[tuple[str, ...], set[str]] = {}
    for parameter, value in query:
        if parameter == NAME:
            names.update(name for name in value.split(",") if name)
        elif parameter.startswith(DATA):
            fields.setdefault(_path(parameter), set()).add(_text(value))
    if len(names) > NAMES_MAX or any(len(name) > NAME_CHARS_MAX for name in names):
        raise FilterError(f"name has more than {NAMES_MAX} names, or one of more than "
                          f"{NAME_CHARS_MAX} characters")
    if sum(map(len, fields.values())) > FIELDS_MAX:
        raise FilterError(f"there are more than {FIELDS_MAX} values for fields of data")
    return Filter(frozenset(names), None, {path: frozenset(of) for path, of in fields.items()})


def _path(parameter: str) -> tuple[str, ...]:
    path = path_of(parameter.removeprefix(DATA))
    if len(parameter) > FIELD_CHARS_MAX or path is None:
        raise FilterError(f"a field is data. and at most {DEPTH_MAX} names with a point between, "
                          f"{FIELD_CHARS_MAX} characters in all")
    return path


def _text(value: str) -> str:
    if len(value) > VALUE_CHARS_MAX:
        raise FilterError(f"a field's value has more than {VALUE_CHARS_MAX} characters")
    return value
