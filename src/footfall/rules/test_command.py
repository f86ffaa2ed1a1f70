"""`footfall rules test`: plays the scenarios of files of rules.

Decides how the command is called and how its result is shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from footfall.testing.scenario import ScenarioFile, read
from footfall.testing.verdict import Report, run
from footfall.view.terminal import safe

#: Of triggers that differ, shown for each expectation; `--json` has all.
SHOWN_MAX = 5
Tested = Sequence[tuple[ScenarioFile, Sequence[Report]]]


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--with", "beside", multiple=True, metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A configuration that holds besides, as in `footfall config apply`; FILE goes "
                   "before it. May be given several times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def test(ctx: click.Context, *, files: tuple[Path, ...], beside: tuple[Path, ...], as_json: bool
         ) -> None:
    """Play the scenarios under `tests:` of each FILE in memory, in virtual time.

    Exit code 1 where one fails, or a FILE cannot be read; the message names file, line and key.

    \b
    Examples:
      footfall rules test rules/abandoned_cart.yaml
      footfall rules test rules/*.yaml --with footfall-config.toml
    """
    read_files = [read(path, beside) for path in files]
    tested = [(file, [run(file, n) for n in range(len(file.scenarios))]) for file in read_files]
    (_print_document if as_json else _print_text)(tested)
    if not all(report.passed for _file, reports in tested for report in reports):
        ctx.exit(1)


def _print_document(tested: Tested) -> None:
    shown = [{"file": str(file.path), **_as_json(report)}
             for file, reports in tested for report in reports]
    failed = sum(not one["passed"] for one in shown)
    click.echo(json.dumps({"passed": len(shown) - failed, "failed": failed, "scenarios": shown},
                          indent=2, ensure_ascii=False))


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "line": report.line, "name": report.name, "passed": report.passed,
        "missing": [{"line": one.line, "expected": one.expected, "because": list(one.because)}
                    for one in report.missing],
        "unexpected": list(report.unexpected),
        "segments": list(report.segments),
        "error": report.error,
    }


def _print_text(tested: Tested) -> None:
    table = Table("scenario", "result", box=None, pad_edge=False)
    failed = total = 0
    for file, reports in tested:
        for report in reports:
            total += 1
            failed += not report.passed
            result = Text("passed", "green") if report.passed else Text("failed", "bold red")
            table.add_row(Text(_title(file, report), overflow="fold"), result)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table)
    for file, reports in tested:
        for report in reports:
            if not report.passed:
                console.print(Text(f"\n{_title(file, report)}", "bold"))
                for line in _reasons(report):
                    console.print(Text(f"  {safe(line)}"))
    console.print(f"\n{total - failed} passed, {failed} failed")


def _title(file: ScenarioFile, report: Report) -> str:
    place = f"{file.path}:{report.line}" if report.line else str(file.path)
    return safe(f"{place} {report.name}")


def _reasons(report: Report) -> list[str]:
    lines = [report.error] if report.error else []
    for one in report.missing:
        lines.append(f"{_line(one.line)}missing {one.expected}")
        lines += [f"  there is one, but {because}" for because in one.because[:SHOWN_MAX]]
    lines += [f"too much: {one}" for one in report.unexpected]
    return [*lines, *report.segments]


def _line(number: int) -> str:
    return f"line {number}: " if number else ""
