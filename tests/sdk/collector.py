"""A small real HTTP server that answers as told and keeps a ledger: the SDK's other side."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple, Self

#: Whoever forgets to set it is told, and hangs nobody.
GATE_S_MAX = 60.0


class Request(NamedTuple):
    """One request as it came."""

    at: float
    path: str
    headers: dict[str, str]
    size: int
    body: dict[str, Any]


class Answer(NamedTuple):
    """What is answered: status, headers, body; `wait_s` before."""

    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes | None = None
    wait_s: float = 0.0


class FakeCollector:
    """Listens on loopback. `answers` are given first, one a request, then `then`; each once `gate`
    is set.
    """

    def __init__(self, port: int = 0, then: Answer | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.then = then or Answer()
        self.gate = threading.Event()
        self.gate.set()
        #: How many requests were answered.
        self.answered = 0
        #: Items of requests that were answered 200, and connections opened.
        self.items: list[dict[str, Any]] = []
        self.connections = 0
        self.sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1
                outer.sockets.append(self.connection)

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                outer.answer(self, data)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        packed = handler.headers.get("Content-Encoding") == "gzip"
        body = json.loads(gzip.decompress(data) if packed else data)
        with self._lock:
            self.requests.append(Request(time.monotonic(), handler.path, dict(handler.headers),
                                         len(gzip.decompress(data)) if packed else len(data),
                                         body))
            answer = self.answers.pop(0) if self.answers else self.then
            if answer.status == 200:
                self.items += body["batch"]
        self.gate.wait(GATE_S_MAX)
        time.sleep(answer.wait_s)
        content = answer.body
        if content is None:
            content = json.dumps({"success": True} if answer.status == 200 else
                                 {"code": "told", "message": "as told"}).encode()
        handler.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)
        with self._lock:
            self.answered += 1

    @property
    def events(self) -> list[str]:
        """Names of the events that were answered 200, in order."""
        return [item["event"] for item in self.items]

    def stop(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self.sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def results(*states: dict[str, str]) -> Answer:
    """200, with a result an item."""
    return Answer(body=json.dumps({"success": True, "results": list(states)}).encode())


def until(condition: Any, seconds_max: float = 30.0) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
