"""How a command is told of a customer: as apps name it, KIND:VALUE. Decides nothing else."""

from __future__ import annotations

import click

from footfall.view.identifiers import IdentifierError, parse


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


IDENTIFIER = Identifier()
