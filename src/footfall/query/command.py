"""`footfall tail`: triggers, interactions or rejected records as they come.

Decides how records reach the screen or the next program: one line each, at once; a reader that went
away and Ctrl-C are ways to end, not errors.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from footfall import options
from footfall.events.registry import codecs_for
from footfall.events.topics import INTERACTIONS, REJECTED, TRIGGERS
from footfall.query.lines import text_of
from footfall.query.rendering import line, renderer
from footfall.query.tail import Tail
from footfall.view.trigger import Document

TOPICS = {"triggers": TRIGGERS, "interactions": INTERACTIONS, "rejected": REJECTED}


@click.command()
@click.argument("kind", metavar="triggers|interactions|rejected", type=click.Choice(list(TOPICS)))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--from-beginning", is_flag=True, help="Everything that the topic holds, then on.")
@click.option("--idle-exit", "idle_s", type=click.FloatRange(min=0, min_open=True),
              metavar="SECONDS", help="End when nothing came for so long, after what was there.")
@click.option("--held-out", is_flag=True,
              help="Also triggers that are recorded for comparison and told to nobody.")
@options.data_dir
@click.pass_context
def tail(ctx: click.Context, *, kind: str, as_json: bool, from_beginning: bool,
         idle_s: float | None, held_out: bool, data_dir: Path | None) -> None:
    """Show triggers, interactions or rejected records as they come.

    A line on standard error says when it is listening: what comes after it is shown.

    \b
    Examples:
      footfall tail triggers
      footfall tail triggers --json --from-beginning --idle-exit 2
      footfall tail interactions --json | jq .personal
      footfall tail rejected --from-beginning
      footfall tail triggers --held-out
    """
    if held_out and kind != "triggers":
        raise click.UsageError("--held-out goes with triggers")
    settings = options.resolved(ctx, data_dir)
    follower = Tail(options.bootstrap_of(settings), TOPICS[kind], _warn)
    try:
        render = renderer(kind, codecs_for(settings.schema_registry_url))
        partitions = follower.start(from_beginning)
        _warn(f"waiting for {kind} on {partitions} partitions of {TOPICS[kind]}")
        write = _json_writer() if as_json else _human_writer()
        if not held_out:
            write = _without_held_out(write)
        for batch in follower.records(idle_s):
            for source in batch:
                write(render(source))
            sys.stdout.flush()
    except BrokenPipeError:
        _silence()
    except KeyboardInterrupt:
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
    finally:
        follower.close()


def _without_held_out(write: Callable[[Document], None]) -> Callable[[Document], None]:
    """Leaves out triggers that nobody is told of, and says so once: whoever acts on what `tail`
    prints must not act on them.
    """
    told = False

    def write_told(document: Document) -> None:
        nonlocal told
        if not document.get("held_out"):
            write(document)
        elif not told:
            told = True
            _warn("held-out triggers are left out; --held-out shows them, too")

    return write_told


def _json_writer() -> Callable[[Document], None]:
    out = sys.stdout.buffer

    def write(document: Document) -> None:
        out.write(line(document) + b"\n")

    return write


def _human_writer() -> Callable[[Document], None]:
    console = Console(highlight=False, soft_wrap=True)

    def write(document: Document) -> None:
        # Captured, because Console turns a closed pipe into exit code 1.
        with console.capture() as shown:
            console.print(text_of(document))
        out = sys.stdout.buffer
        out.write(shown.get().encode(errors="replace"))

    return write


def _silence() -> None:
    """Standard output leads nowhere from now on, so that its last flush cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _warn(said: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        click.echo(said, err=True)
