"""Every alert fires when it should and not otherwise, says what to do, and names what exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from footfall.collector import answers
from footfall.delivery import reasons as delivery_reasons
from footfall.errors import BrokerError
from tests.deploy import alert_cases, built
from tests.deploy import prometheus as real
from tests.deploy.alert_cases import CASES, Case, Samples
from tests.deploy.installation import PROMETHEUS
from tests.deploy.test_dashboards import declared

ROOT = Path(__file__).parents[2]
FILE = PROMETHEUS.parent / "rules/footfall.yml"
PAGE = ROOT / "docs/operate/alerts.md"
START = ROOT / "docs/operate/README.md"
GROUPS: list[dict[str, Any]] = YAML(typ="safe").load(FILE)["groups"]
RULES: dict[str, dict[str, Any]] = {r["alert"]: r for group in GROUPS for r in group["rules"]}
#: Of Prometheus itself, and of its Python client.
OTHERS = {"up", "process_start_time_seconds"}


@pytest.fixture(scope="module")
def promtool() -> None:
    """Promtool, or no test: building it needs Go."""
    try:
        built.binary(real.PROMTOOL)
    except BrokerError as error:
        pytest.skip(f"no promtool: {error}")


@pytest.mark.usefixtures("promtool")
def test_the_rules_and_who_loads_them_are_valid() -> None:
    """By Prometheus' own judgement, its lint included."""
    rules = real.check("check", "rules", "--lint=all", "--lint-fatal", str(FILE))
    config = real.check("check", "config", str(PROMETHEUS))

    assert 0 == rules.returncode, rules.stdout + rules.stderr
    assert 0 == config.returncode, config.stdout + config.stderr
    assert "1 rule files found" in config.stdout


@pytest.mark.usefixtures("promtool")
def test_each_alert_fires_when_it_should_and_not_otherwise(tmp_path: Path) -> None:
    """With its labels and what whoever is called reads, by promtool."""
    found = _judged([_test(case, samples, samples is case.fires)
                     for case in CASES for samples in (case.fires, *case.quiet)], tmp_path)

    assert RULES.keys() == {case.alert for case in CASES}
    assert len(RULES) == len(CASES)
    assert all(case.quiet for case in CASES)
    assert 0 == found.returncode, found.stdout + found.stderr


@pytest.mark.usefixtures("promtool")
@pytest.mark.parametrize("case", [CASES[0], alert_cases.CASES[-1]], ids=lambda c: c.alert)
def test_an_alert_that_is_silent_would_be_noticed(case: Case, tmp_path: Path) -> None:
    """The counterexample: expected of series that leave it quiet."""
    found = _judged([_test(case, case.quiet[0], fires=True)], tmp_path)

    assert 1 == found.returncode
    assert case.alert in found.stdout + found.stderr


def _judged(tests: list[dict[str, Any]], folder: Path) -> Any:
    file = folder / "tests.yml"  # JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(FILE)], "tests": tests}))
    return real.check("test", "rules", str(file))


def _test(case: Case, samples: Samples, fires: bool) -> dict[str, Any]:
    rule = RULES[case.alert]
    expected = [{"exp_labels": {**case.labels, **rule["labels"]},
                 "exp_annotations": {"summary": case.summary,
                                     "runbook": rule["annotations"]["runbook"]}}]
    return {
        "name": case.alert, "interval": alert_cases.STEP,
        "input_series": [{"series": s, "values": values} for s, values in samples.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert,
                             "exp_alerts": expected if fires else []}],
    }


def test_each_alert_says_how_bad_it_is_and_where_to_read_on() -> None:
    """Two severities, a job where nothing is left to name it, and a runbook of its own."""
    for name, rule in RULES.items():
        labels = dict(rule["labels"])
        assert labels.pop("severity") in ("critical", "warning"), name
        assert ({"job"} if re.match(r"absent|count", rule["expr"]) else set()) == labels.keys()
        assert {"summary", "runbook"} == rule["annotations"].keys(), name
        assert f"docs/operate/alerts.md#{name.lower()}" == rule["annotations"]["runbook"]


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    """In the order of the file, each with what it means, what to look at, and what to do; and the
    page that on-call begins with names them all, with their severity.
    """
    pages = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    headings = [page.split("\n", 1)[0] for page in pages]
    start = dict(re.findall(r"^\| \[(\w+)\]\(alerts\.md#\w+\) \| (\w+) \|", START.read_text(),
                            re.MULTILINE))

    assert list(RULES) == headings
    for page in pages:
        for part in ("**Means.**", "**Look at.**", "**Do.**"):
            assert part in page, page[:40]
    assert {name: rule["labels"]["severity"] for name, rule in RULES.items()} == start


def test_each_alert_names_declared_metrics_and_labels() -> None:
    """A metric that is renamed, or a label that is dropped, fails here and not on call."""
    metrics = declared()
    documented = (ROOT / "docs/metrics.md").read_text()
    assert set() == {name for name in OTHERS - {"up"} if f"`{name}`" not in documented}
    for name, rule in RULES.items():
        expr = rule["expr"]
        named = set(re.findall(r"\b(?:footfall|process)_\w+|\bup\b", expr))
        assert named, name
        assert named <= metrics.keys() | OTHERS, name
        labels = {label for group in re.findall(r"(?:by|on) \(([^)]*)\)", expr)
                  for label in group.split(", ") if label}
        labels |= set(re.findall(r'(\w+)[=!]~?"', expr))
        labels |= set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        known = set().union(*(metrics.get(metric, set()) for metric in named))
        assert labels <= known | {"job", "instance"}, name


def test_values_of_labels_that_are_named_exist() -> None:
    """Jobs, codes, statuses."""
    jobs = {job["job_name"] for job in YAML(typ="safe").load(PROMETHEUS)["scrape_configs"]}
    text = "\n".join(rule["expr"] for rule in RULES.values())
    known = {"job": jobs, "code": set(answers.CODES),
             "status": set(delivery_reasons.STATUSES), "stage": {"collector", "worker", "delivery"}}
    for label, values in known.items():
        named = {value for found in re.findall(rf'{label}=~?"([^"]+)"', text)
                 for value in found.split("|")}
        assert named, label
        assert named <= values, label
