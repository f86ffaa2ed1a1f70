"""`footfall plan`: looks at a tracking plan before a collector is started with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from footfall.collector import plan_folder
from footfall.errors import SettingsError
from footfall.settings import PREFIX, Settings


@click.group()
def plan() -> None:
    """The tracking plan: which properties events may have. docs/plan.md."""


@plan.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def check(ctx: click.Context, folder: Path | None) -> None:
    """Read every file of FOLDER (FOOTFALL_PLAN_DIR) and list properties, classes and purposes.

    Exit code 1 where one cannot be used; the message names file and property.
    """
    settings: Settings = ctx.obj()
    chosen = folder or (Path(settings.plan_dir) if settings.plan_dir else None)
    if chosen is None:
        raise SettingsError(f"name a folder, or set {PREFIX}PLAN_DIR")
    for rule in plan_folder.read(chosen).rules:
        said = rule.said
        click.echo(f"{said.call} {said.event or '*'} version {said.version}: "
                   f"violation {said.violation}, undeclared {said.undeclared}")
        for path, kind, purpose in _listed(rule.declared):
            click.echo(f"  {path}  {kind}  {purpose}")


def _listed(declared: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str, str]]:
    for name, said in declared.items():
        yield at + name, said.kind, said.purpose
        yield from _listed(said.inside, f"{at}{name}.")
