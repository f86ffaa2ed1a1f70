"""What tests of doctor share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.workers import Workers


@pytest.fixture
def workers_of_doctor(footfall_topics: str, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(footfall_topics, tmp_path)
    yield made
    made.end()
