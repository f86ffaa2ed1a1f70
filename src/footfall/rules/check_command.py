"""`footfall rules check`: what is wrong with rules and segments, and what cannot be meant.

Decides how findings are shown and the exit code; what is looked for is decided by `lint.py`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from footfall import tables
from footfall.admin.config import checked
from footfall.admin.config_document import (
    TESTS,
    located,
    place_of,
    read_document,
    read_documents,
)
from footfall.errors import ConfigError
from footfall.rules.lint import Finding, lint

#: Of a document that cannot be applied at all.
REFUSED = "refused"


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def check(ctx: click.Context, *, files: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Say what is wrong with rules and segments, with file, line and key.

    FILE are read together, as `footfall config apply` would. Errors: what cannot be applied, and
    what can never do what it says (conditions that contradict each other, rules that cannot fire).
    Warnings: what is most likely a mistake. Hints: what may be one.

    Exit code 1 where there is an error.

    \b
    Examples:
      footfall rules check rules/*.yaml
      footfall rules check footfall-config.toml rules/*.yaml --strict
    """
    shown = _checked(files)
    counts = Counter(str(one["level"]) for one in shown)
    if as_json:
        click.echo(json.dumps({
            **{f"{level}s": counts[level] for level in ("error", "warning", "hint")},
            "findings": shown}, indent=2, ensure_ascii=False))
    else:
        for one in shown:
            place = f"{one['file']}:{one['line']}" if one["line"] else one["file"]
            prefix = f"{place}: " if place else ""
            what = " ".join(one[part] for part in ("name", "key", "message") if one[part])
            click.echo(f"{prefix}{one['level']}: {what} [{one['code']}]")
        click.echo(", ".join(f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}"
                             for level in ("error", "warning", "hint")))
    if counts["error"] or (strict and counts["warning"]):
        ctx.exit(1)


def _checked(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Every finding as a document."""
    try:
        document = read_documents(files)
    except ConfigError as error:
        return [_refused(error)]
    try:
        config = checked(document)
    except ConfigError as error:
        return [_refused(error, files)]
    findings = lint(tables.ALL, config, time.time_ns() // 1_000_000, list(_sent(files)))
    return [_shown(one, files) for one in findings]


def _refused(error: ConfigError, files: Sequence[Path] = ()) -> dict[str, Any]:
    place = place_of(error.path, files)
    return {"level": "error", "code": REFUSED, "name": None,
            "file": None if place is None else str(place.file),
            "line": 0 if place is None else place.line, "key": None,
            "message": str(located(error, files)).removeprefix(f"{place}: ")}


def _shown(finding: Finding, files: Sequence[Path]) -> dict[str, Any]:
    place = place_of(finding.path, files)
    return {"level": finding.level, "code": finding.code, "name": finding.name,
            "file": None if place is None else str(place.file),
            "line": 0 if place is None else place.line,
            "key": _key(finding.path[3:]), "message": finding.message}


def _key(path: Sequence[str | int]) -> str:
    """`if.all[2]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def _sent(files: Sequence[Path]) -> Iterator[str]:
    """The names of events that tests send."""
    for file in files:
        for scenario in _members(read_document(file).get(TESTS)):
            for step in _members(scenario.get("steps")):
                item = step.get("send")
                if isinstance(item, dict) and isinstance(item.get("event"), str):
                    yield item["event"]


def _members(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; tests are read in full by `footfall rules test`."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
