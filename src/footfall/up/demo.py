"""The demo's two hands: one posts what happens in the shop, the other shows triggers as they come.

Both work a little at a time, between two looks of the supervisor. What could not be posted is kept
and sent again, with the same messageId, so that a restart of the collector changes nothing.
"""

from __future__ import annotations

import base64
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable

import msgspec
from confluent_kafka import Consumer, TopicPartition

from footfall.events.codec import Codecs
from footfall.events.topics import TRIGGERS
from footfall.running import Running
from footfall.up.demo_line import Shown, describe
from footfall.up.shop import Action, Script

POST_S_MAX = 3.0
BATCH_ITEMS_MAX = 100
READS_MAX = 100


class Poster:
    """Posts the script's actions when their time has come."""

    def __init__(self, script: Script, running: Running, say: Callable[[str], None]) -> None:
        key = next(iter(running.write_keys.values()))
        basic = base64.b64encode(f"{key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        self._url = f"{running.http_url}/v1/batch"
        self._waiting: list[Action] = list(script.actions)
        self._say = say
        self._began = time.monotonic()
        self.posted = 0

    @property
    def is_done(self) -> bool:
        """Whether all has been posted."""
        return not self._waiting

    def step(self) -> None:
        """Post what is due, one batch; the acknowledgement takes it off the list."""
        now = time.monotonic() - self._began
        due = [a for a in self._waiting[:BATCH_ITEMS_MAX] if a.at_s <= now]
        if not due:
            return
        body = msgspec.json.encode({"batch": [action.item for action in due]})
        request = urllib.request.Request(  # noqa: S310 - our own collector
            self._url, body, self._headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=POST_S_MAX):  # noqa: S310
                pass
        except urllib.error.HTTPError as error:
            self._say(f"the collector answered {error.code}: {error.read(300).decode()}")
            if error.code >= 500:
                return
        except OSError as error:
            self._say(f"the collector does not answer ({error}); sending again")
            return
        else:
            self.posted += len(due)
        del self._waiting[: len(due)]


class Viewer:
    """Reads footfall.triggers from its end as of now."""

    def __init__(self, running: Running, codecs: Codecs) -> None:
        self._codecs = codecs
        self._consumer = Consumer({
            "bootstrap.servers": running.kafka_bootstrap_servers, "group.id": "footfall-demo-view",
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
        self.counts: Counter[str] = Counter()
        self.carts: dict[str, set[str]] = {}

    def step(self) -> list[Shown]:
        """What came since; a repeat of a trigger is no second one."""
        new = []
        for message in self._consumer.consume(READS_MAX, timeout=0):
            if message.error() is not None:
                continue
            record = self._codecs.trigger.decode(message.value())
            if record["trigger_id"] in self._known:
                continue
            self._known.add(record["trigger_id"])
            shown = describe(record)
            self.counts[shown.name] += 1
            self.carts.setdefault(shown.name, set()).add(shown.cart_id)
            new.append(shown)
        return new

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
