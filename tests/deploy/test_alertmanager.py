"""An alert goes all the way: a worker that is gone, by the deployed rules, to Alertmanager.

The rules' `for` is cut to a second, and scrapes and judgement come every half second; else all is
as it is deployed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from footfall.errors import BrokerError
from footfall.up.ports import HOST, free_port
from footfall.up.process import until
from tests.deploy import built
from tests.deploy import prometheus as real
from tests.deploy.alertmanager import CONFIG, SOURCE, Alertmanager, alertmanager
from tests.deploy.installation import scraped_by
from tests.deploy.test_alerts import RULES
from tests.system.workers import Workers

SCRAPE_S = 0.5
HAPPENS_S_MAX = 60.0


@pytest.fixture(scope="module")
def programs() -> None:
    """Prometheus and Alertmanager, or no test: building them needs Go."""
    try:
        real.binary()
        built.binary(SOURCE)
    except BrokerError as error:
        pytest.skip(f"no Prometheus or Alertmanager: {error}")


@pytest.fixture
def workers(footfall_topics: str, tmp_path: Path) -> Iterator[Workers]:
    """Workers on the topics of this test."""
    started = Workers(footfall_topics, tmp_path)
    yield started
    started.end()


def test_the_version_is_the_one_that_is_deployed() -> None:
    """The module's and the image's."""
    compose = YAML(typ="safe").load(CONFIG.parents[2] / "docker-compose.yml")
    version = compose["services"]["alertmanager"]["image"].partition(":")[2]

    assert f"github.com/prometheus/alertmanager {version} " in (
        SOURCE.folder / "go.mod").read_text()


@pytest.mark.usefixtures("programs")
def test_the_deployed_configuration_is_loaded(tmp_path: Path) -> None:
    """Both severities have a receiver; what keeps others quiet is an alert, as they are."""
    with alertmanager(tmp_path) as running:
        loaded = running.status()["config"]["original"]
    config = YAML(typ="safe").load(loaded)
    named = {name for rule in config["inhibit_rules"]
             for matcher in (*rule["source_matchers"], *rule["target_matchers"])
             for name in matcher.split('"')[1].split("|")}

    assert {"on-call", "by-day"} == {r["name"] for r in config["receivers"]}
    assert named <= RULES.keys()


@pytest.mark.usefixtures("programs")
def test_what_follows_from_an_alert_is_not_told_beside_it(tmp_path: Path) -> None:
    """And what does not follow from it is."""
    sources = [
        {"alertname": "FootfallWorkerAbsent", "job": "worker"},
        {"alertname": "FootfallCollectorAbsent", "job": "collector"},
        {"alertname": "FootfallClockStuck", "job": "delivery", "instance": "a", "partition": "3"},
    ]
    quiet = [
        {"alertname": "FootfallProcessDown", "job": "worker", "instance": "a"},
        {"alertname": "FootfallRestarting", "job": "worker", "instance": "a"},
        {"alertname": "FootfallPartitionsUnowned", "job": "worker"},
        {"alertname": "FootfallNoTraffic"},
        {"alertname": "FootfallLag", "job": "delivery", "partition": "3"},
    ]
    told = [
        {"alertname": "FootfallProcessDown", "job": "archive", "instance": "a"},
        {"alertname": "FootfallLag", "job": "delivery", "partition": "4"},
        {"alertname": "FootfallLag", "job": "worker", "partition": "3"},
    ]
    with alertmanager(tmp_path) as pager:
        pager.tell(*sources, *quiet, *told)
        _happens(lambda: sum(bool(a["status"]["inhibitedBy"]) for a in pager.alerts()) >= len(
            quiet), "alerts are kept quiet")
        found = pager.alerts()

    def named(some: list[dict[str, str]]) -> set[tuple[tuple[str, str], ...]]:
        return {tuple(sorted(labels.items())) for labels in some}

    assert named(quiet) == named([a["labels"] for a in found if a["status"]["inhibitedBy"]])
    assert named(sources + quiet + told) == named([a["labels"] for a in found])


@pytest.mark.kafka
@pytest.mark.usefixtures("programs")
def test_a_worker_that_is_gone_reaches_alertmanager_and_is_over_when_it_is_back(
        workers: Workers, tmp_path: Path) -> None:
    """Prometheus judges every rule on what a live worker says; none of them fails."""
    port = free_port()
    with alertmanager(tmp_path) as pager, _prometheus(pager, port, tmp_path) as prometheus:
        worker = workers.start("w0", metrics_port=port).until_ready()
        _happens(lambda: f"{HOST}:{port}" in prometheus.healthy(), "it is scraped")
        _happens(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()),
                 "every rule is judged")
        _happens(lambda: not _fires(pager), "nothing is told of it")

        assert 0 == worker.stop()
        _happens(lambda: _fires(pager), "whoever is called is told")
        (alert,) = _fires(pager)
        workers.start("w0", metrics_port=port).until_ready()
        _happens(lambda: not _fires(pager), "it is over")
        judged = {rule["name"]: rule["health"] for rule in prometheus.rules()}

    assert {"severity": "critical", "job": "worker"}.items() <= alert["labels"].items()
    assert RULES["FootfallWorkerAbsent"]["annotations"] == alert["annotations"]
    assert ["on-call"] == [receiver["name"] for receiver in alert["receivers"]]
    assert dict.fromkeys(RULES, "ok") == judged


def _prometheus(pager: Alertmanager, port: int, folder: Path) -> Any:
    config = scraped_by({"worker": [f"{HOST}:{port}"]}, SCRAPE_S, folder, [pager.address])
    yaml = YAML(typ="safe")
    loaded = yaml.load(config)
    (rules,) = (Path(pattern) for pattern in loaded["rule_files"])
    (file,) = rules.parent.glob(rules.name)
    groups = yaml.load(file)
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule["for"] = "1s"
    yaml.dump(groups, folder / "rules.yml")
    loaded["rule_files"] = [str(folder / "rules.yml")]
    yaml.dump(loaded, config)
    return real.prometheus(config, folder)


def _fires(pager: Alertmanager) -> list[dict[str, Any]]:
    return [alert for alert in pager.alerts()
            if alert["labels"]["alertname"] == "FootfallWorkerAbsent"]


def _happens(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + HAPPENS_S_MAX
    while not what():
        assert until(deadline, 0.25) > 0, f"it did not come to be that {why}"
