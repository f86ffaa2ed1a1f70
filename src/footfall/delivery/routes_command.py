"""`footfall routes`: which triggers go where, checked and shown. No broker is needed.

Decides how findings are shown, and the exit code; what is looked for is decided by
`routes_checks.py`, how routes are shown by `routes_shown.py`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from footfall import options, tables
from footfall.admin import config_yaml
from footfall.admin.config import checked
from footfall.admin.config_document import read_documents
from footfall.delivery import routes_checks, routes_schema, routes_shown
from footfall.delivery.routes import all_of, placed, read, text_of
from footfall.delivery.routes_reading import Finding, read_text
from footfall.errors import ConfigError, SettingsError
from footfall.running import secrets

LEVELS = ("error", "warning", "hint")
_FILE = click.argument("file", required=False, metavar="[FILE]",
                       type=click.Path(dir_okay=False, path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")


@click.group()
def routes() -> None:
    """Which triggers go where: routes as a file. docs/delivery.md.

    \b
    Examples:
      footfall routes check routes.yaml
      footfall routes list
    """


@routes.command()
@_FILE
@click.option("--config", "config_files", multiple=True, metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Files of rules: their names are triggers, and others are warned of. "
                   "Any number of times.")
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings, too.")
@_JSON
@options.data_dir
@click.pass_context
def check(ctx: click.Context, *, file: Path | None, config_files: tuple[Path, ...], strict: bool,
          as_json: bool, data_dir: Path | None) -> None:
    """Say what is wrong with routes and destinations, with file, line and key.

    FILE is that of FOOTFALL_ROUTES, or of a running `footfall up`, where it is not given. Errors:
    delivery does not start. Warnings: what is most likely a mistake. Hints: what may be one, such
    as a secret's variable that is not set here.

    Exit code 1 where there is an error.

    \b
    Examples:
      footfall routes check
      footfall routes check routes.yaml --strict
      footfall routes check routes.yaml --config rules/cart.yaml --json
    """
    path = _path(ctx, file, data_dir)
    environment = secrets(options.settings_of(ctx, data_dir).data_dir, os.environ)
    shown = _checked(path, config_files, environment)
    counts = Counter(str(one["level"]) for one in shown)
    if as_json:
        click.echo(json.dumps({**{f"{level}s": counts[level] for level in LEVELS},
                               "findings": shown}, indent=2, ensure_ascii=False))
    else:
        for one in shown:
            place = f"{one['file']}:{one['line']}" if one["line"] else one["file"]
            click.echo(f"{place}: {one['level']}: {one['message']} [{one['code']}]")
        click.echo(", ".join(f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}"
                             for level in LEVELS))
    if counts["error"] or (strict and counts["warning"]):
        ctx.exit(1)


@routes.command("list")
@_FILE
@_JSON
@options.data_dir
@click.pass_context
def list_(ctx: click.Context, *, file: Path | None, as_json: bool, data_dir: Path | None) -> None:
    """Show what goes where: each route, then each destination with what it allows.

    FILE is that of FOOTFALL_ROUTES, or of a running `footfall up`, where it is not given.

    \b
    Examples:
      footfall routes list
      footfall routes list routes.yaml --json
    """
    path = _path(ctx, file, data_dir)
    found = read(path)
    if as_json:
        click.echo(json.dumps({"file": str(path), **routes_shown.document(found)}, indent=2,
                              ensure_ascii=False))
        return
    click.echo(f"{path}, version {found.version}\n")
    click.echo("\n".join(routes_shown.lines(found)))


@routes.command()
def schema() -> None:
    """Print the JSON Schema of a routes file: editors complete keys by it, and mark what is wrong.

    A file names it in its first line, as seen from the file:
    `# yaml-language-server: $schema=routes.schema.json`.

    \b
    Example:
      footfall routes schema > routes.schema.json
    """
    click.echo(routes_schema.text(), nl=False)


def _path(ctx: click.Context, file: Path | None, data_dir: Path | None) -> Path:
    if file is not None:
        return file
    configured = options.resolved(ctx, data_dir).routes
    if not configured:
        raise SettingsError("no routes are configured: give FILE, or set FOOTFALL_ROUTES")
    return Path(configured)


def _checked(path: Path, config_files: Sequence[Path], environment: Mapping[str, str]
             ) -> list[dict[str, Any]]:
    """Every finding as a document, in the order of the file."""
    known = {name for table in tables.ALL for name in table.triggers}
    if config_files:
        config = checked(read_documents(config_files))
        known |= {rule.name for rule in config.sections["rules"].definitions}
    text = ""
    try:
        text = text_of(path)
        reading = read_text(text)
    except ConfigError as error:
        line, message = placed(error, text)
        return [_shown(Finding("error", "refused", (), message.removeprefix(f"{path}: ")), path,
                       line)]
    file = reading.file
    findings = [
        *all_of(reading),
        *routes_checks.of_files(file.destinations, path.parent),
        *routes_checks.of_variables(file.destinations, environment),
        *routes_checks.of_triggers(file.routes, known, is_complete=bool(config_files))]
    lines = config_yaml.lines_of(text) if findings else {}
    placed_ones = [(config_yaml.line_of(lines, one.path), one) for one in findings]
    return [_shown(one, path, line) for line, one in sorted(placed_ones, key=lambda p: p[0])]


def _shown(finding: Finding, path: Path, line: int) -> dict[str, Any]:
    return {"level": finding.level, "code": finding.code, "file": str(path), "line": line,
            "key": ".".join(map(str, finding.path)) or None, "message": finding.message}
