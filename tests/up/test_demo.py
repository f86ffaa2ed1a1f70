"""The demo's poster loses nothing, and what it sends again keeps its messageId."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from footfall.running import Running
from footfall.up import demo
from footfall.up.demo import Poster
from footfall.up.shop_visitor import Action


class Collector(HTTPServer):
    """Answers with `codes` in turn, then 200; keeps the batches that it got."""

    def __init__(self, *codes: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.codes = list(codes)
        self.batches: list[list[dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.batches.append(json.loads(body)["batch"])
        self.send_response(self.server.codes.pop(0) if self.server.codes else 200)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """No line."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector(503, 200, 400)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_what_was_not_acknowledged_is_sent_again(
        collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """503: the same once more. 400: said, and given up. Never over a hundred in a batch."""
    said: list[str] = []
    running = Running(
        pid=1, broker="", kafka_bootstrap_servers="", http_port=0, write_keys={"a": "k"},
        http_url=f"http://127.0.0.1:{collector.server_port}", api_key="", customer_key_secret="",
        system_secret="")
    actions = [Action(0.0, -60.0, {"messageId": f"m{n}"}, left=f"cart-{n}") for n in range(150)]
    clock_s, before_ms = [0.0], time.time() * 1000
    monkeypatch.setattr(demo, "time", SimpleNamespace(
        time=time.time, monotonic=lambda: clock_s[0]))
    monkeypatch.setattr(demo, "POST_S_MAX", 30.0)
    poster = Poster(iter(actions), running, said.append)

    assert [0, 100] == [poster.step(), poster.step()]
    first, again = collector.batches
    assert first == again
    assert [f"m{n}" for n in range(100)] == [item["messageId"] for item in again]
    assert 0 <= again[0]["timestamp"] - (before_ms - 60_000) + 1 < 30_000
    assert "503" in said[0]

    assert 0 == poster.step(), "a hundred a second"
    clock_s[0] = 1.0
    assert 0 == poster.step()
    assert "400" in said[1]
    assert 100 == poster.posted == len(poster.left)
    assert 3 == len(collector.batches)
