"""The agent over the log, and the worker's own tasks, attached to a Faust app.

Decides nothing: it hands batches to the engine. One agent for all tables: decode once, step each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import faust

from footfall.errors import StateRefused
from footfall.stream.clock import keep_time
from footfall.stream.engine import Engine
from footfall.stream.views import CHECKPOINT_S_MAX

#: In batches: each may hold thousands of records.
QUEUE_BATCHES_MAX = 16
LAST_WORDS_S = 5


def attach(app: faust.App, engine: Engine) -> None:
    """Add the agent `interactions` and the tasks of the engine to an app."""
    log = app.topic(engine.log_topic, key_serializer="raw", value_serializer="raw",
                    maxsize=QUEUE_BATCHES_MAX)

    @app.agent(log, name="interactions")  # type: ignore[untyped-decorator]
    async def interactions(stream: Any) -> AsyncIterator[None]:
        """Folds the log into customer records and emits triggers."""
        # noack().events(): the only way in which nothing but the engine acknowledges.
        async for event in stream.noack().events():
            try:
                await engine.process(event)
            except StateRefused as error:
                # What was rejected must be readable before the worker stops because of it.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(engine.outbox.barrier(), LAST_WORDS_S)
                engine.fail(error)
            except Exception as error:
                engine.fail(error)
        yield  # makes this an async generator, which Faust runs as one actor

    @app.task  # type: ignore[untyped-decorator]
    async def clock() -> None:
        await keep_time(engine)

    @app.task  # type: ignore[untyped-decorator]
    async def views() -> None:
        if engine.views is not None:
            await engine.views.run()

    @app.task  # type: ignore[untyped-decorator]
    async def checkpoints() -> None:
        wait_s = engine.settings.checkpoint_s
        if engine.views is not None:
            wait_s = min(wait_s, CHECKPOINT_S_MAX)
        while True:
            await asyncio.sleep(wait_s)
            await engine.checkpoint()
