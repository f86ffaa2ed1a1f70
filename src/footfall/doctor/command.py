"""`footfall doctor`: what is configured and reachable, and what to change.

Decides the order of areas, and that an error, and only an error, gives exit code 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from footfall import options
from footfall.doctor import (
    brokers,
    clock,
    groups,
    machine,
    programs,
    prometheus,
    registry,
    rights,
    topics,
    versions,
    view,
)
from footfall.doctor.asking import once, readyz
from footfall.doctor.conflicts import conflicts
from footfall.doctor.findings import Finding, Probe, examine, is_well
from footfall.doctor.settings import configured
from footfall.errors import SettingsError
from footfall.rights import PARTS
from footfall.running import resolve, running
from footfall.settings import Settings

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@click.command()
@click.option("--part", "parts", multiple=True, type=click.Choice(list(PARTS)), metavar="PART",
              help="A part that this user's rights must be enough for; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
@options.data_dir
@click.pass_context
def doctor(ctx: click.Context, parts: tuple[str, ...], as_json: bool, data_dir: Path | None
           ) -> None:
    """Look at everything that Footfall needs, and say what to change.

    Changes nothing, and ends within half a minute. Exit code 1 when there is an error.

    \b
    Examples:
      footfall doctor
      footfall doctor --part worker         with a worker's user: are its rights enough?
      footfall doctor --json | jq '.findings[] | select(.status != "ok")'
    """
    findings = _findings(ctx, data_dir, parts)
    well = is_well(findings)
    if as_json:
        click.echo(msgspec.json.encode({"ok": well, "findings": findings}))
    else:
        _show(findings)
    ctx.exit(0 if well else 1)


def _findings(ctx: click.Context, folder: Path | None, parts: Sequence[str]) -> list[Finding]:
    probes: list[Probe] = [("versions", lambda: list(versions.versions()))]
    try:
        own = options.settings_of(ctx, folder)
        given = options.given(ctx)
        found = running(own.data_dir)
        settings = resolve(own)
    except SettingsError as error:  # without settings there is nothing else to look at
        return [Finding("settings", "", "error", str(error), "correct it; docs/settings.md"),
                *examine(probes)]
    up = f"runs in {settings.data_dir} (pid {found.pid}), {found.broker}" if found else ""
    return examine([
        ("settings", lambda: [*configured(settings, up, given, own), *conflicts(settings)]),
        *probes, *_of(settings, parts),
        ("machine", lambda: list(machine.machine(settings)))])


def _of(settings: Settings, parts: Sequence[str]) -> list[Probe]:
    asked = once(readyz)  # for its parts, and for its clock
    return [
        ("kafka", lambda: list(brokers.brokers(settings))),
        ("rights", lambda: list(rights.rights(settings, parts))),
        ("topics", lambda: list(topics.topics(settings))),
        ("clock", lambda: list(clock.clocks(settings, asked))),
        ("workers", lambda: [*groups.workers(settings)]),
        ("workers", lambda: [*programs.workers(settings, asked)]),
        ("delivery", lambda: [*groups.delivery(settings)]),
        ("delivery", lambda: [*programs.others(
            "delivery", "FOOTFALL_DELIVERY_URLS", settings.delivery_urls, asked)]),
        ("archive", lambda: [*programs.others(
            "archive", "FOOTFALL_ARCHIVE_URLS", settings.archive_urls, asked)]),
        ("collector", lambda: list(programs.collector(settings, asked))),
        ("registry", lambda: list(registry.registry(settings))),
        ("view", lambda: list(view.view(settings))),
        ("prometheus", lambda: list(prometheus.prometheus(settings))),
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
        if finding.status != "ok" and finding.wanted:
            console.print(Text(f"             wanted: {finding.wanted}"))
        if finding.change:
            console.print(Text(f"          -> {finding.change}"))
    errors = sum(finding.status == "error" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    console.print(f"\n{errors} errors, {warnings} warnings.")
