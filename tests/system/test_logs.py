"""Nothing that anybody sent is in a log, a metric or an answer of health: every program at `debug`,
marked values everywhere, bad input, and destinations that fail. And one interaction is followed by
what is there instead.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from footfall.admin import config
from footfall.events import topics
from footfall.up.ports import HOST, free_port
from tests.collector.program import running
from tests.delivery.endpoint import Endpoint
from tests.redis_server import RedisServer
from tests.system.workers import (
    CUSTOMER_KEY_SECRET,
    PARTITIONS,
    SYSTEM_SECRET,
    Worker,
    Workers,
)

pytestmark = pytest.mark.kafka

#: Stands in every value that is sent, and in the keys that it is sent with.
MARK = "zqcanary"
#: What cannot have it.
PHONE, ADDRESS, CARD = "+4915155501234", "203.0.113.77", "4111111111111111"
WRITE_KEY, API_KEY, SECRET_URL = f"wk_{MARK}", f"ak_{MARK}", f"/{MARK}-path?token={MARK}"
SEEN_S_MAX = 60.0
FIRST = ["time", "level", "program", "instance", "logger", "message"]
REQUEST_ID = "6f1d2c3b-0a9e-4b7d-8c5f-0123456789ab"

ROUTES = """
destinations:
  crm:
    channel: webhook
    url: http://127.0.0.1:{port}/crm
    purpose: necessary
  refuses:
    channel: webhook
    url: http://127.0.0.1:{port}/{mark}-refuses?token={mark}
    purpose: necessary
    retry: {{delays_s: [0.1]}}
  closed:
    channel: webhook
    url: http://127.0.0.1:{closed}{secret_url}
    purpose: necessary
    retry: {{delays_s: [0.1]}}
  mail:
    channel: email
    smtp: {{host: 127.0.0.1, port: {closed}, tls: none}}
    from: shop@shop.example
    subject: "For {{{{ customer.traits.name }}}} {mark}"
    text: mail.txt
    purpose: necessary
    unsubscribe: false
    retry: {{delays_s: [0.1]}}
  broken:
    channel: webhook
    url: http://127.0.0.1:{port}/broken
    purpose: necessary
    template: broken.json
  stream:
    channel: redis
    stream: {mark}
    url_env: CLOSED_REDIS
    purpose: necessary
    timeout_s: 1
    retry: {{delays_s: [0.1]}}
  topic:
    channel: kafka
    topic: carts
    bootstrap_servers: 127.0.0.1:{closed}
    purpose: necessary
    timeout_s: 1
    retry: {{delays_s: [0.1]}}
routes:
  - {{triggers: ["*"], to: [crm, refuses, closed, mail, broken, stream, topic]}}
"""


class Footfall(NamedTuple):
    """All of it running. `logs`: file of each program."""

    http: str
    ports: dict[str, int]
    logs: dict[str, Callable[[], str]]
    worker: Worker
    endpoint: Endpoint


@pytest.fixture
def footfall(footfall_topics: str, workers: Workers, own_redis: Callable[..., RedisServer],
             tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Footfall]:
    """Collector, worker and delivery at `debug`."""
    monkeypatch.setenv("CLOSED_REDIS", f"redis://:{MARK}@127.0.0.1:{free_port()}")
    config.apply(footfall_topics, SYSTEM_SECRET.encode(),
                 {"cart": {"idle_s": 1.0}, "clock": {"grace_s": 0.2, "settle_s": 1.0}})
    endpoint = Endpoint(lambda path, _id: 500 if path.endswith("refuses") else 200)
    routes = tmp_path / "routes.yaml"
    routes.write_text(ROUTES.format(port=endpoint.port, closed=free_port(), mark=MARK,
                                    secret_url=SECRET_URL))
    (tmp_path / "mail.txt").write_text("Dear {{ customer.traits.name }}")
    (tmp_path / "broken.json").write_text("no json of {{ customer.traits.name }}")
    redis, ports = own_redis().url, {"worker": free_port(), "delivery": free_port()}
    every = {"log_level": "debug", "redis_url": redis}
    worker = workers.start("w1", metrics_port=ports["worker"], api_key=API_KEY, **every)
    delivery = workers.start("d1", program=("-m", "footfall", "delivery"), routes=routes,
                             delivery_allow=f"{HOST}", delivery_from="earliest",
                             metrics_port=ports["delivery"], **every)
    with running(footfall_topics, tmp_path, customer_key_secret=CUSTOMER_KEY_SECRET,
                 write_keys=f"web:{WRITE_KEY}", api_key=API_KEY, http_proxies=1,
                 partitions=PARTITIONS, shutdown_delay_s=0, **every) as (collector, url):
        worker.until_ready()
        delivery.until_ready()
        worker.until(lambda: ask("GET", f"{url}/readyz")[0] == 200, SEEN_S_MAX, "a collector")
        yield Footfall(url, ports, {
            "collector": (tmp_path / "collector.log").read_text,
            "worker": worker.output, "delivery": delivery.output}, worker, endpoint)
        assert collector.poll() is None
    endpoint.close()


def ask(method: str, url: str, body: bytes | None = None, key: str = "", **headers: str
        ) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer; 0 where there is none."""
    said = {"User-Agent": f"{MARK}/1.0", "X-Forwarded-For": ADDRESS, "Origin": f"https://{MARK}.x",
            "Cookie": MARK, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if key:
        said["Authorization"] = "Basic " + base64.b64encode(f"{key}:{MARK}".encode()).decode()
    request = urllib.request.Request(url, data=body, method=method, headers=said)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)
    except OSError:
        return 0, {}


def item(kind: str, name: str, **members: Any) -> dict[str, Any]:
    """One call with marked values in every place."""
    return {"type": kind, "userId": f"{MARK}-user", "anonymousId": f"{MARK}-anonymous",
            "messageId": f"{MARK}-{name}", "event": name,
            "context": {"ip": ADDRESS, "userAgent": f"{MARK}/1.0", "traits": {"phone": PHONE},
                        "page": {"url": f"https://shop.example/?q={MARK}", "title": MARK}},
            **members}


GOOD = [
    item("identify", "who", traits={"email": f"{MARK}@shop.example", "phone": PHONE, "name": MARK,
                                    "card": CARD}),
    item("track", "Product Added", properties={"product_id": MARK, "price": "9.90", "quantity": 1,
                                               "currency": "EUR", MARK: MARK}),
]
BAD = [
    b"{" + MARK.encode(), b"\xff\xfe" + MARK.encode(), b'["' + MARK.encode() + b'"]',
    json.dumps({"batch": [MARK, {"type": MARK, "userId": MARK}, item("track", MARK, userId=[MARK]),
                          item("track", MARK, timestamp=MARK), item("track", ""),
                          item("track", "x", messageId=MARK * 20)]}).encode(),
    json.dumps({"batch": [item("track", "x", properties={MARK: MARK * 6000})]}).encode(),
    ('{"a":' * 100 + f'"{MARK}"' + "}" * 100).encode(),
]


def _misbehave(bootstrap: str, footfall: Footfall) -> None:
    """Everything that is refused somewhere, and says why."""
    url = footfall.http
    for body in BAD:
        for path in ("/v1/batch", "/v1/track", "/v1/batch/", "/v1/webhook"):
            ask("POST", url + path, body, WRITE_KEY, X_Request_Id=f"{MARK}@shop.example")
    for path in (f"/v1/pixel/track?writeKey={MARK}&event={MARK}", f"/{MARK}?{MARK}={MARK}",
                 f"/v1/customers/email:{MARK}@shop.example", f"/v1/unsubscribe/{MARK}",
                 f"/v1/triggers?customer=user_id:{MARK}-user", f"/v1/triggers/{MARK}/why",
                 f"/v1/customers/user_id:{MARK}-user/why-not/{MARK}",
                 f"/v1/projects/{MARK}/settings", f"/v1/triggers/stream?ticket={MARK}"):
        ask("GET", url + path, key=MARK)
        ask("GET", url + path, Authorization=f"Bearer {API_KEY}", Last_Event_ID=MARK)
    ask("GET", f"http://{HOST}:{footfall.ports['worker']}/customers/user_id:{MARK}-user?{MARK}",
        Authorization=f"Bearer {API_KEY}")
    ask("POST", f"{url}/v1/track", b"{}", key=f"{MARK}-wrong")
    for raw in (f"POST /v1/track HTTP/9.9\r\nHost: {MARK}\r\n{MARK}\r\n\r\n",
                f"GET /{MARK} HTTP/1.1\r\nHost: h\r\nContent-Length: {MARK}\r\n\r\n"):
        with socket.create_connection((HOST, int(url.rpartition(":")[2])), 10) as client:
            client.sendall(raw.encode())
            client.recv(1000)
    producer = Producer({"bootstrap.servers": bootstrap})
    for topic in (topics.INTERACTIONS, topics.TRIGGERS, topics.DELIVERIES):
        producer.produce(topic, MARK.encode(), f"user_id:{MARK}".encode(), 0)
        producer.produce(topic, b"\0\0\0\0\1" + MARK.encode() * 9, f"user_id:{MARK}".encode(), 0)
    assert 0 == producer.flush(20)


def _lines(footfall: Footfall, program: str) -> list[dict[str, Any]]:
    """Every line of a program's log, each one of the schema."""
    found = []
    for text in footfall.logs[program]().splitlines():
        line = json.loads(text)
        assert FIRST == list(line)[:6], text
        assert program == line["program"], text
        found.append(line)
    return found


def _find(footfall: Footfall, program: str, message: str,
          is_one: Callable[[dict[str, Any]], bool] = lambda _line: True, **fields: Any
          ) -> list[dict[str, Any]]:
    """Lines with this message and these fields of which that holds, waited for."""
    deadline = time.monotonic() + SEEN_S_MAX
    while True:
        found = [line for line in _lines(footfall, program)
                 if line["message"] == message and fields.items() <= line.items()
                 and is_one(line)]
        if found or time.monotonic() > deadline:
            assert found, f"{program} has no {message!r} with {fields}"
            return found
        time.sleep(0.2)


def test_nothing_that_was_sent_is_in_a_log_a_metric_or_an_answer_of_health(
        footfall_topics: str, footfall: Footfall) -> None:
    """At `debug`, and what lines have instead leads from the request to the receiver."""
    status, headers = ask("POST", f"{footfall.http}/v1/batch",
                          json.dumps({"batch": GOOD}).encode(), WRITE_KEY, X_Request_Id=REQUEST_ID)
    assert (200, REQUEST_ID) == (status, headers["X-Request-Id"])
    _misbehave(footfall_topics, footfall)

    # From the request to its records, to the trigger, to its deliveries, by what lines have.
    written = _find(footfall, "collector", "written", request_id=REQUEST_ID)[-1]
    (applied,) = {line["until_offset"] for line in _find(
        footfall, "worker", "applied",
        lambda line: line["from_offset"] <= written["offset"] < line["until_offset"],
        topic=written["topic"], partition=written["partition"])}
    assert applied > written["offset"]

    def told() -> set[str]:
        return {line["trigger_id"] for line in _find(
            footfall, "worker", "a trigger was told",
            lambda line: line["until_offset"] > written["offset"],
            partition=written["partition"])}

    sent = _find(footfall, "delivery", "an attempt ended",
                 lambda line: line["trigger_id"] in told(), destination="crm", status="sent")
    assert {line["trigger_id"] for line in sent} <= {
        got.webhook_id for got in footfall.endpoint.got if got.path == "crm"}

    # All destinations had their turn, those that fail, too.
    for destination in ("refuses", "closed", "mail", "stream", "topic"):
        _find(footfall, "delivery", "an attempt ended", destination=destination, status="retry")
    _find(footfall, "delivery", "rendering failed", destination="broken")
    _find(footfall, "delivery", "Redis did not take a trigger", destination="stream")

    said = [footfall.logs[program]() for program in footfall.logs]
    assert all(len(_lines(footfall, program)) > 10 for program in footfall.logs)
    bases = {footfall.http, *(f"http://{HOST}:{port}" for port in footfall.ports.values())}
    for base in bases:
        for path in ("/metrics", "/healthz", "/readyz"):
            with urllib.request.urlopen(base + path, timeout=15) as answer:
                said.append(answer.read().decode())
    secret = re.compile(
        "|".join(map(re.escape, (MARK, PHONE[3:], ADDRESS, CARD, CUSTOMER_KEY_SECRET,
                                 SYSTEM_SECRET, base64.b64encode(WRITE_KEY.encode()).decode()[:8],
                                 ))) + r"|user_id:[A-Za-z0-9_-]{22}", re.IGNORECASE)
    assert [] == [line[:400] for text in said for line in text.splitlines() if secret.search(line)]
