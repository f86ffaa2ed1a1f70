"""The ways out: one module a channel, imported only where a destination is of its kind."""

from __future__ import annotations

import importlib

from footfall.delivery.message import Channel, Resources
from footfall.delivery.routes_row import (
    AnyDestination,
    Destination,
    EmailDestination,
    KafkaDestination,
    NotifyDestination,
    RedisDestination,
    WebhookDestination,
)

#: Each has `async def open_channel(name, destination, resources)`.
MODULES: dict[type[Destination], str] = {
    WebhookDestination: "webhook", EmailDestination: "email", KafkaDestination: "kafka",
    RedisDestination: "redis_stream", NotifyDestination: "notify"}


async def open_channel(name: str, destination: AnyDestination, resources: Resources) -> Channel:
    """The channel of a destination; raises `ConfigError` for what it names and is not there."""
    module = importlib.import_module(f"{__name__}.{MODULES[type(destination)]}")
    channel: Channel = await module.open_channel(name, destination, resources)
    return channel
