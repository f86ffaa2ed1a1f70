"""Every query of the dashboards, evaluated by a real Prometheus that scrapes a running Footfall."""

from __future__ import annotations

import html
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from footfall.errors import BrokerError
from footfall.up.process import until
from tests.deploy import prometheus as real
from tests.deploy import scenarios
from tests.deploy.installation import PROMETHEUS, Installation
from tests.deploy.test_alerts import RULES
from tests.deploy.test_dashboards import GRAFANA, GRAPHS, drawn
from tests.redis_server import RedisServer
from tests.system.workers import Workers

SCRAPE_S = 0.5
#: What Grafana puts in for $__rate_interval: four scrapes and more.
RATE_S = 3
MOVES_S_MAX = 40.0
#: A busy machine may take long for the newcomers.
QUIET_S_MAX = 180.0
#: Twenty judgements.
JUDGED_S = 10.0
#: How much of a graph is taken for what it showed before.
BEFORE_S = 1.5
#: What Grafana puts in for each variable; of a range, and of what it is compared with, little.
VARIABLES = {"$__rate_interval": f"{RATE_S}s", "$__range": f"{scenarios.PERIOD_S}s",
             "$compared": f"{scenarios.PERIOD_S}s", "$instance": ".*", "$partition": ".*",
             "$destination": ".*"}


def asked(expr: str) -> str:
    """A query as Grafana asks it."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert not re.search(r"\$\w", expr), expr
    return expr


TITLES = [panel["title"] for panel in GRAPHS]
QUERIES = {panel["title"]: [asked(target["expr"]) for target in panel["targets"]]
           for panel in GRAPHS}
#: Each query that a case is of.
CHECKS = [(case, n) for case in scenarios.CASES
          for n in (range(len(QUERIES[case.panel])) if case.query is None else [case.query])]


@pytest.fixture(scope="module")
def program() -> Path:
    """Prometheus, or no test: building it needs Go, which nothing else here does."""
    try:
        return real.binary()
    except BrokerError as error:
        pytest.skip(f"no Prometheus: {error}")


@pytest.fixture
def footfall(footfall_topics: str, own_redis: Callable[..., RedisServer], tmp_path: Path
             ) -> Iterator[Installation]:
    """All of it running."""
    workers = Workers(footfall_topics, tmp_path)
    running = Installation(footfall_topics, workers, tmp_path, own_redis())
    try:
        running.start()
        yield running
    finally:
        running.stop()
        workers.end()


def shown(prometheus: real.Prometheus, panel: str, since: float, labels: Mapping[str, str],
          query: int | None = None) -> list[float]:
    """Every point that a panel, or one of its queries, shows from `since` to now, in series with
    these labels.
    """
    queries = QUERIES[panel] if query is None else [QUERIES[panel][query]]
    return [value for query in queries
            for series in prometheus.range(query, since, time.time())
            if labels.items() <= series.labels.items()
            for value in series.values if not math.isnan(value)]


def moved(case: scenarios.Case, before: list[float], after: list[float]) -> bool:
    """Whether a panel shows what its case says; nothing at all is 0."""
    if case.how == "differs":
        return any(value > 0 and value not in before for value in after)
    if case.how == "other":
        return any(value not in before for value in after)
    if case.how == "falls":
        return bool(before and after) and min(after) <= min(before) - case.by
    return max(after, default=0.0) > max(before, default=0.0) + case.by * 0.999


def test_the_version_is_the_one_that_is_deployed() -> None:
    """Go counts Prometheus 3.16.0 as v0.316.0."""
    compose = YAML(typ="safe").load(PROMETHEUS.parents[2] / "docker-compose.yml")
    image = compose["services"]["prometheus"]["image"]
    major, minor, patch = re.fullmatch(
        r"prom/prometheus:v(\d+)\.(\d+)\.(\d+)", image).groups()  # type: ignore[union-attr]
    required = (real.MODULE / "go.mod").read_text()

    assert f"github.com/prometheus/prometheus v0.{major}{minor:0>2}.{patch}" in required


def test_the_deployed_configuration_is_loaded(program: Path, tmp_path: Path) -> None:
    """As it is, DNS and all."""
    with real.prometheus(PROMETHEUS, tmp_path) as prometheus:
        jobs = prometheus.jobs()

    assert {"collector", "worker", "delivery", "archive"} == jobs.keys()
    compose = YAML(typ="safe").load(PROMETHEUS.parents[2] / "docker-compose.yml")["services"]
    ports = {"collector": compose["collector"]["ports"][0].rpartition(":")[2],
             **{name: str(compose[name]["environment"]["FOOTFALL_METRICS_PORT"])
                for name in ("worker", "delivery", "archive")}}
    for job, loaded in jobs.items():
        assert f"port: {ports[job]}\n" in loaded
        assert f"- {job}\n" in loaded


def test_every_panel_has_a_scenario() -> None:
    """And no scenario stands there for nothing."""
    assert {(title, n) for title, queries in QUERIES.items() for n in range(len(queries))} == {
        (case.panel, n) for case, n in CHECKS}
    assert set(scenarios.SCENARIOS) == {case.scenario for case in scenarios.CASES}
    assert set(scenarios.UNMOVED) <= set(TITLES)


@pytest.mark.kafka
def test_each_panel_changes_under_its_scenario(
        program: Path, footfall: Installation, tmp_path: Path) -> None:
    """Each scenario is played once, for counters to be there, and once more, to see them move."""
    config = footfall.scraped_by(SCRAPE_S, tmp_path)
    with real.prometheus(config, tmp_path) as prometheus:
        for name, play in scenarios.SCENARIOS.items():
            if name not in scenarios.ONCE:
                play(footfall, "1")
        footfall.leave([])
        unseen: list[str] = []
        for name, play in scenarios.SCENARIOS.items():
            checks = [check for check in CHECKS if check[0].scenario == name]
            cases = [case for case, _query in checks]
            labels = [_labels(case, footfall) for case in cases]
            if name not in scenarios.AT_ONCE:
                _quiet(prometheus)
            start, before = _before(prometheus, checks, labels)
            still = [shown(prometheus, panel, start - BEFORE_S, {}) for panel in scenarios.UNMOVED]
            play(footfall, "2")
            deadline = time.monotonic() + MOVES_S_MAX
            after: list[list[float]] = []
            while True:
                after = [shown(prometheus, case.panel, start, wanted, n)
                         for (case, n), wanted in zip(checks, labels, strict=True)]
                if all(map(moved, cases, before, after)) or until(deadline, 0.25) <= 0:
                    break
            unseen += [f"{case.panel} [{n}] under {name!r} {wanted}: {_ends(was)} -> {_ends(now)}"
                       for (case, n), wanted, was, now in zip(
                           checks, labels, before, after, strict=True)
                       if not moved(case, was, now)]
            print(f"{name}: {len(checks)} queries, {time.time() - start:.1f} s; unseen: {unseen}")
            if name == "people look around":
                for panel, was in zip(scenarios.UNMOVED, still, strict=True):
                    now = shown(prometheus, panel, start, {})
                    # A scrape that fails moves what is reckoned for an hour by half a second.
                    assert max(was, default=0.0) * 1.02 >= max(now, default=0.0), panel
                _quiet(prometheus)
                at_rest = shown(prometheus, "Items without an outcome", time.time() - BEFORE_S, {})
                assert {0.0} == set(at_rest)

    assert not unseen, "\n".join(unseen)


@pytest.mark.kafka
def test_every_alert_and_every_panel_is_judged_on_a_live_footfall(
        program: Path, footfall: Installation, tmp_path: Path) -> None:
    """While interactions come: what all programs say together is an error to no rule, and nothing
    fires where nothing is wrong; no query of a panel is one that Prometheus doubts, and what has
    to do with the load is shown.
    """
    config = footfall.scraped_by(SCRAPE_S, tmp_path, judged=True)
    running = {addresses[0] for addresses in footfall.targets.values()}
    with real.prometheus(config, tmp_path) as prometheus:
        deadline = time.monotonic() + MOVES_S_MAX
        while not running <= prometheus.healthy():
            assert until(deadline, 0.1) > 0, prometheus.healthy()
        deadline, sent = time.monotonic() + JUDGED_S, 0
        while until(deadline, 0.1) > 0:
            footfall.send([{"type": "track", "event": "Page Seen", "userId": f"u{sent + n}"}
                           for n in range(100)])
            sent += 100
        rules = {rule["name"]: rule for rule in prometheus.rules()}
        start = time.time() - JUDGED_S
        remarks = {query: found for queries in QUERIES.values() for query in queries
                   if (found := prometheus.remarks(query, start, time.time()))}
        loaded = {panel: max(shown(prometheus, panel, start, {}), default=0.0) for panel in (
            "Received", "Accepted", "Processed", "Collector", "Checkpoint", "Written", "Customers",
            "Sessions and silence", "Processed by each worker")}
        drawing = drawn(GRAFANA / "dashboards/footfall-pipeline.json", prometheus.url,
                        range_s=JUDGED_S)

    assert dict.fromkeys(RULES, ("ok", "")) == {
        name: (rule["health"], rule.get("lastError", "")) for name, rule in rules.items()}
    assert set() == {name for name, rule in rules.items() if rule["state"] == "firing"}
    assert {} == remarks
    assert all(loaded.values()), loaded
    texts = [html.unescape(text) for text in re.findall(r">([^<]*)</text>", drawing)]
    panels = json.loads((GRAFANA / "dashboards/footfall-pipeline.json").read_text())["panels"]
    assert [] == [panel["title"] for panel in panels if panel["type"] != "row"
                  and panel["title"].replace("$compared", "1d") not in texts]
    assert {"c/s", "ms"} <= {unit for text in texts for unit in text.split()}


def _labels(case: scenarios.Case, footfall: Installation) -> Mapping[str, str]:
    if case.worker is None:
        return case.labels
    return {**case.labels, "instance": footfall.targets["worker"][case.worker]}


def _before(prometheus: real.Prometheus, checks: Sequence[tuple[scenarios.Case, int]],
            labels: Sequence[Mapping[str, str]]) -> tuple[float, list[list[float]]]:
    """An instant, and what panels show before it: nothing where anything at all is a rise. What
    comes after the last tick, as a checkpoint does, is not over when that has become quiet.
    """
    deadline = time.monotonic() + QUIET_S_MAX
    while True:
        start = time.time()
        found = [shown(prometheus, case.panel, start - BEFORE_S, wanted, n)
                 for (case, n), wanted in zip(checks, labels, strict=True)]
        late = [(case.panel, was) for (case, _n), was in zip(checks, found, strict=True)
                if case.how == "rises" and not case.by and any(was)]
        if not late:
            return start, found
        assert until(deadline, 0.25) > 0, f"it did not become quiet: {late}"


def _quiet(prometheus: real.Prometheus) -> None:
    """Wait until nothing has moved for as long as a rate looks back, nor a tick (it is not counted
    as processed) the clock; what is not scraped yet says nothing of it.
    """
    deadline = time.monotonic() + QUIET_S_MAX
    while True:
        since = time.time() - BEFORE_S
        seen = [shown(prometheus, panel, since, {})
                for panel in ("Accepted", "Processed", "Lag", "Waiting", "Index of triggers")]
        behind = shown(prometheus, "Clock behind", since, {})
        if (all(seen) and not any(value for values in seen for value in values)
                and min(behind, default=0.0) > RATE_S
                and not shown(prometheus, "Acceptance to trigger", since, {})):
            return
        assert until(deadline, 0.25) > 0, f"it did not become quiet: {seen}"


def _ends(values: list[float]) -> str:
    return f"{min(values):g} to {max(values):g}" if values else "nothing"
