"""A running Footfall as docker-compose.yml runs it: topics, configuration, collector,
workers, delivery, archive.

All are processes with the same commands and settings; interactions go in over HTTP alone.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from ruamel.yaml import YAML

from footfall.admin import config
from footfall.admin.cluster import admin_client
from footfall.cli import footfall
from footfall.errors import DecodeError
from footfall.events import topics
from footfall.events.admit import admit
from footfall.events.arrival import Admitted, Arrival
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ROW_BYTES, ImportPayload
from footfall.stream.partition import partition_of
from footfall.up.ports import HOST, free_port
from footfall.up.process import Process, until
from tests.delivery.endpoint import Endpoint
from tests.deploy import foreign
from tests.deploy.away import SpoolingCollector
from tests.deploy.textfile import Textfile
from tests.redis_server import RedisServer
from tests.system.secured import Authority
from tests.system.test_log import metric
from tests.system.topics import Tail
from tests.system.topics import until as until_holds
from tests.system.workers import (
    CUSTOMER_KEY_SECRET,
    PARTITIONS,
    SYSTEM_SECRET,
    Worker,
    Workers,
)

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus/prometheus.yml"
WRITE_KEY = "wk_of_the_tests"
API_KEY = "ak_of_the_tests"
BATCH_ITEMS = 500
READY_S_MAX = 60.0
ANSWER_S_MAX = 30.0
#: What is waited for takes a second or two.
HAPPENS_S_MAX = 90.0
#: Carts are left, and late deadlines settled, within a second or two.
#: Who refuses analytics leaves no traits.
CONFIGURATION = {"cart": {"idle_s": 1.0}, "clock": {"grace_s": 0.2, "settle_s": 1.0},
                 "consent": {"gate": {"profile": "analytics"}}}
#: Of a diary a text is expected.
PLAN = {"event": "Diary Written", "schema": {"type": "object", "properties": {
    "text": {"type": "string", "class": "personal", "purpose": "necessary"}}}}
#: crm gets all that is told of carts and orders; desk refuses, and is soon given up; to mail nobody
#: has consented; to partner, whose certificates are watched, nothing goes.
ROUTES = """
destinations:
  crm:
    channel: webhook
    url: http://127.0.0.1:{port}/crm
    purpose: necessary
    retry: {{delays_s: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], jitter: 0}}
    breaker: {{failures: 5, open_s: 1, open_s_max: 1}}
  desk:
    channel: webhook
    url: http://127.0.0.1:{port}/desk
    purpose: necessary
    retry: {{delays_s: [0.2]}}
    breaker: {{failures: 1000}}
  mail:
    channel: webhook
    url: http://127.0.0.1:{port}/mail
    purpose: marketing
  partner:
    channel: kafka
    topic: carts
    bootstrap_servers: 127.0.0.1:1
    security: {{security_protocol: SSL, ssl_ca_file: ca.pem}}
    purpose: necessary
routes:
  - {{triggers: [cart_*, order_*], to: [crm]}}
  - {{triggers: [order_refunded], to: [desk]}}
  - {{triggers: [cart_abandoned], to: [mail]}}
"""

Item = dict[str, Any]


def scraped_by(targets: Mapping[str, Sequence[str]], interval_s: float, folder: Path,
               alertmanagers: Sequence[str] = ()) -> Path:
    """The Prometheus configuration that is deployed, with these addresses for DNS, and with its
    rules, which it names beside itself.
    """
    loaded = YAML(typ="safe").load(PROMETHEUS)
    for name in ("scrape_interval", "scrape_timeout", "evaluation_interval"):
        loaded["global"][name] = f"{interval_s * 1000:.0f}ms"
    loaded["scrape_configs"] += [{"job_name": name} for name in targets if name not in {
        job["job_name"] for job in loaded["scrape_configs"]}]
    for job in loaded["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": list(targets.get(job["job_name"], ()))}]
    loaded["rule_files"] = [str(PROMETHEUS.parent / name) for name in loaded["rule_files"]]
    loaded["alerting"]["alertmanagers"] = [
        {"static_configs": [{"targets": list(alertmanagers)}]}]
    path = folder / "prometheus.yml"
    YAML(typ="safe").dump(loaded, path)
    return path


class Installation:
    """One collector and one with a spool, workers to start and kill, a delivery with its
    `receiver`; `targets`: job -> addresses to scrape, among them `node`, where jobs keep their
    metrics. `redis`: where workers serve the view.
    """

    def __init__(self, bootstrap: str, workers: Workers, folder: Path, redis: RedisServer
                 ) -> None:
        config.apply(bootstrap, SYSTEM_SECRET.encode(), CONFIGURATION)
        self._bootstrap = bootstrap
        self._workers = workers
        self._http, ports = free_port(), (free_port(), free_port())
        self.targets = {"collector": [f"{HOST}:{self._http}"],
                        "worker": [f"{HOST}:{port}" for port in ports]}
        self._ports = ports
        self.redis, self._redis_url = redis, redis.url
        self._delivery_port = free_port()
        self.targets["delivery"] = [f"{HOST}:{self._delivery_port}"]
        self._archive_port = free_port()
        self.targets["archive"] = [f"{HOST}:{self._archive_port}"]
        self._archive = folder / "archive"
        self.receiver = Endpoint(lambda path, _id: 500 if path == "desk" else 200)
        self._routes = folder / "routes.yaml"
        self._routes.write_text(ROUTES.format(port=self.receiver.port))
        self._folder, self._key_made = folder, date(2026, 1, 1)
        self.renew_certificate(days=100)
        self._delivery: Worker | None = None
        plan = folder / "plan"
        plan.mkdir()
        (plan / "diary.json").write_text(json.dumps(PLAN))
        settings = {
            "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET,
            "FOOTFALL_WRITE_KEYS": f"web:{WRITE_KEY}",
            "FOOTFALL_API_KEY": API_KEY,
            "FOOTFALL_PLAN_DIR": str(plan),
        }
        self._collector = Process("collector", [sys.executable, "-m", "footfall", "collector"],
                                  folder / "collector.out", {
            **os.environ, **settings,
            "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "FOOTFALL_REDIS_URL": redis.url,
            "FOOTFALL_HTTP_PORT": str(self._http),
        })
        self.away = SpoolingCollector(bootstrap, folder, settings)
        self.targets["collector"].append(f"{HOST}:{self.away.port}")
        self._jobs = folder / "jobs"
        self._jobs.mkdir()
        self._textfile = Textfile(self._jobs)
        self.targets["node"] = [self._textfile.address]
        self._first: Worker | None = None

    def start(self) -> None:
        """Collector, first worker and delivery, up to their being ready."""
        self._collector.start()
        self.away.process.start()
        self._first = self._worker(0)
        self._first.until_ready()
        self.start_delivery()
        self._workers.start("", program=("-m", "footfall", "archive", "run"),
                            metrics_port=self._archive_port, archive_target=self._archive,
                            archive_file_age_s_max=1)
        deadline = time.monotonic() + READY_S_MAX
        while self.status("GET", "/readyz") != 200:
            assert until(deadline, 0.1) > 0, self._collector.last_lines(15)
        while self.status("GET", "/healthz", port=self.away.port) != 200:
            assert until(deadline, 0.1) > 0, self.away.process.last_lines(15)

    def stop(self) -> None:
        """The collector; workers and delivery are ended by their own fixture."""
        self._collector.stop(5.0)
        self.away.stop()
        self.receiver.close()
        self._textfile.close()

    def start_delivery(self) -> None:
        """Up to its being ready."""
        self._delivery = self._workers.start(
            "", program=("-m", "footfall", "delivery"), metrics_port=self._delivery_port,
            routes=self._routes, redis_url=self._redis_url,
            delivery_allow=f"{HOST}:{self.receiver.port}", delivery_from="earliest",
            key_dates=json.dumps({"redis_url": str(self._key_made)})).until_ready()

    def stop_delivery(self) -> None:
        """As at a planned stop."""
        assert self._delivery is not None
        assert 0 == self._delivery.stop()

    def renew_certificate(self, days: float) -> None:
        """Another file in the place of that with the partner's authority."""
        made = Authority(self._folder / "authority").issue("partner", days)
        made.replace(self._folder / "ca.pem")

    def replace_key(self) -> None:
        """Delivery starts again with a key of today."""
        self.stop_delivery()
        self._key_made = datetime.now(UTC).date()
        self.start_delivery()

    def second_worker(self) -> None:
        """One more joins."""
        self._worker(1).until_ready()

    def kill_worker(self) -> None:
        """SIGKILL, and a new process in its place, on the same port."""
        assert self._first is not None
        self._first.kill()
        self._first = self._worker(0)
        self._first.until_ready()

    def send(self, items: Sequence[Item]) -> None:
        """Tracking calls, in batches; each must be answered."""
        for at in range(0, len(items), BATCH_ITEMS):
            assert 200 == self.status("POST", "/v1/batch",
                                      {"batch": list(items[at : at + BATCH_ITEMS])})

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within, a stream of triggers is open; the kernel takes what comes."""
        with socket.create_connection((HOST, self._http), READY_S_MAX) as client:
            client.sendall(f"GET /v1/triggers/stream HTTP/1.1\r\nHost: {HOST}\r\n"
                           f"Authorization: Bearer {API_KEY}\r\n\r\n".encode())
            assert b" 200 " in client.recv(64 * 1024)[:15]
            yield

    def tell_again(self) -> None:
        """The newest trigger of a cart, appended once more: as a worker does after a crash."""
        tail = Tail(self._bootstrap, topics.TRIGGERS)
        codec, found = Codecs().trigger, None
        for one in tail.read():
            with contextlib.suppress(DecodeError):
                if codec.decode(one.value)["name"] == "cart_abandoned":
                    found = one
        tail.close()
        assert found is not None
        key = codec.decode(found.value)["customer_key"].encode()
        producer = Producer({"bootstrap.servers": self._bootstrap})
        producer.produce(topics.TRIGGERS, found.value, key, found.partition)
        assert 0 == producer.flush(ANSWER_S_MAX)

    def resend(self, trigger: str, to: str) -> None:
        """Triggers of a name once more to a destination, by the command; slowly enough to be seen.
        """
        done = CliRunner().invoke(footfall, [
            "replay", "resend", "--trigger", trigger, "--to", to, "--limit", "60", "--yes",
            "--json", "--rate", "20", "--metrics-file", str(self._jobs / "resend.prom"),
        ], env={"FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": self._bootstrap,
                "FOOTFALL_ROUTES": str(self._routes)})
        assert 0 == done.exit_code, (done.output, done.exception)

    def expire_triggers(self) -> None:
        """What retention does to triggers that nobody has read for long."""
        wanted = [TopicPartition(topics.TRIGGERS, n, OFFSET_END) for n in range(PARTITIONS)]
        admin = admin_client(self._bootstrap)  # gone before its answers, it gives none
        for done in admin.delete_records(wanted).values():
            done.result(ANSWER_S_MAX)

    def put_broken_trigger(self) -> None:
        """A record that nobody can read, in the topic of triggers."""
        producer = Producer({"bootstrap.servers": self._bootstrap})
        producer.produce(topics.TRIGGERS, b"no trigger")
        producer.flush()

    def put_imports(self, items: Sequence[Item]) -> None:
        """Interactions of the past, as an importer writes them."""
        producer = Producer({"bootstrap.servers": self._bootstrap})
        codec, reserved = Codecs().interaction, Reserved(SYSTEM_SECRET.encode())
        now = time.time_ns() // 1_000_000
        for item in items:
            admitted = _admitted(item, now)
            row = hashlib.blake2b(item["messageId"].encode(), digest_size=ROW_BYTES).digest()
            record = reserved.imported(admitted.key, admitted.event, ImportPayload("a", row), now)
            producer.produce(topics.INTERACTIONS, codec.encode(record), admitted.key,
                             partition_of(admitted.key, PARTITIONS))
        assert 0 == producer.flush(ANSWER_S_MAX)

    def put_in_a_transaction(self, item: Item) -> None:
        """An interaction, by somebody else who writes to the log."""
        admitted = _admitted(item, time.time_ns() // 1_000_000)
        foreign.put_in_a_transaction(self._bootstrap, admitted.key,
                                     Codecs().interaction.encode(admitted.event))

    def put_stale_rows(self) -> None:
        """A worker that was replaced writes."""
        foreign.put_stale_rows(self._bootstrap)

    def begin_a_swap(self) -> None:
        """A rebuild's swap begins, and does not come to its end."""
        foreign.begin_a_swap(self._bootstrap)

    def look_up(self, customers: Sequence[str]) -> None:
        """As a desk does, again and again until each is there to be seen."""
        deadline = time.monotonic() + READY_S_MAX
        for customer in customers:
            url = f"http://{HOST}:{self._http}/v1/customers/{customer}"
            request = urllib.request.Request(url, headers={"Authorization": f"Bearer {API_KEY}"})
            while (status := _status(request)) != 200:
                assert until(deadline, 0.1) > 0, (customer, status)

    def shows(self, job: str, sample: str) -> float:
        """What the samples whose names begin so come to now, in all programs of a job that run."""
        found = 0.0
        for address in self.targets[job]:
            try:
                found += metric(int(address.rpartition(":")[2]), sample)
            except urllib.error.URLError as error:
                if not isinstance(error.reason, ConnectionRefusedError):  # it does not run
                    raise
        return found

    def until(self, what: Callable[[], object], why: str) -> None:
        """Wait until something holds, however long that takes a busy machine."""
        until_holds(what, HAPPENS_S_MAX, why)

    def leave(self, items: Sequence[Item]) -> None:
        """Send what begins a cart each, up to all carts' being left, those from before included."""
        told = 'footfall_triggers_total{name="cart_abandoned"}'
        left = self.shows("worker", told) + len(items)
        self.send(items)
        self.until(lambda: self.shows("worker", told) >= left and not self.shows(
            "worker", 'footfall_rows{level="open",table="cart"}'), "every cart is left")

    def status(self, method: str, path: str, body: object = None, key: str = WRITE_KEY,
               port: int = 0) -> int:
        """The status of one HTTP call; 0 when nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://{HOST}:{port or self._http}{path}", data=data, method=method, headers={
                "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()})
        return _status(request)

    def scraped_by(self, interval_s: float, folder: Path, *, judged: bool = False) -> Path:
        """The Prometheus configuration that is deployed, with these addresses for DNS; without
        rules, which cost as much as all graphs, unless they are to be `judged`.
        """
        path = scraped_by(self.targets, interval_s, folder)
        if not judged:
            loaded = YAML(typ="safe").load(path)
            del loaded["rule_files"]
            YAML(typ="safe").dump(loaded, path)
        return path

    def _worker(self, number: int) -> Worker:
        # Small batches: a burst is then still under way when it is scraped.
        return self._workers.start(f"w{number}", metrics_port=self._ports[number],
                                   batch_records_max=20, redis_url=self._redis_url)


def _status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _admitted(item: Item, now: int) -> Admitted:
    keys = CustomerKeys(CUSTOMER_KEY_SECRET.encode())
    admitted = admit(json.dumps(item).encode(), 0, Arrival("history", now, "import"), keys)
    assert isinstance(admitted, Admitted), admitted
    return admitted
