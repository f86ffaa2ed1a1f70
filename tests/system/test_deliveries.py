"""A destination that is down, through the eyes of its administrator: nothing is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from footfall.cli import footfall
from footfall.doctor.groups import delivery
from footfall.settings import Settings
from tests.delivery.endpoint import Endpoint
from tests.system.test_delivery import Teller, start
from tests.system.topics import until
from tests.system.workers import PARTITIONS, Workers

pytestmark = pytest.mark.kafka

SEEN_S_MAX = 120.0
SOME = 30


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


def routes_for(folder: Path, endpoint: Endpoint) -> Path:
    """Two webhooks for everything; each attempt is made twice."""
    path = folder / "routes.yaml"
    path.write_text("destinations:\n" + "".join(
        f"  {name}:\n    channel: webhook\n    purpose: necessary\n"
        f"    url: http://127.0.0.1:{endpoint.port}/{name}\n"
        "    retry: {delays_s: [0.1]}\n    breaker: {failures: 1000}\n"
        for name in ("crm", "desk")) + "routes:\n  - {triggers: '*', to: [crm, desk]}\n")
    return path


class Administrator:
    """Whoever runs the commands."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def run(self, *arguments: str) -> dict[str, Any]:
        done = CliRunner().invoke(footfall, [*arguments, "--json"], env={
            "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": self._bootstrap})
        assert 0 == done.exit_code, (done.output, done.exception)
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    def statuses(self, name: str) -> dict[str, int]:
        """Status -> how many deliveries of a destination have it."""
        found: dict[str, int] = next(
            (one["statuses"] for one in self.run("deliveries", "summary")["destinations"]
             if one["destination"] == name), {})
        return found


def test_what_a_destination_lost_is_recovered(footfall_topics: str, workers: Workers,
                                              endpoint: Endpoint, tmp_path: Path) -> None:
    """Down, then gone and disabled; enabled and recovered it gets each trigger once, byte for byte
    as it would have been. The other destination had them all the time.
    """
    administrator = Administrator(footfall_topics)
    teller = Teller(footfall_topics)
    answers = {"crm": 500, "desk": 200}
    endpoint.answer = lambda path, _id: answers[path]
    worker = start(workers, routes_for(tmp_path, endpoint), endpoint)
    for n in range(SOME):
        teller.tell(n)
    until(lambda: {"dead": SOME} == administrator.statuses("crm"), SEEN_S_MAX, "dead")
    answers["crm"] = 410
    teller.tell(SOME)
    until(lambda: ["crm"] == [one["destination"] for one in administrator.run(
        "deliveries", "summary")["disabled"]], SEEN_S_MAX, "disabled")
    for n in range(SOME + 1, 2 * SOME):
        teller.tell(n)
    teller.end()
    # More than the shop's: that it is disabled is told to both, too.
    until(lambda: 2 * SOME < administrator.statuses("crm").get("dead", 0), SEEN_S_MAX, "dead")
    until(lambda: 2 * SOME < administrator.statuses("desk").get("sent", 0), SEEN_S_MAX, "sent")
    refused = administrator.run("deliveries", "recover", "--destination", "crm", "--since", "1h",
                                "--yes")
    assert (0, ["crm"]) == (refused["done"], refused["disabled"])

    answers["crm"] = 200
    asked = {g.webhook_id: g.body for g in endpoint.got if g.path == "crm"}
    assert PARTITIONS == administrator.run("deliveries", "enable", "crm")["partitions"]
    plan = administrator.run("deliveries", "recover", "--destination", "crm", "--since", "1h")
    assert {"destination_disabled", "gone", "retries_exhausted"} == {
        one["reason"] for one in plan["by"]}
    done = administrator.run("deliveries", "recover", "--destination", "crm", "--since", "1h",
                             "--yes")
    assert 2 * SOME < done["done"] == done["planned"]
    until(lambda: {"sent"} == set(administrator.statuses("crm")), SEEN_S_MAX, "sent")
    again = administrator.run("deliveries", "recover", "--destination", "crm", "--since", "1h",
                              "--yes")
    assert 0 == again["done"] == again["planned"]
    assert [] == administrator.run("deliveries", "summary")["disabled"]
    assert 0 == worker.stop()

    got = [g for g in endpoint.got if g.path == "crm" and g.status == 200]
    assert dict.fromkeys(teller.ids, 1) == Counter(
        g.webhook_id for g in got if g.webhook_id in teller.ids)
    assert asked.items() <= {g.webhook_id: g.body for g in got}.items()
    one = next(iter(teller.ids))
    (crm,) = administrator.run("deliveries", "show", one, "--destination", "crm")["deliveries"]
    assert ("sent", 1, 200) == (crm["status"], crm["redriven"], crm["code"])
    told = administrator.run("why", one)["deliveries"]
    assert ["sent", "sent"] == [delivery["status"] for delivery in told]


def test_doctor_says_whether_somebody_delivers(footfall_topics: str, workers: Workers,
                                               endpoint: Endpoint, tmp_path: Path) -> None:
    """Where routes say where to; without any nobody has to."""
    routes = routes_for(tmp_path, endpoint)
    settings = Settings(kafka_bootstrap_servers=footfall_topics, routes=str(routes))

    def found(settings: Settings) -> tuple[str, str]:
        first, *_lag = delivery(settings)
        return first.status, first.found.partition(":")[0]

    assert ("warning", "group footfall-delivery has none") == found(settings)
    worker = start(workers, routes, endpoint).until_ready()
    assert ("ok", "1 in group footfall-delivery") == found(settings)
    assert 0 == worker.stop()
    assert "ok" == found(msgspec.structs.replace(settings, routes=""))[0]
