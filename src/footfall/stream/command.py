"""`footfall worker`: runs one worker process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click
import faust
import msgspec

from footfall import expiry, logs
from footfall.errors import SettingsError
from footfall.options import data_dir, resolved
from footfall.rights import admit
from footfall.stream import app as worker_app


@click.command()
@data_dir
@click.option("--accept-gap", is_flag=True,
              help="Go on although the log no longer holds what comes next; the gap is logged.")
@click.option("--agents", default="", metavar="MODULES",
              help="Modules of your own Faust agents to run in this worker, comma-separated.")
@click.pass_context
def worker(ctx: click.Context, data_dir: Path | None, accept_gap: bool, agents: str) -> None:
    """Fold the log into live customer state and emit triggers.

    \b
    Exit code 3: log and state do not fit (the message says what to do).
    Examples:
      footfall worker
      FOOTFALL_WORKER_ID=w1 footfall worker        static member: a restart moves nothing
      footfall worker --agents myshop.agents
    """
    settings = resolved(ctx, data_dir)
    logs.configure("worker", settings, instance=settings.worker_id)
    settings = msgspec.structs.replace(
        settings, accept_gap=accept_gap or settings.accept_gap, agents=agents or settings.agents)
    app = worker_app.create(settings)
    expiry.watch(settings)
    admit(settings.kafka_bootstrap_servers, "worker")
    worker_app.app = app  # users' modules import it from there
    _import(settings.agents)
    run(app)


def _import(agents: str) -> None:
    """Users' modules, also those of the current folder, as `faust -A` finds them."""
    sys.path.insert(0, "")
    for module in filter(None, (name.strip() for name in agents.split(","))):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise SettingsError(f"--agents {module}: {error}; it must be importable from the "
                                "current folder, or installed") from None


def run(app: faust.App) -> None:
    """Run until SIGTERM or Ctrl-C; every other end is a crash."""
    process = Process(app, quiet=True)
    process.spinner = None
    process.execute_from_commandline()


class Process(faust.Worker):  # type: ignore[misc]
    """Faust's worker process, less its logging set-up, ours is made above, and its last second."""

    def _setup_logging(self) -> None:
        pass

    async def _sentinel_task(self) -> None:
        """Without mode's fixed second of sleep when all has ended: who restarts us waits for it."""
