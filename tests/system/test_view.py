"""The served view on a real Kafka and a real Redis: after quiet it equals the tables, for everyone.

bench/view.py does the same with 100,000 customers.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from footfall.admin import config
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.topics import TRIGGERS
from footfall.tables.record import header
from footfall.view import entry
from footfall.view.store import TRIGGERS_OF_CUSTOMER_MAX
from tests.redis_server import RedisServer
from tests.system.served import differences
from tests.system.shop import Loader, Shop
from tests.system.test_kill import QUICK
from tests.system.topics import State, read_all, until
from tests.system.workers import (
    CUSTOMER_KEY_SECRET,
    PARTITIONS,
    PATHS,
    READY,
    START_S_MAX,
    SYSTEM_SECRET,
    Workers,
)

pytestmark = pytest.mark.kafka

CUSTOMERS = 2_000
EVENTS = 12_000
QUIET_S_MAX = 120.0
SERVED_S_MAX = 90.0
KEYS = CustomerKeys(CUSTOMER_KEY_SECRET.encode())


def until_served(redis: RedisServer, state: State) -> None:
    """Every mark stands where the state does."""
    def marked() -> bool:
        client = redis.client()
        for number in range(PARTITIONS):
            data = client.get(entry.mark_key(number))
            said = entry.decode_mark(data) if isinstance(data, bytes) else None
            if said is None or number not in state.partitions or (
                    said.next_offset != state.partitions[number].next_offset):
                return False
        return True
    until(marked, SERVED_S_MAX, "the view has caught up")


def wrong(redis: RedisServer, state: State) -> list[bytes]:
    return asyncio.run(differences(redis.url, state.records, state.partitions))


def rebuild(bootstrap: str, redis: RedisServer, **settings: str
            ) -> subprocess.CompletedProcess[str]:
    environment = {"FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "FOOTFALL_REDIS_URL": redis.url,
                   "PYTHONPATH": os.pathsep.join(PATHS), **settings}
    return subprocess.run([sys.executable, "-m", "footfall", "view", "rebuild"],
                          env={**os.environ, **environment}, capture_output=True, text=True,
                          timeout=60, check=False)


def test_after_quiet_the_view_is_the_tables_whatever_happened(
        footfall_topics: str, workers: Workers, own_redis: Callable[..., RedisServer]) -> None:
    """Two workers, one is killed and comes back; Redis is emptied, killed with an old snapshot,
    stopped. Then all of it is made anew by one command.
    """
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), QUICK)
    redis = own_redis()
    shop, loader = Shop(5, customers=CUSTOMERS), Loader(footfall_topics)
    state = State(footfall_topics)
    first = workers.start("w1", redis_url=redis.url).until_ready()
    second = workers.start("w2", redis_url=redis.url).until_ready()
    loader.start_load(shop, at_least=EVENTS, a_second=1_000)
    for fault in ("flushall", "kill_worker", "save", "kill", "pause"):
        time.sleep(1.5)
        if fault == "flushall":
            redis.client().flushall()
        elif fault == "kill_worker":
            second.kill()
            second = workers.start("w2", redis_url=redis.url)
        elif fault == "save":
            redis.client().save()
        elif fault == "kill":
            redis.kill()
            time.sleep(0.5)
            redis.start()
        else:
            redis.pause()
            time.sleep(3.0)
            redis.resume()
    loader.join()
    first.until(lambda: second.says(READY) and state.quiet(), QUIET_S_MAX, "quiet")
    assert first.runs and second.runs
    until_served(redis, state)
    # What was told since Redis forgot last, at least, and nothing that the broker does not have.
    told, indexed = _triggers(footfall_topics), _indexed(redis)
    assert indexed and indexed.items() <= told.items()

    served = sum(map(len, state.records.values()))
    assert served > CUSTOMERS * 0.95
    assert [] == wrong(redis, state)
    for worker in (first, second):
        assert 0 == worker.stop()
        assert not worker.says(redis.url)
    _made_anew(footfall_topics, redis, state)


def _triggers(bootstrap: str) -> dict[bytes, bytes]:
    """What the index should hold: the newest of each customer's, by where it is."""
    codec = Codecs().trigger
    of: dict[bytes, dict[str, tuple[int, str, bytes]]] = {}
    for record in read_all(bootstrap, TRIGGERS):
        said = codec.decode(record.value)
        of.setdefault(record.key, {})[said["trigger_id"]] = (
            said["emitted_at"], said["trigger_id"], record.value)
    return {entry.TRIGGER + trigger_id.encode(): value for told in of.values()
            for _at, trigger_id, value in sorted(told.values())[-TRIGGERS_OF_CUSTOMER_MAX:]}


def _indexed(redis: RedisServer) -> dict[bytes, bytes]:
    client = redis.client()
    keys = client.keys(entry.TRIGGER + b"*")
    return dict(zip(keys, client.mget(keys) if keys else [], strict=True))  # type: ignore[arg-type]


def _made_anew(bootstrap: str, redis: RedisServer, state: State) -> None:
    """From nothing; and over a view with somebody who is gone, and one that is stale and newer."""
    redis.client().flushall()
    done = rebuild(bootstrap, redis)
    assert 0 == done.returncode, done.stderr
    count = sum(map(len, state.records.values()))
    assert f"{count} customers, {count} written" in done.stdout
    assert [] == wrong(redis, state)
    told = _triggers(bootstrap)
    assert len(told) > 100
    assert told == _indexed(redis)

    keys = list(state.records[0])[:3]
    gone = KEYS.of("user_id", "gone")
    late = KEYS.of("user_id", "written by a worker meanwhile")
    client = redis.client()
    old = state.records[0][keys[0]]
    end = state.partitions[0].next_offset

    def at(offset: int) -> bytes:
        return entry.head(0, offset) + b"00000." + old

    client.set(entry.key_of(gone), at(end - 1))
    client.set(entry.key_of(late), at(end))
    client.set(entry.key_of(KEYS.of("user_id", "of another partition count")),
               entry.head(0, end + 10_000) + b"00007." + old)
    client.set(entry.key_of(keys[1]), at(header(state.records[0][keys[1]])[0] - 1))
    client.delete(entry.key_of(keys[2]))
    done = rebuild(bootstrap, redis)
    assert f"{count} customers, 2 written, the others were as new; 2 taken out" in done.stdout
    assert [late] == wrong(redis, state)

    client.delete(entry.key_of(late))
    done = rebuild(bootstrap, redis, FOOTFALL_VIEW_GENERATION="1")
    assert f"{count} customers, {count} written" in done.stdout
    assert [] == wrong(redis, state)


def test_a_worker_starts_without_its_redis(
        footfall_topics: str, workers: Workers, own_redis: Callable[..., RedisServer]) -> None:
    """It is ready, folds, and serves once there is one; until then the command says why not."""
    redis = own_redis()
    redis.kill()
    shop, loader = Shop(6, customers=50), Loader(footfall_topics)
    state = State(footfall_topics)
    worker = workers.start("w1", redis_url=redis.url).until_ready()
    loader.load(list(shop.records(500)))
    worker.until(state.covered, START_S_MAX, "folded")
    worker.until(lambda: worker.says("the served view cannot be written"), SERVED_S_MAX, "said")
    done = rebuild(footfall_topics, redis)
    assert (1, "") == (done.returncode, done.stdout)
    assert "FOOTFALL_REDIS_URL cannot be written (connection" in done.stderr
    redis.start()
    until_served(redis, state)
    assert [] == wrong(redis, state)
    assert 0 == worker.stop()


@pytest.mark.parametrize(("url", "said"), [
    ("", "is not set"), ("http://127.0.0.1:1", "expected redis://"),
    ("redis://127.0.0.1:port", "cannot be read as an address")])
def test_a_bad_address_names_its_setting(url: str, said: str) -> None:
    """And is not repeated: there may be a password in it."""
    done = subprocess.run(
        [sys.executable, "-m", "footfall", "view", "rebuild"], capture_output=True, text=True,
        env={**os.environ, "FOOTFALL_REDIS_URL": url, "PYTHONPATH": os.pathsep.join(PATHS),
             "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, timeout=60, check=False)
    assert 1 == done.returncode
    assert "FOOTFALL_REDIS_URL" in done.stderr and said in done.stderr
    assert not url or url not in done.stderr
