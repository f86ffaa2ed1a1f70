"""`footfall rules schema`: the JSON Schema of rules files, for editors."""

from __future__ import annotations

import click

from footfall.rules import schema as published


@click.command()
def schema() -> None:
    """Print the JSON Schema of a rules file: editors complete keys by it, and mark what is wrong.

    A file names it in its first line, as seen from the file:
    `# yaml-language-server: $schema=rules.schema.json`.

    \b
    Example:
      footfall rules schema > rules/rules.schema.json
    """
    click.echo(published.text(), nl=False)
