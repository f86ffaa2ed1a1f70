"""A cluster with TLS, SASL and an authorizer: each part has just the rights it needs.

Every part does its work with the rights of `footfall.rights` and is never denied anything; each of
these rights is used (the authorizer's own log says so), and without any one of them the part fails
and says what is missing.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from footfall.admin.scan import Scanner
from footfall.cli import footfall
from footfall.delivery.channels import open_channel
from footfall.delivery.message import Resources
from footfall.delivery.routes_row import KafkaDestination, KafkaSecurity
from footfall.doctor.brokers import brokers, expiry
from footfall.doctor.rights import rights as right_findings
from footfall.doctor.topics import topics as topic_findings
from footfall.errors import BrokerError, ConfigError, FootfallError
from footfall.events import topics
from footfall.kafka.reach import refusal
from footfall.kafka.security import Cluster, Security
from footfall.rights import PARTS, Right, admit, missing
from footfall.settings import Settings
from footfall.stream.generations import topic_of
from footfall.stream.reader import Reader
from footfall.up import kafka
from footfall.up.ports import free_port
from tests import services
from tests.delivery.channels import DOCUMENT, NOBODY, TRIGGER, attempt
from tests.kafka.test_tokens import Endpoint
from tests.system.secured import LOGGING, PASSWORD, Authority, Decision, Secured, tls_server
from tests.system.topics import until
from tests.system.workers import (
    CUSTOMER_KEY_SECRET,
    PARTITIONS,
    SYSTEM_SECRET,
    Worker,
    Workers,
)

pytestmark = pytest.mark.kafka

API_KEY = "an API key for tests only"
WRITE_KEY = "a-write-key-for-tests"
SHOP = "shop.triggers"
ROUTES = f"""
destinations: {{shop: {{channel: kafka, purpose: necessary, topic: {SHOP}}}}}
routes: [{{triggers: ["*"], to: [shop]}}]
"""
DONE_S_MAX = 60.0
HTTP = "http://127.0.0.1:"


# -- the cluster -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One for all of these tests, with a user for each part, who has its rights."""
    folder = tmp_path_factory.mktemp("secured")
    nodes: list[services.KafkaNode] = []

    def start(settings: dict[str, str], port: int) -> services.KafkaNode:
        nodes.append(services.kafka_node(folder / "kafka", port, settings))
        nodes[0].start()
        return nodes[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "_LOG4J", kafka._LOG4J + LOGGING)
        authority = Authority(folder / "certificates")
        try:
            made = Secured(start, authority, authority.issue("broker"))
        except BrokerError as error:
            if services.GIVEN.get("FOOTFALL_TEST_REQUIRE_KAFKA") == "1":
                raise
            pytest.skip(f"no Apache Kafka of one's own: {error}")
    for name, part in PARTS.items():
        made.user(name)
        made.grant(name, part.rights)
    run(made, "admin", "topics", "create")
    run(made, "admin", "config", "apply", "--set", "cart.idle_s=1")
    yield made
    nodes[0].stop(5.0)


def environment(cluster: Secured, user: str, **more: Any) -> dict[str, str]:
    """The variables of a program that is this user."""
    settings = cluster.settings(
        user, customer_key_secret=CUSTOMER_KEY_SECRET, system_secret=SYSTEM_SECRET,
        partitions=PARTITIONS, **more)
    return {f"FOOTFALL_{name.upper()}": str(value) for name, value in settings.items()}


def run(cluster: Secured, user: str, *arguments: str, **more: Any) -> str:
    """A command's output; raises what it fails with."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(cluster, user, **more).items():
            patch.setenv(name, value)
        found = CliRunner().invoke(footfall, list(arguments))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.stdout


# -- all of it at work -----------------------------------------------------------------------------


def test_each_part_works_with_its_rights_and_uses_every_one(
    cluster: Secured, tmp_path: Path
) -> None:
    """From a tracking call to a trigger at the shop and back to commands; nobody is ever denied."""
    admin_work(cluster)
    workers = Workers(cluster.bootstrap, tmp_path)
    try:
        started = run_installation(cluster, workers, tmp_path)
        commands_work(cluster, tmp_path)
        assert [None] * 3 == [one.exit_code for one in started]
        assert [0] * 3 == [one.stop() for one in started]
        clean_up(cluster)
    finally:
        workers.end()
        found = cluster.decisions()
        denied = {one for one in found if not one.is_allowed}
        print("denied:", denied)
    # It asks for which parts its user has enough rights, and is told.
    run(cluster, "admin", "doctor", "--json")
    found |= cluster.decisions()
    shop = Right("WRITE", "TOPIC", SHOP)
    assert set() == denied
    for name, part in PARTS.items():
        unused = [str(right) for right in part.rights if not is_used(name, right, found)]
        assert [] == unused, name
    assert is_used("delivery", shop, found)


def is_used(user: str, right: Right, found: set[Decision]) -> bool:
    """Whether the authorizer allowed an operation by it."""
    return any(
        one.who == user and one.operation == right.operation and one.kind.upper() == right.kind
        and (one.name.startswith(right.name) if right.is_prefix else one.name == right.name)
        for one in found if one.is_allowed)


def admin_work(cluster: Secured) -> None:
    """What an administrator does."""
    cluster.admin.delete_topics([topics.DELIVERIES])[topics.DELIVERIES].result(timeout=20)
    until(lambda: topics.DELIVERIES not in cluster.admin.list_topics(timeout=10).topics, 20)
    run(cluster, "admin", "topics", "create")
    run(cluster, "admin", "topics", "check")
    run(cluster, "admin", "config", "apply", "--set", "cart.idle_s=1")


def run_installation(cluster: Secured, workers: Workers, folder: Path) -> list[Worker]:
    """Collector, worker and delivery, until a trigger has gone all the way."""
    port = free_port()
    routes = folder / "routes.yaml"
    routes.write_text(ROUTES)
    cluster.admin.create_topics([new_topic(SHOP)])[SHOP].result(timeout=20)
    cluster.grant("delivery", [Right("WRITE", "TOPIC", SHOP)])
    started = [
        workers.start(program=("-m", "footfall", part), **{
            **cluster.settings(part), "api_key": API_KEY, "routes": routes,
            "http_port": port, "write_keys": f"web:{WRITE_KEY}"})
        for part in ("worker", "delivery", "collector")]
    for one in started[:2]:
        one.until_ready()
    started[2].until(lambda: is_ready(port), DONE_S_MAX, "the collector is ready")
    with subscription(port) as stream:
        track(port, {"type": "track", "userId": "u1", "event": "Product Added", "properties": {
            "product_id": "p1", "price": "9.90", "currency": "EUR"}})
        track(port, {"type": "track", "userId": "u1"})  # without a name: rejected
        garbage(cluster, topics.INTERACTIONS, topics.TRIGGERS)
        assert b"cart_abandoned" in until_line(stream, b"cart_abandoned")
    with Scanner(cluster.node.bootstrap) as scanner:
        for topic, least in ((SHOP, 1), (topics.DELIVERIES, 2), (topics.REJECTED, 3)):
            until(lambda t=topic, n=least: sum(  # type: ignore[misc]
                span.end for span in scanner.spans(t).values()) >= n, DONE_S_MAX, topic)
    return started


def commands_work(cluster: Secured, folder: Path) -> None:
    """What people run beside it, and jobs over the past."""
    found = run(cluster, "reader", "tail", "triggers", "--json", "--from-beginning",
                "--idle-exit", "2")
    trigger = next(one["trigger_id"] for one in map(json.loads, found.splitlines())
                   if "trigger_id" in one)
    assert "rejected" in run(cluster, "reader", "tail", "rejected", "--json", "--from-beginning",
                             "--idle-exit", "2")
    assert "cart" in run(cluster, "reader", "customer", "user_id:u1", "--json")
    until_named(cluster, "reader", "footfall-recovery", "customer", "user_id:u1", "--json")
    assert trigger in run(cluster, "reader", "why", trigger, "--json")
    run(cluster, "reader", "deliveries", "summary")
    run(cluster, "reader", "plan", "unused", "--json")
    routes = str(folder / "routes.yaml")
    run(cluster, "redrive", "deliveries", "disable", "shop", routes=routes)
    run(cluster, "redrive", "deliveries", "enable", "shop", routes=routes)
    run(cluster, "redrive", "deliveries", "redrive", "--yes")
    for chosen in ((), ("--destination", "shop", "--outcome", "sent")):
        run(cluster, "resend", "replay", "resend", "--since", "1d", "--to", "shop", *chosen,
            "--yes", routes=routes)
    run(cluster, "archive", "archive", "run", "--once", archive_target=str(folder / "archive"))
    (folder / "old.jsonl").write_text(json.dumps({
        "type": "track", "userId": "u2", "event": "Order Completed", "messageId": "old-1",
        "timestamp": "2026-01-01T00:00:00Z"}) + "\n")
    run(cluster, "import", "import", str(folder / "old.jsonl"), "--yes", "--rejects",
        str(folder / "rejects.jsonl"))
    run(cluster, "what-if", "replay", "what-if", "--from-start", "--yes")
    run(cluster, "rebuild", "replay", "rebuild", "--yes", "--accept-differences")
    assert topic_of(2) in cluster.admin.list_topics(timeout=10).topics


def until_named(cluster: Secured, user: str, group: str, *arguments: str) -> None:
    """Run a command until its client has looked for the group that it names: where there is little
    to read it may be through before.
    """
    right = Right("DESCRIBE", "GROUP", group)
    until(lambda: is_used(user, right, cluster.decisions(are_kept=True))
          or not run(cluster, user, *arguments), DONE_S_MAX, f"{group} is looked for")


def clean_up(cluster: Secured) -> None:
    """The last that a rebuild does; nobody may still need the old state."""
    run(cluster, "rebuild", "replay", "commit", "--yes")
    run(cluster, "rebuild", "replay", "status", "--json")
    # Where the log's head is gone, the configuration in force is known from the changelog.
    gone = [TopicPartition(topics.INTERACTIONS, n, 1) for n in range(PARTITIONS)]
    for future in cluster.admin.delete_records(gone).values():
        future.result(timeout=20)
    run(cluster, "admin", "config", "apply", "--set", "cart.idle_s=2")
    run(cluster, "what-if", "replay", "what-if", "--from-start", "--yes")


# -- one right less --------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_each_right_that_is_taken_away_is_missed(cluster: Secured, part: str) -> None:
    """The matrix of users and operations: no right of a part is given by another of its rights, and
    the cluster tells each that is gone.
    """
    second = topic_of(2)
    if second not in cluster.admin.list_topics(timeout=10).topics:
        cluster.admin.create_topics([new_topic(second)])[second].result(timeout=20)
    addresses = Settings(**cluster.settings(part)).kafka_bootstrap_servers
    assert [] == missing(addresses, part)
    for right in PARTS[part].rights:
        cluster.revoke(part, right)
        found = missing(addresses, part)
        cluster.grant(part, [right])
        assert right in found
        # Without any that brings DESCRIBE with it, the cluster does not even tell the others.
        assert [] == [one for one in found if not one.name.startswith(right.name)
                      and not right.name.startswith(one.name)]
    assert [] == missing(addresses, part)


@pytest.mark.parametrize(("part", "right"), [
    ("collector", Right("WRITE", "TOPIC", topics.INTERACTIONS)),
    ("worker", Right("WRITE", "TOPIC", topics.CHANGELOG, True)),
    ("worker", Right("READ", "GROUP", topics.APP_ID)),
    ("delivery", Right("READ", "TOPIC", topics.TRIGGERS))])
def test_a_program_says_at_its_start_what_it_may_not(
    cluster: Secured, tmp_path: Path, part: str, right: Right
) -> None:
    """And who can change that; it does not try for ever."""
    (tmp_path / "routes.yaml").write_text(ROUTES)
    cluster.revoke(part, right)
    try:
        with pytest.raises(BrokerError) as error:
            run(cluster, part, part, api_key=API_KEY, write_keys=f"web:{WRITE_KEY}",
                routes=str(tmp_path / "routes.yaml"))
    finally:
        cluster.grant(part, [right])
    assert f"{part} may not {right}: `footfall acls list {part}` prints" in str(error.value)


@pytest.mark.parametrize(("part", "right", "command", "said"), [
    ("reader", Right("READ", "TOPIC", topics.DELIVERIES), ("deliveries", "summary"), "acls list"),
    ("reader", Right("READ", "TOPIC", topics.TRIGGERS), ("tail", "triggers", "--idle-exit", "1"),
     "acls list"),
    ("admin", Right("WRITE", "TOPIC", topics.INTERACTIONS),
     ("config", "apply", "--set", "cart.idle_s=7"), "acls list"),
    ("admin", Right("DESCRIBE_CONFIGS", "TOPIC", topics.TRIGGERS), ("topics", "check"),
     "uthorization failed"),
    ("archive", Right("READ", "TOPIC", topics.INTERACTIONS), ("archive", "run", "--once"),
     "uthorization failed"),
    ("import", Right("WRITE", "TOPIC", topics.INTERACTIONS), ("import", "old.jsonl", "--yes"),
     "acls list"),
    ("rebuild", Right("READ", "TOPIC", topics.INTERACTIONS),
     ("replay", "rebuild", "--yes", "--no-cutover"), "acls list"),
])
def test_a_command_says_what_it_may_not(
    cluster: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, part: str, right: Right,
    command: tuple[str, ...], said: str
) -> None:
    """It is denied the operation itself, at once, and says which."""
    monkeypatch.chdir(tmp_path)
    Path("old.jsonl").write_text(json.dumps({
        "type": "track", "userId": "u3", "event": "Order Completed", "messageId": "old-3",
        "timestamp": "2026-01-01T00:00:00Z"}) + "\n")
    cluster.decisions()
    cluster.revoke(part, right)
    try:
        with pytest.raises(FootfallError, match=said):
            run(cluster, part, *command, archive_target=str(tmp_path / "archive"))
    finally:
        cluster.grant(part, [right])
    # Who may write no topic at all is not even given a producer id; of that nothing is logged.
    assert right.operation == "WRITE" or any(
        one.who == part and not one.is_allowed and one.name == right.name
        for one in cluster.decisions())


def test_what_is_hidden_is_not_said_to_be_absent(cluster: Secured) -> None:
    """A cluster does not list the topics that a user may do nothing with."""
    hiding = [right for right in PARTS["reader"].rights if right.name == topics.CHANGELOG]
    for right in hiding:
        cluster.revoke("reader", right)
    try:
        with pytest.raises(BrokerError, match=f"{topics.CHANGELOG} .* may not see it.*acls list"):
            run(cluster, "reader", "customer", "user_id:u1")
    finally:
        cluster.grant("reader", hiding)


# -- the wrong way in ------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "said"), [
    ({"kafka_sasl_password": "wrong"}, "does not take kafka_sasl_username 'worker' with"),
    ({"kafka_sasl_username": "nobody"}, "does not take kafka_sasl_username 'nobody' with"),
    ({"kafka_sasl_mechanism": "PLAIN"}, "does not take kafka_sasl_mechanism PLAIN"),
    ({"kafka_ssl_ca_file": ""}, "an authority that is not known here"),
    ({"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ssl_ca_file": ""},
     "which is SASL_PLAINTEXT, that of this listener"),
    ({"kafka_security_protocol": "SSL", "kafka_sasl_mechanism": "", "kafka_sasl_username": "",
      "kafka_sasl_password": ""}, "closes the connection")])
def test_a_program_and_doctor_say_why_they_are_refused(
    cluster: Secured, change: dict[str, str], said: str
) -> None:
    """At once, naming the setting, and never with the password."""
    settings = cluster.settings("worker", **change)
    with pytest.raises(BrokerError) as error:
        admit(Settings(**settings).kafka_bootstrap_servers, "worker")
    told = list(brokers(Settings(**settings)))
    assert ("brokers", "error") == (told[0].subject, told[0].status)
    for text in (str(error.value), f"{told[0].found}; {told[0].change}"):
        assert said in text
        assert PASSWORD not in text
        assert "wrong" not in text


def test_certificates_are_looked_at(tmp_path: Path) -> None:
    """Another host's, an expired one and another authority's are refused, each by its name; one
    that expires soon is told by its days.
    """
    authority, other = Authority(tmp_path / "one"), Authority(tmp_path / "other")
    for certificate, ca, said in (
            (authority.issue("elsewhere", hosts=["elsewhere.example"]), authority, "host name"),
            (authority.issue("expired", days=-1), authority, "has expired"),
            (other.issue("other"), authority, "authority that is not known")):
        with tls_server(certificate) as address:
            assert said in refusal(Cluster(address, Security(
                security_protocol="SSL", ssl_ca_file=str(ca.file))))
    with tls_server(authority.issue("soon", days=10)) as address:
        [found] = expiry(Cluster(address, Security(
            security_protocol="SSL", ssl_ca_file=str(authority.file))), [address])
        assert (f"certificate of {address}", "warning", "expires in 10 days") == (
            found.subject, found.status, found.found)
        assert found.change.startswith("renew it on the broker")


def test_doctor_tells_certificates_and_rights(cluster: Secured) -> None:
    """How long a certificate is valid, and for which parts the user's rights are enough."""
    settings = Settings(**cluster.settings("admin", partitions=PARTITIONS))
    found = {one.subject: one for one in brokers(settings)}
    [certificate] = [one for name, one in found.items() if name.startswith("certificate of")]
    assert ("ok", "expires in 365 days") == (certificate.status, certificate.found)
    [enough] = right_findings(settings)
    assert ("ok", True) == (enough.status, "admin" in enough.found)
    assert "user admin (SCRAM-SHA-512)" in enough.found
    assert enough.details["lacking"]["worker"] and not enough.details["lacking"]["admin"]
    assert ["ok"] == [one.status for one in topic_findings(settings)]


def test_doctor_names_each_right_that_lacks(cluster: Secured) -> None:
    """Of the parts that were asked for, else of the one that comes closest; with the command."""
    settings = Settings(**cluster.settings("worker", partitions=PARTITIONS))
    gone = Right("WRITE", "TOPIC", topics.TRIGGERS)
    assert {"ok"} == {one.status for one in right_findings(settings, ["worker"])}
    cluster.revoke("worker", gone)
    try:
        for asked, status in ((["worker"], "error"), ([], "warning")):
            enough, worker = right_findings(settings, asked)
            assert "warning" == enough.status and "enough for no part" in enough.found
            assert ("worker", status, [str(gone)]) == (
                worker.subject, worker.status, worker.details["lacking"])
            assert str(gone) in worker.found and "`footfall acls list worker`" in worker.change
        enough, collector = right_findings(settings, ["collector"])
        assert ("collector", "error") == (collector.subject, collector.status)
    finally:
        cluster.grant("worker", [gone])
    # Its topics it may not see at all, nor the settings of those that it may.
    told = [one for one in topic_findings(settings) if one.status != "ok"]
    assert ("error", True) == next((one.status, "may not see it" in one.found) for one in told
                                   if one.subject == topics.DELIVERIES)
    assert ("warning", True) == next((one.status, "cannot be known" in one.found) for one in told
                                     if one.subject == topics.INTERACTIONS)


def test_of_what_does_not_exist_rights_cannot_be_known(cluster: Secured) -> None:
    """That is said, with what tells them all the same."""
    settings = Settings(**cluster.settings("collector", partitions=PARTITIONS))
    cluster.admin.delete_topics([topics.REJECTED])[topics.REJECTED].result(timeout=20)
    until(lambda: topics.REJECTED not in cluster.admin.list_topics(timeout=10).topics, 20)
    try:
        enough, collector = right_findings(settings, ["collector"])
        assert "enough for no part" in enough.found
        assert ("warning", [f"WRITE on topic {topics.REJECTED}"]) == (
            collector.status, collector.details["unknown"])
        assert "it cannot be known whether it has WRITE" in collector.found
        assert "`footfall acls list collector`" in collector.change
    finally:
        run(cluster, "admin", "topics", "create")


# -- tokens ----------------------------------------------------------------------------------------


async def test_oauth_by_both_client_libraries(cluster: Secured) -> None:
    """A token of a real endpoint is taken by a real broker; one for another user is not enough."""
    endpoint = Endpoint()
    rights = [Right("READ", "TOPIC", topics.TRIGGERS), Right("DESCRIBE", "GROUP", "footfall-admin")]
    cluster.grant("oauth", rights)
    try:
        endpoint.answer = (200, {"access_token": unsigned("oauth"), "expires_in": 600})
        addresses = Cluster(cluster.bootstrap, endpoint.security(
            security_protocol="SASL_SSL", ssl_ca_file=str(cluster.authority.file)))
        with Scanner(addresses) as scanner:
            spans = await asyncio.to_thread(scanner.spans, topics.TRIGGERS)
        async with Reader(addresses) as reader:
            bounds = await reader.bounds(
                [aiokafka.TopicPartition(topics.TRIGGERS, n) for n in spans])
        assert {n: tuple(span) for n, span in spans.items()} == {
            tp.partition: span for tp, span in bounds.items()}
        assert 1 == len(endpoint.asked)
        endpoint.answer = (401, {})
        other = Cluster(cluster.bootstrap, endpoint.security(
            security_protocol="SASL_SSL", ssl_ca_file=str(cluster.authority.file),
            sasl_oauth_client_id="other"))
        with pytest.raises(BrokerError, match="sasl_oauth_token_url gave no token"):
            await asyncio.to_thread(admit, other, "worker")
    finally:
        cluster.revoke("oauth")
        endpoint.close()


def unsigned(subject: str) -> str:
    """A token as Kafka's own validator for tests takes it (RFC 7515, `alg` none)."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + 600})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=")
                       for one in parts), ""])


async def test_a_certificate_of_ours_by_both_client_libraries(cluster: Secured) -> None:
    """It says who we are; without one the broker's refusal is told."""
    name = "CN=shop"
    rights = [Right("READ", "TOPIC", topics.TRIGGERS), Right("DESCRIBE", "GROUP", "footfall-admin")]
    cluster.grant(name, rights)
    certificate = str(cluster.authority.issue("shop"))
    addresses = Cluster(cluster.mutual, Security(
        security_protocol="SSL", ssl_ca_file=str(cluster.authority.file),
        ssl_certificate_file=certificate, ssl_key_file=certificate))
    assert "" == await asyncio.to_thread(refusal, addresses)
    with Scanner(addresses) as scanner:
        spans = await asyncio.to_thread(scanner.spans, topics.TRIGGERS)
    async with Reader(addresses) as reader:
        bounds = await reader.bounds([aiokafka.TopicPartition(topics.TRIGGERS, n) for n in spans])
    assert sorted(map(tuple, spans.values())) == sorted(bounds.values())
    [ours] = expiry(addresses, [])
    assert ("certificate of ours", "ok", "expires in 365 days") == (
        ours.subject, ours.status, ours.found)
    without = Cluster(cluster.mutual, Security(
        security_protocol="SSL", ssl_ca_file=str(cluster.authority.file), prefix="kafka_"))
    assert "it may want a certificate of ours (kafka_ssl_certificate_file" in (
        await asyncio.to_thread(refusal, without))


# -- clusters of others ----------------------------------------------------------------------------


async def test_a_destination_on_a_protected_cluster(cluster: Secured) -> None:
    """With its own way in, as routes.yaml says it; a file beside it and a variable are enough."""
    topic = "crm.triggers"
    cluster.user("crm")
    cluster.grant("crm", [Right("WRITE", "TOPIC", topic)])
    cluster.admin.create_topics([new_topic(topic)])[topic].result(timeout=20)
    destination = KafkaDestination(
        purpose="necessary", topic=topic, bootstrap_servers=cluster.bootstrap, timeout_s=20,
        security=KafkaSecurity(
            security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="crm",
            sasl_password_env="CRM_PASSWORD", ssl_ca_file=cluster.authority.file.name))
    folder = cluster.authority.file.parent
    channel = await open_channel("crm", destination, Resources(folder, {"CRM_PASSWORD": PASSWORD}))
    try:
        sent = await channel.send(channel.render(TRIGGER, DOCUMENT, NOBODY), attempt())
        assert "sent" == sent.result
    finally:
        await channel.close()
    with pytest.raises(ConfigError, match="sasl_password_env names CRM_PASSWORD, which is not set"):
        await open_channel("crm", destination, Resources(folder, {}))


# -- what the tests need ---------------------------------------------------------------------------


def new_topic(name: str) -> NewTopic:
    return NewTopic(name, PARTITIONS, 1)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"{HTTP}{port}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def track(port: int, item: dict[str, Any]) -> None:
    login = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    request = urllib.request.Request(
        f"{HTTP}{port}/v1/batch", json.dumps({"batch": [item]}).encode(),
        {"Authorization": f"Basic {login}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        pass


def subscription(port: int) -> Any:
    request = urllib.request.Request(
        f"{HTTP}{port}/v1/triggers/stream", headers={"Authorization": f"Bearer {API_KEY}"})
    return urllib.request.urlopen(request, timeout=DONE_S_MAX)


def until_line(stream: Any, text: bytes) -> bytes:
    for line in stream:
        if text in line:
            return bytes(line)
    raise AssertionError("the stream ended")


def garbage(cluster: Secured, *names: str) -> None:
    """What no part can read."""
    producer = Producer({"bootstrap.servers": cluster.node.bootstrap, "log_level": 0})
    for name in names:
        producer.produce(name, b"garbage", b"garbage", 0)
    assert producer.flush(20) == 0
