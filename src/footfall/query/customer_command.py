"""`footfall customer KIND:VALUE`: everything that is held of one customer, at this instant.

Decides how a customer is named (as apps name it: the key is computed here, under the secret) and
what is said when there is none.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from footfall import options
from footfall.errors import FootfallError, SettingsError
from footfall.events.customer_key import KINDS, CustomerKeys
from footfall.query.customer import find
from footfall.query.customer_text import text_of
from footfall.query.rendering import line
from footfall.settings import Role
from footfall.tables import ALL
from footfall.view.classes import Mask
from footfall.view.identifiers import IdentifierError, key_of, parse
from footfall.view.roles import CLEARANCES


class Identifier(click.ParamType):
    """KIND:VALUE; the value may hold colons."""

    name = "KIND:VALUE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[str, str]:
        """(kind, value); fails (exit code 2) for a kind that is none."""
        try:
            return parse(value)
        except IdentifierError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("identifier", type=Identifier(), metavar="KIND:VALUE")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.option("--role", type=click.Choice(list(CLEARANCES)), default="owner", show_default=True,
              help="Show what this role may see, the rest masked.")
@options.data_dir
@click.pass_context
def customer(ctx: click.Context, *, identifier: tuple[str, str], as_json: bool, role: Role,
             data_dir: Path | None) -> None:
    """Show everything that is held of one customer, at this instant.

    From the worker that owns it; where none answers, from the copy in the changelog, which is as
    old as the last checkpoint and says so.

    \b
    Examples:
      footfall customer user_id:u1
      footfall customer user_id:u1 --role support
      footfall customer anonymous_id:5a7c --json | jq .tables.cart
    """
    settings = options.resolved(ctx, data_dir)
    if settings.customer_key_secret is None:
        raise SettingsError("FOOTFALL_CUSTOMER_KEY_SECRET is not set, and no `footfall up` runs in "
                            f"{settings.data_dir}: without it no customer can be found")
    key = key_of(*identifier, CustomerKeys(settings.customer_key_secret.encode()))
    found = find(settings, key)
    if found is None:
        raise FootfallError(
            f"nothing is held of this {identifier[0]}: no interaction that it is the key of has "
            "been applied. Look for it with `footfall tail interactions --from-beginning`; an "
            "event that names several identifiers belongs to the first of "
            f"{', '.join(KINDS)}; the secret must be the one that the collector has")
    found = Mask(ALL).document(found, CLEARANCES[role])
    if as_json:
        sys.stdout.buffer.write(line(found) + b"\n")
    else:
        Console(highlight=False).print(text_of(found))
