"""A receiver of webhooks in a process of its own, and what came to it.

It answers at once, but on the path `hangs`: there it accepts and never answers. What it got is told
at the end, so that noting costs nobody who is measured anything. Times are of the monotonic clock,
which all processes of a machine share.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import Lab
from tests.delivery.endpoint import Endpoint

HANGS = "hangs"


class Came(NamedTuple):
    """One webhook; `at` in seconds of the monotonic clock."""

    at: float
    path: str
    trigger_id: str
    customer_key: str


class Receiver:
    """The process, while `receiving` lasts."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.port = int(process.stdout.readline())

    def url(self, path: str) -> str:
        """Where to send to."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def end(self) -> list[Came]:
        """All that came; it ends."""
        said, _ = self._process.communicate("", 60)
        return [Came(*one) for one in json.loads(said)]


@contextmanager
def receiving(lab: Lab) -> Iterator[Receiver]:
    """A receiver, ended at the latest here."""
    with subprocess.Popen([sys.executable, __file__], env=lab.environment(), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Receiver(process)
        finally:
            process.kill()


def _serve() -> None:
    endpoint = Endpoint()
    endpoint.hangs.add(HANGS)
    print(endpoint.port, flush=True)
    sys.stdin.read()
    json.dump([(got.at, got.path, got.webhook_id, json.loads(got.body)["customer_key"])
               for got in list(endpoint.got)], sys.stdout)


if __name__ == "__main__":
    _serve()
