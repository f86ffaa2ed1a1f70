"""`footfall rules diff`: what files of rules would have told, against what was told.

Decides that files of rules are all rules there are to be, and that only what rules tell is
compared. How that is found out is `replay/what_if`.
"""

from __future__ import annotations

from pathlib import Path

import click

from footfall import options, tables
from footfall.replay import job, selection
from footfall.replay.job import Job, Rate
from footfall.replay.what_if.asked import Stays
from footfall.replay.what_if.command import (
    Wanted,
    against_option,
    answer,
    deliver_option,
    from_start_option,
    show_option,
)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--keep", is_flag=True,
              help="Rules, segments and computed traits that the files do not name stay, too.")
@from_start_option
@against_option
@deliver_option
@show_option
@selection.options
@job.options
@options.data_dir
@click.pass_context
def diff(ctx: click.Context, *, files: tuple[Path, ...], keep: bool, from_start: bool,
         against: str | None, delivers: bool, show: int, selected: selection.Given,
         plan_only: bool, yes: bool, as_json: bool, rate_per_s: float | None,
         data_dir: Path | None) -> None:
    """Say what rules would have told of the past, against what was told. Writes nothing.

    FILE are all rules, segments and computed traits there are to be, where they have such; all
    else stays as it is in force. Compared are triggers of rules.

    \b
    Examples:
      footfall rules diff rules/*.yaml --since 7d
      footfall rules diff rules/cart.yaml --keep --since 7d --json --yes
    """
    wanted = Wanted(files, Stays.NAMES if keep else Stays.SECTIONS, is_of_rule, from_start,
                    against, show, delivers)
    run = Job("rules diff", yes=yes, as_json=as_json, plan_only=plan_only)
    answer(options.resolved(ctx, data_dir), wanted, selected, run, Rate(rate_per_s))


def is_of_rule(name: str) -> bool:
    """Whether a trigger of this name is a rule's: no rule has the name of a table's."""
    return not any(name in table.triggers for table in tables.ALL)
