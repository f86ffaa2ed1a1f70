"""Draws the picture of a dashboard in README: `python -m tests.deploy.picture docs/dashboard.svg`.

Runs `footfall demo` with a delivery beside it, lets the Prometheus of the tests scrape them as it
would in docker-compose.yml, waits, and has `deploy/grafana/picture.py` ask it every query. What is
drawn is what happened: no number in it is made up.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from footfall.up.ports import HOST, free_port
from footfall.up.process import Process, until
from tests.delivery.endpoint import Endpoint
from tests.deploy import prometheus as real
from tests.deploy.installation import scraped_by
from tests.deploy.test_dashboards import GRAFANA, drawn

MINUTES = 12.0
SCRAPE_S = 5.0
#: Demo's customers have consented to nothing; crm is slow now and then.
ROUTES = """
destinations:
  crm: {{channel: webhook, url: "http://127.0.0.1:{port}/crm", purpose: necessary}}
  newsletter: {{channel: webhook, url: "http://127.0.0.1:{port}/mail", purpose: marketing}}
routes:
  - {{triggers: [cart_*, order_*, risk_level_changed], to: [crm]}}
  - {{triggers: [cart_abandoned], to: [newsletter]}}
"""


def main(output: Path, minutes: float) -> None:
    """All of it; what was started is ended."""
    receiver = Endpoint()
    receiver.takes_s["crm"] = 0.03
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        demo = Process("demo", [
            sys.executable, "-m", "footfall", "demo", "--data-dir", str(folder / "data"),
            "--http-port", "0", "--minutes", str(minutes + 1)], folder / "demo.out")
        delivery: Process | None = None
        demo.start()
        try:
            state = _state(folder / "data" / "up.json", demo)
            port = free_port()
            delivery = _delivery(folder, state, port, receiver.port)
            delivery.start()
            targets = {"collector": [state["http_url"].removeprefix("http://")],
                       "worker": [url.removeprefix("http://")
                                  for url in state["worker_urls"].split(",")],
                       "delivery": [f"{HOST}:{port}"]}
            config = scraped_by(targets, SCRAPE_S, folder)
            with real.prometheus(config, folder, lookback_s=4 * SCRAPE_S) as prometheus:
                time.sleep(minutes * 60)
                output.write_text(drawn(
                    GRAFANA / "dashboards/footfall-pipeline.json", prometheus.url,
                    range_s=minutes * 20, rows=3, variables={"compared": f"{minutes / 6:.0f}m"}),
                    encoding="utf-8")
        finally:
            for process in (delivery, demo):
                if process is not None:
                    process.stop(20.0)
            receiver.close()


def _state(file: Path, demo: Process) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while True:
        if file.exists():
            found: dict[str, str] = json.loads(file.read_text())
            return found
        assert until(deadline, 0.2) > 0, demo.last_lines(15)


def _delivery(folder: Path, state: dict[str, str], port: int, receiver: int) -> Process:
    (folder / "routes.yaml").write_text(ROUTES.format(port=receiver))
    return Process("delivery", [sys.executable, "-m", "footfall", "delivery"],
                   folder / "delivery.out", {
        **os.environ,
        "FOOTFALL_ROUTES": str(folder / "routes.yaml"),
        "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": state["kafka_bootstrap_servers"],
        "FOOTFALL_CUSTOMER_KEY_SECRET": state["customer_key_secret"],
        "FOOTFALL_SYSTEM_SECRET": state["system_secret"],
        "FOOTFALL_REDIS_URL": state["redis_url"],
        "FOOTFALL_DELIVERY_ALLOW": f"{HOST}:{receiver}",
        "FOOTFALL_DELIVERY_FROM": "earliest",
        "FOOTFALL_METRICS_PORT": str(port),
    })


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else MINUTES)
