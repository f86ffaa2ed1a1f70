"""The worker as a Faust app: `faust -A footfall.stream.app agents` lists what runs.

Decides Faust's settings. What they switch off: its web server (it would show any customer's state
to anybody), its pickle codec, its one-by-one recovery, its leader topic. Must never be imported by
anything but the worker's command and users' own agents.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Sequence
from typing import Any

import faust
from faust.serializers import codecs as faust_codecs
from mode.services import Service

from footfall.errors import SettingsError
from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.settings import Settings, load
from footfall.stream.agents import attach
from footfall.stream.crash import die
from footfall.stream.credentials import credentials_of
from footfall.stream.engine import Engine
from footfall.stream.log_engine import LogEngine
from footfall.stream.metrics_serving import MetricsServing
from footfall.stream.records import plain
from footfall.stream.recovery import BulkTableManager
from footfall.stream.serving import Serving
from footfall.stream.transport import BatchConsumer, BatchTransport
from footfall.stream.views import Views
from footfall.tables import ALL
from footfall.tables.spec import AnyTable
from footfall.view.roles import ApiKeys
from footfall.view.store import Store

#: Members learn of a rebalance by their heartbeats, and whoever has learnt of it stands idle until
#: the last one has: so the interval is short, however long a session may be.
HEARTBEAT_S_MAX = 0.5
HEARTBEATS_A_SESSION = 4
#: For which a member that has joined waits for the others, in sessions.
SESSIONS_A_REBALANCE = 2
#: Faust's own; Faust refuses to start with a session that is longer than a request may take.
REQUEST_S_MIN = 90


class WorkerApp(faust.App):  # type: ignore[misc]
    """A Faust app that starts and stops an engine with itself."""

    engine: LogEngine[Any]
    serving: MetricsServing | None = None

    def _create_directories(self) -> None:
        """Faust's folders are for stores on disk: a worker keeps nothing there, and the current
        folder may be read-only.
        """

    async def on_start(self) -> None:
        """Connect the engine before anything is fetched."""
        if len(self.tables) > 1:
            own = sorted(set(self.tables) - {topics.TABLE})
            # Our recovery reads customer records; it would start any other table empty.
            die(SettingsError(f"Faust table {own[0]!r}: a worker keeps no tables but its own; put "
                              "yours into a Faust app of its own that reads footfall.triggers"))
        self.engine.consumer = self.consumer
        if self.serving is not None:
            try:
                await self.serving.start()
            except SettingsError as error:
                die(error)
        await self.engine.start()
        await super().on_start()

    async def on_stop(self) -> None:
        """Last checkpoint, last commit, and give the partitions up at once."""
        self.consumer._thread.plan_leave()
        if self.serving is not None:
            await self.serving.stop()
        await super().on_stop()
        await self.engine.stop()


def create(settings: Settings, tables: Sequence[AnyTable] = ALL, *, app_id: str = topics.APP_ID,
           log_topic: str = topics.INTERACTIONS, **fold_options: Any) -> WorkerApp:
    """The app of one worker; `app.engine` is what it does. Raises `SettingsError`.

    `app_id`, `log_topic` and `fold_options` (see `Fold`) are for benchmarks and tests, which fold
    other topics.
    """
    engine = Engine(
        settings, tables, fail=die, log_topic=log_topic,
        changelog_topic=f"{app_id}-{topics.TABLE}-changelog", **shared(settings), **fold_options)
    if settings.redis_url:
        views = engine.views = Views(engine, Store(settings.redis_url), settings.view_generation)
        engine.tasks.append(views.run)
    app = assemble(engine, app_id, topics.TABLE, "One record per customer: all its tables.")
    if settings.metrics_port:
        app.serving = Serving(engine, settings.metrics_host, settings.metrics_port,
                              ApiKeys(settings.api_key, settings.api_keys))
    return app


def shared(settings: Settings) -> dict[str, Any]:
    """What every engine is made with: codecs, and the keys of the installation's secrets. Raises
    `SettingsError` for what is not set.
    """
    if not settings.kafka_bootstrap_servers:
        raise SettingsError("FOOTFALL_KAFKA_BOOTSTRAP_SERVERS is not set, and no `footfall up` "
                            f"runs in {settings.data_dir}")
    if settings.customer_key_secret is None or settings.system_secret is None:
        raise SettingsError("FOOTFALL_CUSTOMER_KEY_SECRET and FOOTFALL_SYSTEM_SECRET must be set: "
                            "the same for every worker, and permanent")
    return {"codecs": _codecs(settings),
            "keys": CustomerKeys(settings.customer_key_secret.encode()),
            "reserved": Reserved(settings.system_secret.encode())}


def assemble(engine: LogEngine[Any], app_id: str, table_name: str, table_help: str) -> WorkerApp:
    """The Faust app of an engine, with its agents and its table."""
    settings = engine.settings
    for name in [name for name in faust_codecs.codecs if "pickle" in name]:
        del faust_codecs.codecs[name]
    Service.crash = _crash
    plain()
    app = WorkerApp(
        app_id,
        broker=[f"kafka://{server}" for server in settings.kafka_bootstrap_servers.split(",")],
        broker_credentials=credentials_of(settings.kafka_bootstrap_servers),
        TableManager=BulkTableManager,
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=settings.partitions,
        web_enabled=False,
        table_standby_replicas=0,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=heartbeat_s(settings.session_timeout_s),
        broker_rebalance_timeout=SESSIONS_A_REBALANCE * settings.session_timeout_s,
        broker_request_timeout=request_s_max(settings.session_timeout_s),
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.batch_records_max * settings.partitions,
        consumer_group_instance_id=settings.worker_id or None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 << 20,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        producer_acks=-1,
    )
    app.transport = BatchTransport(app.conf.broker, app)
    app.transport.Consumer = type("WorkerConsumer", (BatchConsumer,), {"engine": engine})
    app.engine = engine
    table = app.Table(table_name, partitions=settings.partitions, key_type=bytes,
                      value_type=bytes, help=table_help)
    attach(app, engine)

    @app.on_rebalance_complete.connect  # type: ignore[untyped-decorator]
    async def _readable(*_args: Any, **_kwargs: Any) -> None:
        # `customers[key]` reads the folds' own stores: no second copy of the state.
        table.data.data = ChainMap(*[p.fold.store for p in engine.partitions.values()])

    return app


def heartbeat_s(session_timeout_s: float) -> float:
    """From one heartbeat to the next."""
    return min(HEARTBEAT_S_MAX, session_timeout_s / HEARTBEATS_A_SESSION)


def request_s_max(session_timeout_s: float) -> float:
    """How long a request may take: the longest is to join, which waits for all others."""
    return max(REQUEST_S_MIN, (SESSIONS_A_REBALANCE + 1) * session_timeout_s)


def _codecs(settings: Settings) -> Codecs:
    if not settings.schema_registry_url:
        return Codecs()
    from footfall.events.registry import codecs_for

    return codecs_for(settings.schema_registry_url)


async def _crash(_service: Service, reason: BaseException) -> None:
    """In place of mode's slow shutdown: a service that failed ends the process (law 1)."""
    die(reason)


def __getattr__(name: str) -> faust.App:
    """`app`, made on first use, so that `faust -A footfall.stream.app` finds it."""
    if name != "app":
        raise AttributeError(name)
    from footfall.running import resolve

    globals()["app"] = create(resolve(load(os.environ)))
    return globals()["app"]
