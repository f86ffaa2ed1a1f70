"""`footfall collector`: what it needs, and how it ends."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from footfall.collector import command
from footfall.collector.command import required, serve
from footfall.errors import BrokerError, FootfallError, SettingsError
from footfall.settings import Settings
from footfall.up.ports import free_port
from tests.collector.edge import WAIT_S_MAX, until

FULL = {"kafka_bootstrap_servers": "127.0.0.1:1", "customer_key_secret": "0123456789abcdef",
        "write_keys": {"web": "k"}, "http_port": 0}


@pytest.mark.parametrize("name", ["kafka_bootstrap_servers", "customer_key_secret", "write_keys"])
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"FOOTFALL_{name.upper()} is not set"):
        required(Settings(**{k: v for k, v in FULL.items() if k != name}))


async def test_a_port_in_use_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(**{**FULL, "http_port": taken.getsockname()[1]})
        with pytest.raises(FootfallError, match="FOOTFALL_HTTP_PORT"):
            await serve(settings, lambda _url: None)


async def test_a_producer_that_failed_for_good_ends_it(monkeypatch: Any) -> None:
    """Crash-only: whoever started the collector starts it again."""
    made: list[Any] = []

    class Sink(command.KafkaSink):
        def __init__(self, servers: str, fatal: Any) -> None:
            super().__init__(servers, fatal)
            made.append(fatal)

    monkeypatch.setattr(command, "KafkaSink", Sink)
    settings = Settings(**{**FULL, "kafka_bootstrap_servers": f"127.0.0.1:{free_port()}"})
    urls: list[str] = []
    serving = asyncio.create_task(serve(settings, urls.append))
    await until(lambda: urls)
    made[0](BrokerError("the producer failed for good"))
    with pytest.raises(BrokerError, match="for good"):
        await asyncio.wait_for(serving, WAIT_S_MAX)
