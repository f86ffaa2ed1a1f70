"""Collector, workers and delivery as child processes: their environment, their restarts.

A child is configured by FOOTFALL_* variables alone, in full, so that it needs no file and sees just
what `up` decided. One that ends is started again after a short growing wait, which is said. Exit
code 3 of a worker, or of delivery, means that log and state do not fit: starting it again cannot
help.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from footfall.settings import PREFIX, TABLES, Settings
from footfall.up.log_watch import LogWatch
from footfall.up.process import Process

EXIT_REFUSED = 3
WAIT_S_FIRST = 0.5
WAIT_S_MAX = 30.0
#: A child that lived this long had started well: its next wait is short again.
LIVED_S_MIN = 60.0

Say = Callable[[str], None]


class Child:
    """One child that is kept alive."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None,
                 logs: Path) -> None:
        self.name = name
        self.restarts = 0
        self.process = Process(name, command, logs / f"{name}.log", environment)
        self._watch = LogWatch(self.process.output)
        self._due: float | None = None
        self._wait_s = WAIT_S_FIRST
        self._started = 0.0

    @property
    def ended(self) -> int | None:
        """Its exit code, once, when it has ended and nothing was decided about it yet."""
        return None if self._due is not None else self.process.exit_code()

    def start(self) -> None:
        """Start it now."""
        self._due = None
        self._started = time.monotonic()
        self._watch.skip()
        self.process.start()

    def plan_restart(self, say: Say) -> None:
        """Decide when to start it again, and say so."""
        now = time.monotonic()
        if now - self._started >= LIVED_S_MIN:
            self._wait_s = WAIT_S_FIRST
        self.show_log(say)
        say(f"{self.name} ended ({reason(self.process.exit_code())}); starting it again in "
            f"{self._wait_s:g} s. Its log: {self.process.output}")
        self._due = now + self._wait_s
        self._wait_s = min(self._wait_s * 2, WAIT_S_MAX)

    def restart_when_due(self) -> None:
        """Start it again when its wait is over."""
        if self._due is not None and time.monotonic() >= self._due:
            self.restarts += 1
            self.start()

    def leave(self) -> None:
        """It stays ended until someone starts it."""
        self._due = float("inf")

    def show_log(self, say: Say) -> None:
        """The important lines it has written since."""
        for line in self._watch.lines():
            say(f"{self.name}: {line}")


def collector(settings: Settings, logs: Path, inherited: Mapping[str, str]) -> Child:
    """The HTTP edge."""
    return Child("collector", _footfall("collector"), environment_of(settings, inherited), logs)


def worker(settings: Settings, logs: Path, inherited: Mapping[str, str], number: int) -> Child:
    """One worker; it is named by its number, its member id stands in the settings."""
    environment = environment_of(settings, inherited)
    return Child(f"worker-{number}", _footfall("worker"), environment, logs)


def delivery(settings: Settings, logs: Path, inherited: Mapping[str, str],
             secrets: Mapping[str, str]) -> Child:
    """What sends triggers out. `secrets`: variables that routes name and `up` has made; the others
    are the user's, and inherited.
    """
    environment = {**environment_of(settings, inherited), **secrets}
    return Child("delivery", _footfall("delivery"), environment, logs)


def environment_of(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The settings as FOOTFALL_* variables, over what is inherited without its FOOTFALL_* ones.
    Their files are for people, unless it is said otherwise.
    """
    if settings.log_format == "auto":
        settings = msgspec.structs.replace(settings, log_format="text")
    kept = {k: v for k, v in inherited.items() if not k.startswith(PREFIX)}
    for name in Settings.__struct_fields__:
        value = getattr(settings, name)
        if value is not None:
            kept[PREFIX + name.upper()] = (
                msgspec.json.encode(value).decode() if name in TABLES else _text(value))
    return kept


def reason(exit_code: int | None) -> str:
    """An exit code in words."""
    if exit_code is not None and exit_code < 0:
        return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{source}:{key}" for source, key in value.items())
    return str(value)


def _footfall(command: str) -> list[str]:
    return [sys.executable, "-m", "footfall", command]
