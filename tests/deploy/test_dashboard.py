"""The dashboard is what its code makes, and names only what exists."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from ruamel.yaml import YAML

from footfall import telemetry
from footfall.tables import ALL

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy/grafana"
#: Of Prometheus itself, and of its Python client: docs/metrics.md names the latter.
OTHERS = {"up", "process_resident_memory_bytes"}

#: What a metric's samples are called.
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


def load() -> ModuleType:
    """The generator, which is a script and no part of the package."""
    spec = importlib.util.spec_from_file_location("dashboard", GRAFANA / "dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DASHBOARD = load()
JSON: dict[str, Any] = json.loads(DASHBOARD.dashboard())
GRAPHS = [panel for panel in JSON["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in GRAPHS for target in panel["targets"]]


def declared() -> dict[str, set[str]]:
    """Name of every sample that Prometheus gets -> labels, from telemetry.py."""
    found: dict[str, set[str]] = {}
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            labels = set(metric._labelnames)
            for suffix in SUFFIXES[str(metric._type)]:
                found[metric._name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def test_the_json_is_what_the_code_makes() -> None:
    """`python deploy/grafana/dashboard.py` was run after the last change."""
    assert DASHBOARD.dashboard() == (GRAFANA / "dashboards/footfall.json").read_text()


def test_every_panel_names_declared_metrics_and_labels() -> None:
    """A metric that is renamed, or a label that is dropped, fails here and not on call."""
    metrics = declared()
    for expr in EXPRESSIONS:
        named = set(re.findall(r"\b(?:footfall|process)_\w+|\bup\b", expr))
        assert named, expr
        assert named <= metrics.keys() | OTHERS, expr
        labels = {label for group in re.findall(r"by \(([^)]*)\)", expr)
                  for label in group.split(", ")}
        labels |= set(re.findall(r'(\w+)=~?"', expr))
        known = set().union(*(metrics.get(name, set()) for name in named))
        assert labels <= known | {"job", "instance"}, expr


def test_levels_and_triggers_that_are_named_exist() -> None:
    """Values of labels are held to the tables and to docs/triggers.md."""
    text = "\n".join(EXPRESSIONS)
    tables = {t.name: t for t in ALL}
    rows = re.findall(r'footfall_rows\{table="(\w+)"(?:, level=~"([\w|]+)")?\}', text)
    assert {"engagement", "risk"} == {table for table, _ in rows}
    for table, levels in rows:
        assert tables[table].level is not None
        assert set(filter(None, levels.split("|"))) <= set(tables[table].levels)
    for pattern in re.findall(r'name=~"([^"]+)"', text):
        assert re.search(rf"(?m)^## {pattern}$", (ROOT / "docs/triggers.md").read_text()), pattern


def test_every_panel_can_be_read() -> None:
    """A meaning, a unit, a place of its own, a title of its own, a named source."""
    (source,) = YAML(typ="safe").load(
        GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert {1} == set(Counter(panel["title"] for panel in GRAPHS).values())
    assert {1} == set(Counter(panel["id"] for panel in JSON["panels"]).values())
    assert {1} == set(Counter(str(panel["gridPos"]) for panel in JSON["panels"]).values())
    for panel in GRAPHS:
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert {source["uid"]} == {t["datasource"]["uid"] for t in panel["targets"]}
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_the_standard_metrics_are_documented() -> None:
    """Those that are not ours stand in docs/metrics.md all the same."""
    assert "process_resident_memory_bytes" in (ROOT / "docs/metrics.md").read_text()
