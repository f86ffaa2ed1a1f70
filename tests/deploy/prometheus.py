"""A real Prometheus for tests: the version that docker-compose.yml runs, and its promtool.

Only DNS is kept of its service discovery, which makes the build a matter of minutes.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from footfall.up.ports import HOST, free_port
from footfall.up.process import Process, until
from tests.deploy import built

MODULE = Path(__file__).parent / "go"
CMD = "github.com/prometheus/prometheus/cmd"
TAGS = "remove_all_sd,enable_dns_sd"
PROMETHEUS = built.Source("prometheus", MODULE, f"{CMD}/prometheus", TAGS)
PROMTOOL = built.Source("promtool", MODULE, f"{CMD}/promtool", TAGS)
READY_S_MAX = 30.0
STEP_S = 0.5


class Series(NamedTuple):
    """One line of a graph: its labels, and its values in order of time."""

    labels: dict[str, str]
    values: list[float]


class Prometheus:
    """One that runs; `url` is where it answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def range(self, query: str, start: float, end: float) -> list[Series]:
        """What a graph of the query shows from `start` to `end` (seconds since 1970)."""
        answer = self._get("query_range", query=query, start=f"{start:.3f}", end=f"{end:.3f}",
                           step=f"{STEP_S}")
        return [Series(s["metric"], [float(v) for _, v in s["values"]])
                for s in answer["result"]]

    def remarks(self, query: str, start: float, end: float) -> list[str]:
        """What Prometheus has to say against a query that it answers: warnings, and hints such as
        that a metric may be no counter. One that it cannot read raises.
        """
        answer = self._answer("query_range", query=query, start=f"{start:.3f}", end=f"{end:.3f}",
                              step=f"{STEP_S}")
        return [*answer.get("warnings", ()), *answer.get("infos", ())]

    def jobs(self) -> dict[str, str]:
        """Job -> what it is scraped with, as loaded."""
        text: str = self._get("status/config")["yaml"]
        return {part.split("\n", 1)[0].strip(): part for part in text.split("job_name:")[1:]}

    def healthy(self) -> set[str]:
        """Addresses of the targets that were scraped without an error."""
        return {t["labels"]["instance"] for t in self._get("targets")["activeTargets"]
                if t["health"] == "up"}

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health: `ok`, `err` with what is wrong, `unknown` until judged."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str, **parameters: str) -> Any:
        return self._answer(path, **parameters)["data"]

    def _answer(self, path: str, **parameters: str) -> Any:
        asked = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(asked, timeout=READY_S_MAX) as answer:
            return json.load(answer)


@contextmanager
def prometheus(config: Path, folder: Path, lookback_s: float = 4 * STEP_S
               ) -> Iterator[Prometheus]:
    """Prometheus with a configuration file; its data in `folder`. What was not scraped for
    `lookback_s` is shown no more.
    """
    port = free_port()
    process = Process("prometheus", [
        str(binary()), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={HOST}:{port}", f"--query.lookback-delta={lookback_s:.0f}s",
    ], folder / "prometheus.out")
    process.start()
    try:
        url = f"http://{HOST}:{port}"
        _wait(process, url)
        yield Prometheus(url)
    finally:
        process.stop(5.0)


def binary() -> Path:
    """The program, built unless it is in the cache; `BrokerError` says why it cannot be had."""
    return built.binary(PROMETHEUS)


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What promtool of the same version says."""
    return subprocess.run([str(built.binary(PROMTOOL)), *arguments], capture_output=True, text=True,
                          check=False)


def _wait(process: Process, url: str) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while True:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if not process.is_running() or until(deadline, 0.1) <= 0:
                raise AssertionError(f"Prometheus: {process.last_lines(15)}") from None
