"""`footfall import`: interactions of the past, from files.

Decides what can be asked; `importing.py` does it. Needs the system secret, for only who may write
reserved records may write the past.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from footfall import options
from footfall.admin.arguments import INSTANT
from footfall.replay import job, selection
from footfall.replay.imports.files import FORMATS
from footfall.replay.imports.importing import (
    NO_REGISTRY,
    SOURCE,
    SOURCE_CHARS_MAX,
    Asked,
    carry_out,
)

REJECTS: Final = "footfall-import-rejected.jsonl"


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "form", type=click.Choice(FORMATS),
              help="What the files are; without it told by their first bytes.")
@click.option("--mapping", "mapping_path", metavar="FILE",
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Which column becomes which field; needed for CSV.")
@click.option("--source", "of_source", metavar="NAME",
              help=f"The source that the interactions are of.  [default: {SOURCE}]")
@click.option("--archive-registry", metavar="URL",
              help="Schema registry of the log that an archive is of, where it is another than "
                   f"this installation's; `{NO_REGISTRY}`: it had none.")
@click.option("--appended-since", type=INSTANT,
              help="Of an archive only what was appended since then: the rest of one that was "
                   "imported before.")
@click.option("--rejects", "rejects_path", default=REJECTS, show_default=True, metavar="FILE",
              type=click.Path(dir_okay=False, path_type=Path),
              help="Where rows that cannot be imported are added, with the reason.")
@click.option("--from-start", is_flag=True,
              help="Begin anew, although an earlier run came some way.")
@click.option("--strict", is_flag=True, help="Exit code 1 where anything is rejected.")
@click.option("--show-sample", is_flag=True, help="The plan shows three items with their values.")
@click.option("--triggers-since", type=INSTANT,
              help="Send what the history would have told since then.")
@selection.import_options
@job.options
@options.data_dir
@click.pass_context
def import_(ctx: click.Context, /, *, data_dir: Path | None, **given: Any) -> None:
    """Bring interactions of the past into the log, with their own times.

    FILE: paths, patterns and URLs of JSONL (also of Segment's and RudderStack's archives), CSV,
    Parquet and Avro, packed or not; or the folder or URL of an archive of Footfall, another
    installation's. Each row is counted once, however often it is imported; what the history alone
    causes is told to nobody. Rows that cannot be imported go to the reject file.

    \b
    Examples:
      footfall import orders.csv --mapping orders.yaml --plan
      footfall import 'archive/**/*.gz' --source web --yes
      footfall import 's3://bucket/events/*.parquet' --rate 5000
      footfall import s3://bucket/footfall-archive --plan
    """
    asked = Asked(**given)
    if asked.of_source is not None and not 0 < len(asked.of_source) <= SOURCE_CHARS_MAX:
        raise click.BadParameter(f"1 to {SOURCE_CHARS_MAX} characters", param_hint="--source")
    if not carry_out(options.resolved(ctx, data_dir), asked):
        ctx.exit(1)
