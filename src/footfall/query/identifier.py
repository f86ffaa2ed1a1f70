"""How a command is told of a customer: as apps name it, KIND:VALUE. Decides nothing else."""

from __future__ import annotations

import click

from footfall.events.customer_key import KINDS
from footfall.events.identifiers import is_kind, normalised


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


IDENTIFIER = Identifier()
