"""`footfall rules`: writes, checks and tests files of rules and segments; no broker is needed, but
to say what they would have told.

Decides nothing but the names of its commands.
"""

from __future__ import annotations

import click

from footfall.rules.add_command import add, recipes
from footfall.rules.check_command import check
from footfall.rules.diff_command import diff
from footfall.rules.schema_command import schema
from footfall.rules.test_command import test


@click.group()
def rules() -> None:
    """Rules and segments: what to tell, and of whom. docs/rules.md."""


rules.add_command(add)
rules.add_command(check)
rules.add_command(diff)
rules.add_command(recipes, "list")
rules.add_command(schema)
rules.add_command(test)
