"""The demo's two hands: one posts what happens in the shop, the other shows triggers as they come.

Both work a little at a time, between two looks of the supervisor. What could not be posted is kept
and sent again, with the same messageId, so that a restart of the collector changes nothing.
"""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import msgspec
from confluent_kafka import Consumer, TopicPartition

from footfall.events.codec import Codecs
from footfall.events.topics import TRIGGERS
from footfall.kafka.confluent import confluent
from footfall.running import Running
from footfall.up.demo_line import Shown, describe
from footfall.up.shop import EVENTS_A_SECOND_MAX
from footfall.up.shop_visitor import Action, stamped

POST_S_MAX = 3.0
READS_MAX = 100


class Poster:
    """Posts the shop's actions when their time has come; the shop opens now."""

    def __init__(self, actions: Iterator[Action], running: Running, say: Callable[[str], None]
                 ) -> None:
        key = next(iter(running.write_keys.values()))
        basic = base64.b64encode(f"{key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        self._url = f"{running.http_url}/v1/batch"
        self._actions = actions
        self._next = next(actions, None)
        self._due: list[Action] = []
        self._say = say
        self._opening_ms = round(time.time() * 1000)
        self._opened_s = time.monotonic()
        self._free_s = 0.0
        self.posted = 0
        #: Carts of which something was posted that leads to cart_abandoned, to cart_recovered.
        self.left: set[str] = set()
        self.recovered: set[str] = set()

    def step(self) -> int:
        """Post what is due, one batch; the acknowledgement takes it off the list. How many were
        acknowledged."""
        now_s = time.monotonic() - self._opened_s
        while (self._next is not None and self._next.at_s <= now_s
               and len(self._due) < EVENTS_A_SECOND_MAX):
            self._due.append(self._next)
            self._next = next(self._actions, None)
        if not self._due or now_s < self._free_s:
            return 0
        body = msgspec.json.encode(
            {"batch": [stamped(action, self._opening_ms) for action in self._due]})
        request = urllib.request.Request(  # noqa: S310 - our own collector
            self._url, body, self._headers, method="POST")
        posted = 0
        try:
            with urllib.request.urlopen(request, timeout=POST_S_MAX):  # noqa: S310
                posted = len(self._due)
        except urllib.error.HTTPError as error:
            self._say(f"the collector answered {error.code}: {error.read(300).decode()}")
            if error.code >= 500:
                return 0
        except OSError as error:
            self._say(f"the collector does not answer ({error}); sending again")
            return 0
        else:
            self.posted += posted
            self.left |= {action.left for action in self._due if action.left}
            self.recovered |= {action.recovered for action in self._due if action.recovered}
        # What waited for a collector is sent no faster than the shop's bound either.
        self._free_s = now_s + len(self._due) / EVENTS_A_SECOND_MAX
        self._due = []
        return posted


class Viewer:
    """Reads footfall.triggers from its end as of now."""

    def __init__(self, running: Running, codecs: Codecs) -> None:
        self._codecs = codecs
        self._consumer = Consumer({
            **confluent(running.cluster), "group.id": "footfall-demo-view",
            "enable.auto.commit": False, "log_level": 0, "error_cb": lambda _error: None,
        })
        parts = self._consumer.list_topics(TRIGGERS, timeout=10).topics[TRIGGERS].partitions
        ends = [
            TopicPartition(TRIGGERS, p, self._consumer.get_watermark_offsets(
                TopicPartition(TRIGGERS, p), timeout=10)[1])
            for p in parts
        ]
        self._consumer.assign(ends)
        self._known: set[str] = set()
        self.carts: dict[str, set[str]] = {}

    def step(self) -> list[Shown]:
        """What came since; a repeat of a trigger is no second one, and nobody is told of one
        that is held out.
        """
        new = []
        for message in self._consumer.consume(READS_MAX, timeout=0):
            if message.error() is not None:
                continue
            record = self._codecs.trigger.decode(message.value())
            if record["held_out"] or record["trigger_id"] in self._known:
                continue
            self._known.add(record["trigger_id"])
            shown = describe(record)
            self.carts.setdefault(shown.name, set()).add(shown.cart_id)
            new.append(shown)
        return new

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
