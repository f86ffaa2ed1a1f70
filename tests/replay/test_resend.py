"""`footfall replay resend` on a real broker, with records that the tests write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer

from footfall.admin.scan import Scanner, Span
from footfall.cli import footfall
from footfall.delivery.deliveries_log import DeliveriesLog
from footfall.delivery.record import About
from footfall.delivery.routes import parse
from footfall.events.codec import Codecs, DeliveryRecord, TriggerRecord
from footfall.events.topics import DELIVERIES, TRIGGERS
from footfall.replay.resend import carry_out
from footfall.replay.resend.carry_out import Begun, Carrier
from footfall.replay.resend.documents import document, record_of
from footfall.replay.resend.plan import Plan, Planner, spans_of
from footfall.replay.resend.survey import Asked
from footfall.replay.selected import Selection
from footfall.stream.partition import partition_of
from tests.events.records import a_delivery, a_trigger
from tests.system.topics import read_all
from tests.system.workers import CUSTOMER_KEY_SECRET
from tests.tables.logs import ANNA, BERT

CODECS = Codecs()
PARTITIONS = 4
ROUTES = """
destinations:
  crm: {channel: webhook, url: https://crm.example/x, purpose: necessary}
  new: {channel: webhook, url: https://new.example/x, purpose: necessary}
  late: {channel: webhook, url: https://late.example/x, purpose: necessary, expires_s: 0.001}
routes:
  - {triggers: ["*"], to: [crm, new, late]}
"""


class Shop:
    """The topics, and the commands."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.routes = folder / "routes.yaml"
        self.routes.write_text(ROUTES)
        #: Within what `--since 1h` asks for.
        self.now = time.time_ns() // 1_000_000

    def tell(self, n: int, key: bytes = ANNA, **changed: Any) -> TriggerRecord:
        """A trigger, in its topic."""
        record = a_trigger(**{
            "trigger_id": f"{n:032x}", "customer_key": key.decode(),
            "emitted_at": self.now - 1000 + n, "data": b'{"n":%d.10}' % n, **changed})
        self._write(TRIGGERS, key, CODECS.trigger.encode(record))
        return record

    def went(self, told: TriggerRecord, *statuses: str, destination: str = "crm",
             **changed: Any) -> None:
        """The steps of its delivery; it is rendered with the first attempt."""
        for n, status in enumerate(statuses):
            said = b""
            if n == 0:
                said = b'{"trigger":' + document(told) + b"}"
            elif status == "sending":
                said = b'{"message":{"body":"of %s","headers":{},"to":""}}' % (
                    told["trigger_id"].encode())
            step = a_delivery(
                **{"status": status, "trigger_id": told["trigger_id"], "trigger": told["name"],
                   "customer_key": told["customer_key"], "destination": destination,
                   "emitted_at": told["emitted_at"], "trigger_offset": 7 if n == 0 else -1,
                   "personal": said, **changed})
            self._write(DELIVERIES, told["customer_key"].encode(), CODECS.delivery.encode(step))

    def _write(self, topic: str, key: bytes, value: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 0})
        producer.produce(topic, value, key, partition_of(key, PARTITIONS))
        assert 0 == producer.flush(30)

    def run(self, *arguments: str, given: str | None = None, code: int = 0) -> Result:
        done = CliRunner().invoke(footfall, [*arguments], input=given, env={
            "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "FOOTFALL_ROUTES": str(self.routes),
            "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET})
        assert code == done.exit_code, (done.output, done.exception)
        return done

    def plan(self, *arguments: str) -> dict[str, Any]:
        """What would be done; nothing is."""
        before = len(self.resent())
        shown = json.loads(self.run("replay", "resend", *arguments, "--plan", "--json").stdout)
        assert before == len(self.resent())
        plan: dict[str, Any] = shown["plan"]
        return plan

    def resend(self, *arguments: str) -> dict[str, Any]:
        """The report."""
        done = self.run("replay", "resend", *arguments, "--yes", "--json", "--rate", "10000")
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def resent(self) -> list[DeliveryRecord]:
        """What was written, in the customer's partition and in order."""
        found = []
        for entry in read_all(self.bootstrap, DELIVERIES):
            record = CODECS.delivery.decode(entry.value)
            if record["status"] == "resent":
                assert entry.key == record["customer_key"].encode()
                assert entry.partition == partition_of(entry.key, PARTITIONS)
                found.append(record)
        return found


@pytest.fixture
def shop(footfall_topics: str, tmp_path: Path) -> Shop:
    return Shop(footfall_topics, tmp_path)


def numbers(records: list[DeliveryRecord]) -> list[int]:
    return sorted(int(one["trigger_id"], 16) for one in records)


@pytest.mark.kafka
def test_plan_then_agreement_then_records(shop: Shop) -> None:
    """What is planned is shown first, and written only when somebody agrees; each with what its
    receiver gets: the message that was made for it, or nothing but the trigger.
    """
    told = [shop.tell(n, ANNA if n % 2 else BERT) for n in range(1, 5)]
    shop.tell(1)  # a worker's repeat after a crash
    shop.went(told[0], "queued", "sending", "sent")
    shop.went(told[1], "queued", "dead")
    shop.went(told[2], "queued", "sending")
    plan = shop.plan("--to", "crm", "--since", "1h", "--run", "r1")
    assert {"run": "r1", "to": "crm", "triggers": 3, "by_rule": {"cart_abandoned": 3},
            "as_they_stand_there": {"dead": 1, "never": 1, "sent": 1}, "resent_before": 0,
            "same_bytes": 1, "rendered_anew": 2, "left_out": {"pending": 1}, "more": 0,
            "unreadable": 0} == {name: plan[name] for name in plan
                                 if name not in ("asked", "seconds_at_least")}
    refused = shop.run("replay", "resend", "--to", "crm", given="n\n", code=1)
    assert "by rule" in refused.stdout and "cart_abandoned 3" in refused.stdout
    assert [] == shop.resent()

    done = shop.run("replay", "resend", "--to", "crm", "--run", "r1", given="y\n")
    assert "footfall deliveries list --run r1" in done.stdout
    assert [1, 2, 4] == numbers(shop.resent())
    for record in shop.resent():
        said = json.loads(record["personal"])
        n = int(record["trigger_id"], 16)
        assert ("r1", 0, -1, "webhook", "necessary") == (
            record["run"], record["attempt"], record["trigger_offset"], record["channel"],
            record["purpose"])
        assert document(told[n - 1]) in record["personal"]
        assert ({"body": f"of {n:032x}", "headers": {}, "to": ""} if n == 1 else None
                ) == said.get("message")
    shown = json.loads(shop.run("deliveries", "list", "--run", "r1", "--json").stdout)
    assert [["r1"]] * 3 == [one["runs"] for one in shown["deliveries"]]


@pytest.mark.kafka
def test_a_run_goes_on_where_it_ended(shop: Shop) -> None:
    """A part, as if it had been killed; the rest with the same run; then there is nothing. Another
    run sends all of it once more, and its plan says so.
    """
    for n in range(1, 31):
        shop.tell(n, (ANNA, BERT)[n % 2])
    first = shop.resend("--to", "new", "--run", "r1", "--limit", "10")
    assert (10, 20) == (first["begun"], first["more"])
    second = shop.resend("--to", "new", "--run", "r1")
    assert (20, {"done": 10}, 0) == (second["begun"], second["left_out"], second["more"])
    assert list(range(1, 31)) == numbers(shop.resent())
    assert 0 == shop.resend("--to", "new", "--run", "r1")["begun"]
    # They are on their way; without delivery nothing gets anywhere.
    assert {"pending": 30} == shop.plan("--to", "new")["left_out"]
    for one in shop.resent():
        shop._write(DELIVERIES, one["customer_key"].encode(), CODECS.delivery.encode(
            {**one, "status": "sent", "personal": b""}))
    assert (30, 30) == ((plan := shop.plan("--to", "new"))["triggers"], plan["resent_before"])
    assert {"done": 30} == shop.plan("--to", "new", "--run", "r1")["left_out"]


@pytest.mark.kafka
def test_ended_by_hand_it_says_how_to_go_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun is in the topic; the same run does the rest."""
    for n in range(1, 11):
        shop.tell(n)
    all_of_it = Carrier.carried_out

    def ended(carrier: Carrier, plan: Plan) -> Iterator[Begun]:
        yield from islice(all_of_it(carrier, plan), 3)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Carrier, "carried_out", ended)
        done = shop.run("replay", "resend", "--to", "new", "--run", "r1", "--yes", code=1)
    assert "the same command with --run r1 goes on" in done.stdout
    assert [1, 2, 3] == numbers(shop.resent())
    assert 7 == shop.resend("--to", "new", "--run", "r1")["begun"]
    assert list(range(1, 11)) == numbers(shop.resent())


@pytest.mark.kafka
def test_by_deliveries(shop: Shop) -> None:
    """What became of them elsewhere, or there; the trigger comes from the first step, whatever the
    topic of triggers still has.
    """
    told = [a_trigger(trigger_id=f"{n:032x}", customer_key=ANNA.decode(),
                      emitted_at=shop.now - 10_000, name="risk" if n == 3 else "cart",
                      data=b'{"n":%d.10}' % n)
            for n in range(1, 6)]
    shop.went(told[0], "queued", "sending", "sent")
    shop.went(told[1], "queued", "suppressed", reason="consent_denied")
    shop.went(told[2], "queued", "sending", "sent")
    shop.went(told[3], "queued", "sending", "failed", reason="status")
    shop.went(told[4], "sending", "sent", personal=b"")
    assert 0 == shop.plan("--to", "new")["triggers"]
    old = ("--to", "new", "--destination", "crm")
    assert (4, {"no_trigger": 1}) == (
        (plan := shop.plan(*old))["triggers"], plan["left_out"])
    for arguments, expected in {
        ("--outcome", "sent"): 2,
        ("--outcome", "sent", "--outcome", "failed"): 3,
        ("--reason", "consent"): 1,
        ("--outcome", "sent", "--trigger", "risk"): 1,
        ("--outcome", "sent", "--where", "trigger.data.n > 2"): 1,
        ("--outcome", "dead"): 0,
        ("--customer", "user_id:anna"): 4,
        ("--customer", "user_id:bert"): 0,
        ("--until", "1h"): 0,
    }.items():
        assert expected == shop.plan(*old, *arguments)["triggers"], arguments
    report = shop.resend(*old, "--outcome", "sent", "--run", "r1")
    assert (2, {"no_trigger": 1}) == (report["begun"], report["left_out"])
    assert [1, 3] == numbers(shop.resent())
    for record in shop.resent():
        assert ("new", {"trigger": json.loads(document(told[int(record["trigger_id"], 16) - 1]))}
                ) == (record["destination"], json.loads(record["personal"]))
    # To the same one: its own message.
    shop.resend("--to", "crm", "--outcome", "sent", "--trigger", "risk", "--run", "r2")
    assert b'"of 00000000000000000000000000000003"' in shop.resent()[-1]["personal"]


@pytest.mark.kafka
def test_what_is_left_out_or_refused(shop: Shop) -> None:
    """By a count, or with what to do."""
    shop.tell(1, held_out=True)
    shop.tell(2, integrations=b'{"webhook":false}')
    shop.tell(3, depth=5)
    for n in range(4, 60):
        shop.tell(n)
    shop._write(TRIGGERS, ANNA, b"no trigger")
    assert {"held_out": 1, "integrations": 1, "too_deep": 1, "expired": 56} == shop.plan(
        "--to", "late")["left_out"]
    plan = shop.plan("--to", "new")
    assert (50, 6, 1) == (plan["triggers"], plan["left_out"]["later"], plan["unreadable"])
    assert 2 == shop.plan("--to", "new", "--customer-max", "2")["triggers"]

    unknown = shop.run("replay", "resend", "--to", "nowhere", "--yes", code=1)
    assert "has no destination nowhere; it has crm, late, new" in str(unknown.exception)
    shop.run("deliveries", "disable", "new")
    away = shop.run("replay", "resend", "--to", "new", "--yes", code=1)
    assert "first `footfall deliveries enable new`" in str(away.exception)
    shop.run("deliveries", "enable", "new")
    assert 50 == shop.plan("--to", "new")["triggers"]
    shop.run("deliveries", "disable", "new")
    # That lies before what is read, where nothing is.
    away = shop.run("replay", "resend", "--to", "new", "--destination", "crm", "--since",
                    "2100-01-01T00:00:00Z", code=1)
    assert "first `footfall deliveries enable new`" in str(away.exception)
    for wrong in (("--run", "Run 1"), ("--outcome", "lost"), ("--where", "event.name == 'x'"),
                  ("--limit", "0"), ("--customer-max", "51"), ("--rate", "0")):
        shop.run("replay", "resend", "--to", "crm", *wrong, code=2)
    shop.run("replay", "resend", code=2)


@pytest.mark.kafka
def test_what_happens_after_the_plan_leaves_it_out(shop: Shop) -> None:
    """It was sent there meanwhile; and what retention took is told, not made up."""
    told = [shop.tell(n) for n in range(1, 4)]
    shop.went(told[0], "queued", "sending", "sent")
    routes = parse(ROUTES, "routes.yaml")
    about = About("crm", "webhook", "webhook", "necessary", routes.version)
    asked = Asked(Selection(), about, routes.destinations["crm"], "r1", shop.now)
    with DeliveriesLog(shop.bootstrap, CODECS) as log, Scanner(shop.bootstrap) as scanner:
        made = Planner(shop.bootstrap, CODECS, log).plan(asked, 10)
        shop.went(told[1], "queued")
        found = list(Carrier(scanner, log, CODECS, asked).carried_out(made))
        assert ["changed", None, None] == [one.missed for one in found]
        # As it is where the topic begins later by now.
        made.planned[:] = [one._replace(trigger_at=10**9) for one in made.planned]
        assert ["changed", "gone", "gone"] == [
            one.missed for one in Carrier(scanner, log, CODECS, asked).carried_out(made)]


@pytest.mark.kafka
def test_no_more_goes_than_leaves_room_for_what_is_live(shop: Shop, monkeypatch: pytest.MonkeyPatch
                                                        ) -> None:
    """In bytes, of one customer and of a partition; the order of each customer is kept, and the
    same run goes on with the rest.
    """
    for n in range(1, 9):
        shop.tell(n, data=b'{"n":"%s"}' % (b"n" * (60_000 if n in (2, 3) else 10)))
    shop.tell(9, BERT)
    report = shop.resend("--to", "new", "--run", "r1")
    assert (3, {"later": 6}) == (report["begun"], report["missed"])
    assert [1, 2, 9] == numbers(shop.resent())
    for record in shop.resent():
        shop._write(DELIVERIES, record["customer_key"].encode(), CODECS.delivery.encode(
            {**record, "status": "sent", "personal": b""}))
    monkeypatch.setattr(carry_out, "BACKLOG_BYTES_MAX", 60_900)
    report = shop.resend("--to", "new", "--run", "r1")
    assert (2, {"later": 4}) == (report["begun"], report["missed"])
    assert [1, 2, 3, 4, 9] == numbers(shop.resent())


def test_a_document_and_its_record() -> None:
    """There and back: what is read of a document is what the record had."""
    for told in (a_trigger(), a_trigger(depth=2, integrations=b'{"crm":false}', held_out=True)):
        assert told == record_of(document(told))
        assert document(told) == document(record_of(document(told)))


def test_offsets_that_lie_close_are_read_together() -> None:
    """Others apart."""
    assert [Span(1, 6), Span(20, 21)] == spans_of([5, 20, 1], 10)
    assert [Span(1, 21)] == spans_of([5, 20, 1], 14)
    assert [] == spans_of([], 10)
