"""The dashboards are what their code makes, name only what exists, and show all there is."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase
from ruamel.yaml import YAML

from footfall import telemetry
from footfall.replay.job_metrics import JobMetrics
from footfall.stream.counted import STEPS
from footfall.tables import ALL

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy/grafana"
# The generator is a script with its modules beside it, and no part of the package.
sys.path.append(str(GRAFANA))
import write  # noqa: E402
from picture import drawn  # noqa: E402, F401 - for others that cannot find it

#: Of Prometheus itself, and of its Python client: docs/metrics.md names the latter.
OTHERS = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total",
          "process_start_time_seconds"}

#: What a metric's samples are called.
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}

JSON: dict[str, dict[str, Any]] = {name: json.loads(text) for name, text in write.written().items()}
GRAPHS = [panel for dashboard in JSON.values() for panel in dashboard["panels"]
          if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in GRAPHS for target in panel["targets"]]
boards = pytest.mark.parametrize("dashboard", JSON.values(), ids=JSON)


def _metrics() -> list[MetricWrapperBase]:
    jobs = JobMetrics("any", None).registry
    return [metric for metric in (*vars(telemetry).values(), *jobs._collector_to_names)
            if isinstance(metric, MetricWrapperBase)]


def declared() -> dict[str, set[str]]:
    """Name of every sample that Prometheus gets -> labels, from telemetry.py and of jobs."""
    found: dict[str, set[str]] = {}
    for metric in _metrics():
        labels = set(metric._labelnames)
        for suffix in SUFFIXES[str(metric._type)]:
            found[metric._name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def named_in(expr: str) -> set[str]:
    """The metrics of a query."""
    return set(re.findall(r"\b(?:footfall|process)_\w+|\bup\b", expr))


def test_the_json_is_what_the_code_makes() -> None:
    """`python deploy/grafana/write.py` was run after the last change, and nothing else is there."""
    assert write.written() == {path.name: path.read_text()
                               for path in (GRAFANA / "dashboards").iterdir()}


def test_every_panel_names_declared_metrics_and_labels() -> None:
    """A metric that is renamed, or a label that is dropped, fails here and not on call."""
    metrics = declared()
    for expr in EXPRESSIONS:
        named = named_in(expr)
        assert named, expr
        assert named <= metrics.keys() | OTHERS, expr
        labels = {label for group in re.findall(r"by \(([^)]*)\)", expr)
                  for label in group.split(", ")}
        labels |= set(re.findall(r'(\w+)[=!]~?"', expr))
        known = set().union(*(metrics.get(name, set()) for name in named))
        assert labels <= known | {"job", "instance"}, expr


def test_every_metric_has_a_panel() -> None:
    """In at least one of the dashboards, whichever of its samples is shown."""
    shown = set().union(*map(named_in, EXPRESSIONS))
    assert [] == [metric._name for metric in _metrics()
                  if not shown & {metric._name + s for s in SUFFIXES[str(metric._type)]}]


def test_levels_and_triggers_that_are_named_exist() -> None:
    """Values of labels are held to the tables and to docs/triggers.md."""
    text = "\n".join(EXPRESSIONS)
    tables = {t.name: t for t in ALL}
    rows = re.findall(r'footfall_rows\{table="(\w+)"(?:, level=~"([\w|]+)")?\}', text)
    assert {"engagement", "risk", "cart", "links"} == {table for table, _ in rows}
    for table, levels in rows:
        assert tables[table].level is not None
        assert set(filter(None, levels.split("|"))) <= set(tables[table].levels)
    triggers = (ROOT / "docs/triggers.md").read_text()
    for found in re.findall(r'[{, ]name=~?"([^"]+)"', text):
        for pattern in found.split("|"):
            assert re.search(rf"(?m)^## {pattern}$", triggers), pattern
    steps = set(re.findall(r'step="(\w+)"', text))
    assert steps == {step.lower().replace(" ", "_") for step in STEPS}


def test_every_panel_can_be_read() -> None:
    """A meaning, a unit, a place of its own, a title of its own in all dashboards, a named source.
    """
    (source,) = YAML(typ="safe").load(
        GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert {1} == set(Counter(panel["title"] for panel in GRAPHS).values())
    for panel in GRAPHS:
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["description"] != panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert {source["uid"]} == {t["datasource"]["uid"] for t in panel["targets"]}
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@boards
def test_panels_do_not_lie_on_one_another(dashboard: dict[str, Any]) -> None:
    """Each cell of the grid is one panel's; each has a number of its own."""
    cells = Counter((x, y) for panel in dashboard["panels"] for at in [panel["gridPos"]]
                    for x in range(at["x"], at["x"] + at["w"])
                    for y in range(at["y"], at["y"] + at["h"]))
    assert {1} == set(cells.values())
    assert {1} == set(Counter(panel["id"] for panel in dashboard["panels"]).values())


@boards
def test_each_leads_to_the_others(dashboard: dict[str, Any]) -> None:
    """By the tag that all have, and panels by the id of one that is there."""
    (link,) = dashboard["links"]
    assert dashboard["tags"] == link["tags"]
    assert {"dashboards"} == {link["type"]}
    assert link["keepTime"]
    uids = {one["uid"] for one in JSON.values()}
    for panel in dashboard["panels"]:
        for more in panel.get("links", ()):
            assert more["url"].removeprefix("/d/") in uids - {dashboard["uid"]}, panel["title"]


@boards
def test_variables_are_declared_and_used(dashboard: dict[str, Any]) -> None:
    """Those of the dashboard; Grafana's own begin with two underscores."""
    text = "\n".join(target["expr"] + panel["title"] for panel in dashboard["panels"]
                     for target in panel.get("targets", ()))
    declared_here = {one["name"] for one in dashboard.get("templating", {}).get("list", ())}
    assert declared_here == {name for name in re.findall(r"\$(\w+)", text) if name[:2] != "__"}


def test_there_are_five_and_the_first_is_home() -> None:
    """What is provisioned, and what Grafana opens with."""
    compose = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]["grafana"]
    home = Path(compose["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    (provider,) = YAML(typ="safe").load(
        GRAFANA / "provisioning/dashboards/footfall.yml")["providers"]
    assert ["footfall-pipeline.json", "footfall-customers.json", "footfall-worker.json",
            "footfall-delivery.json", "footfall-business.json"] == list(JSON)
    assert Path(provider["options"]["path"]) / "footfall-pipeline.json" == home
    assert f"./deploy/grafana/dashboards:{home.parent}:ro" in compose["volumes"]


def test_the_standard_metrics_are_documented() -> None:
    """Those that are not ours stand in docs/metrics.md all the same."""
    text = (ROOT / "docs/metrics.md").read_text()
    assert set() == {name for name in OTHERS - {"up"} if f"`{name}`" not in text}


@pytest.mark.parametrize("page", ["operate/alerts.md", "operate/README.md", "engine.md"])
def test_panels_that_pages_quote_exist(page: str) -> None:
    """By name, in italics; so do the dashboards."""
    known = {panel["title"] for panel in GRAPHS} | {
        one["title"].removeprefix("Footfall: ") for one in JSON.values()}
    text = (ROOT / "docs" / page).read_text()
    rows = {panel["title"] for one in JSON.values() for panel in one["panels"]}
    quoted = set(re.findall(r"(?<!\*)\*([A-Z][A-Za-z' ]+)\*(?!\*)", text))
    assert quoted, page
    assert quoted <= known | rows
