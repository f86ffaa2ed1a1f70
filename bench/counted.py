"""Runs a worker's app until N events are durable, and prints one JSON line as the others do."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "comparators"))

from common import BOOT, PARTS, N, report
from confluent_kafka.admin import AdminClient, NewTopic

from footfall import logs
from footfall.events import topics
from footfall.stream.command import run


def make_topics(app_id: str) -> None:
    """The changelog of this run, and the topics that all runs share."""
    admin = AdminClient({"bootstrap.servers": BOOT})
    config = next(t.config for t in topics.ALL if t.name == topics.CHANGELOG)
    wanted = [NewTopic(f"{app_id}-{topics.TABLE}-changelog", PARTS, 1, config=config)]
    existing = admin.list_topics().topics
    wanted += [NewTopic(t, PARTS, 1) for t in (topics.TRIGGERS, topics.REJECTED)
               if t not in existing]
    for future in admin.create_topics(wanted).values():
        future.result()


def run_counted(app: Any, name: str) -> None:
    """Ends the process after the checkpoint that covers event N; never returns."""
    engine = app.engine
    started: list[float] = []
    done = 0
    apply: Callable[..., Any] = engine._apply
    ending: list[asyncio.Task[None]] = []

    async def end() -> None:
        await engine.checkpoint()
        report(name, done, *started)
        os._exit(0)

    async def counted(partition: Any, event: Any, records: Any) -> None:
        nonlocal done
        if not started:
            started.extend((time.time(), time.process_time()))
        await apply(partition, event, records)
        done += len(records)
        if done >= N and not ending:
            ending.append(asyncio.create_task(end()))

    # The agents hold `process` already; it looks this up with each batch.
    engine._apply = counted
    logs.configure("worker", engine.settings)
    run(app)
