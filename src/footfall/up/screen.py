"""What `up` and `demo` write on the screen: plain lines with the time, one summary, a live view.

Long lines are never broken, but above a live view: people copy commands from here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from footfall.running import Running
from footfall.settings import Settings
from footfall.up.demo_line import Shown
from footfall.up.demo_view import COLOURS
from footfall.up.machine import SOURCE

DATA_DIR = Settings().data_dir


class Screen:
    """One console."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._is_live = False

    @property
    def is_terminal(self) -> bool:
        """Whether somebody watches, who can be shown a live view."""
        return self._console.is_terminal

    @property
    def height(self) -> int:
        """Lines of the terminal."""
        return self._console.height

    @contextmanager
    def live(self) -> Iterator[Callable[[RenderableType], None]]:
        """Within, what is given to the function stands below all lines; it stays at the end."""
        with Live(Text(), console=self._console, auto_refresh=False) as live:
            self._is_live = True
            try:
                yield lambda shown: live.update(shown, refresh=True)
            finally:
                self._is_live = False

    def say(self, text: str) -> None:
        """A line, with the time."""
        self._print(f"[dim]{time.strftime('%H:%M:%S')}[/]  {escape(text)}")

    def summary(self, running: Running, data_dir: Path) -> None:
        """Addresses, keys, and what to do next."""
        key = running.write_keys[SOURCE]
        is_default = data_dir == Path(DATA_DIR).resolve()
        here = "" if is_default else f" --data-dir {data_dir}"
        rows = (
            ("HTTP", running.http_url), ("Kafka", running.kafka_bootstrap_servers),
            ("Broker", running.broker), ("Write key", key), ("API key", running.api_key),
            ("Data", str(data_dir)), ("Logs", str(data_dir / "logs")),
            ("Routes", running.routes), ("Secret", running.webhook_secret),
        )
        self._print("\n[bold]Footfall is running.[/]\n")
        for name, value in rows:
            if value:
                self._print(f"  {name:<10} [cyan]{escape(value)}[/]")
        self._print("\nSend an interaction:")
        body = ('{"userId":"u1","event":"Product Added","properties":{"product_id":"p1",'
                '"price":"9.90","quantity":1,"currency":"EUR"}}')
        self._print(f"  curl -u {key}: -H 'content-type: application/json' "
                            f"-d '{body}' {running.http_url}/v1/track", markup=False)
        self._print("Look at that customer:")
        self._print(f"  curl -H 'Authorization: Bearer {running.api_key}' "
                    f"{running.http_url}/v1/customers/user_id:u1", markup=False)
        self._print("Watch what follows, in another terminal:")
        self._print(f"  footfall tail triggers{here}\n  footfall tail interactions{here}",
                            markup=False)
        self._print(f"or in a browser, with the API key:\n  {running.http_url}/console",
                    markup=False)
        self._print()

    def trigger(self, shown: Shown) -> None:
        """A trigger as it comes."""
        colour = COLOURS.get(shown.name, "bold")
        self._print(
            f"[dim]{time.strftime('%H:%M:%S')}[/]  [{colour}]{escape(shown.name):<24}[/] "
            f"{escape(shown.customer):<14} {escape(shown.text)}"
        )

    def line(self, text: str = "") -> None:
        """Text as it is."""
        self._print(escape(text))

    def _print(self, text: str = "", **how: Any) -> None:
        self._console.print(text, soft_wrap=not self._is_live, **how)
