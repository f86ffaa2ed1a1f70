"""The commands `up` and `demo`: options, and in which order things are shown.

Both end with 0 on Ctrl-C and SIGTERM, with all they started stopped within 10 s.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import msgspec

from footfall import options
from footfall.settings import Settings
from footfall.up.brokers import Wanted
from footfall.up.demo_config import IDLE_S
from footfall.up.demo_play import Show, play
from footfall.up.machine import Asked, machine
from footfall.up.ports import free_port, is_free
from footfall.up.screen import Screen
from footfall.up.shop import shop
from footfall.up.supervisor import Stopped, stopped_by_signals

WORKERS_MAX = 16
#: Shorter, and no customer has the time to leave a cart for long enough.
MINUTES_MIN = 0.5

_BROKERS = click.Choice(["auto", "kafka", "demo"])


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `up` and `demo` share."""
    for option in (
        click.option("--api-key", default="", help="Key that may read (default: made once)."),
        click.option("--write-key", default="", help="Key that may send (default: made once)."),
        click.option("--http-port", type=click.IntRange(0, 65535),
                     help="Port of the HTTP interface (8080); 0 takes a free one."),
        options.data_dir,
    ):
        command = option(command)
    return command


@click.command()
@_shared
@click.option("--broker", type=_BROKERS, default="auto", show_default=True,
              help="auto: a configured one, else Kafka where Java 17+ is, else the demo broker.")
@click.option("--kafka-home", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder of an Apache Kafka release, instead of fetching it through Maven.")
@click.option("--workers", type=click.IntRange(1, WORKERS_MAX), default=1, show_default=True,
              help="Worker processes; they share the partitions.")
@click.option("--webhook", default="", metavar="URL",
              help="Send every trigger there, signed, in the place of routes of your own.")
@click.pass_context
def up(ctx: click.Context, *, data_dir: Path | None, http_port: int | None, write_key: str,
       api_key: str, broker: Wanted, kafka_home: Path | None, workers: int,
       webhook: str) -> None:
    """Run everything on this machine: broker, collector, worker, and delivery where FOOTFALL_ROUTES
    or --webhook says where triggers go.

    \b
    Examples:
      footfall up
      footfall up --broker demo --data-dir /tmp/shop --http-port 8090
      FOOTFALL_CART_IDLE_S=10 footfall up
      footfall up --webhook http://localhost:3000/footfall
      FOOTFALL_ROUTES=routes.yaml footfall up
    """
    settings = _with_port(options.settings_of(ctx, data_dir), http_port)
    asked = Asked(broker, kafka_home, write_key, api_key, workers, webhook)
    screen = Screen()
    try:
        with stopped_by_signals(), machine(settings, asked, os.environ, screen.say) as running:
            screen.summary(running.running, _folder(settings))
            screen.line("Ctrl-C stops everything; the data stays.\n")
            running.supervisor.run()
    except Stopped:
        screen.say("Stopped.")


@click.command()
@_shared
@click.option("--broker", type=_BROKERS, default="demo", show_default=True,
              help="The demo broker needs no Java; auto and kafka are those of `up`.")
@click.option("--minutes", type=click.FloatRange(MINUTES_MIN, 24 * 60), default=2.0,
              show_default=True, help="How long the shop is open.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, another shop.")
@click.pass_context
def demo(ctx: click.Context, *, data_dir: Path | None, http_port: int | None, write_key: str,
         api_key: str, broker: Wanted, minutes: float, seed: int) -> None:
    """A simulated shop on this machine, its triggers on the screen as they fire.

    \b
    Customers look, fill carts, order, leave, come back, send back; some cheat.
    A cart left alone for 5 s is abandoned, a customer silent for 45 s dormant.
    Examples:
      footfall demo
      footfall demo --minutes 10 --seed 7
    """
    screen = Screen()
    kept = data_dir is not None
    with ExitStack() as stack:
        if data_dir is None:
            data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="footfall-")))
        settings = _with_port(options.settings_of(ctx, data_dir), http_port)
        if http_port is None and not is_free(settings.http_port):
            settings = msgspec.structs.replace(settings, http_port=free_port())
        idle_s = settings.cart_idle_s or IDLE_S
        # What simulated customers do is sent to nobody.
        settings = msgspec.structs.replace(settings, cart_idle_s=idle_s, routes="")
        show = Show(shop(seed, minutes * 60, idle_s), minutes * 60, idle_s)
        asked = Asked(broker, None, write_key, api_key)
        try:
            with stopped_by_signals(), machine(settings, asked, os.environ, screen.say) as running:
                screen.summary(running.running, _folder(settings))
                screen.line(f"Ctrl-C ends the demo{'' if kept else ' and deletes its data'}.\n")
                play(show, running, settings, screen)
        except Stopped:
            screen.say("Stopped.")


def _with_port(settings: Settings, http_port: int | None) -> Settings:
    if http_port is None:
        return settings
    return msgspec.structs.replace(settings, http_port=http_port or free_port())


def _folder(settings: Settings) -> Path:
    return Path(settings.data_dir).resolve()
