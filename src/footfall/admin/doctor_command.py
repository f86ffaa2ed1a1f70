"""`footfall doctor`: what is configured and reachable, and what to change.

Decides the order of areas, and that an error, and only an error, gives exit code 1.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from footfall import options
from footfall.admin import doctor_delivery, doctor_machine, doctor_probes, doctor_view
from footfall.admin.doctor import Finding, Probe, examine, is_well
from footfall.errors import SettingsError
from footfall.running import resolve, running
from footfall.settings import Settings

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@options.data_dir
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, data_dir: Path | None) -> None:
    """Look at everything that Footfall needs, and say what to change.

    Changes nothing, and ends within half a minute. Exit code 1 when there is an error.

    \b
    Examples:
      footfall doctor
      footfall doctor --json | jq '.findings[] | select(.status != "ok")'
    """
    findings = _findings(ctx, data_dir)
    well = is_well(findings)
    if as_json:
        click.echo(msgspec.json.encode({"ok": well, "findings": findings}))
    else:
        _show(findings)
    ctx.exit(0 if well else 1)


def _findings(ctx: click.Context, folder: Path | None) -> list[Finding]:
    probes: list[Probe] = [("versions", lambda: list(doctor_machine.versions()))]
    try:
        settings = options.settings_of(ctx, folder)
        found = running(settings.data_dir)
        settings = resolve(settings)
    except SettingsError as error:  # without settings there is nothing else to look at
        return [Finding("settings", "", "error", str(error), "correct it; docs/settings.md"),
                *examine(probes)]
    up = f"runs in {settings.data_dir} (pid {found.pid}), {found.broker}" if found else ""
    return examine([*_of(settings, up), *probes,
                    ("machine", lambda: list(doctor_machine.machine(settings)))])


def _of(settings: Settings, up: str) -> list[Probe]:
    return [
        ("settings", lambda: list(doctor_machine.configured(settings, up))),
        ("kafka", lambda: list(doctor_probes.kafka(settings))),
        ("workers", lambda: list(doctor_probes.workers(settings))),
        ("delivery", lambda: list(doctor_delivery.delivery(settings))),
        ("collector", lambda: list(doctor_probes.collector(settings))),
        ("registry", lambda: list(doctor_probes.registry(settings))),
        ("view", lambda: list(doctor_view.view(settings))),
    ]


def _show(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    area = ""
    for finding in findings:
        if finding.area != area:
            area = finding.area
            console.print(Text(area, style="bold"))
        line = Text("  ").append(f"{finding.status:<8}", style=_STYLES[finding.status])
        console.print(line.append(f"{finding.subject}: " if finding.subject else "")
                      .append(finding.found))
        if finding.change:
            console.print(Text(f"          -> {finding.change}"))
    errors = sum(finding.status == "error" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    console.print(f"\n{errors} errors, {warnings} warnings.")
