"""A client that writes down every answer before it goes on, and the check of the log against it.

Each line is on the disk (fsync) before the next request leaves, so the ledger is what the client
was really told, whatever was killed. An item is asked for until it has an answer; repeats keep its
messageId, as SDKs do.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import ClientError, ClientSession

from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED
from tests.collector.program import read_all

Item = dict[str, Any]
#: No answer, or one that promises nothing: the item may be in the log or not.
UNKNOWN = "unknown"


class Ledger:
    """What was asked and told, one JSON line a request."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        #: Requests of which every item was told something for good.
        self.answered = 0

    def write(self, outcomes: dict[str, str]) -> None:
        """messageId -> what was told of it; on the disk when this returns."""
        self._file.write(json.dumps(outcomes).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def read(self) -> list[dict[str, str]]:
        self._file.seek(0)
        return [json.loads(line) for line in self._file]


class Seen(NamedTuple):
    """How often an item was told what, and how many records it has."""

    told: Counter[str]
    requests: int
    log: int
    rejected: int


def items_of(sender: int, n: int, dice: random.Random) -> list[Item]:
    """One batch: good ones, bad ones, and repeats of the batch before."""
    made = []
    for place in range(dice.randint(1, 40)):
        name = f"s{sender}-{n}-{place}"
        if dice.random() < 0.15:
            made.append({"type": "track", "userId": "u", "messageId": f"bad-{name}"})
        else:
            made.append({"type": "track", "event": "x", "userId": f"u{dice.randint(0, 99)}",
                         "messageId": name})
    return made


async def send(http: ClientSession, url: str, ledger: Ledger, sender: int, done: asyncio.Event
               ) -> None:
    """Batch after batch until `done`, each until it has its answer; then every tenth once more."""
    dice, n = random.Random(sender), 0
    while not done.is_set():
        items = items_of(sender, n, dice)
        for _ in range(2 if n % 10 == 0 else 1):
            while not await _ask(http, url, ledger, items):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        n += 1


async def _ask(http: ClientSession, url: str, ledger: Ledger, items: list[Item]) -> bool:
    """Whether every item has been told something for good."""
    told = dict.fromkeys((item["messageId"] for item in items), UNKNOWN)
    try:
        async with http.post(url + "/v1/batch", data=json.dumps({"batch": items})) as answer:
            said = await answer.json()
        if answer.status == 200:
            results = [result["status"] for result in said["results"]]
            told = dict(zip(told, results, strict=True))
            counts = Counter(results)
            assert [counts[k] for k in ("accepted", "duplicate", "rejected")] == [
                said[k] for k in ("accepted", "duplicate", "rejected")]
        else:
            assert answer.status == 503, said
    except (ClientError, OSError, TimeoutError, ValueError):
        pass
    ledger.write(told)
    is_answered = UNKNOWN not in told.values()
    ledger.answered += is_answered
    return is_answered


def check(bootstrap: str, ledger: Ledger) -> Seen:
    """Asserts that the log holds what was promised, and nothing that was not asked for."""
    told: dict[str, Counter[str]] = {}
    lines = ledger.read()
    for line in lines:
        for message_id, outcome in line.items():
            told.setdefault(message_id, Counter())[outcome] += 1
    codecs = Codecs()
    log = Counter(codecs.interaction.decode(value)["message_id"]
                  for _, _, value in read_all(bootstrap, INTERACTIONS))
    rejected = Counter(json.loads(codecs.rejected.decode(value)["personal"])["messageId"]
                       for _, _, value in read_all(bootstrap, REJECTED))
    assert log.keys() <= told.keys()
    for message_id, counts in told.items():
        accepted, repeated, refused = (
            counts[outcome] for outcome in ("accepted", "duplicate", "rejected"))
        is_bad = message_id.startswith("bad-")
        assert not (accepted or repeated) if is_bad else not refused, (message_id, counts)
        found, least = (rejected, refused) if is_bad else (log, accepted)
        # One record for each that was promised; each that is open may have one as well.
        assert least <= found[message_id] <= least + counts[UNKNOWN], (message_id, counts)
        assert not repeated or found[message_id], (message_id, counts)
        assert not is_bad or not log[message_id], message_id
    return Seen(sum(told.values(), Counter()), len(lines), log.total(), rejected.total())
