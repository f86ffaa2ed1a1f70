"""Mail through `kill -9`: whoever can be reached has every one, each repeat is the same mail.

From the first event on: customers come through the log, a rule fires, the served view knows their
addresses, and a real SMTP server fails at every command.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from footfall.admin import config
from footfall.errors import Rejected
from footfall.events import topics
from footfall.events.admit import admit
from footfall.events.arrival import Arrival
from footfall.events.customer_key import CustomerKeys
from tests.redis_server import RedisServer
from tests.system.post_office import BUSY, DROP, NOBODY_HERE, UNAVAILABLE, PostOffice
from tests.system.shop import Loader
from tests.system.topics import State, read_all
from tests.system.workers import CUSTOMER_KEY_SECRET, KILLED, SYSTEM_SECRET, Worker, Workers
from tests.tables.logs import CODECS

pytestmark = pytest.mark.kafka

KEYS = CustomerKeys(CUSTOMER_KEY_SECRET.encode())
GOOD = [f"good-{n}" for n in range(30)]
REFUSED = [f"refused-{n}" for n in range(6)]
CUSTOMERS = [*GOOD, *REFUSED]
WANTED = {"name": "wanted", "version": 1, "on": {"call": "track", "event": "Wanted"},
          "data": {"n": "event.properties.n"}}
NAMED = ["before_send", "after_send"]
APPLIED_S_MAX = 90.0
ALL_SENT_S_MAX = 300.0


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    made = PostOffice(seed)
    yield made
    made.close()


class Shop:
    """Customers with addresses, and what they do, on the way that the collector takes."""

    def __init__(self, bootstrap: str) -> None:
        self._loader = Loader(bootstrap)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.done: Counter[str] = Counter()

    def send(self, **item: Any) -> None:
        """One item."""
        arrival = Arrival("shop", time.time_ns() // 1_000_000, "shop")
        admitted = admit(msgspec.json.encode(item), 0, arrival, KEYS)
        assert not isinstance(admitted, Rejected), admitted.detail
        self._loader.put(admitted.key, CODECS.interaction.encode(admitted.event))

    def introduce(self) -> None:
        """All of them, with the address of each."""
        for name in CUSTOMERS:
            self.send(type="identify", userId=name, messageId=f"identify {name}",
                      traits={"email": f"{name}@customers.example", "first_name": name.title()})
        self._loader.flush()

    def want(self, n: int) -> None:
        """The event that the rule acts on."""
        name = CUSTOMERS[n % len(CUSTOMERS)]
        self.done[name] += 1
        self.send(type="track", userId=name, event="Wanted", messageId=f"wanted {n}",
                  properties={"n": n})

    def begin(self, a_second: float) -> None:
        """Want until `end`."""
        def run() -> None:
            n = 0
            while not self._stop.is_set():
                self.want(n)
                n += 1
                time.sleep(1 / a_second)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop, with all acknowledged."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)
        self._loader.flush()


def routes_for(folder: Path, post_office: PostOffice) -> Path:
    """One mail for each trigger of the rule, tried again soon."""
    (folder / "wanted.txt").write_text(
        "Hello {{ customer.traits.first_name }}, you wanted {{ data.n }} ({{ trigger.trigger_id }})"
        ".\n")
    path = folder / "routes.yaml"
    path.write_text(f"""
destinations:
  mail:
    channel: email
    purpose: necessary
    from: Shop <news@shop.example>
    subject: "{{{{ customer.traits.first_name }}}}: here it is"
    text: wanted.txt
    smtp: {{host: 127.0.0.1, port: {post_office.port}, tls: none}}
    timeout_s: 5
    retry: {{delays_s: [{", ".join(["0.1"] * 15)}]}}
    breaker: {{failures: 1000}}
routes:
  - {{triggers: [wanted], to: [mail]}}
""")
    return path


class Installation(NamedTuple):
    """All that runs."""

    bootstrap: str
    workers: Workers
    redis: RedisServer
    routes: Path
    post_office: PostOffice

    def worker(self) -> Worker:
        """It serves the view."""
        return self.workers.start("w1", redis_url=self.redis.url).until_ready()

    def delivery(self, crash_at: str = "") -> Worker:
        return self.workers.start("d1", crash_at, program=("-m", "footfall", "delivery"),
                                  routes=self.routes, redis_url=self.redis.url,
                                  delivery_from="earliest")


@pytest.fixture
def installation(footfall_topics: str, workers: Workers, own_redis: Callable[..., RedisServer],
                 post_office: PostOffice, tmp_path: Path) -> Installation:
    return Installation(footfall_topics, workers, own_redis(), routes_for(tmp_path, post_office),
                        post_office)


class Story(NamedTuple):
    """What the topics say. `records` of footfall.deliveries, each with its append time (ms)."""

    wanted: dict[str, dict[str, Any]]
    records: list[tuple[int, dict[str, Any]]]

    @classmethod
    def read(cls, bootstrap: str) -> Story:
        """All of it, as of now."""
        told = [dict(CODECS.trigger.decode(e.value)) for e in read_all(bootstrap, topics.TRIGGERS)]
        return cls({one["trigger_id"]: one for one in told if one["name"] == "wanted"},
                   [(entry.timestamp, dict(CODECS.delivery.decode(entry.value)))
                    for entry in read_all(bootstrap, topics.DELIVERIES)])

    def ended(self) -> dict[str, str]:
        """Trigger -> the status that is the end of it."""
        return {one["trigger_id"]: one["status"] for _, one in self.records
                if one["status"] in ("sent", "dead", "suppressed")}

    def steps(self, trigger_id: str) -> list[dict[str, Any]]:
        """What happened to one, in order."""
        return [one for _, one in self.records if one["trigger_id"] == trigger_id]

    def told(self, record: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The same in short, with when each was appended."""
        return [(at, *(one[name] for name in ("status", "reason", "attempt", "trigger_offset")))
                for at, one in self.records if one["trigger_id"] == record["trigger_id"]]


def kill_all_the_time(here: Installation, kills: int) -> None:
    """Kill delivery at random instants and at named points, then let it end its work; check all."""
    config.apply(here.bootstrap, SYSTEM_SECRET.encode(), {"rules": {"definitions": [WANTED]}})
    shop, state = Shop(here.bootstrap), State(here.bootstrap)
    worker = here.worker()
    shop.introduce()
    worker.until(state.covered, APPLIED_S_MAX, "customers are known")
    shop.begin(a_second=40)
    chance = random.Random(here.post_office.seed)
    for n in range(kills):
        got = len(here.post_office.arrived)
        if n % 2:
            # Each way to die often enough: before the server was asked, and after it answered.
            point = f"{NAMED[n // 2 % 2]}:{chance.randrange(1, 30)}"
            delivery = here.delivery(point)
        else:
            delivery = here.delivery()
            delivery.until(lambda got=got: len(here.post_office.arrived) > got, 60, "mails")
            time.sleep(chance.random() / 2)
            delivery.kill()
        assert KILLED == delivery.wait()
    shop.end()
    worker.until(state.covered, APPLIED_S_MAX, "all is applied")
    delivery = here.delivery()

    def is_over() -> bool:
        story = Story.read(here.bootstrap)
        return len(story.ended()) == len(story.wanted) == shop.done.total()

    delivery.until(is_over, ALL_SENT_S_MAX, "everything came to its end")
    assert 0 == delivery.stop()
    assert 0 == worker.stop()
    check(here, shop, kills)


def check(here: Installation, shop: Shop, kills: int) -> None:
    """Who has which mail, against what the topics say."""
    post_office, story = here.post_office, Story.read(here.bootstrap)
    print(f"{shop.done.total()} triggers, {len(post_office.arrived)} mails arrived, "
          f"{len(post_office.refusals)} refusals, answers {post_office.said}, {kills} kills")
    assert {UNAVAILABLE, BUSY, DROP, NOBODY_HERE} <= post_office.said.keys()
    names = {KEYS.of("user_id", name).decode(): name for name in CUSTOMERS}
    whose = {trigger_id: names[one["customer_key"]] for trigger_id, one in story.wanted.items()}
    assert shop.done == Counter(whose.values())
    assert {trigger_id: "sent" if name in GOOD else "dead" for trigger_id, name in whose.items()
            } == story.ended()
    check_mails(post_office, story, whose, kills)
    check_refused(post_office, story, [i for i, name in whose.items() if name in REFUSED], kills)


def check_mails(post_office: PostOffice, story: Story, whose: dict[str, str], kills: int) -> None:
    """Each in its order, repeats byte for byte, none after it was recorded that it was sent."""
    of_trigger = {trigger_id: [a for a in post_office.arrived
                               if f"({trigger_id})".encode() in a.data]
                  for trigger_id, name in whose.items() if name in GOOD}
    assert len(post_office.arrived) == sum(map(len, of_trigger.values()))
    for trigger_id, mails in of_trigger.items():
        assert mails, f"{trigger_id} of {whose[trigger_id]} never arrived"
        assert {f"{whose[trigger_id]}@customers.example"} == {one.to for one in mails}
        assert 1 == len({(one.message_id, one.data) for one in mails})
    assert len(of_trigger) == len({mails[0].message_id for mails in of_trigger.values()})
    for name in GOOD:
        first = dict.fromkeys(a.message_id for a in post_office.arrived if a.to.startswith(
            f"{name}@"))
        assert [of_trigger[i][0].message_id for i in whose if whose[i] == name] == list(first)

    sent_at: dict[str, int] = {}
    for at, record in story.records:
        assert record["trigger_id"] not in sent_at, f"after it was sent: {story.told(record)}"
        if record["status"] == "sent":
            sent_at[record["trigger_id"]] = at
    assert all(max(one.at for one in mails) <= sent_at[trigger_id]
               for trigger_id, mails in of_trigger.items())
    # What came twice was not told to us the first time: a dropped connection, or a kill.
    untold = sum(not one.is_told for one in post_office.arrived)
    repeats = len(post_office.arrived) - len(of_trigger)
    print(f"{repeats} repeats, {untold} taken without a word")
    assert repeats <= untold + kills * len(GOOD)


def check_refused(post_office: PostOffice, story: Story, refused: list[str], kills: int) -> None:
    """Dead at the first word of it, and that is the end."""
    for trigger_id in refused:
        steps = story.steps(trigger_id)
        last = [(one["status"], one["reason"]) for one in steps[-2:]]
        assert [("failed", "refused"), ("dead", "refused")] == last
        assert 1 == sum(one["reason"] == "refused" and one["status"] == "failed" for one in steps)
        assert 550 == steps[-2]["code"]
    # Asked again only where we died between the answer and its record.
    assert len(refused) <= len(post_office.refusals) <= len(refused) + kills * len(REFUSED)
    assert not any(one.to.startswith("refused-") for one in post_office.arrived)


def test_four_kills(installation: Installation) -> None:
    """The short form."""
    kill_all_the_time(installation, kills=4)


@pytest.mark.chaos
def test_fifteen_kills(installation: Installation) -> None:
    """The long form."""
    kill_all_the_time(installation, kills=15)
