"""`footfall collector`: runs the HTTP collector until it is told to stop.

Decides how it ends: on SIGTERM or SIGINT it is no longer ready but still answers everybody for
`shutdown_delay_s`, asking each to close; then it takes no new connections, answers what is in
flight, waits for the log and ends with 0. When the producer fails for good it ends with 1 at once,
and whoever started it starts it again. Both within 10 s, unless a longer delay is set.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from pathlib import Path

import click
import uvloop

from footfall import expiry, logs, tables
from footfall.collector import limits, plan_folder
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.customers import Customers
from footfall.collector.lookup import Owners
from footfall.collector.serving import LAST_WORD_S_MAX, Runner
from footfall.collector.sink import ANSWER_S_MAX, KafkaSink
from footfall.collector.spooled import ClosingSink, SpooledSink
from footfall.collector.tickets import Tickets
from footfall.errors import FootfallError, SettingsError
from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.registry import codecs_for
from footfall.rights import admit
from footfall.running import resolve
from footfall.settings import PREFIX, Settings
from footfall.subscriptions.hub import Hub
from footfall.subscriptions.hub import Options as HubOptions
from footfall.subscriptions.reading import KafkaReader
from footfall.view.roles import ApiKeys
from footfall.view.served import ANSWER_S_MAX as VIEW_ANSWER_S_MAX
from footfall.view.served import Served
from footfall.view.store import Store
from footfall.view.why_classes import ExplanationMask

#: For requests in flight; a little more than an answer may take. With the flush below 10 s in all.
DRAIN_S_MAX = ANSWER_S_MAX + 0.5
FLUSH_S_MAX = 0.5
#: Containers that came and did not go before Python looks for cycles among them, and how many such
#: looks are one at the next older ones. By default (700, 10, 10) looking took a tenth of the time;
#: a request leaves no cycle, whatever becomes of it (tests/collector/test_garbage.py).
GARBAGE_THRESHOLDS = (10_000, 20, 20)
log = logging.getLogger(__name__)
REQUIRED = ("kafka_bootstrap_servers", "customer_key_secret", "write_keys")


@click.command()
@click.pass_context
def collector(ctx: click.Context) -> None:
    """Take tracking calls over HTTP and write them to the log.

    Listens on http_host and http_port (127.0.0.1:8080). docs/collector.md has routes and limits.
    """
    settings = required(resolve(ctx.obj()))
    logs.configure("collector", settings)
    expiry.watch(settings)
    admit(settings.kafka_bootstrap_servers, "collector")
    # A tenth of a request less than on asyncio's own loop (docs/performance.md).
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, lambda url: log.info("listening", extra={"url": url})))


def required(settings: Settings) -> Settings:
    """The settings, if none is missing that the collector needs."""
    for name in REQUIRED:
        if name == "write_keys" and settings.sources:
            continue  # each has its own
        if not getattr(settings, name):
            raise SettingsError(f"{PREFIX}{name.upper()} is not set; the collector needs it, or a "
                                f"running `footfall up` in {settings.data_dir}")
    return settings


async def serve(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until a signal; raises `BrokerError` when the producer fails for good."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop(error: FootfallError | None = None) -> None:
        if stopped.done():
            return
        if error is None:
            stopped.set_result(None)
        else:
            stopped.set_exception(error)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    write_keys = WriteKeys(settings.write_keys, settings.sources)
    plan = plan_folder.read(Path(settings.plan_dir)) if settings.plan_dir else None
    codecs = await asyncio.to_thread(codecs_for, settings.schema_registry_url)
    sink: ClosingSink = KafkaSink(settings.kafka_bootstrap_servers,
                                  lambda error: loop.call_soon_threadsafe(stop, error))
    if settings.spool_path:
        sink = SpooledSink(sink, Path(settings.spool_path), settings.spool_bytes_max, stop)
    secret = (settings.customer_key_secret or "").encode()
    keys, api_keys = CustomerKeys(secret), ApiKeys(settings.api_key, settings.api_keys)
    customers = Customers(
        keys, api_keys, tables.ALL,
        served=_served(settings), owners=Owners(settings.worker_urls, settings.api_key))
    made = Collector(sink, keys, write_keys, codecs, limits=limits.of(settings),
                     public_url=settings.http_public_url, proxies=settings.http_proxies,
                     plan=plan, customers=customers, hub=_hub(settings, codecs),
                     tickets=Tickets(secret, api_keys))
    runner = Runner(made.application(), shutdown_timeout=DRAIN_S_MAX - LAST_WORD_S_MAX)
    await runner.setup()
    try:
        port = await runner.listen(settings.http_host, settings.http_port)
    except OSError as error:
        await runner.cleanup()
        await sink.close(0)
        raise FootfallError(f"cannot listen on {settings.http_host}:{settings.http_port} "
                            f"({error.strerror}); set {PREFIX}HTTP_PORT to a free port") from None
    _collect_rarely()
    listening(f"http://{settings.http_host}:{port}")
    await stopped
    made.drain()
    await asyncio.sleep(settings.shutdown_delay_s)
    await runner.leave()
    await runner.cleanup()
    await sink.close(FLUSH_S_MAX)


def _hub(settings: Settings, codecs: Codecs) -> Hub:
    return Hub(lambda: KafkaReader(settings.kafka_bootstrap_servers, topics.TRIGGERS),
               codecs.trigger, ExplanationMask(tables.ALL),
               HubOptions(settings.subscribers_max, settings.subscribers_of_key_max))


def _served(settings: Settings) -> Served | None:
    if not settings.redis_url:
        return None
    store = Store(settings.redis_url, VIEW_ANSWER_S_MAX)
    return Served(store, tables.ALL, settings.partitions)


def _collect_rarely() -> None:
    """What is there now stays: it is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
