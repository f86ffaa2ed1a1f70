"""What the commands of `footfall deliveries` share: filters, progress, bounds, and how it is shown.

Decides the options by which deliveries are chosen, and that of each as many may be given as one
likes. Times are read against the clock of this machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
import msgspec

from footfall import options
from footfall.admin.arguments import CUSTOMER_KEY, IDENTIFIER, INSTANT
from footfall.delivery.deliveries_filter import STATUSES, Filter
from footfall.delivery.deliveries_log import RECORDS_MAX, Bounds, DeliveriesLog
from footfall.errors import SettingsError
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.registry import codecs_for
from footfall.settings import Settings
from footfall.view.identifiers import key_of

F = TypeVar("F", bound=Callable[..., Any])


class Asked(NamedTuple):
    """What is asked, as the options have it."""

    destination: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    trigger: tuple[str, ...] = ()
    customer: tuple[str, str] | None = None
    customer_key: str = ""
    reason: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    since: int = 0
    until: int = 0
    records_max: int = RECORDS_MAX

    def filter(self, settings: Settings, **changed: Any) -> Filter:
        """The same as a filter; raises `SettingsError` where a customer cannot be found."""
        said = {"destinations": self.destination, "statuses": self.status,
                "triggers": self.trigger, "reasons": self.reason, "runs": self.run,
                "since": self.since, "until": self.until, "customer_key": self.customer_key}
        if self.customer is not None:
            if settings.customer_key_secret is None:
                raise SettingsError("FOOTFALL_CUSTOMER_KEY_SECRET is not set, and no `footfall up` "
                                    f"runs in {settings.data_dir}: without it no customer can be "
                                    "found; --customer-key needs none")
            said["customer_key"] = key_of(
                *self.customer, CustomerKeys(settings.customer_key_secret.encode())).decode()
        return Filter(**{**said, **changed})


_FILTERS = (
    click.option("--destination", multiple=True, metavar="NAME", help="Only to this destination."),
    click.option("--trigger", multiple=True, metavar="NAME", help="Only triggers of this name."),
    click.option("--customer", type=IDENTIFIER, help="Only triggers of this customer."),
    click.option("--customer-key", type=CUSTOMER_KEY, default=None,
                 help="The same by the key that is shown: needs no secret."),
    click.option("--reason", multiple=True, metavar="REASON",
                 help="Only with this reason, or one that begins so: consent."),
    click.option("--run", multiple=True, metavar="RUN",
                 help="Only what this run of `footfall replay resend` has sent again."),
    click.option("--until", type=INSTANT, default=None,
                 help="Only what was recorded before."),
    click.option("--records-max", default=RECORDS_MAX, show_default=True,
                 type=click.IntRange(1), help="Read at most so many records, the newest."),
)


def filters(since: str | None, status: tuple[str, ...] = (),
            statuses: Sequence[str] = STATUSES) -> Callable[[F], F]:
    """Adds the filters; the command gets them one by one: `asked` puts them together."""
    def add(command: F) -> F:
        made = click.option("--status", multiple=True, type=click.Choice(statuses),
                            default=status or None, show_default=bool(status),
                            help="Only in this status.")
        command = made(command)
        made = click.option("--since", type=INSTANT, default=since, show_default=bool(since),
                            help="Only what was recorded since, so long ago or at this time.")
        command = made(command)
        for option in reversed(_FILTERS):
            command = option(command)
        return command
    return add


def asked(given: dict[str, Any]) -> Asked:
    """What the filters of a command were given; takes them out."""
    found = {name: given.pop(name) for name in Asked._fields if name in given}
    return Asked(**{name: value for name, value in found.items() if value is not None})


as_json = click.option("--json", "as_json", is_flag=True,
                       help="One JSON document, for programs.")


class Access(NamedTuple):
    """What a command works with."""

    settings: Settings
    bootstrap: str
    codecs: Codecs


def access(ctx: click.Context, data_dir: Path | None) -> Access:
    """Settings, brokers and codecs; raises `SettingsError` where there are none."""
    settings = options.resolved(ctx, data_dir)
    return Access(settings, options.bootstrap_of(settings),
                  codecs_for(settings.schema_registry_url))


@contextmanager
def reading(log: DeliveriesLog, bounds: Bounds, label: str = "reading the deliveries"
            ) -> Iterator[None]:
    """Shows on a terminal how far reading has come."""
    with click.progressbar(length=bounds.records, label=label, file=sys.stderr,
                           hidden=not sys.stderr.isatty()) as progress:
        log.progress = progress.update
        try:
            yield
        finally:
            log.progress = lambda _records: None


def read_of(bounds: Bounds, unreadable: int) -> dict[str, Any]:
    """What an answer was read from, for programs."""
    return {"records": bounds.records, "is_cut": bounds.is_cut, "unreadable": unreadable}


def warn(bounds: Bounds, unreadable: int) -> None:
    """What is not in an answer, on standard error."""
    if bounds.is_cut:
        click.echo(f"only the newest {bounds.records:,} records were read: --records-max reads "
                   "more, --since asks for less", err=True)
    if unreadable:
        click.echo(f"passed over, for they are no steps of deliveries: {unreadable:,}", err=True)


def print_json(shown: dict[str, Any]) -> None:
    """One document, in one line."""
    sys.stdout.buffer.write(msgspec.json.encode(shown) + b"\n")
    sys.stdout.flush()
