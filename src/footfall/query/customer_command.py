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
from footfall.events.identifiers import is_kind, normalised
from footfall.query.customer import find
from footfall.query.customer_text import text_of
from footfall.query.rendering import line


class Identifier(click.ParamType):
    """KIND:VALUE; the value may hold colons."""

    name = "KIND:VALUE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[str, str]:
        """(kind, value); fails (exit code 2) for a kind that is none."""
        kind, _, named = value.partition(":")
        if not is_kind(kind) or not named:
            self.fail(f"expected KIND:VALUE with a KIND of {', '.join(KINDS)} or an external id's "
                      f"type, for example {KINDS[0]}:u1", param, ctx)
        kept = normalised(kind, named)
        if kept is None:
            self.fail(f"this is no {kind}, or it stands for nobody in particular; nothing is kept "
                      "under it", param, ctx)
        return kind, kept


@click.command()
@click.argument("identifier", type=Identifier(), metavar="KIND:VALUE")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@options.data_dir
@click.pass_context
def customer(ctx: click.Context, identifier: tuple[str, str], as_json: bool,
             data_dir: Path | None) -> None:
    """Show everything that is held of one customer, at this instant.

    From the worker that owns it; where none answers, from the copy in the changelog, which is as
    old as the last checkpoint and says so.

    \b
    Examples:
      footfall customer user_id:u1
      footfall customer anonymous_id:5a7c --json | jq .tables.cart
    """
    settings = options.resolved(ctx, data_dir)
    if settings.customer_key_secret is None:
        raise SettingsError("FOOTFALL_CUSTOMER_KEY_SECRET is not set, and no `footfall up` runs in "
                            f"{settings.data_dir}: without it no customer can be found")
    key = CustomerKeys(settings.customer_key_secret.encode()).of(*identifier)
    found = find(settings, key)
    if found is None:
        raise FootfallError(
            f"nothing is held of this {identifier[0]}: no interaction that it is the key of has "
            "been applied. Look for it with `footfall tail interactions --from-beginning`; an "
            "event that names several identifiers belongs to the first of "
            f"{', '.join(KINDS)}; the secret must be the one that the collector has")
    if as_json:
        sys.stdout.buffer.write(line(found) + b"\n")
    else:
        Console(highlight=False).print(text_of(found))
