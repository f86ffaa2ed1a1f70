"""What `up` and `demo` write on the screen: plain lines with the time, and one summary.

Long lines are never broken: people copy commands from here.
"""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from footfall.running import Running
from footfall.settings import Settings
from footfall.up.demo_line import Shown
from footfall.up.machine import SOURCE

DATA_DIR = Settings().data_dir
_COLOURS = {"cart_abandoned": "bold yellow", "cart_recovered": "bold green"}


class Screen:
    """One console."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line, with the time."""
        self._console.print(f"[dim]{time.strftime('%H:%M:%S')}[/]  {escape(text)}")

    def summary(self, running: Running, data_dir: Path) -> None:
        """Addresses, keys, and what to do next."""
        key = running.write_keys[SOURCE]
        is_default = data_dir == Path(DATA_DIR).resolve()
        here = "" if is_default else f" --data-dir {data_dir}"
        rows = (
            ("HTTP", running.http_url), ("Kafka", running.kafka_bootstrap_servers),
            ("Broker", running.broker), ("Write key", key), ("API key", running.api_key),
            ("Data", str(data_dir)), ("Logs", str(data_dir / "logs")),
        )
        self._console.print("\n[bold]Footfall is running.[/]\n")
        for name, value in rows:
            self._console.print(f"  {name:<10} [cyan]{escape(value)}[/]")
        self._console.print("\nSend an interaction:")
        body = ('{"userId":"u1","event":"Product Added","properties":{"product_id":"p1",'
                '"price":"9.90","quantity":1,"currency":"EUR"}}')
        self._console.print(f"  curl -u {key}: -H 'content-type: application/json' "
                            f"-d '{body}' {running.http_url}/v1/track", markup=False)
        self._console.print("Watch what follows, in another terminal:")
        self._console.print(f"  footfall tail triggers{here}\n  footfall tail interactions{here}",
                            markup=False)
        self._console.print()

    def trigger(self, shown: Shown) -> None:
        """A trigger as it comes."""
        colour = _COLOURS.get(shown.name, "bold")
        self._console.print(
            f"[dim]{time.strftime('%H:%M:%S')}[/]  [{colour}]{escape(shown.name):<15}[/] "
            f"{escape(shown.customer):<13} {escape(shown.text)}"
        )

    def line(self, text: str = "") -> None:
        """Text as it is."""
        self._console.print(escape(text))
