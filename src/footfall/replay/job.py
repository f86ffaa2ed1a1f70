"""How a job over the past is run for people: plan first, agreement, progress, a report at the end.

Decides what is asked and shown, and where: plans and progress on standard error where the report is
for machines. Must never begin without agreement, nor show a customer.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from footfall.replay.job_metrics import JobMetrics

#: Where the command line keeps the file for metrics.
_FILE = "footfall.metrics_file"

F = TypeVar("F", bound=Callable[..., Any])


def _keep_file(ctx: click.Context, _option: click.Parameter, value: Path | None) -> None:
    ctx.meta[_FILE] = value


def options(command: F) -> F:
    """Adds `--plan`, `--yes`, `--json`, `--rate` and `--metrics-file`; the command gets
    `plan_only`, `yes`, `as_json` and `rate_per_s` (None: as fast as it goes).
    """
    for option in (
        click.option("--rate", "rate_per_s", type=click.FloatRange(min=0, min_open=True),
                     metavar="N", help="At most so many records a second."),
        click.option("--metrics-file", type=click.Path(dir_okay=False, path_type=Path),
                     expose_value=False, callback=_keep_file, metavar="FILE",
                     help="Keep progress there as Prometheus text, for node exporter."),
        click.option("--json", "as_json", is_flag=True, help="The report as one JSON document."),
        click.option("--yes", is_flag=True, help="Do it without asking."),
        click.option("--plan", "plan_only", is_flag=True,
                     help="Only say what would be done, how much and how long."),
    ):
        command = option(command)
    return command


class Job:
    """One run of one job. `name` as in the command; all output of the run goes through it."""

    def __init__(self, name: str, *, yes: bool, as_json: bool, plan_only: bool = False) -> None:
        self.name = name
        self.yes = yes
        self.as_json = as_json
        self._plan_only = plan_only
        self._people = Console(stderr=as_json, highlight=False)
        self._began = time.monotonic()
        ctx = click.get_current_context(silent=True)
        self._metrics = JobMetrics(name, None if ctx is None else ctx.meta.get(_FILE))
        if ctx is not None:
            ctx.call_on_close(self._metrics.close)

    def agreed(self, plan: Mapping[str, Any]) -> bool:
        """Show a plan (labels and values, in order); whether it is to be carried out. With
        `--plan` it is all there is, with `--yes` nobody is asked; who declines aborts.
        """
        if self._plan_only and self.as_json:
            click.echo(json.dumps({"job": self.name, "plan": plan}, indent=2, default=str))
            return False
        self._show("plan", plan)
        if self._plan_only:
            return False
        if not self.yes:
            click.confirm("Go on?", abort=True, err=self.as_json)
        return True

    def say(self, line: str) -> None:
        """A line for people."""
        self._people.print(line, markup=False)

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Shows rate, position and time left of `total` records; gives what is to be called with
        how many more were done.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[rate]:,.0f}/s"), TimeElapsedColumn(),
                   TimeRemainingColumn())
        began = time.monotonic()
        with Progress(*columns, console=Console(stderr=True), transient=True,
                      disable=not sys.stderr.isatty()) as shown:
            task = shown.add_task(label, total=total, rate=0.0)
            done = 0

            def advance(records: int) -> None:
                nonlocal done
                done += records
                self._metrics.done(label, done, total)
                rate = done / max(time.monotonic() - began, 1e-3)
                shown.update(task, completed=done, rate=rate)

            yield advance

    def report(self, found: Mapping[str, Any]) -> None:
        """What was done, at the end; as JSON where that was asked for."""
        self._metrics.reported()
        took_s = round(time.monotonic() - self._began, 3)
        if self.as_json:
            click.echo(json.dumps({"job": self.name, **found, "took_s": took_s}, indent=2,
                                  default=str))
            return
        self._show("done", {**found, "took": f"{took_s:,.1f} s"})

    def _show(self, title: str, values: Mapping[str, Any]) -> None:
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for label, value in values.items():
            shown = ", ".join(f"{k} {_text(v)}" for k, v in value.items()) if isinstance(
                value, Mapping) else _text(value)
            table.add_row(label.replace("_", " "), Text(shown or "none"))
        self._people.print(f"{self.name}: {title}", style="italic", markup=False)
        self._people.print(table)


class Rate:
    """Holds a job to so many records a second; None: as fast as it goes."""

    def __init__(self, per_s: float | None) -> None:
        self._per_s = per_s
        self._began = time.monotonic()
        self._done = 0

    def piece(self, records_max: int) -> int:
        """How many records are best done at once: a tenth of a second's, at most so many."""
        if not self._per_s:
            return records_max
        return max(1, min(records_max, round(self._per_s / 10)))

    def spend(self, records: int) -> None:
        """Wait until so many more records may have been done."""
        self._done += records
        if self._per_s:
            ahead_s = self._done / self._per_s - (time.monotonic() - self._began)
            if ahead_s > 0:
                time.sleep(ahead_s)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " and ".join(map(_text, value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}"
