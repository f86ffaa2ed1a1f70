"""Programs are asked how they are; each is told with what to do."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from footfall.cli import footfall
from footfall.doctor.findings import Finding, examine
from footfall.doctor.programs import collector, others, workers
from footfall.errors import SettingsError
from footfall.health import Part
from footfall.health_serving import HealthServing, beside
from footfall.settings import Settings
from footfall.up.ports import HOST, free_port


def told(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.found, one.status) for one in found]


def test_a_part_that_is_not_well_is_told_of_a_program_that_is_ready() -> None:
    """Of delivery and archive where they are configured; each with where to read more."""
    port = free_port()
    parts = {"log": Part(True, "well"), "view": Part(False, "is away", is_needed=False)}
    with beside(HealthServing(HOST, port, lambda: parts)):
        url = f"http://{HOST}:{port}"
        found = list(others("delivery", "FOOTFALL_DELIVERY_URLS", url))
        assert [("ready", "ok"), ("is away", "warning")] == told(found)
        parts["log"] = Part(False, "compares", "starting")
        found = list(others("archive", "FOOTFALL_ARCHIVE_URLS", url))
        assert [("answers 503: compares", "warning"), ("is away", "warning")] == told(found)
        [first, *_] = collector(Settings(http_port=port))
        assert ("answers 503: compares", "error") == (first.found, first.status)
    [gone] = others("archive", "FOOTFALL_ARCHIVE_URLS", url)
    assert ("error", True) == (gone.status, "FOOTFALL_ARCHIVE_URLS" in gone.change)
    assert "refused" in gone.found
    [unknown] = others("archive", "FOOTFALL_ARCHIVE_URLS", "http://no.invalid:1")
    assert ("error", "no such host is known here") == (unknown.status, unknown.found)
    with pytest.raises(SettingsError, match="FOOTFALL_ARCHIVE_URLS: 'x'"):
        list(others("archive", "FOOTFALL_ARCHIVE_URLS", "x"))
    assert [] == list(others("archive", "FOOTFALL_ARCHIVE_URLS", ""))


def test_partitions_are_counted_over_all_workers_known() -> None:
    """Two of four, by what they say themselves."""
    port = free_port()
    said: dict[str, Any] = {"partitions": [0, 3]}
    with beside(HealthServing(HOST, port, dict, more=lambda: said)):
        found = list(workers(Settings(worker_urls=f"http://{HOST}:{port}", partitions=4)))
    assert [("ready, 2 partitions", "ok"),
            ("2 of 4 are owned by the workers known", "warning")] == told(found)


def test_each_program_is_asked_once_how_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path
                                              ) -> None:
    """For its parts and for its clock, though these are looked at beside each other."""
    monkeypatch.chdir(tmp_path)
    ports = {name: free_port() for name in ("collector", "worker", "delivery", "archive")}
    asked: list[str] = []
    with ExitStack() as running:
        for name, port in ports.items():
            running.enter_context(beside(HealthServing(
                HOST, port, dict, more=partial(noted, asked, name))))
        done = CliRunner().invoke(footfall, ["doctor", "--json"], env={
            "FOOTFALL_HTTP_PORT": str(ports["collector"]),
            **{f"FOOTFALL_{name.upper()}_URLS": f"http://{HOST}:{port}"
               for name, port in ports.items() if name != "collector"}})
    found = [(one["area"], one["found"]) for one in json.loads(done.stdout)["findings"]]
    assert sorted(ports) == sorted(asked)
    assert 4 == sum(text.startswith("ready") for _area, text in found)
    assert 3 == sum(area == "clock" for area, _text in found)


def noted(asked: list[str], name: str) -> dict[str, Any]:
    asked.append(name)
    return {}


def test_a_bad_worker_url_is_a_finding() -> None:
    """The others are looked at all the same."""
    settings = Settings(worker_urls="worker:9101")
    with pytest.raises(SettingsError):
        list(workers(settings))
    (found,) = examine([("workers", lambda: list(workers(settings)))])
    assert "FOOTFALL_WORKER_URLS" in found.found
