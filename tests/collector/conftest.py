"""What tests of the HTTP side ask for: a collector in one process, and what it sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from tests.collector.edge import MemorySink, serving


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
async def client(sink: MemorySink) -> AsyncIterator[TestClient[Any, Any]]:
    async with serving(sink) as made:
        yield made
