"""`footfall replay status`, `commit` and `abandon`: which states there are, and which of them go.

Decides what may be deleted: what no partition is in any more, or not yet. Must never delete a state
that a partition is in, or has been sent over to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from footfall import options
from footfall.admin.scan import Scanner
from footfall.errors import FootfallError
from footfall.events.interaction import CUTOVER
from footfall.events.topics import INTERACTIONS
from footfall.replay import job
from footfall.replay.rebuild import topics
from footfall.replay.rebuild.command import installation_of
from footfall.replay.rebuild.run import Installation
from footfall.stream.generations import topic_of


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.data_dir
@click.pass_context
def status(ctx: click.Context, as_json: bool, data_dir: Path | None) -> None:
    """Which generations of the state there are, and where each partition is."""
    settings = options.resolved(ctx, data_dir)
    bootstrap = options.bootstrap_of(settings)
    found = topics.look(bootstrap)
    ends = _ends(bootstrap)
    shown: dict[str, Any] = {}
    for generation in found.present:
        states = found.states[generation]
        live = [n for n, g in found.live.items() if g == generation]
        shown[topic_of(generation)] = {
            "is": ("being made" if generation == found.shadow and not live else
                   "live" if live else "kept until `footfall replay commit`" if states
                   else "empty"),
            "partitions_live": len(live), "partitions": found.partitions,
            "records_behind": sum(end - (states[n].next_offset if n in states else 0)
                                  for n, end in ends.items()),
        }
    run = job.Job("status", yes=True, as_json=as_json)
    run.report(shown)


@click.command()
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document.")
@options.data_dir
@click.pass_context
def commit(ctx: click.Context, yes: bool, as_json: bool, data_dir: Path | None) -> None:
    """Delete the old state, once every partition has gone over to the new one."""
    settings = options.resolved(ctx, data_dir)
    bootstrap = options.bootstrap_of(settings)
    found = topics.look(bootstrap)
    if found.shadow is not None:
        still = [n for n, g in found.live.items() if g < found.shadow]
        raise FootfallError(
            f"partitions {still} are not in {topic_of(found.shadow)} yet: nothing was deleted. "
            "`footfall replay status` says where they are")
    if not found.behind:
        raise FootfallError("there is no old state to be deleted")
    run = job.Job("commit", yes=yes, as_json=as_json)
    if run.agreed({"to be deleted": ", ".join(map(topic_of, found.behind)),
                   "stays": topic_of(min(found.live.values())),
                   "from then on": "there is no way back to the old state"}):
        for generation in found.behind:
            topics.delete(bootstrap, generation)
        run.report({"deleted": [topic_of(g) for g in found.behind]})


@click.command()
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document.")
@options.data_dir
@click.pass_context
def abandon(ctx: click.Context, yes: bool, as_json: bool, data_dir: Path | None) -> None:
    """Delete a state that is being made and that no partition has been sent over to."""
    settings = options.resolved(ctx, data_dir)
    bootstrap = options.bootstrap_of(settings)
    shadow = topics.look(bootstrap).shadow
    if shadow is None:
        raise FootfallError("no state is being made")
    if sent := _sent(bootstrap, installation_of(settings), shadow):
        raise FootfallError(
            f"partitions {sent} have been sent over to {topic_of(shadow)}: nothing was deleted. "
            "Workers wait for it: run `footfall replay cutover`, it finishes it")
    run = job.Job("abandon", yes=yes, as_json=as_json)
    if run.agreed({"to be deleted": topic_of(shadow), "the live state": "stays as it is"}):
        topics.delete(bootstrap, shadow)
        run.report({"deleted": topic_of(shadow)})


def _ends(bootstrap: str) -> dict[int, int]:
    with Scanner(bootstrap) as scanner:
        return {n: span.end for n, span in scanner.spans(INTERACTIONS).items()}


def _sent(bootstrap: str, at: Installation, generation: int) -> list[int]:
    """Partitions whose log holds a `$cutover` to this generation."""
    states = topics.states_of(bootstrap, topic_of(generation))
    sent = set()
    key = CUTOVER.encode()
    with Scanner(bootstrap) as scanner:
        # It is written once the shadow has come near the end, so never before what that has read.
        spans = {n: span._replace(low=min(span.end, max(span.low, states[n].last_offset)))
                 if n in states else span for n, span in scanner.spans(INTERACTIONS).items()}
        for message in scanner.records(INTERACTIONS, key, spans):
            event = at.codecs.interaction.decode(message.value())
            if at.reserved.read_cutover(event, key) == generation:
                sent.add(message.partition())
    return sorted(sent)
