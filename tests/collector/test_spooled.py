"""The collector's spool: nothing answered 200 is lost while the broker is away, and order holds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from footfall import telemetry
from footfall.admin.topics import ensure
from footfall.collector import spooled
from footfall.collector.sink import Outgoing, Record, UnavailableError
from footfall.collector.spooled import SpooledSink
from footfall.errors import FootfallError
from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED
from footfall.health import Part
from tests.collector.edge import until
from tests.collector.test_kafka import AUTH, PARTITIONS, post, read_all, running, until_status

BYTES_MAX = 8 * 1024 * 1024


class SwitchedSink:
    """A log that can be away, hang, or take part of what it is sent and then fail."""

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.ready = True
        self.fails = False
        self.takes_and_fails = False
        self.gate = asyncio.Event()
        self.gate.set()

    def is_ready(self) -> bool:
        return self.ready

    def parts(self) -> dict[str, Part]:
        return {"log": Part(self.ready, "as switched", "log_unavailable")}

    async def send(self, outgoing: Outgoing) -> None:
        await self.gate.wait()
        values = [record["value"] for record in (*outgoing.interactions, *outgoing.rejected)]
        if self.takes_and_fails:
            self.log += values[:1]
        if self.fails or self.takes_and_fails:
            raise UnavailableError("as told")
        self.log += values

    async def close(self, seconds_max: float) -> None:
        pass


def outgoing(*values: bytes, rejected: bytes = b"") -> Outgoing:
    records: list[Record] = [{"key": b"k", "value": value} for value in values]
    return Outgoing(records, [{"key": b"source", "value": rejected}] if rejected else [])


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> SwitchedSink:
    monkeypatch.setattr(spooled, "LOOK_S", 0.01)
    return SwitchedSink()


def over(log: SwitchedSink, folder: Path, told: list[FootfallError] | None = None) -> SpooledSink:
    return SpooledSink(log, folder, BYTES_MAX, (told if told is not None else []).append)


def files(folder: Path) -> list[Path]:
    return list(folder.glob("*.spool"))


async def test_without_trouble_nothing_is_spooled(log: SwitchedSink, tmp_path: Path) -> None:
    sink = over(log, tmp_path)
    await sink.send(outgoing(b"1", rejected=b"2"))
    assert ([b"1", b"2"], []) == (log.log, files(tmp_path))
    await sink.close(0)


@pytest.mark.parametrize("trouble", ["ready", "fails", "takes_and_fails"])
async def test_while_it_is_away_requests_are_spooled_and_then_sent_in_order(
    log: SwitchedSink, tmp_path: Path, trouble: str
) -> None:
    """What came before the trouble first, what comes after it last; bad items too."""
    sink = over(log, tmp_path)
    await sink.send(outgoing(b"before"))
    setattr(log, trouble, trouble != "ready")
    for n in range(5):
        await sink.send(outgoing(b"a%d" % n, b"b%d" % n, rejected=b"r%d" % n))
    assert sink.is_ready()
    setattr(log, trouble, trouble == "ready")
    await sink.send(outgoing(b"newer"))
    await until(lambda: b"newer" in log.log)
    await until(lambda: not files(tmp_path))
    await sink.send(outgoing(b"last"))
    first = list(dict.fromkeys(log.log))
    ours = [value for value in first if value[:1] in b"abn"]
    assert [b"before", *[b"%c%d" % (c, n) for n in range(5) for c in b"ab"], b"newer"] == ours
    assert [b"r%d" % n for n in range(5)] == [value for value in first if value[:1] == b"r"]
    assert b"last" == log.log[-1]
    if trouble != "takes_and_fails":
        assert first == log.log
    await sink.close(0)


async def test_nobody_is_answered_before_the_fsync(
    log: SwitchedSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those who wait together share one."""
    log.ready = False
    sink = over(log, tmp_path)
    fdatasync, calls = os.fdatasync, []
    loop, gate = asyncio.get_running_loop(), asyncio.Event()

    def slow(file: int) -> None:
        calls.append(file)
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        fdatasync(file)

    monkeypatch.setattr(os, "fdatasync", slow)
    sending = [asyncio.create_task(sink.send(outgoing(b"%d" % n))) for n in range(50)]
    await asyncio.sleep(0.1)
    assert not any(task.done() for task in sending)
    gate.set()
    await asyncio.gather(*sending)
    assert len(calls) <= 2
    await sink.close(0)


async def test_what_is_spooled_survives_the_process(log: SwitchedSink, tmp_path: Path) -> None:
    """A new one sends it before anything new."""
    log.ready = False
    sink = over(log, tmp_path)
    await sink.send(outgoing(b"1", b"2"))
    await sink.close(0)
    sink = over(log, tmp_path)
    await sink.send(outgoing(b"3"))
    log.ready = True
    await until(lambda: len(log.log) == 3)
    assert [b"1", b"2", b"3"] == log.log
    await sink.close(0)


async def test_at_its_bound_it_refuses_whole_requests(log: SwitchedSink, tmp_path: Path) -> None:
    """503 as without a spool; nothing of a refused request is kept."""
    log.ready = False
    sink = over(log, tmp_path)
    taken = 0
    with pytest.raises(UnavailableError, match="the spool holds its 8388608 bytes"):
        while True:
            await sink.send(outgoing(*[b"x" * 100_000] * 10))
            taken += 10
    assert 80 == taken
    log.ready = True
    await until(lambda: len(log.log) == taken)
    await sink.send(outgoing(b"again"))
    await until(lambda: log.log[-1] == b"again")
    assert taken + 1 == len(log.log)
    await sink.close(0)


async def test_a_failed_fsync_ends_the_collector(
    log: SwitchedSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[FootfallError] = []
    log.ready = False
    sink = over(log, tmp_path, told)

    def fails(_file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(UnavailableError, match="the spool failed"):
        await sink.send(outgoing(b"1"))
    assert "restart the collector" in str(told[0])
    monkeypatch.undo()
    with pytest.raises(UnavailableError, match="the spool failed"):
        await sink.send(outgoing(b"2"))
    await sink.close(0)


async def test_damage_is_told_and_the_rest_is_sent(
    log: SwitchedSink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log.ready = False
    sink = over(log, tmp_path)
    for n in range(3):
        await sink.send(outgoing(b"%d" % n * 50))
    await sink.close(0)
    (file,) = files(tmp_path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    lost = 'footfall_spool_lost_records_total'
    before = REGISTRY.get_sample_value(lost, {"reason": "damaged"}) or 0
    log.ready = True
    sink = over(log, tmp_path)
    await until(lambda: len(log.log) == 2)
    assert [b"0" * 50, b"2" * 50] == log.log
    assert before + 1 == REGISTRY.get_sample_value(lost, {"reason": "damaged"})
    assert "damaged" in caplog.text
    await sink.close(0)


async def test_what_a_spool_holds_is_shown_from_the_start(
    log: SwitchedSink, tmp_path: Path
) -> None:
    """Before anything is added or sent: nobody may be told that it is empty."""
    log.ready = False
    sink = over(log, tmp_path)
    await sink.send(outgoing(b"x" * 50))
    held = REGISTRY.get_sample_value("footfall_spool_bytes")
    await sink.close(0)
    telemetry.SPOOL_BYTES.set(0)
    sink = over(log, tmp_path)
    assert held == REGISTRY.get_sample_value("footfall_spool_bytes")
    assert held
    await sink.close(0)


async def test_one_folder_has_one_collector(log: SwitchedSink, tmp_path: Path) -> None:
    sink = over(log, tmp_path)
    with pytest.raises(FootfallError, match="in use"):
        over(log, tmp_path)
    await sink.close(0)


@given(st.lists(st.sampled_from(["send", "send", "away", "back", "fails", "partly", "restart",
                                 "wait"]), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_history_loses_nothing_and_keeps_the_order(
    tmp_path_factory: pytest.TempPathFactory, history: list[str]
) -> None:
    """Requests one after the other; the log goes, hangs, comes back; the process is restarted."""
    asyncio.run(_play(tmp_path_factory.mktemp("spool"), history))


async def _play(folder: Path, history: list[str]) -> None:
    log = SwitchedSink()
    sink = over(log, folder)
    acknowledged: list[bytes] = []
    for step, what in enumerate(history):
        if what == "send":
            await sink.send(outgoing(b"%d" % step, b"%d+" % step))
            acknowledged += [b"%d" % step, b"%d+" % step]
        elif what == "restart":
            await sink.close(0)
            sink = over(log, folder)
        elif what == "wait":
            await asyncio.sleep(0.002)
        else:
            log.ready = what != "away"
            log.fails, log.takes_and_fails = what == "fails", what == "partly"
    log.ready, log.fails, log.takes_and_fails = True, False, False
    await until(lambda: set(acknowledged) <= set(log.log))
    await sink.close(0)
    assert acknowledged == list(dict.fromkeys(log.log))


# -- the program, on a real broker ---------------------------------------------------------------


@pytest.mark.kafka
async def test_the_broker_hangs_and_the_collector_is_killed(
    own_kafka: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every 200 is in the log, each customer's items in the order they were answered."""
    monkeypatch.setenv("FOOTFALL_SPOOL_PATH", str(tmp_path / "spool"))
    node = own_kafka()
    ensure(node.bootstrap, PARTITIONS, 1)
    answered: list[int] = []
    async with ClientSession(headers=AUTH, timeout=ClientTimeout(30)) as http:

        async def send(url: str, count: int) -> None:
            for _ in range(count):
                n = len(answered)
                status, _answer = await post(http, url + "/v1/batch", {"batch": [
                    {"type": "track", "event": f"{n}", "userId": f"u{n % 3}",
                     "messageId": f"m{n}"}, {"type": "page"}]})
                assert 200 == status
                answered.append(n)

        with running(node.bootstrap, tmp_path) as (process, url):
            await until_status(http, url + "/readyz", 200)
            await send(url, 20)
            node.pause()
            await send(url, 1)  # waits for the log, then is spooled
            async with asyncio.timeout(60):  # at once: each that waits for the log takes seconds
                await send(url, 200)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait)
        with running(node.bootstrap, tmp_path) as (process, url):
            await until_status(http, url + "/readyz", 200)
            await send(url, 50)
            node.resume()
            await send(url, 50)
            async with asyncio.timeout(90):
                while files(tmp_path / "spool"):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            await send(url, 20)
            process.send_signal(signal.SIGTERM)
            assert 0 == await asyncio.to_thread(process.wait, 30)
    codecs = Codecs()
    events = [codecs.interaction.decode(v) for _, _, v in read_all(node.bootstrap, INTERACTIONS)]
    first = {event["message_id"]: json.loads(event["personal"])["userId"] for event in events}
    assert {f"m{n}" for n in answered} == first.keys()
    for user in ("u0", "u1", "u2"):
        order = [int(name[1:]) for name, whose in first.items() if whose == user]
        assert sorted(order) == order
    assert len(answered) <= len(read_all(node.bootstrap, REJECTED))
