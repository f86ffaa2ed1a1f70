"""What was answered against what is in the log, with an fsynced ledger at the client (law 1).

Collectors killed with -9 under load, brokers stopped and killed: no acknowledged item is missing
from the log, no rejected one is in it, and the log has grown by what was accepted.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout

from footfall.admin.topics import ensure
from footfall.up.ports import free_port
from tests.collector.ledger import UNKNOWN, Ledger, check, send
from tests.collector.program import AUTH, running, until, until_status

pytestmark = pytest.mark.kafka

SENDERS = 4


@asynccontextmanager
async def load(url: str, ledger: Ledger) -> AsyncIterator[ClientSession]:
    """Senders that go on through whatever happens inside, and then finish what they began."""
    done = asyncio.Event()
    async with ClientSession(headers=AUTH, timeout=ClientTimeout(15)) as http:
        senders = [asyncio.create_task(send(http, url, ledger, n, done)) for n in range(SENDERS)]
        try:
            yield http
        finally:
            done.set()
            async with asyncio.timeout(120):
                await asyncio.gather(*senders)


async def metrics_of(http: ClientSession, url: str) -> dict[str, float]:
    """The counters of items, by name."""
    async with http.get(url + "/metrics") as answer:
        text = await answer.text()
    found: dict[str, float] = {}
    for name, value in re.findall(r"^footfall_(\w+)_total\{[^}]*\} (\S+)$", text, re.MULTILINE):
        found[name] = found.get(name, 0) + float(value)
    return found


async def test_the_log_grows_by_exactly_what_was_accepted(
    footfall_topics: str, tmp_path: Path
) -> None:
    """received = accepted + duplicate + rejected, in the answers and in the metrics."""
    ledger = Ledger(tmp_path / "ledger")
    with running(footfall_topics, tmp_path) as (_process, url):
        async with ClientSession() as http:
            await until_status(http, url + "/readyz", 200)
        async with load(url, ledger):
            await until(lambda: ledger.answered > 200)
        async with ClientSession() as http:
            counted = await metrics_of(http, url)
    seen = check(footfall_topics, ledger)
    assert 0 == seen.told[UNKNOWN]
    assert (seen.log, seen.rejected) == (seen.told["accepted"], seen.told["rejected"])
    assert min(seen.told[k] for k in ("accepted", "duplicate", "rejected")) > 100
    assert {"accepted": seen.told["accepted"], "repeated": seen.told["duplicate"],
            "rejected": seen.told["rejected"], "received": seen.told.total()} == {
        name: counted[name] for name in ("accepted", "repeated", "rejected", "received")}
    assert 0 == counted.get("unacknowledged", 0)


async def killed(bootstrap: str, folder: Path, kills: int) -> None:
    """Kill the collector again and again under load; each time another one takes its port."""
    ledger, port, dice = Ledger(folder / "ledger"), free_port(), random.Random(kills)
    url = f"http://127.0.0.1:{port}"
    async with ClientSession() as probe, load(url, ledger):
        for _ in range(kills):
            with running(bootstrap, folder, port):
                await until_status(probe, url + "/readyz", 200)
                enough = ledger.answered + 2 * SENDERS
                await until(lambda: ledger.answered > enough)  # noqa: B023
                await asyncio.sleep(dice.uniform(0.1, 0.8))
        stack = ExitStack()
        stack.enter_context(running(bootstrap, folder, port))
        await until_status(probe, url + "/readyz", 200)
    stack.close()
    seen = check(bootstrap, ledger)
    assert seen.told["accepted"] > 50 * kills
    assert seen.told[UNKNOWN] > 0, "no kill met a request"


async def test_a_collector_killed_five_times_loses_nothing_it_acknowledged(
    footfall_topics: str, tmp_path: Path
) -> None:
    await killed(footfall_topics, tmp_path, 5)


@pytest.mark.chaos
async def test_a_collector_killed_twenty_times_loses_nothing_it_acknowledged(
    footfall_topics: str, tmp_path: Path
) -> None:
    await killed(footfall_topics, tmp_path, 20)


async def faults(node: Any) -> None:
    """The broker stands still, then is killed, then stops in order; each time it comes back."""
    node.pause()
    await asyncio.sleep(3)
    node.resume()
    await asyncio.sleep(2)
    await asyncio.to_thread(node.kill9)
    await asyncio.sleep(1)
    await asyncio.to_thread(node.start)
    await asyncio.sleep(2)
    await asyncio.to_thread(node.restart)
    await asyncio.sleep(2)


async def test_a_broker_that_fails_costs_nothing_that_was_acknowledged(
    own_kafka: Callable[..., Any], tmp_path: Path
) -> None:
    """And the collector that lived through it heals itself."""
    node = own_kafka()
    ensure(node.bootstrap, 4, 1)
    ledger = Ledger(tmp_path / "ledger")
    with running(node.bootstrap, tmp_path) as (process, url):
        async with ClientSession() as probe, load(url, ledger):
            await until_status(probe, url + "/readyz", 200)
            await asyncio.sleep(0.5)
            await faults(node)
        async with ClientSession() as http:
            counted = await metrics_of(http, url)
        assert process.poll() is None
    seen = check(node.bootstrap, ledger)
    assert seen.told["accepted"] > 500
    assert counted["received"] == sum(
        counted.get(k, 0) for k in ("accepted", "repeated", "rejected", "unacknowledged"))
