"""How a selection of the past is asked for: the same options for all jobs.

Decides the options, and that customers are found by the installation's secret. What they mean is in
`selected.py`. Must never show an identifier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from footfall.admin.arguments import IDENTIFIER, INSTANT
from footfall.errors import MisfitError, SettingsError
from footfall.events.customer_key import CustomerKeys
from footfall.replay.expression import EVENT, TRIGGER, Expression
from footfall.replay.selected import Customers, Selection, SelectionError
from footfall.settings import Settings
from footfall.tables.computed_filter import TYPES, named
from footfall.view.identifiers import key_of
from footfall.view.trigger import moment

__all__ = ["Given", "Selection", "SelectionError", "options", "trigger_options"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Given:
    """What the options of a command were given; becomes a selection with the settings."""

    since: int = 0
    until: int = 0
    from_offset: tuple[tuple[int, int], ...] = ()
    to_offset: tuple[tuple[int, int], ...] = ()
    customer: tuple[tuple[str, str], ...] = ()
    source: tuple[str, ...] = ()
    type_: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    trigger: tuple[str, ...] = ()
    where: Expression | None = None

    def selection(self, settings: Settings) -> Selection:
        """Raises `SettingsError` where customers are asked for and there is no secret."""
        return Selection(
            since=self.since, until=self.until, from_offsets=dict(self.from_offset) or None,
            to_offsets=dict(self.to_offset) or None, customers=self._customers(settings),
            sources=frozenset(self.source), types=frozenset(self.type_),
            events=frozenset(map(named, self.event)), triggers=frozenset(self.trigger),
            where=self.where)

    def shown(self) -> dict[str, Any]:
        """For a plan: what is asked, customers as a number."""
        said: dict[str, Any] = {
            "since": moment(self.since) if self.since else "",
            "until": moment(self.until) if self.until else "",
            "from_offset": [f"{p}:{n}" for p, n in self.from_offset],
            "to_offset": [f"{p}:{n}" for p, n in self.to_offset],
            "customers": len(self.customer), "source": list(self.source),
            "type": list(self.type_), "event": list(self.event), "trigger": list(self.trigger),
            "where": "" if self.where is None else self.where.text}
        return {name: value for name, value in said.items() if value}

    def _customers(self, settings: Settings) -> Customers | None:
        if not self.customer:
            return None
        if settings.customer_key_secret is None:
            raise SettingsError("FOOTFALL_CUSTOMER_KEY_SECRET is not set, and no `footfall up` "
                                f"runs in {settings.data_dir}: without it no customer can be found")
        keys = CustomerKeys(settings.customer_key_secret.encode())
        return Customers(frozenset(key_of(*who, keys).decode() for who in self.customer),
                         frozenset(self.customer))


class Place(click.ParamType):
    """Where in a partition."""

    name = "PARTITION:OFFSET"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[int, int]:
        """Partition and offset; fails (exit code 2) for what is none."""
        partition, _, offset = value.partition(":")
        if not (partition.isascii() and partition.isdigit() and offset.isascii()
                and offset.isdigit()):
            self.fail("expected PARTITION:OFFSET, for example 3:1200", param, ctx)
        return int(partition), int(offset)


class Where(click.ParamType):
    """An expression in CEL."""

    name = "CEL"

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None
                ) -> Expression:
        """The expression; fails (exit code 2) with what is wrong, and at which column."""
        try:
            return Expression(value, self._subject)
        except MisfitError as error:
            self.fail(str(error), param, ctx)


_TIMES = (
    click.option("--until", type=INSTANT, default=0, help="Only before, as --since."),
    click.option("--since", type=INSTANT, default=0,
                 help="Only since so long ago or this time: 7d, 2026-01-31T12:00:00Z."),
)
_CUSTOMER = click.option("--customer", type=IDENTIFIER, multiple=True,
                         help="Only of this customer, or naming them.")
_EVENTS = (
    click.option("--where", type=Where(EVENT),
                 help="Only where this holds: 'event.properties.total > 100'."),
    click.option("--event", multiple=True, metavar="NAME", help="Only events of this name."),
    click.option("--type", "type_", multiple=True, type=click.Choice(tuple(TYPES.values())),
                 help="Only calls of this type."),
    click.option("--source", multiple=True, metavar="NAME", help="Only from this source."),
    _CUSTOMER,
    click.option("--to-offset", type=Place(), multiple=True,
                 help="Of this partition only what lies before."),
    click.option("--from-offset", type=Place(), multiple=True,
                 help="Of this partition only from here on."),
    *_TIMES,
)
#: Rows of files have no offset, and one source: the run's.
_ROWS = (*_EVENTS[:3], _CUSTOMER, *_TIMES)
_TRIGGERS = (
    click.option("--where", type=Where(TRIGGER),
                 help="Only where this holds: 'trigger.data.level == \"high\"'."),
    _CUSTOMER,
    click.option("--trigger", multiple=True, metavar="NAME", help="Only triggers of this name."),
    *_TIMES,
)


def options(command: F) -> F:
    """Adds the options that choose interactions; the command gets `selected: Given`."""
    return _added(command, _EVENTS)


def import_options(command: F) -> F:
    """Adds the options that choose rows of files; the command gets `selected: Given`."""
    return _added(command, _ROWS)


def trigger_options(command: F) -> F:
    """Adds the options that choose triggers; the command gets `selected: Given`."""
    return _added(command, _TRIGGERS)


def _added(command: F, added: Iterable[Callable[[Any], Any]]) -> F:
    made: Any = _gathered(command)
    for option in added:
        made = option(made)
    result: F = made
    return result


def _gathered(command: Callable[..., Any]) -> Callable[..., Any]:
    """What the options gave as one argument."""
    def gathering(*args: Any, **kwargs: Any) -> Any:
        found = {name: kwargs.pop(name) for name in Given.__slots__ if name in kwargs}
        given = Given(**{name: value for name, value in found.items() if value is not None})
        for name, places in (("--from-offset", given.from_offset),
                             ("--to-offset", given.to_offset)):
            if len(dict(places)) < len(places):
                raise click.BadParameter("is given twice for one partition", param_hint=name)
        return command(*args, selected=given, **kwargs)

    # Options that were added to the command before lie in its attributes.
    gathering.__dict__.update(command.__dict__)
    gathering.__name__, gathering.__doc__ = command.__name__, command.__doc__
    return gathering
