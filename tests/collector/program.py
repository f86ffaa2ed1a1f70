"""`footfall collector` as a program, and what is in its topics."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from confluent_kafka import Consumer, TopicPartition

from footfall.up.ports import free_port
from tests.collector import edge

AUTH = {"Authorization": "Bearer wk_web"}
START_S_MAX = 60.0
until = partial(edge.until, seconds_max=START_S_MAX)


@contextmanager
def running(bootstrap: str, folder: Path, port: int = 0, **settings: Any
            ) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`footfall collector` on a port, or a free one."""
    port = port or free_port()
    environment = {
        **os.environ, "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "FOOTFALL_CUSTOMER_KEY_SECRET": "0123456789abcdef",
        "FOOTFALL_SYSTEM_SECRET": "0123456789abcdef",
        "FOOTFALL_WRITE_KEYS": "web:wk_web", "FOOTFALL_HTTP_PORT": str(port),
        **{f"FOOTFALL_{name.upper()}": str(value) for name, value in settings.items()},
    }
    with (folder / "collector.log").open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", "footfall", "collector"], cwd=folder,
                                   env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def status_of(http: ClientSession, url: str) -> int:
    try:
        async with http.get(url) as answer:
            return answer.status
    except OSError:
        return 0


async def until_status(http: ClientSession, url: str, status: int) -> None:
    async with asyncio.timeout(START_S_MAX):
        while await status_of(http, url) != status:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def post(http: ClientSession, url: str, content: Any) -> tuple[int, Any]:
    async with http.post(url, data=json.dumps(content)) as answer:
        return answer.status, await answer.json()


def read_all(bootstrap: str, topic: str) -> list[tuple[int, bytes, bytes]]:
    """(partition, key, value) of all that is in a topic now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test",
                         "enable.auto.commit": False, "enable.partition.eof": True})
    found, ended = [], 0
    parts = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in parts])
    while ended < len(parts):
        message = consumer.poll(30)
        assert message is not None, "the broker does not answer"
        if message.error() is not None:
            ended += 1
            continue
        found.append((message.partition(), message.key(), message.value()))
    consumer.close()
    return found
