"""A worker under another customer-key secret must not touch the state (law 6)."""

from __future__ import annotations

import pytest

from tests.system.shop import Loader, Shop
from tests.system.topics import State
from tests.system.workers import REFUSED, Workers

pytestmark = pytest.mark.kafka


def test_another_customer_key_secret_is_refused(footfall_topics: str, workers: Workers) -> None:
    """Every customer would be a stranger, so the worker ends with 3 and says which setting."""
    state, loader = State(footfall_topics), Loader(footfall_topics)
    loader.load(Shop(3, customers=20).records(200))
    worker = workers.start()
    worker.until(state.covered, 60.0)
    assert 0 == worker.stop()
    before = state.offsets()

    stranger = workers.start(customer_key_secret="another secret, by mistake")

    assert REFUSED == stranger.wait()
    assert "FOOTFALL_CUSTOMER_KEY_SECRET" in stranger.output()
    assert before == state.offsets()
