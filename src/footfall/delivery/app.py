"""Delivery as a Faust app: agents over footfall.triggers and footfall.deliveries.

Decides what a process of delivery is put together from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from footfall import expiry
from footfall.delivery import routes, routes_checks
from footfall.delivery.decide import needs_person
from footfall.delivery.engine import DeliveryEngine
from footfall.delivery.resources import resources_of
from footfall.delivery.routes_row import KafkaDestination
from footfall.errors import ConfigError, SettingsError
from footfall.events import topics
from footfall.settings import Settings
from footfall.stream.app import WorkerApp, assemble, shared
from footfall.stream.crash import die
from footfall.stream.metrics_serving import MetricsServing
from footfall.tables import ALL
from footfall.view.served import Served
from footfall.view.store import Store


def create(settings: Settings, environment: Mapping[str, str] = os.environ) -> WorkerApp:
    """The app of one delivery process. `environment` holds the secrets that routes name. Raises
    `SettingsError`.
    """
    if not settings.routes:
        raise SettingsError("FOOTFALL_ROUTES is not set: name the file that says which triggers go "
                            "where (docs/delivery.md)")
    try:
        read = routes.read(Path(settings.routes))
    except ConfigError as error:
        raise SettingsError(str(error)) from None
    parts = shared(settings)
    _watch_expiry(settings, read)
    served = None
    if settings.redis_url:
        served = Served(Store(settings.redis_url), ALL, settings.partitions)
    _check_view(read, served)
    engine = DeliveryEngine(settings, read, resources_of(settings, read.folder, environment),
                            served=served, fail=die, **parts)
    app = assemble(engine, topics.DELIVERY_APP_ID, topics.DELIVERY_TABLE,
                   "Deliveries of each customer to each destination.")
    if settings.metrics_port:
        app.serving = MetricsServing(engine, settings.metrics_host, settings.metrics_port)
    return app


def _watch_expiry(settings: Settings, read: routes.Routes) -> None:
    """The certificates and keys of destinations, too. Their secrets are nobody's business here."""
    certificates = [
        certificate for name, one in read.destinations.items()
        if isinstance(one, KafkaDestination) and one.security is not None
        for certificate in expiry.certificates_of(
            one.security.of("", read.folder, dict.fromkeys(one.security.variables(), "set")), name)]
    variables = {variable for one in read.destinations.values()
                 for _keys, variable in routes_checks.variables_of(one)}
    expiry.watch(settings, certificates, variables)


def _check_view(read: routes.Routes, served: Served | None) -> None:
    """Whoever must be asked about customers must have somebody to ask."""
    for name, destination in read.destinations.items():
        if served is None and needs_person(destination):
            raise SettingsError(
                f"destination {name} needs to know customers (its purpose, caps or quiet hours), "
                "and FOOTFALL_REDIS_URL is not set: set it to where workers serve the view")
