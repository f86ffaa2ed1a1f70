"""What every command shares: `--data-dir`, and the settings with what a running `up` fills in.

Decides nothing but the order: option, environment, file, a running `up`. Commands take the settings
from here and never read the environment.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from footfall.errors import SettingsError
from footfall.running import resolve
from footfall.settings import Configured, Given, Settings


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used, so that `--help` is quick. `places`:
    where each is, `module:attribute`, in the order of `--help`.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


F = TypeVar("F", bound=Callable[..., Any])


def data_dir(command: F) -> F:
    """Adds `--data-dir`; the command gets `data_dir: Path | None`."""
    option = click.option(
        "--data-dir", type=click.Path(file_okay=False, path_type=Path),
        help="Data directory of `footfall up` (FOOTFALL_DATA_DIR; default .footfall).",
    )
    return option(command)


def settings_of(ctx: click.Context, folder: Path | None = None) -> Settings:
    """The settings as configured, without looking for a running `up`."""
    settings: Settings = ctx.obj()
    return settings if folder is None else msgspec.structs.replace(settings, data_dir=str(folder))


def given(ctx: click.Context) -> Given:
    """Where the settings come from."""
    configured: Configured = ctx.obj
    return configured.given()


def resolved(ctx: click.Context, folder: Path | None = None) -> Settings:
    """The settings, with what is not configured taken from a running `up`."""
    return resolve(settings_of(ctx, folder))


def bootstrap_of(settings: Settings) -> str:
    """The brokers' addresses; raises and says how to give them when there are none."""
    if not settings.kafka_bootstrap_servers:
        raise SettingsError(
            f"no broker is configured and no `footfall up` runs in {settings.data_dir}: start "
            "`footfall up`, give its --data-dir, or set FOOTFALL_KAFKA_BOOTSTRAP_SERVERS"
        )
    return settings.kafka_bootstrap_servers
