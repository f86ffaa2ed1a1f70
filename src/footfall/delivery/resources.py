"""What channels may use, by the settings: the same for delivery and for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from footfall.delivery.message import Resources
from footfall.settings import Settings


def resources_of(settings: Settings, folder: Path, environment: Mapping[str, str]) -> Resources:
    """`folder`: of the routes. `environment`: the variables that they may name."""
    allow = tuple(filter(None, (part.strip() for part in settings.delivery_allow.split(","))))
    return Resources(
        folder, environment, allow, settings.kafka_bootstrap_servers, settings.redis_url,
        settings.http_public_url,
        customer_key_secret=(settings.customer_key_secret or "").encode())
