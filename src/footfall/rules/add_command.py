"""`footfall rules add` and `list`: rules for people who write no code, from recipes.

Decides how a recipe is asked for, and that a file is written whole or not at all.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from footfall.admin.config_document import YAML_SUFFIXES
from footfall.errors import ConfigError
from footfall.rules.add import added
from footfall.rules.recipes import names, recipe

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.command()
@click.argument("recipe_name", metavar="RECIPE")
@click.option("--after", metavar="SPAN", help="How long after what it begins with: 30m, 24h, 7d.")
@click.option("--then", metavar="SPAN", help="How long until the next step.")
@click.option("--min-value", metavar="AMOUNT", help="From which amount on.")
@click.option("--currency", metavar="CODE", help="The currency of that amount.")
@click.option("--days", metavar="NUMBER", help="How many days.")
@click.option("--country", metavar="CODE", help="The country, as your app sends it.")
@click.option("--name", metavar="NAME", help="In the names, in the place of the recipe's own.")
@click.option("--into", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="The file to write, or to add to; without it the rules are printed.")
def add(recipe_name: str, name: str | None, into: Path | None, **given: str | None) -> None:
    """Write rules with their tests from RECIPE; `footfall rules list` shows recipes and what each
    may be told.

    A file that is there keeps all that it has, comments too; a name that it has is refused.

    \b
    Examples:
      footfall rules add abandoned_cart --after 30m --min-value 50 --into rules/cart.yaml
      footfall rules add win_back --after 60d --currency USD > rules/win_back.yaml
      footfall rules add abandoned_cart --name luxury_cart --min-value 500 --into rules/cart.yaml
    """
    parameters = {key.replace("_", "-"): value for key, value in given.items() if value is not None}
    text = recipe(recipe_name).filled(parameters, name)
    if into is None:
        click.echo(text, nl=False)
        return
    if into.suffix not in YAML_SUFFIXES:
        raise ConfigError(f"--into {into}: expected a name that ends in .yaml or .yml")
    is_there = into.exists()
    try:
        if is_there:
            text = added(into.read_text(encoding="utf-8"), text)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{into}: {error}") from None
    _write(into, text)
    click.echo(f"{'added to' if is_there else 'wrote'} {into}; now `footfall rules test {into}`, "
               f"`footfall rules check {into}`, then `footfall config apply` with all your files")


@click.command("list")
@json_option
def recipes(as_json: bool) -> None:
    """Show the recipes of `footfall rules add`, with what each may be told.

    \b
    Example:
      footfall rules list
    """
    found = [recipe(name) for name in names()]
    if as_json:
        click.echo(json.dumps([{
            "recipe": one.name, "about": one.about,
            "parameters": [{"option": f"--{said.name}", "default": said.usual, "about": said.about}
                           for said in one.parameters],
        } for one in found], indent=2, ensure_ascii=False))
        return
    for one in found:
        click.echo(f"{one.name}\n  {one.about}")
        for said in one.parameters:
            click.echo(f"    --{said.name} {said.usual:<{14 - len(said.name)}} {said.about}")


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
