"""A real Redis for tests: Debian's redis-server where there is one, else the demo broker's.

Each test has one of its own, so that it may be killed, emptied and filled up. The demo broker's
lets scripts write on when it is full: who fills one gives it an argument, and is skipped there.
FOOTFALL_TEST_REQUIRE_REDIS=1 makes a missing redis-server a failure.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis

from footfall.up.demo_broker import find_binary
from footfall.up.ports import HOST, free_port
from tests.services import GIVEN

READY_S_MAX = 60.0
SERVER = shutil.which("redis-server")


class RedisServer:
    """One server; `arguments` are redis-server's own (the demo broker has none)."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}"
        self.folder = folder
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> RedisServer:
        """Start it, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if SERVER is not None:
            command = [SERVER, "--port", str(self.port), "--bind", HOST, "--dir", str(self.folder),
                       "--save", "", *self._arguments]
        else:
            if GIVEN.get("FOOTFALL_TEST_REQUIRE_REDIS") == "1":
                pytest.fail("FOOTFALL_TEST_REQUIRE_REDIS=1, but there is no redis-server")
            binary = find_binary()
            if binary is None or self._arguments:
                pytest.skip("no redis-server here")
            command = [str(binary), "start", "--only", "redis", "--host", HOST, "--redis-port",
                       str(self.port), "--data-dir", str(self.folder / "data")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_S_MAX
        while True:
            try:
                self.client().ping()
            except redis.RedisError:
                assert time.monotonic() < deadline, "the Redis for tests did not start"
                time.sleep(0.02)
            else:
                return self

    def client(self) -> redis.Redis:
        """A client of one's own, that sees bytes."""
        return redis.Redis(host=HOST, port=self.port, socket_timeout=30)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: it takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
