"""`footfall view`: the served view in Redis.

Decides how rebuilding is asked for and shown. Must never show a customer.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import click
from aiokafka.errors import KafkaError

from footfall import options
from footfall.admin.scan import Scanner
from footfall.errors import BrokerError, FootfallError, SettingsError
from footfall.events import topics
from footfall.events.registry import codecs_for
from footfall.query.rebuild import Rebuild, Rebuilt, partitions_of
from footfall.query.reindex import reindex
from footfall.settings import PREFIX, Settings
from footfall.stream.generations import Generations
from footfall.view.store import FAILURES, Store, failure_of

ANSWER_S_MAX = 30.0


@click.group()
def view() -> None:
    """The served view: customers in Redis, for reading. docs/view.md."""


@view.command()
@options.data_dir
@click.pass_context
def rebuild(ctx: click.Context, data_dir: Path | None) -> None:
    """Make the served view anew from the changelog, while workers go on.

    Replaces what is older, leaves what is newer, and takes out whom the changelog does not have.
    The index of triggers is filled from their topic, as far back as it goes.

    \b
    Examples:
      footfall view rebuild
      FOOTFALL_VIEW_GENERATION=1 footfall view rebuild     after folding anew (docs/engine.md)
    """
    settings = options.resolved(ctx, data_dir)
    if not settings.redis_url:
        raise SettingsError(f"{PREFIX}REDIS_URL is not set, and no `footfall up` with a Redis runs "
                            f"in {settings.data_dir}: there is no view to rebuild")
    store = Store(settings.redis_url, ANSWER_S_MAX)
    began = time.monotonic()
    done, triggers = _rebuild(settings, store, partitions_of(options.bootstrap_of(settings)))
    click.echo(f"{done.customers} customers, {done.put} written, the others were as new; "
               f"{done.removed} taken out; {triggers} triggers; {time.monotonic() - began:.1f} s")


def _rebuild(settings: Settings, store: Store, partitions: int) -> tuple[Rebuilt, int]:
    bootstrap = settings.kafka_bootstrap_servers
    codec = codecs_for(settings.schema_registry_url).trigger

    async def run() -> tuple[Rebuilt, int]:
        try:
            with click.progressbar(length=await Generations(bootstrap).records(partitions),
                                   label="reading the changelog", file=sys.stderr,
                                   hidden=not sys.stderr.isatty()) as progress:
                done = await Rebuild(bootstrap, store, settings.view_generation,
                                     progress.update).run(partitions)
            with Scanner(bootstrap) as scanner:
                return done, await reindex(scanner, store, codec, time.time_ns() // 1_000_000)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except KafkaError as error:
        raise BrokerError(f"{topics.CHANGELOG} cannot be read from {bootstrap}: "
                          f"{type(error).__name__}; `footfall doctor` says what is wrong") from None
    except FAILURES as error:
        raise FootfallError(f"the Redis of {PREFIX}REDIS_URL cannot be written "
                            f"({failure_of(error)}, {type(error).__name__}); the view is made in "
                            "part: run this again") from None
