"""The registry: each kind of destination has a channel, whose module is imported only for it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import get_args

from footfall.delivery.channels import MODULES
from footfall.delivery.routes_row import AnyDestination

PROGRAM = """
import asyncio, pathlib, sys
from footfall.delivery.channels import open_channel
from footfall.delivery.message import Resources
from footfall.delivery.routes_row import RedisDestination

async def main():
    channel = await open_channel("events", RedisDestination(purpose="necessary", stream="s"),
                                 Resources(pathlib.Path(), {}, redis_url="redis://127.0.0.1:1"))
    await channel.close()
    print(sorted({"redis", "apprise", "confluent_kafka", "aiohttp"} & sys.modules.keys()))

asyncio.run(main())
"""


def test_every_kind_of_destination_has_a_channel() -> None:
    """And no channel is without one."""
    assert set(get_args(AnyDestination)) == MODULES.keys()


def test_a_channel_brings_its_own_client_alone() -> None:
    """A delivery to Redis needs no Apprise."""
    found = subprocess.run([sys.executable, "-c", PROGRAM], env=dict(os.environ), timeout=60,
                           capture_output=True, text=True, check=True)
    assert "['redis']" == found.stdout.strip()
