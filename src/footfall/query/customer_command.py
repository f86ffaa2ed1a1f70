"""`footfall customer [show] KIND:VALUE`: everything that is held of one customer, at this instant.

Decides how a customer is named (as apps name it: the key is computed here, under the secret) and
what is said when there is none.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from footfall import options
from footfall.admin.arguments import IDENTIFIER
from footfall.errors import FootfallError, SettingsError
from footfall.events.customer_key import KINDS, CustomerKeys
from footfall.query.customer import find
from footfall.query.customer_text import text_of
from footfall.query.rendering import line
from footfall.query.unmerge_command import unmerge
from footfall.settings import Role
from footfall.tables import ALL
from footfall.view.classes import Mask
from footfall.view.identifiers import key_of
from footfall.view.roles import CLEARANCES


class CustomerGroup(click.Group):
    """`footfall customer KIND:VALUE` is `footfall customer show KIND:VALUE`: what most come for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in where only its arguments are given."""
        named = next((one for one in args if not one.startswith("-")), None)
        if named is not None and named not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=CustomerGroup)
def customer() -> None:
    """Show one customer, or take one apart that should never have been one.

    \b
    Examples:
      footfall customer user_id:u1
      footfall customer unmerge user_id:u1 anonymous_id:5a7c
    """


@customer.command()
@click.argument("identifier", type=IDENTIFIER, metavar="KIND:VALUE")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@click.option("--role", type=click.Choice(list(CLEARANCES)), default="owner", show_default=True,
              help="Show what this role may see, the rest masked.")
@options.data_dir
@click.pass_context
def show(ctx: click.Context, *, identifier: tuple[str, str], as_json: bool, role: Role,
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


customer.add_command(unmerge)
