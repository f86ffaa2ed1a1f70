"""The HTTP side that every process over a log has: metrics for Prometheus, and health.

Runs on the loop of the engine, so an answer is made between two batches. Decides nothing: the
engine says how it is (`readiness.py`).
"""

from __future__ import annotations

from typing import Any

from footfall.health_serving import HealthServing
from footfall.stream.log_engine import LogEngine


class MetricsServing(HealthServing):
    """The HTTP server of one process."""

    def __init__(self, engine: LogEngine[Any], host: str, port: int) -> None:
        self._log_engine = engine
        super().__init__(host, port, engine.parts, engine.publish_all, engine.state)

    async def start(self) -> None:
        """Listen; raises `SettingsError` when the port cannot be had."""
        self._log_engine.begin_metrics()
        await super().start()
