"""How a command is told of a customer, as apps name it, and of a trigger. Decides nothing else."""

from __future__ import annotations

import click

from footfall.view.identifiers import IdentifierError, parse
from footfall.view.why import TRIGGER_ID_CHARS, TRIGGER_ID_CHARS_LEAST, is_trigger_id


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


class TriggerId(click.ParamType):
    """A trigger_id, or its beginning as `tail` shows it."""

    name = "TRIGGER_ID"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id in lower case; fails (exit code 2) for what is none."""
        text = value.lower()
        if not is_trigger_id(text, TRIGGER_ID_CHARS_LEAST):
            self.fail(f"a trigger_id is {TRIGGER_ID_CHARS} characters of 0 to 9 and a to f; "
                      f"{TRIGGER_ID_CHARS_LEAST} of its beginning will do", param, ctx)
        return text


IDENTIFIER = Identifier()
TRIGGER_ID = TriggerId()
