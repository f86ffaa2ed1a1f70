"""`footfall schemas`: look at, check, release and register the Avro schemas.

Decides how it is asked for and shown; `schemas.py` decides what is a release, and
`events/compatibility.py` what may be one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from footfall import options
from footfall.admin.schemas import State, check, own_folder, release
from footfall.errors import SchemaError
from footfall.events.codec import SUBJECTS, folder_id
from footfall.events.registry import REGISTRY_SUBJECTS, Registry

folder_option = click.option(
    "--folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the schemas (default: the one Footfall was built with).")


@click.group()
def schemas() -> None:
    """Check, release and register the Avro schemas.

    \b
    Examples:
      footfall schemas list
      footfall schemas check
      footfall schemas release
      FOOTFALL_SCHEMA_REGISTRY_URL=http://127.0.0.1:8081 footfall schemas register
    """


@schemas.command(name="list")
@folder_option
def list_(folder: Path | None) -> None:
    """List every schema, its released versions and their ids where no registry is configured.

    \b
    Example:
      footfall schemas list
    """
    for state in _checked(folder):
        work = "changed since" if state.changed else "as released"
        click.echo(f"{state.subject:12} {REGISTRY_SUBJECTS[state.subject]:28} in work: {work}")
        for version in state.versions:
            click.echo(f"    version {version}, id {folder_id(state.subject, version)}")


@schemas.command(name="check")
@folder_option
def check_(folder: Path | None) -> None:
    """Refuse a schema that may not follow every released version (FULL_TRANSITIVE).

    Also refused: a field without class or documentation, personal data outside `personal`, a
    recursive schema, an array whose items take no bytes, a released file that was edited.

    \b
    Example:
      footfall schemas check
    """
    bad = False
    for state in _checked(folder):
        against = f"versions {', '.join(map(str, state.versions))}" if state.versions else "nothing"
        verdict = "refused" if state.problems else "ok"
        click.echo(f"{state.subject:12} {verdict}, checked against {against}"
                   f"{'; to be released' if state.changed and not state.problems else ''}")
        for problem in state.problems:
            bad = True
            click.echo(f"    {problem}")
    sys.exit(1 if bad else 0)


@schemas.command(name="release")
@folder_option
def release_(folder: Path | None) -> None:
    """Copy each schema in work that changed to its next released version.

    From then on programs write it. Nothing is released when any schema is refused.

    \b
    Example:
      footfall schemas release
    """
    made = release(folder or own_folder())
    for subject, version in made:
        click.echo(f"{subject}: released version {version}, id {folder_id(subject, version)}")
    if not made:
        click.echo("nothing to release: every schema in work is as it was released")


@schemas.command()
@click.option("--url", help="The registry (default: the setting schema_registry_url).")
@click.pass_context
def register(ctx: click.Context, url: str | None) -> None:
    """Register every released version in a Confluent-compatible registry, under FULL_TRANSITIVE.

    Doing it again changes nothing.

    \b
    Examples:
      footfall schemas register --url http://127.0.0.1:8081
      FOOTFALL_SCHEMA_REGISTRY_URL=http://127.0.0.1:8081 footfall schemas register
    """
    url = url or options.settings_of(ctx).schema_registry_url
    if not url:
        raise SchemaError("no registry: give --url or set FOOTFALL_SCHEMA_REGISTRY_URL")
    registry = Registry(url)
    for subject in SUBJECTS:
        for version, schema_id in enumerate(registry.register_all(subject), start=1):
            click.echo(f"{REGISTRY_SUBJECTS[subject]:28} version {version}, id {schema_id}")


def _checked(folder: Path | None) -> list[State]:
    return check(folder or own_folder())
