"""Everything on one machine, put together: directory, keys, broker, topics, children.

Decides the effective settings of the children and writes `up.json` once all answers. What runs and
how it is kept running is the supervisor's.
"""

from __future__ import annotations

import asyncio
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from footfall import running
from footfall.admin import config, topics
from footfall.admin.state import reset_delivery, reset_state
from footfall.delivery import routes
from footfall.delivery.routes import Routes
from footfall.events.consent import NECESSARY
from footfall.events.registry import codecs_for
from footfall.running import WEBHOOK_SECRET, Running, reached_by
from footfall.settings import Settings
from footfall.up import brokers, children, kafka_jars
from footfall.up.brokers import Choice, Request, Wanted
from footfall.up.children import Say
from footfall.up.data_dir import DataDir, Keys
from footfall.up.ports import HOST, free_port, require_free
from footfall.up.supervisor import Plan, Supervisor
from footfall.up.webhook import with_webhook
from footfall.view.store import clear

SOURCE = "development"
READY_S_MAX = 60.0


class Asked(NamedTuple):
    """The options of `up`."""

    broker: Wanted = "auto"
    kafka_home: Path | None = None
    write_key: str = ""
    api_key: str = ""
    workers: int = 1
    #: Where all triggers are sent; "": where the configured routes say.
    webhook: str = ""


class Ports(NamedTuple):
    """Where workers serve customers and metrics, and delivery its metrics; 0: there is none."""

    workers: list[int]
    delivery: int = 0


class Machine(NamedTuple):
    """What runs, for those who show it or use it."""

    running: Running
    supervisor: Supervisor
    is_demo: bool


@contextmanager
def machine(
    settings: Settings, asked: Asked, environment: Mapping[str, str], say: Say
) -> Iterator[Machine]:
    """All of it started and answering; stopped in order on the way out."""
    data_dir = DataDir(Path(settings.data_dir))
    with data_dir.lock():
        require_free(settings.http_port, "HTTP", "--http-port")
        keys = data_dir.keys(settings, asked.write_key, asked.api_key)
        settings, found = _routed(settings, asked.webhook, data_dir)
        request = Request(asked.broker, settings, data_dir,
                          kafka_jars.cache_folder(environment), asked.kafka_home)
        broker = brokers.choose(request, say)
        ports = Ports([free_port() for _ in range(asked.workers)],
                      0 if found is None else free_port())
        effective = _effective(settings, data_dir, keys, broker, ports)
        if found is not None and not effective.redis_url:
            _say_unknown(found, say)
        plan = _plan(effective, ports, keys, broker, environment)
        supervisor = Supervisor(plan, say)
        say(f"Broker: {broker.name}.")
        try:
            supervisor.start()
            told = _running(effective, broker, keys, ports)
            _wait(supervisor, told.http_url, say)
            running.write(data_dir.path, told)
            yield Machine(told, supervisor, broker.is_demo)
        finally:
            running.remove(data_dir.path)
            say("Stopping ...")
            supervisor.stop()


def _routed(settings: Settings, webhook: str, data_dir: DataDir) -> tuple[Settings, Routes | None]:
    """The settings with the whole path of the routes, and what these say: a mistake in them is told
    before anything runs. None: nothing is delivered.
    """
    if webhook:
        settings = with_webhook(settings, webhook, data_dir)
    if not settings.routes:
        return settings, None
    path = Path(settings.routes).resolve()
    return msgspec.structs.replace(settings, routes=str(path)), routes.read(path)


def _say_unknown(found: Routes, say: Say) -> None:
    """Without a served view nobody's consent is known, and what needs it is not sent."""
    names = [name for name, one in found.destinations.items() if one.purpose != NECESSARY]
    if names:
        say(f"Nothing will be sent to {', '.join(names)}: that needs consent, which is known from "
            "the served view alone. Set FOOTFALL_REDIS_URL.")


def _effective(settings: Settings, data_dir: DataDir, keys: Keys, broker: Choice,
               ports: Ports) -> Settings:
    """The settings of the children: what was configured, and what `up` decided."""
    own = broker.node is not None
    return msgspec.structs.replace(
        settings,
        data_dir=str(data_dir.path),
        kafka_bootstrap_servers=broker.bootstrap,
        # Ours listens on this machine alone, without TLS.
        **(reached_by(Settings()) if own else {}),
        replication_factor=1 if own else settings.replication_factor,
        customer_key_secret=keys.customer_key_secret,
        system_secret=keys.system_secret,
        write_keys={**settings.write_keys, SOURCE: keys.write_key},
        api_key=keys.api_key,
        http_port=settings.http_port or free_port(),
        redis_url=settings.redis_url or broker.redis_url,
        metrics_host=HOST,
        worker_urls=",".join(f"http://{HOST}:{port}" for port in ports.workers),
    )


def _plan(settings: Settings, ports: Ports, keys: Keys, broker: Choice,
          environment: Mapping[str, str]) -> Plan:
    logs = Path(settings.data_dir) / "logs"
    made = []
    for number, port in enumerate(ports.workers, 1):
        # A name that stays makes a static member: its restart moves no partition.
        own = msgspec.structs.replace(
            settings, worker_id=f"up-{keys.installation}-{number}", metrics_port=port
        )
        made.append(children.worker(own, logs, environment, number))
    delivery = None
    if ports.delivery:
        own = msgspec.structs.replace(
            settings, worker_id=f"up-{keys.installation}-delivery", metrics_port=ports.delivery)
        delivery = children.delivery(own, logs, environment, {WEBHOOK_SECRET: keys.webhook_secret})
    return Plan(
        broker, children.collector(settings, logs, environment), made, delivery=delivery,
        prepare=lambda: _prepare(settings, own_redis=broker.redis_url),
        reset=lambda: reset_state(settings.kafka_bootstrap_servers, settings.partitions),
        reset_delivery=lambda: reset_delivery(
            settings.kafka_bootstrap_servers, settings.partitions),
    )


def _prepare(settings: Settings, own_redis: str) -> None:
    """Topics and configuration, as the children need to find them; and a view that is empty where
    the demo broker keeps it: it forgets log and view each for itself, so that what is left of the
    one may be newer than the other. The workers fill it at once.
    """
    if own_redis and own_redis == settings.redis_url:
        asyncio.run(clear(own_redis))
    bootstrap = settings.kafka_bootstrap_servers
    topics.ensure(bootstrap, settings.partitions, settings.replication_factor)
    document: dict[str, Any] = {}
    if settings.cart_idle_s is not None:
        document["cart"] = {"idle_s": settings.cart_idle_s}
    # Values that a user brought into force stay; `config.apply` would take them back.
    config.change(bootstrap, (settings.system_secret or "").encode(), document,
                  codecs_for(settings.schema_registry_url))


def _running(settings: Settings, broker: Choice, keys: Keys, ports: Ports) -> Running:
    data_dir = DataDir(Path(settings.data_dir))
    return Running(
        pid=os.getpid(),
        broker=broker.name,
        kafka_bootstrap_servers=str(broker.bootstrap),
        kafka=reached_by(settings),
        http_url=f"http://{settings.http_host}:{settings.http_port}",
        http_port=settings.http_port,
        write_keys=settings.write_keys,
        api_key=keys.api_key,
        customer_key_secret=keys.customer_key_secret,
        system_secret=keys.system_secret,
        worker_urls=settings.worker_urls,
        redis_url=settings.redis_url,
        routes=settings.routes,
        delivery_allow=settings.delivery_allow,
        delivery_url=f"http://{HOST}:{ports.delivery}" if ports.delivery else "",
        webhook_secret=keys.webhook_secret if settings.routes == str(data_dir.webhook) else "",
    )


def _wait(supervisor: Supervisor, http_url: str, say: Say) -> None:
    """Until the collector answers; its restarts and log lines are shown meanwhile."""
    deadline = time.monotonic() + READY_S_MAX
    while not _is_ready(http_url):
        if time.monotonic() > deadline:
            say(f"The collector does not answer at {http_url} yet; see its log.")
            return
        supervisor.run(seconds_max=0.1)


def _is_ready(http_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{http_url}/readyz", timeout=1) as answer:  # noqa: S310
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
