"""One child process: how it is started, where its output goes, how it is ended.

A child gets a session of its own, so that Ctrl-C in the terminal reaches `up` alone and the order
of stopping stays ours. On Linux it is tied to its parent (`up/tied.py`), so that even a killed `up`
leaves nothing behind. Must never signal a process that it did not start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TIED = ("-m", "footfall.up.tied")
OUTPUT_BYTES_MAX = 10_000_000
STOP_S_MAX = 10.0


class Process:
    """A command with its output in a file; may be started again after it ended."""

    def __init__(
        self, name: str, command: Sequence[str], output: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.output = output
        self.command = list(command)
        self._environment = None if environment is None else dict(environment)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the child started last; it may have ended."""
        return None if self._popen is None else self._popen.pid

    def start(self) -> None:
        """Start it; its output is appended to the file."""
        if self.exit_code() is None and self._popen is not None:
            raise AssertionError(f"{self.name} is running already")
        self.output.parent.mkdir(parents=True, exist_ok=True)
        self.limit_output()
        with self.output.open("ab") as output:
            self._popen = subprocess.Popen(
                [*_tie(), *self.command], stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env=self._environment, start_new_session=True,
            )

    def exit_code(self) -> int | None:
        """None while it runs (or was never started); negative when a signal ended it."""
        return None if self._popen is None else self._popen.poll()

    def is_running(self) -> bool:
        """Whether the child lives."""
        return self._popen is not None and self._popen.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self._popen is not None:
            self._popen.send_signal(number)

    def stop(self, seconds_max: float = STOP_S_MAX) -> bool:
        """SIGTERM, and SIGKILL after the bound; whether it ended by itself."""
        if not self.is_running():
            return True
        self.signal(signal.SIGTERM)
        if self.wait(seconds_max):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def wait(self, seconds_max: float) -> bool:
        """Whether it ended within the time."""
        if self._popen is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(max(seconds_max, 0.0))
        return self._popen.poll() is not None

    def limit_output(self) -> None:
        """Put the output aside when it has grown past the bound, while the child writes on."""
        if self.output.exists() and self.output.stat().st_size > OUTPUT_BYTES_MAX:
            shutil.copyfile(self.output, _aside(self.output))
            os.truncate(self.output, 0)

    def last_lines(self, count: int = 5) -> str:
        """The end of its output, for a message."""
        if not self.output.exists():
            return "(no output)"
        with self.output.open("rb") as file:
            file.seek(max(self.output.stat().st_size - 8192, 0))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-count:]) or "(no output)"


def until(ready: float, step_s: float = 0.05) -> float:
    """Sleep one step, at most to the deadline; the time that is left."""
    left = ready - time.monotonic()
    if left > 0:
        time.sleep(min(step_s, left))
    return ready - time.monotonic()


def _aside(path: Path) -> Path:
    return path.with_suffix(path.suffix + ".1")


def _tie() -> list[str]:
    """The launcher that ties a child to us. Linux sends the signal when the starting thread ends,
    so a child started by any thread but the main one is not tied."""
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return []
    return [sys.executable, *TIED, str(os.getpid())]
