"""Fixtures of the crash tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.shop import Loader
from tests.system.workers import Workers


@pytest.fixture(autouse=True)
def _no_load_goes_on() -> Iterator[None]:
    yield
    while Loader.loading:
        Loader.loading.pop().give_up()


@pytest.fixture
def workers_of(tmp_path: Path) -> Iterator[Callable[[str], Workers]]:
    """Workers on the broker of an address."""
    made: list[Workers] = []

    def make(bootstrap: str) -> Workers:
        made.append(Workers(bootstrap, tmp_path))
        return made[-1]

    yield make
    for workers in made:
        workers.end()


@pytest.fixture
def workers(footfall_topics: str, workers_of: Callable[[str], Workers]) -> Workers:
    """Workers on the shared broker, whose topics are new."""
    return workers_of(footfall_topics)
