"""Of the brokers: which can be reached, by the addresses that they name themselves; what they are.

A client is led on by the first broker to the addresses that all of them advertise: one that cannot
be reached from here is the classic fault, so each is asked. Decides which release is too old, and
when a certificate expires soon. Looks and never changes. 2026-11-26: `metadata.version`, the level
that is in force on all of them, is not told: it stands in ApiVersions from version 3 on, which
neither client can ask, and nothing of Footfall goes by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from aiokafka.conn import create_conn
from aiokafka.protocol.admin import ApiVersionRequest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from footfall.admin.cluster import admin_client, listens
from footfall.doctor.findings import Finding
from footfall.expiry import expires_s
from footfall.kafka.aio import secured
from footfall.kafka.reach import certificates, refusal, told
from footfall.kafka.security import Cluster, security_of
from footfall.settings import Settings

ANSWER_S_MAX = 5.0
TRIES, TRY_S_MAX = 3, 2.0
CERTIFICATE_DAYS_MIN = 30
_FETCH = 1
#: Highest version of Kafka's Fetch API -> the release that brought it (Kafka has no question for
#: its release; KIP-392, 595, 516, 903, 951, 853, 1166).
_RELEASES = {11: "2.3", 12: "2.7", 13: "3.1", 15: "3.5", 16: "3.7", 17: "3.9", 18: "4.1"}
#: The first with static members of groups, and where rights can be asked for.
RELEASE_MIN = "Kafka 2.3 or later; tested on 4.1"


def reached(settings: Settings) -> AdminClient | None:
    """An administrator's client, where brokers answer; where none does, `brokers` says it."""
    bootstrap = settings.kafka_bootstrap_servers
    return admin_client(bootstrap) if bootstrap and _metadata(bootstrap) is not None else None


def brokers(settings: Settings) -> Iterator[Finding]:
    """Whether they answer, each by itself, their releases and certificates."""
    bootstrap = settings.kafka_bootstrap_servers
    if not bootstrap:
        yield Finding("kafka", "brokers", "error", "none is configured, and no `footfall up` runs",
                      "start `footfall up`, or set FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
        return
    metadata = _metadata(bootstrap)
    if metadata is None:
        why, _, change = refusal(bootstrap).partition("; ")
        yield Finding("kafka", "brokers", "error", why or f"no broker answers at {bootstrap}",
                      change or "start it, or correct FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
        return
    addresses = [f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()]
    yield Finding("kafka", "brokers", "ok", f"{len(addresses)} at {bootstrap}, cluster "
                  f"{metadata.cluster_id}", details={"brokers": addresses})
    yield from _entries(bootstrap)
    yield from _advertised(bootstrap, addresses)
    yield from expiry(bootstrap, addresses)
    if security_of(bootstrap).security_protocol == "SASL_PLAINTEXT":
        yield Finding("kafka", "security", "warning", "SASL_PLAINTEXT: what is sent can be read on "
                      "the way, and with PLAIN or OAUTHBEARER the credentials too",
                      "use a listener with SASL_SSL", wanted="SASL_SSL")


def _metadata(bootstrap: str) -> ClusterMetadata | None:
    """What the cluster says of itself; None where nobody answers. Asked by a client of its own each
    time: one that was led on to an address where nobody answers may wait there.
    """
    for _ in range(TRIES if listens(bootstrap) else 0):
        with contextlib.suppress(KafkaException):
            found = admin_client(bootstrap).list_topics(timeout=TRY_S_MAX)
            if found.brokers:
                return found
    return None


def _entries(bootstrap: str) -> Iterator[Finding]:
    """The addresses that are configured: one that is dead is found out when the others are."""
    found = told(bootstrap)
    if len(found) < 2:
        return
    for address, why in found.items():
        if why is not None:
            yield Finding("kafka", address, "warning", why or f"is configured, and {_why(address)}",
                          "correct FOOTFALL_KAFKA_BOOTSTRAP_SERVERS, or start this broker")


def _advertised(bootstrap: str, addresses: Sequence[str]) -> Iterator[Finding]:
    there = told(Cluster(",".join(addresses), security_of(bootstrap)))
    for address, why in there.items():
        if why is None:
            yield _release(address, bootstrap)
            continue
        what, _, change = why.partition("; ")
        yield Finding("kafka", address, "error",
                      f"named by the cluster, but {what or _why(address)}",
                      change or "set this broker's advertised.listeners to an address that is "
                      "reachable from here, or make this one so (name, route, firewall)",
                      wanted="every broker answers at the address that it advertises")


def _why(address: str) -> str:
    """Why an address is not reached, as the system says it."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S_MAX).close()
    except socket.gaierror:
        return f"the name {host} is not known here"
    except ConnectionRefusedError:
        return "it refuses the connection: nobody listens there"
    except TimeoutError:
        return "it does not answer: is there a firewall between?"
    except (OSError, ValueError) as error:
        return f"it cannot be reached ({getattr(error, 'strerror', '') or error})"
    return "it takes the connection and does not answer"


def _release(address: str, bootstrap: str) -> Finding:
    host, _, port = address.rpartition(":")
    try:
        highest = asyncio.run(asyncio.wait_for(
            _fetch_version(host.strip("[]"), int(port), bootstrap), ANSWER_S_MAX))
    except Exception as error:
        return Finding("kafka", address, "error",
                       f"named by the cluster, but does not answer ({type(error).__name__})",
                       "see this broker's log", wanted="an answer")
    return judged_release(address, highest)


def judged_release(address: str, highest: int) -> Finding:
    """By the highest version of the Fetch API that a broker has."""
    least = [release for version, release in _RELEASES.items() if version <= highest]
    known = f"Kafka {least[-1]} or later" if least else "older than Kafka 2.3"
    return Finding("kafka", address, "ok" if least else "warning",
                   f"{known} (by its Fetch API, {highest})",
                   "" if least else "upgrade it, or `footfall up` with Java runs a real one",
                   {"fetch_version": highest}, wanted=RELEASE_MIN)


async def _fetch_version(host: str, port: int, bootstrap: str) -> int:
    connection = await create_conn(host, port, request_timeout_ms=int(ANSWER_S_MAX * 1000),
                                   **secured(security_of(bootstrap)))
    try:
        response = await connection.send(ApiVersionRequest())
        return next(int(highest) for key, _low, highest in response.api_versions if key == _FETCH)
    finally:
        connection.close()


def expiry(bootstrap: str, addresses: Sequence[str]) -> Iterator[Finding]:
    """How long certificates are valid, brokers' and ours; a warning where that is not long."""
    for address, days_left in certificates(bootstrap, list(addresses)):
        yield _days(f"certificate of {address}", days_left, "renew it on the broker: once it has "
                    "expired, nothing connects")
    security = security_of(bootstrap)
    with contextlib.suppress(OSError, ValueError):
        left_s = expires_s(Path(security.ssl_certificate_file)) - time.time()
        yield _days("certificate of ours", left_s / 86_400,
                    f"renew {security.prefix}ssl_certificate_file: once it has expired, no broker "
                    "lets us in")


def _days(subject: str, days_left: float, change: str) -> Finding:
    soon = days_left < CERTIFICATE_DAYS_MIN
    return Finding("kafka", subject, "warning" if soon else "ok",
                   f"expires in {days_left:.0f} days", change if soon else "",
                   {"days_left": round(days_left, 1)},
                   wanted=f"{CERTIFICATE_DAYS_MIN} days or more")
