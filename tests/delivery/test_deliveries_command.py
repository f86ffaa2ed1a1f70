"""`footfall deliveries` on a real broker, with records that the tests write."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from footfall.cli import footfall
from footfall.delivery import deliveries_append
from footfall.delivery.deliveries_append import Appender
from footfall.delivery.deliveries_filter import Filter
from footfall.delivery.deliveries_log import DeliveriesLog
from footfall.delivery.deliveries_redrive import carried_out, plan
from footfall.delivery.record import About
from footfall.errors import BrokerError
from footfall.events.codec import Codecs, DeliveryRecord
from footfall.events.topics import DELIVERIES
from footfall.stream.partition import partition_of
from footfall.up.ports import HOST, free_port
from footfall.view.trigger import moment
from tests import services
from tests.events.records import AT, a_delivery
from tests.system.topics import read_all
from tests.system.workers import CUSTOMER_KEY_SECRET
from tests.tables.logs import ANNA, BERT

pytestmark = pytest.mark.kafka
CODEC = Codecs().delivery
PARTITIONS = 4
PERSONAL = (b'{"trigger":{"n":1.10},'
            b'"message":{"body":"to anna","headers":{},"to":"anna@example.org"}}')


class Shop:
    """The topic, and the commands."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def write(self, *records: DeliveryRecord) -> None:
        """In this order, each where it belongs."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 0})
        for record in records:
            key = record["customer_key"].encode()
            producer.produce(DELIVERIES, CODEC.encode(record), key, partition_of(key, PARTITIONS))
        assert 0 == producer.flush(30)

    def run(self, *arguments: str, given: str | None = None, code: int = 0) -> Result:
        done = CliRunner().invoke(footfall, ["deliveries", *arguments], input=given, env={
            "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET})
        assert code == done.exit_code, (done.output, done.exception)
        return done

    def json(self, *arguments: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.run(*arguments, "--json").stdout)
        return shown

    def records(self, status: str) -> list[tuple[bytes | None, int, DeliveryRecord]]:
        """Key, partition and record of those that have a status."""
        found = [(e.key, e.partition, CODEC.decode(e.value))
                 for e in read_all(self.bootstrap, DELIVERIES) if e.value != b"no record"]
        return [one for one in found if one[2]["status"] == status]


@pytest.fixture
def shop(footfall_topics: str) -> Shop:
    return Shop(footfall_topics)


def of(key: bytes, n: int, *statuses: str, **changed: Any) -> list[DeliveryRecord]:
    """The steps of one delivery."""
    steps = []
    for status in statuses:
        more: dict[str, Any] = {"status": status, **changed}
        if status == "dead":
            more = {"reason": "retries_exhausted", "attempt": 3, "personal": PERSONAL, **more}
        elif status in ("sending", "failed", "sent"):
            more = {"attempt": 1, **more}
        steps.append(a_delivery(trigger_id=f"{n:032x}", customer_key=key.decode(), **more))
    return steps


def filled(shop: Shop) -> None:
    """Two dead, one sent, one that waits, one suppressed, in two partitions or more."""
    shop.write(
        *of(ANNA, 1, "queued", "sending", "failed", "dead"),
        *of(BERT, 2, "queued", "sending", "sent"),
        *of(BERT, 3, "queued", "dead", reason="gone", destination="mail"),
        *of(ANNA, 4, "queued"),
        *of(ANNA, 5, "suppressed", reason="consent_denied", trigger="win_back"))
    producer = Producer({"bootstrap.servers": shop.bootstrap})
    producer.produce(DELIVERIES, b"no record", ANNA, 0)
    assert 0 == producer.flush(30)


def ids(shown: dict[str, Any]) -> list[int]:
    return [int(one["trigger_id"], 16) for one in shown["deliveries"]]


def test_list(shop: Shop) -> None:
    """The newest first; each filter on its own."""
    filled(shop)
    shown = shop.json("list")
    assert ([1, 2, 3, 4, 5], False) == (sorted(ids(shown)), shown["more"])
    assert {"records": 12, "is_cut": False, "unreadable": 1} == shown["read"]
    times = [one["recorded_at"] for one in shown["deliveries"]]
    assert sorted(times, reverse=True) == times
    for arguments, expected in {
        ("--status", "dead"): [1, 3],
        ("--status", "pending", "--status", "sent"): [2, 4],
        ("--destination", "mail"): [3],
        ("--trigger", "win_back"): [5],
        ("--reason", "consent"): [5],
        ("--customer-key", ANNA.decode()): [1, 4, 5],
        ("--customer", "user_id:nobody"): [],
        ("--since", "1h"): [1, 2, 3, 4, 5],
        ("--since", "2100-01-01T00:00:00Z"): [],
        ("--until", "1h"): [],
    }.items():
        assert expected == sorted(ids(shop.json("list", *arguments))), arguments
    few = shop.json("list", "--limit", "2")
    assert (2, True) == (len(few["deliveries"]), few["more"])
    (one,) = shop.json("list", "--destination", "mail")["deliveries"]
    assert (BERT.decode(), "dead", "gone", 3, partition_of(BERT, PARTITIONS)) == (
        one["customer_key"], one["status"], one["reason"], one["attempt"], one["partition"])
    people = shop.run("list", "--status", "dead")
    assert "retries_exhausted" in people.stdout
    assert "passed over" in people.stderr
    assert "--records-max" in shop.run("list", "--records-max", "4").stderr
    for wrong in (("--since", "soon"), ("--status", "lost"), ("--customer-key", "x")):
        shop.run("list", *wrong, code=2)


def test_summary(shop: Shop) -> None:
    """In numbers; a destination that is disabled is told."""
    filled(shop)
    shop.run("disable", "mail")
    shown = shop.json("summary")
    crm, mail = shown["destinations"]
    assert {"dead": 1, "queued": 1, "sent": 1, "suppressed": 1} == crm["statuses"]
    assert (1, {"dead": 1}) == (crm["backlog"]["deliveries"], mail["statuses"])
    assert [("mail", "administrator", [0, 1, 2, 3])] == [
        (one["destination"], one["reason"], one["partitions"]) for one in shown["disabled"]]
    people = shop.run("summary").stdout
    assert "retries_exhausted 1" in people and "footfall deliveries enable mail" in people


def test_show(shop: Shop) -> None:
    """Every step, by the id or its beginning; what is personal on request."""
    filled(shop)
    shop.write(*of(ANNA, 1, "queued", destination="mail"))
    shown = shop.json("show", f"{1:032x}")
    crm, mail = shown["deliveries"]
    assert (ANNA.decode(), "crm", "mail") == (
        shown["customer_key"], crm["destination"], mail["destination"])
    assert [("queued", 0), ("sending", 1), ("failed", 1), ("dead", 3)] == [
        (step["status"], step["attempt"]) for step in crm["steps"]]
    assert "redrive" in crm["next"]
    assert "anna" not in json.dumps(shown)
    body = shop.json("show", f"{1:032x}", "--body", "--destination", "crm")
    assert "anna@example.org" == body["deliveries"][0]["steps"][3]["personal"]["message"]["to"]
    people = shop.run("show", f"{1:032x}").stdout
    assert "retries_exhausted" in people and "anna" not in people
    assert "anna@example.org" in shop.run("show", f"{1:032x}", "--body").stdout
    for unknown, said in ((f"{9:032x}", "no delivery of"), ("0" * 8, "begins 5 ids")):
        assert said in str(shop.run("show", unknown, code=1).exception)


def test_redrive_begins_anew_and_a_second_one_finds_nothing(shop: Shop) -> None:
    """The plan first; one record each, in the customer's partition, with what it needs."""
    filled(shop)
    plan = shop.json("redrive")
    assert (None, 2, [("crm", "retries_exhausted", 1), ("mail", "gone", 1)]) == (
        plan["done"], plan["planned"],
        [(one["destination"], one["reason"], one["deliveries"]) for one in plan["by"]])
    refused = shop.run("redrive", given="n\n", code=1)
    assert "to begin anew: 2" in refused.stdout
    assert [] == shop.records("redriven")
    done = shop.run("redrive", given="y\n")
    assert "begun anew: 2" in done.stdout
    assert {(ANNA, partition_of(ANNA, PARTITIONS)), (BERT, partition_of(BERT, PARTITIONS))} == {
        (key, partition) for key, partition, _record in shop.records("redriven")}
    for _key, _partition, record in shop.records("redriven"):
        assert (0, -1, PERSONAL, record["at"]) == (
            record["attempt"], record["trigger_offset"], record["personal"], record["due_at"])
        assert record["due_at"] > AT
    again = shop.json("redrive", "--yes")
    assert (0, 0) == (again["done"], again["planned"])
    assert "nothing to begin anew" in shop.run("redrive").stdout
    assert 2 == len(shop.records("redriven"))
    assert [1, 3] == sorted(ids(shop.json("list", "--status", "redriven")))


def test_redrive_goes_on_where_it_ended(shop: Shop) -> None:
    """A part now, the rest with the next run; at the pace that is asked for."""
    shop.write(*(step for n in range(1, 31) for step in of((ANNA, BERT)[n % 2], n, "dead")))
    first = shop.json("redrive", "--limit", "10", "--yes", "--rate", "100")
    assert (10, True) == (first["done"], first["more"])
    second = shop.json("redrive", "--yes", "--rate", "0")
    assert (20, False) == (second["done"], second["more"])
    redriven = [record["trigger_id"] for _key, _partition, record in shop.records("redriven")]
    assert sorted(f"{n:032x}" for n in range(1, 31)) == sorted(redriven)


def test_what_is_not_begun_anew(shop: Shop) -> None:
    """What goes where nothing goes now, what has no trigger, and what does not fit a filter."""
    shop.write(*of(ANNA, 1, "dead", destination="away"),
               *of(ANNA, 2, "dead", personal=b'{"message":{}}'),
               *of(ANNA, 3, "queued", "suppressed", reason="consent_unknown"),
               *of(ANNA, 4, "suppressed", reason="held_out"))
    shop.run("disable", "away")
    told = shop.run("redrive", "--yes").stdout
    assert "away is disabled; first `footfall deliveries enable away`" in told
    assert "left out: 1, no trigger" in told
    assert [] == shop.records("redriven")
    shown = shop.json("redrive", "--status", "suppressed", "--reason", "consent_unknown", "--yes")
    assert (1, 1) == (shown["done"], shown["planned"])
    assert {"disabled": 0, "later": 0, "no_trigger": 0, "changed": 0} == shown["left_out"]
    ((_key, _partition, record),) = shop.records("redriven")
    assert of(ANNA, 3, "queued")[0]["personal"] == record["personal"]
    shop.run("enable", "away")
    assert 1 == shop.json("redrive", "--yes")["done"]


def test_one_that_was_disabled_long_ago_is_known(shop: Shop) -> None:
    """Before what is read begins; enabled since then it is not left out."""
    shop.run("disable", "crm")
    shop.run("disable", "mail")
    time.sleep(0.1)
    since = moment(time.time_ns() // 1_000_000)
    time.sleep(0.1)
    shop.write(*of(ANNA, 1, "dead"), *of(ANNA, 2, "dead", destination="mail"))
    shop.run("enable", "mail")
    shown = shop.json("redrive", "--since", since, "--yes")
    assert (1, ["crm"]) == (shown["done"], shown["disabled"])
    assert {"records": 6, "is_cut": False, "unreadable": 0} == shown["read"]


def test_what_happens_after_the_plan_leaves_a_delivery_out(shop: Shop) -> None:
    """Another administrator was quicker."""
    shop.write(*of(ANNA, 1, "dead"), *of(ANNA, 2, "dead"))
    wanted = Filter(statuses=["dead"])
    with DeliveriesLog(shop.bootstrap, Codecs()) as log:
        made = plan(log, log.bounds(wanted), wanted, 10)
        shop.write(*of(ANNA, 1, "redriven"))
        found = list(carried_out(log, made, CODEC, AT))
    assert ["changed", ""] == [one.left_out for one in found]
    assert f"{2:032x}" == CODEC.decode(found[1].value)["trigger_id"]


def test_what_the_broker_does_not_take_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to do."""
    monkeypatch.setattr(deliveries_append, "ACKNOWLEDGED_S_MAX", 0.5)
    appender = Appender(f"{HOST}:{free_port()}")
    appender.add(0, b"key", b"value")
    with pytest.raises(BrokerError, match=r"1 of 1 records were not acknowledged.*again"):
        appender.finish()


def test_a_customer_is_given_what_fits_into_a_row(shop: Shop) -> None:
    """The oldest; the rest by later runs."""
    shop.write(*(step for n in range(60) for step in of(ANNA, n, "dead")),
               *of(BERT, 90, "dead", personal=b'{"trigger":{"n":"%s"}}' % (b"n" * 150_000)),
               *of(BERT, 91, "dead"))
    shown = shop.json("redrive", "--yes")
    assert (51, 11) == (shown["done"], shown["left_out"]["later"])
    assert {*range(50), 90} == {int(record["trigger_id"], 16)
                                for _key, _partition, record in shop.records("redriven")}
    assert 11 == shop.json("redrive", "--yes")["done"]


def test_recover_takes_what_was_lost_while_away(shop: Shop) -> None:
    """By its reasons, since a time, of one destination."""
    reasons = ("backlog_full", "destination_disabled", "gone", "retries_exhausted",
               "render_failed", "message_too_large")
    shop.write(*(step for n, reason in enumerate(reasons)
                 for step in of(ANNA, n, "dead", reason=reason)),
               *of(ANNA, 9, "dead", destination="mail"))
    assert 0 == shop.json("recover", "--destination", "crm", "--since", "2100-01-01T00:00:00Z",
                          "--yes")["done"]
    assert 4 == shop.json("recover", "--destination", "crm", "--since", "5d", "--yes")["done"]
    assert {f"{n:032x}" for n in range(4)} == {
        record["trigger_id"] for _key, _partition, record in shop.records("redriven")}
    shop.run("recover", "--destination", "crm", code=2)


@pytest.mark.parametrize(("command", "status", "reason"), [
    ("enable", "enabled", ""), ("disable", "disabled", "administrator")])
def test_a_destination_is_switched_on_every_partition(shop: Shop, command: str, status: str,
                                                      reason: str) -> None:
    """One record each, under the key of the destination."""
    shown = shop.json(command, "crm")
    assert ("crm", status, reason, PARTITIONS) == (
        shown["destination"], shown["status"], shown["reason"], shown["partitions"])
    found = shop.records(status)
    assert [(b"$destination|crm", n) for n in range(PARTITIONS)] == sorted(
        (key or b"", partition) for key, partition, _record in found)
    for _key, _partition, record in found:
        assert About("crm", "", "", "", "").of_itself(status, reason, record["at"]) == record
    shop.run(command, "No Name", code=2)


def test_where_there_are_routes_a_destination_is_one_of_theirs(
        shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record says what it is; broken routes are no reason not to switch it off."""
    file = tmp_path / "routes.yaml"
    monkeypatch.setenv("FOOTFALL_ROUTES", str(file))
    file.write_text("destinations:\n  crm: {channel: kafka, purpose: marketing, topic: t, "
                    "medium: push}\nroutes: []\n")
    shop.run("disable", "crm")
    (_key, _partition, record), *_others = shop.records("disabled")
    assert ("kafka", "push", "marketing") == (
        record["channel"], record["medium"], record["purpose"])
    assert "it has crm" in str(shop.run("disable", "cmr", code=1).exception)
    file.write_text("broken")
    shop.run("enable", "crm")
    assert PARTITIONS == len(shop.records("enabled"))


def test_without_topics_it_says_what_to_do(kafka: str) -> None:
    """As other commands do."""
    services.delete_topics(kafka)
    done = CliRunner().invoke(footfall, ["deliveries", "list"],
                              env={"FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": kafka})
    assert (1, True) == (done.exit_code, "footfall topics create" in str(done.exception))
