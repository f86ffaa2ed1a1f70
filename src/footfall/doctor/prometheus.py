"""Of Prometheus, where it is configured: that it answers, and scrapes what the alerts are about.

Decides which jobs there must be: the rules name them. Looks and never changes.
"""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Iterator
from typing import Any

from footfall.doctor.asking import ask, shown
from footfall.doctor.findings import Finding
from footfall.settings import Settings

VERSION_PATH = "/api/v1/status/buildinfo"
TARGETS_PATH = "/api/v1/targets?state=active"
SETTING = "FOOTFALL_PROMETHEUS_URL"


def prometheus(settings: Settings) -> Iterator[Finding]:
    """That of FOOTFALL_PROMETHEUS_URL."""
    url = settings.prometheus_url
    if not url:
        yield Finding("prometheus", "", "ok", f"none configured ({SETTING}): not looked at")
        return
    answer = ask(url, VERSION_PATH)
    if answer.status != http.client.OK:
        yield Finding("prometheus", shown(url), "error",
                      f"does not answer ({answer.why or f'HTTP {answer.status}'})",
                      answer.change
                      or f"start it, or correct {SETTING}: without it no alert fires")
        return
    yield Finding("prometheus", shown(url), "ok", f"answers, release {_version(answer.said)}")
    wanted = {"collector", "worker", *(("delivery",) if settings.routes else ()),
              *(("archive",) if settings.archive_target else ())}
    yield from judged(_targets(ask(url, TARGETS_PATH).said), wanted)


def judged(found: list[tuple[str, str, str]], wanted: set[str]) -> Iterator[Finding]:
    """Of targets (job, health, last error) which jobs are scraped; `wanted`: those that must be."""
    counts = Counter(job for job, health, _error in found if health == "up")
    for job in sorted(wanted):
        # One that was not asked yet is `unknown`.
        bad = sorted({error for name, health, error in found if name == job and health == "down"})
        if not any(name == job for name, _health, _error in found):
            yield Finding("prometheus", job, "warning", "no target: its metrics are not seen",
                          f"scrape it under job_name {job}, as deploy/prometheus/prometheus.yml "
                          "does", wanted="one target or more")
        elif bad:
            yield Finding("prometheus", job, "warning", f"{counts[job]} up, others not: "
                          f"{'; '.join(bad)}", "start it, or correct its address in Prometheus",
                          wanted="all up")
        else:
            yield Finding("prometheus", job, "ok", f"{counts[job]} scraped", wanted="all up")


def _targets(said: Any) -> list[tuple[str, str, str]]:
    data = said.get("data", {}) if isinstance(said, dict) else {}
    return [(str(one.get("labels", {}).get("job", "")), str(one.get("health", "")),
             str(one.get("lastError", ""))) for one in data.get("activeTargets", ())]


def _version(said: Any) -> str:
    data = said.get("data", {}) if isinstance(said, dict) else {}
    return str(data.get("version") or "unknown")
