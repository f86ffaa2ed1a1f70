"""Starts workers as real processes, and ends them in every way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import footfall
from tests.system.topics import until

CUSTOMER_KEY_SECRET = "a secret for tests only"
SYSTEM_SECRET = "another secret for tests"
PARTITIONS = 4
SESSION_TIMEOUT_S = 6.0
START_S_MAX = 120.0
STOP_S_MAX = 60.0
STACKS_S = 2.0
KILLED = -signal.SIGKILL
REFUSED = 3
#: Workers find our programs, and the same footfall as the tests: another may be installed.
PATHS = [str(Path(__file__).parents[2]), str(Path(footfall.__file__).parents[1])]


#: The line that says that it has taken up work.
READY = '"message":"ready"'


class Workers:
    """All workers of one test; what still runs is killed at its end."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._started: list[Worker] = []

    def start(self, name: str = "", crash_at: str = "", arguments: Sequence[str] = (),
              program: Sequence[str] = ("-m", "footfall", "worker"), **settings: object) -> Worker:
        """Start a worker; `name` makes it a static member of the group."""
        environment = {
            **os.environ,
            "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": self._bootstrap,
            "FOOTFALL_CUSTOMER_KEY_SECRET": CUSTOMER_KEY_SECRET,
            "FOOTFALL_SYSTEM_SECRET": SYSTEM_SECRET,
            "FOOTFALL_PARTITIONS": str(PARTITIONS),
            "FOOTFALL_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            "FOOTFALL_CHECKPOINT_S": "0.2",
            "FOOTFALL_WORKER_ID": name,
            "FOOTFALL_CRASH_AT": crash_at,
            "PYTHONPATH": os.pathsep.join(PATHS),
            **{f"FOOTFALL_{k.upper()}": str(v) for k, v in settings.items()},
        }
        output = self._folder / f"worker-{len(self._started)}.log"
        with output.open("wb") as file:
            process = subprocess.Popen(
                # Tied to us: a killed test run leaves no worker behind.
                [sys.executable, "-m", "footfall.up.tied", str(os.getpid()),
                 sys.executable, *program, *arguments],
                cwd=self._folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        worker = Worker(process, output)
        self._started.append(worker)
        return worker

    def end(self) -> None:
        """Kill what still runs."""
        for number, worker in enumerate(self._started):
            worker.end()
            print(f"worker {number}: exit code {worker.exit_code}\n{worker.output()[-3000:]}")

    @property
    def exits(self) -> list[int | None]:
        """Exit codes so far, in the order of starting."""
        return [worker.exit_code for worker in self._started]


class Worker:
    """One worker process."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    @property
    def runs(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    def output(self) -> str:
        """What it has said."""
        return self._output.read_text(errors="replace")

    def until_ready(self, seconds_max: float = START_S_MAX) -> Worker:
        """Wait until it has taken up work."""
        self.until(lambda: self.says(READY), seconds_max, "ready")
        return self

    def until(self, what: Callable[[], object], seconds_max: float, why: str = "") -> None:
        """Wait until something holds, as long as the worker lives."""
        until(lambda: not self.runs or what(), seconds_max, why)
        assert self.runs, f"ended with {self.exit_code}: {self.output()[-2000:]}"

    def says(self, text: str) -> bool:
        """Whether its output holds a text."""
        return text in self.output()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(STOP_S_MAX)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._process.wait(STOP_S_MAX)

    def pause(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def wait(self, seconds_max: float = START_S_MAX) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            said = self.output()[-4000:]
            self._process.send_signal(signal.SIGUSR1)  # Faust writes the stacks of all tasks
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STACKS_S)
            raise AssertionError(f"did not end in {seconds_max:g} s: {said}") from None

    def end(self) -> None:
        """Kill it if it still runs."""
        if self.runs:
            self.resume()
            self.kill()
