"""`footfall archive`: the log in files.

Decides how archiving is asked for, and what is shown. Must never show a record.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from footfall import logs, options
from footfall.errors import FootfallError
from footfall.settings import Settings

if TYPE_CHECKING:
    from footfall.replay.archive.catalog import Catalog
    from footfall.replay.archive.manifest import Identity


@click.group()
def archive() -> None:
    """The log in Parquet or Avro files, a folder a day. docs/archive.md."""


@archive.command()
@options.data_dir
@click.option("--target", default="", metavar="FOLDER|URL",
              help="Where to (FOOTFALL_ARCHIVE_TARGET).")
@click.option("--once", is_flag=True, help="Up to the log's end now, then exit.")
@click.option("--accept-gap", is_flag=True,
              help="Go on although retention has taken records first; the manifest names them.")
@click.option("--plan", "plan_only", is_flag=True, help="Only say what would be archived.")
@click.option("--rate", "rate_per_s", type=click.FloatRange(min=0, min_open=True), metavar="N",
              help="At most so many records a second.")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document.")
@click.pass_context
def run(ctx: click.Context, /, data_dir: Path | None, target: str, **asked: Any) -> None:
    """Write the log into the archive, from where that ends, until Ctrl-C or SIGTERM.

    \b
    Examples:
      FOOTFALL_ARCHIVE_TARGET=s3://bucket/footfall footfall archive run
      footfall archive run --once --target archive/
    """
    from footfall.replay.archive.archiving import Asked, archive_log

    settings = _settings(ctx, data_dir, target)
    logs.configure("archive", settings)
    archive_log(settings, options.bootstrap_of(settings), Asked(**asked), _told_to_stop())


@archive.command("list")
@options.data_dir
@click.option("--target", default="", metavar="FOLDER|URL",
              help="Which archive (FOOTFALL_ARCHIVE_TARGET).")
@click.option("--json", "as_json", is_flag=True, help="All of it as one JSON document.")
@click.pass_context
def list_(ctx: click.Context, data_dir: Path | None, target: str, as_json: bool) -> None:
    """Days, partitions, ranges and sizes of the archive."""
    from rich.console import Console

    from footfall.replay.archive import listing

    catalog, log = _archive(_settings(ctx, data_dir, target))
    entries = catalog.entries(catalog.parts())
    if as_json:
        click.echo(json.dumps(listing.document(log, entries), indent=2))
        return
    for table in listing.tables(entries):
        Console().print(table)


@archive.command()
@options.data_dir
@click.option("--target", default="", metavar="FOLDER|URL",
              help="Which archive (FOOTFALL_ARCHIVE_TARGET).")
@click.option("--json", "as_json", is_flag=True, help="The report as one JSON document.")
@click.pass_context
def verify(ctx: click.Context, data_dir: Path | None, target: str, as_json: bool) -> None:
    """Find missing and altered files, gaps and overlaps; exit code 1 where there are any."""
    from footfall.replay.archive.verify import verify as verified
    from footfall.replay.job import Job

    settings = _settings(ctx, data_dir, target)
    catalog, _log = _archive(settings)
    job = Job("archive verify", yes=True, as_json=as_json)
    with job.progress("files", len(catalog.parts())) as advance:
        found = verified(catalog, advance)
    if not as_json:
        for damage in found.damages:
            job.say(f"{damage.kind}: {damage.where}: {damage.what}")
    job.report({"files": found.files, "records": found.records, "bytes": found.bytes,
                "lost_to_retention": {str(n): lost for n, lost in found.lost.items()},
                "damages": [damage._asdict() for damage in found.damages] if as_json
                else len(found.damages)})
    if found.damages:
        sys.exit(1)


def _settings(ctx: click.Context, data_dir: Path | None, target: str) -> Settings:
    settings = options.resolved(ctx, data_dir)
    return msgspec.structs.replace(settings, archive_target=target or settings.archive_target)


def _archive(settings: Settings) -> tuple[Catalog, Identity]:
    """An archive that is there."""
    from footfall.replay.archive.catalog import Catalog
    from footfall.replay.archive.target import target_of

    catalog = Catalog(target_of(settings.archive_target))
    log = catalog.identity()
    if log is None:
        raise FootfallError(f"{catalog.target.shown}: there is no archive; `footfall archive run` "
                            "makes one, --target or FOOTFALL_ARCHIVE_TARGET says where")
    return catalog, log


def _told_to_stop() -> threading.Event:
    """Set by Ctrl-C and SIGTERM: open files are then closed, which may take a while."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
