"""The agents over the topics of an engine, and its own tasks, attached to a Faust app.

Decides nothing: they hand batches to the engine. One agent for all tables: decode once, step each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import faust

from footfall.errors import StateRefused
from footfall.stream.clock import keep_time
from footfall.stream.log_engine import LogEngine

#: In batches: each may hold thousands of records.
QUEUE_BATCHES_MAX = 16
LAST_WORDS_S = 5


def attach(app: faust.App, engine: LogEngine[Any]) -> None:
    """Add an agent for each topic of the engine, named as the topic is, and its tasks to an app."""
    for topic, take in engine.inputs.items():
        channel = app.topic(topic, key_serializer="raw", value_serializer="raw",
                            maxsize=QUEUE_BATCHES_MAX)
        app.agent(channel, name=topic.rpartition(".")[2])(_taking(engine, take))
    for task in (lambda: keep_time(engine), lambda: _checkpoints(engine), *engine.tasks):
        app.task(task)


def _taking(engine: LogEngine[Any], take: Callable[[Any], Awaitable[None]]
            ) -> Callable[[Any], AsyncIterator[None]]:
    async def taking(stream: Any) -> AsyncIterator[None]:
        """Hands batches of one topic to the engine."""
        # noack().events(): the only way in which nothing but the engine acknowledges.
        async for event in stream.noack().events():
            try:
                await take(event)
            except StateRefused as error:
                # What was rejected must be readable before the worker stops because of it.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(engine.outbox.barrier(), LAST_WORDS_S)
                engine.fail(error)
            except Exception as error:
                engine.fail(error)
        yield  # makes this an async generator, which Faust runs as one actor

    return taking


async def _checkpoints(engine: LogEngine[Any]) -> None:
    while True:
        await asyncio.sleep(engine.checkpoint_s)
        await engine.checkpoint()
