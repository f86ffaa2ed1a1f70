"""`footfall deliveries enable` and `disable`: a destination is switched by a record a partition.

Decides what a name may be (where routes are configured, one that they have), and what is said
afterwards. Each partition decides for itself, so that each gets a record: must never call it done
before all have it.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from footfall import options
from footfall.admin.arguments import now_ms
from footfall.delivery import deliveries_options as shared
from footfall.delivery.deliveries_append import Appender
from footfall.delivery.deliveries_log import DeliveriesLog
from footfall.delivery.reasons import DISABLED, ENABLED, REASONS
from footfall.delivery.record import About
from footfall.delivery.routes import channel_of, medium_of, read
from footfall.delivery.routes_row import NAME_PATTERN
from footfall.delivery.row import health_key
from footfall.errors import ConfigError, FootfallError
from footfall.settings import Settings
from footfall.view.terminal import safe
from footfall.view.trigger import moment

BY_ADMINISTRATOR = "administrator"


class Name(click.ParamType):
    """Of a destination."""

    name = "DESTINATION"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; fails (exit code 2) for what cannot be one."""
        if re.fullmatch(NAME_PATTERN, value) is None:
            self.fail("a destination's name is 1 to 64 of a to z, 0 to 9, _ and -, and begins with "
                      "a letter", param, ctx)
        return value


@click.command()
@click.argument("destination", type=Name(), metavar="DESTINATION")
@shared.as_json
@options.data_dir
@click.pass_context
def enable(ctx: click.Context, *, destination: str, as_json: bool, data_dir: Path | None) -> None:
    """Enable a destination that was disabled: new triggers go there again.

    What died meanwhile is begun anew by `recover`. May be run again.

    \b
    Example:
      footfall deliveries enable crm
    """
    _switch(shared.access(ctx, data_dir), destination, ENABLED, as_json=as_json)


@click.command()
@click.argument("destination", type=Name(), metavar="DESTINATION")
@click.option("--reason", type=click.Choice(REASONS[DISABLED]), default=BY_ADMINISTRATOR,
              show_default=True, help="What is recorded.")
@shared.as_json
@options.data_dir
@click.pass_context
def disable(ctx: click.Context, *, destination: str, reason: str, as_json: bool,
            data_dir: Path | None) -> None:
    """Send nothing to a destination any more, until it is enabled.

    What it is to get dies meanwhile, with the reason destination_disabled: `recover` begins it
    anew. May be run again.

    \b
    Example:
      footfall deliveries disable crm
    """
    _switch(shared.access(ctx, data_dir), destination, DISABLED, reason, as_json=as_json)


def _switch(place: shared.Access, destination: str, status: str, reason: str = "", *,
            as_json: bool) -> None:
    now = now_ms()
    about = about_of(place.settings, destination)
    value = place.codecs.delivery.encode(about.of_itself(status, reason, now))
    with DeliveriesLog(place.bootstrap, place.codecs) as log:
        partitions = sorted(log.ends())
    appender = Appender(place.bootstrap)
    for partition in partitions:
        appender.add(partition, health_key(destination), value)
    appender.finish()
    if as_json:
        shared.print_json({"destination": destination, "status": status, "reason": reason,
                           "partitions": len(partitions), "at": moment(now)})
    else:
        click.echo(f"{destination} is {status}, on all {len(partitions)} partitions: delivery does "
                   "it when it comes there")


def about_of(settings: Settings, destination: str) -> About:
    """What its records say of a destination; raises `FootfallError` for one that the routes do not
    have. Without routes, or with broken ones, by its name alone: switching off is for emergencies.
    """
    if settings.routes:
        try:
            routes = read(Path(settings.routes))
        except ConfigError:
            pass
        else:
            found = routes.destinations.get(destination)
            if found is None:
                raise FootfallError(
                    f"{settings.routes} has no destination {safe(destination)}; it has "
                    f"{', '.join(sorted(routes.destinations))}")
            return About(destination, channel_of(found), medium_of(found), found.purpose,
                         routes.version)
    return About(destination, "", "", "", "")
