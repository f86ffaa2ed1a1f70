"""Plays the demo on a machine that runs: shop, triggers, and what the screen shows of both.

Decides the form: a live view on a terminal, plain lines where the output goes elsewhere. At
the end, however it comes, it says what should have come and what came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

from rich.console import RenderableType

from footfall.admin import config
from footfall.events.registry import codecs_for
from footfall.running import Running
from footfall.settings import Settings
from footfall.up.demo import Poster, Viewer
from footfall.up.demo_config import document
from footfall.up.demo_levels import LevelsReader
from footfall.up.demo_seen import Seen
from footfall.up.demo_view import foot_of, view
from footfall.up.machine import SOURCE, Machine
from footfall.up.screen import Screen
from footfall.up.shop_visitor import Action

DRAW_S = 0.25


class Show(NamedTuple):
    """What is played: the shop's actions, for so long, with carts abandoned after `idle_s`."""

    actions: Iterator[Action]
    seconds: float
    idle_s: float


def play(show: Show, machine: Machine, settings: Settings, screen: Screen) -> None:
    """Run the shop to its end."""
    actions, seconds, idle_s = show
    running = machine.running
    codecs = codecs_for(settings.schema_registry_url)
    config.change(running.cluster, running.system_secret.encode(),
                  document(idle_s), codecs)
    viewer = Viewer(running, codecs)
    screen.line(f"The shop is open for {seconds / 60:g} min. A cart left alone for {idle_s:g} s is "
                "abandoned.\n")
    poster = Poster(actions, running, screen.say)
    seen = Seen(time.monotonic())
    try:
        with ExitStack() as stack:
            draw: Callable[[], None] | None = None
            if screen.is_terminal:
                draw = _drawing(seen, show, running, screen, stack.enter_context(screen.live()))

            def each() -> None:
                seen.sent(time.monotonic(), poster.step())
                for shown in viewer.step():
                    seen.told(time.monotonic(), shown)
                    if draw is None:
                        screen.trigger(shown)
                if draw is not None:
                    draw()

            machine.supervisor.run(each, seconds)
    finally:
        viewer.close()
        # The watcher's cart has no id; those of the shop have.
        abandoned, recovered = (len(viewer.carts.get(name, set()) - {""})
                                for name in ("cart_abandoned", "cart_recovered"))
        screen.line(
            f"\n{poster.posted} interactions sent. Carts left: {len(poster.left)}, cart_abandoned: "
            f"{abandoned}. Carts ordered after all: {len(poster.recovered)}, cart_recovered: "
            f"{recovered}.")


def _drawing(seen: Seen, show: Show, running: Running, screen: Screen,
             update: Callable[[RenderableType], None]) -> Callable[[], None]:
    """Draws four times a second, however often it is called."""
    foot = foot_of(running.http_url, running.write_keys[SOURCE], show.idle_s)
    levels = LevelsReader(running.worker_urls)
    began_s = time.monotonic()
    next_s = began_s

    def draw() -> None:
        nonlocal next_s
        now_s = time.monotonic()
        if now_s >= next_s:
            next_s = now_s + DRAW_S
            seen.levels = levels.step(now_s)
            update(view(seen, now_s, began_s + show.seconds - now_s, foot, screen.height))

    return draw
