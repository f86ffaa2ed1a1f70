"""A job for people and for machines: what it asks, and what it keeps for Prometheus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from footfall.errors import FootfallError
from footfall.replay import job


@click.command()
@click.option("--fails", is_flag=True)
@job.options
def count(fails: bool, plan_only: bool, yes: bool, as_json: bool, rate_per_s: float | None) -> None:
    """A job that does 5 of 5 records, or fails after 3."""
    run = job.Job("count", yes=yes, as_json=as_json, plan_only=plan_only)
    if not run.agreed({"records": 5}):
        return
    with run.progress("counting", 5) as advance:
        advance(3)
        if fails:
            raise FootfallError("no more of them")
        advance(2)
    run.report({"counted": 5})


def seen(file: Path) -> dict[tuple[str, str], float]:
    """(metric, stage) -> value."""
    return {(sample.name, sample.labels.get("stage", "")): sample.value
            for family in text_string_to_metric_families(file.read_text())
            for sample in family.samples if sample.labels["command"] == "count"}


@pytest.mark.parametrize(("arguments", "records", "has_reported"), [
    (["--yes"], 5, True), (["--yes", "--fails"], 3, False)])
def test_a_file_says_how_far_a_job_came(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], records: int,
        has_reported: bool) -> None:
    """However it ended."""
    file = tmp_path / "count.prom"
    monkeypatch.setattr("footfall.replay.job_metrics.WRITE_S", 0.0)
    CliRunner().invoke(count, [*arguments, "--metrics-file", str(file)])
    found = seen(file)
    assert 0 == found["footfall_job_running", ""]
    assert (records, 5) == (found["footfall_job_records", "counting"],
                            found["footfall_job_records_expected", "counting"])
    assert has_reported == (found["footfall_job_reported_timestamp_seconds", ""] > 0)


def test_a_file_that_cannot_be_written_is_told_once_and_stops_nobody(tmp_path: Path) -> None:
    """The job is what counts."""
    file = tmp_path / "no" / "such.prom"
    done = CliRunner().invoke(count, ["--yes", "--metrics-file", str(file)])
    assert 0 == done.exit_code
    assert 1 == done.output.count("cannot be written")


@pytest.mark.parametrize(("arguments", "answer", "done"), [
    (["--plan"], "", False), ([], "n\n", False), ([], "y\n", True), (["--yes"], "", True)])
def test_nothing_is_done_without_agreement(arguments: list[str], answer: str, done: bool) -> None:
    """The plan comes first in any case."""
    result: Any = CliRunner().invoke(count, arguments, input=answer)
    assert "count: plan" in result.output
    assert done == ("counted" in result.output)
