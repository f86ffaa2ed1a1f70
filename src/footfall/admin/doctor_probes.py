"""Of what runs: brokers, topics, lag, schema registry, collector and workers.

Decides what counts as well. Looks and never changes: it registers no schema, joins no group,
commits nothing. Every question has a time limit of its own.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import ApiVersionRequest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from footfall.admin import topics as admin_topics
from footfall.admin.cluster import admin_client, answers
from footfall.admin.doctor import Finding
from footfall.admin.doctor_machine import without_password
from footfall.events import topics
from footfall.events.registry import REGISTRY_SUBJECTS
from footfall.kafka.aio import aio, secured
from footfall.kafka.reach import certificates, refusal
from footfall.kafka.security import security_of
from footfall.rights import PARTS, lacking
from footfall.settings import Settings
from footfall.view.workers import addresses, get

ANSWER_S_MAX = 5.0
RETRY_S = 0.2
CERTIFICATE_DAYS_MIN = 30
#: A group that is further behind than this is not just between two commits.
LAG_RECORDS_MANY = 10_000
SHOWN_MAX = 20
_FETCH = 1
#: Highest version of Kafka's Fetch API -> the release that brought it (Kafka has no question for
#: its release; KIP-392, 595, 516, 903, 951, 853, 1166).
_RELEASES = {11: "2.3", 12: "2.7", 13: "3.1", 15: "3.5", 16: "3.7", 17: "3.9", 18: "4.1"}
NOBODY = "/customers/user_id:AAAAAAAAAAAAAAAAAAAAAA"


# -- Kafka -----------------------------------------------------------------------------------------


def kafka(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, its version, the topics against what they should be, and the lag."""
    bootstrap = settings.kafka_bootstrap_servers
    if not bootstrap:
        yield Finding("kafka", "brokers", "error", "none is configured, and no `footfall up` runs",
                      "start `footfall up`, or set FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
        return
    if not answers(bootstrap, seconds_max=ANSWER_S_MAX):
        why, _, change = refusal(bootstrap).partition("; ")
        yield Finding("kafka", "brokers", "error", why or f"no broker answers at {bootstrap}",
                      change or "start it, or correct FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
        return
    admin = admin_client(bootstrap)
    metadata = admin.list_topics(timeout=ANSWER_S_MAX)
    hosts = [(b.host, b.port) for b in metadata.brokers.values()]
    yield Finding("kafka", "brokers", "ok", f"{len(hosts)} at {bootstrap}, cluster "
                  f"{metadata.cluster_id}", details={"brokers": [f"{h}:{p}" for h, p in hosts]})
    for host, port in hosts:
        yield _release(host, port, bootstrap)
    yield from expiry(bootstrap, [f"{host}:{port}" for host, port in hosts])
    yield from _protection(bootstrap)
    found = admin_topics.read(admin)
    is_protected = security_of(bootstrap).security_protocol != "PLAINTEXT"
    wrong = admin_topics.problems(found, settings.partitions)
    for sentence in wrong:
        subject, _, rest = sentence.partition(": ")
        what, _, change = rest.partition("; ")
        if what == "does not exist" and is_protected:
            what += ", or this user may not see it"
        yield Finding("topics", subject, "error", what, change)
    if not wrong:
        yield Finding("topics", "all", "ok", f"{len(found)}, as they must be")
    partitions = next(t.partitions for t in found if t.name == topics.INTERACTIONS)
    if partitions:
        yield from _lag(admin, bootstrap, partitions)


def _release(host: str, port: int, bootstrap: str) -> Finding:
    try:
        highest = asyncio.run(asyncio.wait_for(_fetch_version(host, port, bootstrap), ANSWER_S_MAX))
    except Exception as error:
        return Finding("kafka", f"{host}:{port}", "error",
                       f"named by the cluster, but does not answer ({type(error).__name__})",
                       "its advertised.listeners must be reachable from here")
    least = [release for version, release in _RELEASES.items() if version <= highest]
    known = f"Kafka {least[-1]} or later" if least else "older than Kafka 2.3"
    return Finding("kafka", f"{host}:{port}", "ok", f"{known} (by its Fetch API, {highest})",
                   details={"fetch_version": highest})


async def _fetch_version(host: str, port: int, bootstrap: str) -> int:
    connection = await create_conn(host, port, request_timeout_ms=int(ANSWER_S_MAX * 1000),
                                   **secured(security_of(bootstrap)))
    try:
        response = await connection.send(ApiVersionRequest())
        return next(int(highest) for key, _low, highest in response.api_versions if key == _FETCH)
    finally:
        connection.close()


def expiry(bootstrap: str, addresses: list[str]) -> Iterator[Finding]:
    """How long the certificates of brokers are valid; a warning where that is not long."""
    for address, days_left in certificates(bootstrap, addresses):
        soon = days_left < CERTIFICATE_DAYS_MIN
        yield Finding("kafka", f"certificate of {address}", "warning" if soon else "ok",
                      f"expires in {days_left:.0f} days",
                      "renew it on the broker: once it has expired, nothing connects" if soon
                      else "", {"days_left": round(days_left, 1)})


def _protection(bootstrap: str) -> Iterator[Finding]:
    """Of brokers that ask who we are: how, and for which parts our rights are enough."""
    security = security_of(bootstrap)
    if security.security_protocol == "PLAINTEXT":
        return
    if security.security_protocol == "SASL_PLAINTEXT":
        yield Finding("kafka", "security", "warning", "SASL_PLAINTEXT: what is sent can be read on "
                      "the way, and with PLAIN or OAUTHBEARER the credentials too",
                      "use a listener with SASL_SSL")
    found = {part: [str(right) for right in wanting]
             for part, wanting in lacking(bootstrap, PARTS).items()}
    able = [part for part, wanting in found.items() if not wanting]
    yield Finding("kafka", "rights", "ok" if able else "warning",
                  f"of this user: enough for {', '.join(able) or 'no part'}",
                  "" if able else "`footfall acls list` prints what each part needs",
                  {"lacking": found})


def _lag(admin: AdminClient, bootstrap: str, partitions: int) -> Iterator[Finding]:
    members, committed = group(admin, bootstrap, topics.APP_ID, topics.INTERACTIONS)
    if members:
        yield Finding("workers", "members", "ok", f"{members} in group {topics.APP_ID}")
    else:
        yield Finding("workers", "members", "warning", f"group {topics.APP_ID} has none: nothing "
                      "is processed", "start `footfall worker`")
    yield behind("workers", lag_of(admin, topics.INTERACTIONS, partitions, committed),
                 "run more workers or look at their logs")


def lag_of(admin: AdminClient, topic: str, partitions: int, committed: Mapping[int, int]
           ) -> dict[int, int]:
    """Per partition: the end of a log less what its group has committed."""
    wanted = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(partitions)}
    ends = {tp.partition: future.result(timeout=ANSWER_S_MAX).offset for tp, future
            in admin.list_offsets(wanted, request_timeout=ANSWER_S_MAX).items()}
    return {p: max(0, ends[p] - committed.get(p, 0)) for p in sorted(ends)}


def behind(area: str, lag: Mapping[int, int], change: str) -> Finding:
    """What is to be said of a group's lag; `change`: what to do where it grows."""
    most = sorted(lag, key=lambda p: (-lag[p], p))[:SHOWN_MAX]
    text = ", ".join(f"{p}: {lag[p]}" for p in sorted(most))
    many = max(lag.values()) > LAG_RECORDS_MANY
    return Finding(area, "lag", "warning" if many else "ok",
                   f"log records not committed, by partition: {text}",
                   f"it should fall; if it grows, {change}" if many else "",
                   {"partitions": {str(p): n for p, n in lag.items()}})


def group(admin: AdminClient, bootstrap: str, group_id: str, topic: str
          ) -> tuple[int, dict[int, int]]:
    """(members, partition -> offset committed). A new cluster first makes its coordinator."""
    deadline = time.monotonic() + ANSWER_S_MAX
    while True:
        try:
            committed = asyncio.run(
                asyncio.wait_for(_committed(bootstrap, group_id, topic), ANSWER_S_MAX))
            described = admin.describe_consumer_groups([group_id])[group_id]
            return len(described.result(timeout=ANSWER_S_MAX).members), committed
        except (KafkaError, KafkaException):
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


async def _committed(bootstrap: str, group_id: str, topic: str) -> dict[int, int]:
    # Not by confluent_kafka: it reads the metadata of a commit past its end.
    admin = AIOKafkaAdminClient(**aio(bootstrap))
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group_id)
    finally:
        await admin.close()
    return {tp.partition: at.offset for tp, at in found.items()
            if tp.topic == topic and at.offset >= 0}


# -- HTTP ------------------------------------------------------------------------------------------


def registry(settings: Settings) -> Iterator[Finding]:
    """Whether it answers and has our subjects."""
    url = settings.schema_registry_url
    if not url:
        yield Finding("registry", "", "ok", "none configured: schema ids are the package's")
        return
    parts, shown = urlsplit(url), without_password(url)
    request = urllib.request.Request(f"{shown.rstrip('/')}/subjects")  # noqa: S310 - configured
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as answer:  # noqa: S310
            subjects = set(json.load(answer))
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else str(error)
        yield Finding("registry", shown, "error", f"does not tell its subjects: {why}",
                      "start it, or correct FOOTFALL_SCHEMA_REGISTRY_URL")
        return
    missing = sorted(set(REGISTRY_SUBJECTS.values()) - subjects)
    yield Finding("registry", shown, "warning" if missing else "ok",
                  f"lacks {', '.join(missing)}" if missing else "answers, and has our subjects",
                  "footfall schemas register" if missing else "")


def collector(settings: Settings) -> Iterator[Finding]:
    """Whether one answers on this machine."""
    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host  # noqa: S104
    url = f"http://{host}:{settings.http_port}"
    status, answer = _ask(urlsplit(url), host, "/readyz")
    if status == http.client.OK:
        yield Finding("collector", url, "ok", "ready")
    elif status:
        yield Finding("collector", url, "error", f"answers {status}: {answer.get('message', '')}",
                      "it has to see the brokers and the topics; is it a collector?")
    else:
        yield Finding("collector", url, "warning", "does not answer",
                      "start `footfall collector`, or ask on the machine where it runs")


def workers(settings: Settings) -> Iterator[Finding]:
    """Whether those that are known answer, and own all partitions between them."""
    owned: set[int] = set()
    count = 0
    for url, address in addresses(settings.worker_urls):
        count += 1
        subject = f"{url.geturl()} ({address})"
        status, answer = _ask(url, address, "/readyz")
        if status == http.client.OK:
            mine = [int(p) for p in answer.get("partitions", ())]
            owned |= set(mine)
            yield Finding("workers", subject, "ok", f"ready, {len(mine)} partitions",
                          details={"partitions": mine})
            yield from _key(settings, url, address, subject)
        elif status:
            yield Finding("workers", subject, "warning",
                          f"answers {status}: {answer.get('message', '')}",
                          "wait until it has recovered; if it goes on, look at its log")
        else:
            yield Finding("workers", subject, "error", "does not answer",
                          "start it with FOOTFALL_METRICS_PORT, or correct FOOTFALL_WORKER_URLS")
    if not count:
        yield Finding("workers", "urls", "warning", "none known: their health is not looked at",
                      "give workers a FOOTFALL_METRICS_PORT, and name them in FOOTFALL_WORKER_URLS")
    elif len(owned) < settings.partitions:
        yield Finding("workers", "partitions", "warning",
                      f"{len(owned)} of {settings.partitions} are owned by the workers known",
                      "name all workers in FOOTFALL_WORKER_URLS, or start more")


def _key(settings: Settings, url: SplitResult, address: str, subject: str) -> Iterator[Finding]:
    """Whether our API key is the worker's."""
    if settings.api_key:
        status, answer = _ask(url, address, NOBODY, settings.api_key)
        if status == http.client.UNAUTHORIZED or (status == http.client.NOT_FOUND and not answer):
            yield Finding("workers", subject, "warning", "does not take this API key",
                          "start it with the FOOTFALL_API_KEY that is configured here")


def _ask(url: SplitResult, address: str, path: str, api_key: str = ""
         ) -> tuple[int, dict[str, Any]]:
    """(status, JSON); status 0 where nobody answers."""
    try:
        return get(url, address, path, api_key)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        return 0, {}
