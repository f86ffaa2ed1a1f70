"""A real Alertmanager for tests: the version that docker-compose.yml runs."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from footfall.up.ports import HOST, free_port
from footfall.up.process import Process, until
from tests.deploy import built

CONFIG = Path(__file__).parents[2] / "deploy/alertmanager/alertmanager.yml"
SOURCE = built.Source(
    "alertmanager", Path(__file__).parent / "go_alertmanager",
    "github.com/prometheus/alertmanager/cmd/alertmanager",
    pages=("ui/app/dist/elm/index.html", "ui/app/dist/mantine/index.html"))
READY_S_MAX = 30.0


class Alertmanager:
    """One that runs; `address` is where Prometheus finds it."""

    def __init__(self, address: str) -> None:
        self.address = address

    def alerts(self) -> list[dict[str, Any]]:
        """What it has been told and is not over yet."""
        return list(self._get("alerts"))

    def tell(self, *labels: dict[str, str]) -> None:
        """What Prometheus would tell it: one alert for each set of labels."""
        body = json.dumps([{"labels": one} for one in labels]).encode()
        request = urllib.request.Request(
            f"http://{self.address}/api/v2/alerts", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert 200 == answer.status

    def status(self) -> dict[str, Any]:
        """Its version and its configuration, as loaded."""
        return dict(self._get("status"))

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}/api/v2/{path}", timeout=10) as answer:
            return json.load(answer)


@contextmanager
def alertmanager(folder: Path) -> Iterator[Alertmanager]:
    """Alertmanager with the configuration that is deployed; it looks for no others."""
    address = f"{HOST}:{free_port()}"
    process = Process("alertmanager", [
        str(built.binary(SOURCE)), f"--config.file={CONFIG}",
        f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ], folder / "alertmanager.out")
    process.start()
    try:
        deadline = time.monotonic() + READY_S_MAX
        while not _is_ready(address):
            assert process.is_running(), process.last_lines(15)
            assert until(deadline, 0.1) > 0, process.last_lines(15)
        yield Alertmanager(address)
    finally:
        process.stop(5.0)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
