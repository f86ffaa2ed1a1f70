"""Prometheus is asked whom it scrapes; each job is told with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from footfall.doctor.prometheus import judged, prometheus
from footfall.errors import BrokerError
from footfall.health_serving import HealthServing, beside
from footfall.settings import Settings
from footfall.up.ports import HOST, free_port
from tests.deploy import prometheus as real
from tests.system.topics import until

SAID = [("worker", "up", ""), ("worker", "down", "refused"), ("collector", "up", "")]


@pytest.mark.parametrize(("wanted", "expected"), [
    ({"collector"}, [("collector", "ok")]), ({"worker"}, [("worker", "warning")]),
    ({"archive", "collector"}, [("archive", "warning"), ("collector", "ok")])])
def test_jobs_that_are_not_scraped_are_told(
        wanted: set[str], expected: list[tuple[str, str]]) -> None:
    """By the names that the rules of alerts go by."""
    found = list(judged(SAID, wanted))
    assert expected == [(one.subject, one.status) for one in found]
    assert all(bool(one.change) == (one.status != "ok") for one in found)


def test_a_real_prometheus_is_asked_whom_it_scrapes(tmp_path: Path) -> None:
    """Its release, a job that is up, one that is down with why, one that nobody scrapes."""
    try:
        real.binary()
    except BrokerError as error:
        pytest.skip(f"no Prometheus: {error}")
    up, down = free_port(), free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 500ms, scrape_timeout: 400ms}\nscrape_configs:\n"
                      + "".join(f"  - job_name: {job}\n    static_configs: "
                                f"[{{targets: ['{HOST}:{port}']}}]\n"
                                for job, port in (("collector", up), ("worker", down))))
    with beside(HealthServing(HOST, up, dict)), real.prometheus(config, tmp_path) as running:
        settings = Settings(prometheus_url=running.url, archive_target="a")

        def found() -> list[tuple[str, str]]:
            return [(one.subject, one.status) for one in prometheus(settings)]

        wanted = [(running.url, "ok"), ("archive", "warning"), ("collector", "ok"),
                  ("worker", "warning")]
        until(lambda: found() == wanted, 90, "all is scraped")
        release, *_, worker = prometheus(settings)
        # Go's own build has no release in it, that of docker-compose.yml has.
        assert "answers, release unknown" == release.found
        assert "refused" in worker.found
    [gone] = prometheus(settings)
    assert ("error", True) == (gone.status, "no alert fires" in gone.change)
