"""`footfall replay`: which jobs over the past there are, and where each is.

Decides nothing else; a job is imported only when it is called.
"""

from __future__ import annotations

import click

from footfall.options import LazyGroup

#: Job -> where it is defined, in the order of `--help`.
JOBS: dict[str, str] = {
    "rebuild": "footfall.replay.rebuild.command:rebuild",
    "cutover": "footfall.replay.rebuild.command:cutover",
    "status": "footfall.replay.rebuild.generations_command:status",
    "commit": "footfall.replay.rebuild.generations_command:commit",
    "abandon": "footfall.replay.rebuild.generations_command:abandon",
    "what-if": "footfall.replay.what_if.command:what_if",
    "resend": "footfall.replay.resend.command:resend",
}


class Jobs(LazyGroup):
    """The jobs of `footfall replay`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`--dry-run` is another name of the job that writes nothing."""
        return super().parse_args(ctx, ["what-if" if n == 0 and one == "--dry-run" else one
                                        for n, one in enumerate(args)])


@click.group(cls=Jobs, places=JOBS)
@click.option("--dry-run", is_flag=True, expose_value=False, help="Another name of what-if.")
def replay() -> None:
    """The past, again: rebuild state, ask what if, send again. docs/replay.md."""
