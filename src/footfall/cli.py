"""The command line: names of commands, where each lives, and how errors are shown.

Decides nothing else. A command is imported only when it is called, so that `--help` is quick and
a base install fails with a clear message. Exit codes: 0 done, 1 failed (the message says what to do
next), 2 wrong usage.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from footfall import __version__
from footfall.errors import FootfallError
from footfall.log_lines import places
from footfall.logs import is_logging, told
from footfall.options import LazyGroup
from footfall.settings import Configured, Settings

#: Command -> where it is defined, in the order of `--help`.
COMMANDS = {
    "demo": "footfall.up.command:demo",
    "up": "footfall.up.command:up",
    "collector": "footfall.collector.command:collector",
    "plan": "footfall.query.plan_command:plan",
    "worker": "footfall.stream.command:worker",
    "delivery": "footfall.delivery.command:delivery",
    "tail": "footfall.query.command:tail",
    "customer": "footfall.query.customer_command:customer",
    "why": "footfall.query.why_command:why",
    "why-not": "footfall.query.why_command:why_not",
    "deliveries": "footfall.delivery.deliveries_command:deliveries",
    "view": "footfall.query.view_command:view",
    "config": "footfall.admin.command:config",
    "rules": "footfall.rules.command:rules",
    "routes": "footfall.delivery.routes_command:routes",
    "segments": "footfall.query.segments_command:segments",
    "replay": "footfall.replay.command:replay",
    "import": "footfall.replay.imports.command:import_",
    "archive": "footfall.replay.archive.command:archive",
    "topics": "footfall.admin.topics_command:topics",
    "acls": "footfall.admin.acls_command:acls",
    "schemas": "footfall.admin.command:schemas",
    "doctor": "footfall.doctor.command:doctor",
}


@click.group(cls=LazyGroup, places=COMMANDS,
             context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--config-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Settings file (default: footfall.toml where it exists).")
@click.pass_context
def footfall(ctx: click.Context, config_file: Path | None) -> None:
    """Acts on what a customer does, while it happens.

    \b
    Examples:
      footfall demo                         a shop on this machine, triggers on screen
      footfall up                           broker, collector and worker on this machine
      footfall tail triggers --json         triggers as they fire
      footfall customer user_id:u1          all that is held of one customer
    """
    ctx.obj = Configured(os.environ, config_file)


def settings_of(ctx: click.Context) -> Settings:
    """The settings, read on first use so that `--help` works without any."""
    settings: Settings = ctx.obj()
    return settings


def main() -> None:
    """Entry point `footfall`."""
    try:
        footfall(prog_name="footfall")
    except FootfallError as error:
        if not told(error):
            click.echo(f"footfall: {error}", err=True)
        sys.exit(1)
    except Exception as error:
        if is_logging():
            raise  # as a line
        # What an exception says may be somebody's; where it was raised is ours.
        click.echo(f"footfall: an error of Footfall's own, {type(error).__name__}. Try again; if "
                   "it comes back, report it with these places:", err=True)
        for place in places(error):
            click.echo(f"  {place}", err=True)
        sys.exit(1)
