"""`footfall delivery`: runs one delivery process."""

from __future__ import annotations

from pathlib import Path

import click

from footfall import logs
from footfall.delivery import app
from footfall.options import data_dir, resolved
from footfall.rights import admit
from footfall.stream.command import run


@click.command()
@data_dir
@click.pass_context
def delivery(ctx: click.Context, data_dir: Path | None) -> None:
    """Send triggers to the destinations that routes.yaml names for them.

    \b
    Exit code 3: log and state do not fit (the message says what to do).
    Examples:
      FOOTFALL_ROUTES=routes.yaml footfall delivery
      FOOTFALL_WORKER_ID=d1 footfall delivery      static member: a restart moves nothing
    """
    settings = resolved(ctx, data_dir)
    logs.configure("delivery", settings, instance=settings.worker_id)
    made = app.create(settings)
    admit(settings.kafka_bootstrap_servers, "delivery")
    run(made)
