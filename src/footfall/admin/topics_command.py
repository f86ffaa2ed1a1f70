"""The command `footfall topics`: list, check and create, for people and (`--json`) for programs."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from footfall import options
from footfall.admin import topics as admin_topics
from footfall.admin.cluster import admin_client, answers, unanswered
from footfall.settings import Settings

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")


@click.group()
def topics() -> None:
    """The topics of Footfall: list, check, create.

    \b
    Examples:
      footfall topics list
      footfall topics check --json
    """


@topics.command(name="list")
@options.data_dir
@_JSON
@click.pass_context
def list_(ctx: click.Context, data_dir: Path | None, as_json: bool) -> None:
    """Every topic, with its partitions, replicas and main settings."""
    settings = _connected(ctx, data_dir)
    found = admin_topics.read(admin_client(settings.kafka_bootstrap_servers))
    shown = [
        {"name": t.name, "exists": t.exists, "partitions": t.partitions,
         "replication": t.replication,
         "config": {key: t.config[key] for key in _SHOWN if key in t.config}}
        for t in found
    ]
    if as_json:
        click.echo(msgspec.json.encode({"topics": shown}))
        return
    for topic in found:
        if not topic.exists:
            click.echo(f"{topic.name:<28} missing")
            continue
        config = "  ".join(f"{key}={topic.config[key]}" for key in _SHOWN if key in topic.config)
        click.echo(f"{topic.name:<28} {topic.partitions:>3} partitions  "
                   f"{topic.replication} replicas  {config}")


@topics.command()
@options.data_dir
@_JSON
@click.pass_context
def check(ctx: click.Context, data_dir: Path | None, as_json: bool) -> None:
    """Compare the topics with what the laws need; exit code 1 when something must be changed."""
    settings = _connected(ctx, data_dir)
    wrong = admin_topics.check(settings.kafka_bootstrap_servers, settings.partitions)
    if as_json:
        click.echo(msgspec.json.encode({"ok": not wrong, "problems": wrong}))
    else:
        click.echo("\n".join(wrong) if wrong else "All topics are as they must be.")
    ctx.exit(1 if wrong else 0)


@topics.command()
@options.data_dir
@_JSON
@click.pass_context
def create(ctx: click.Context, data_dir: Path | None, as_json: bool) -> None:
    """Create the topics that are missing; existing ones are checked, never changed."""
    settings = _connected(ctx, data_dir)
    made = admin_topics.ensure(
        settings.kafka_bootstrap_servers, settings.partitions, settings.replication_factor
    )
    if as_json:
        click.echo(msgspec.json.encode({"created": made}))
    else:
        click.echo(f"Created {', '.join(made)}." if made else "All topics exist.")


_SHOWN = ("cleanup.policy", "retention.ms", "message.timestamp.type")


def _connected(ctx: click.Context, data_dir: Path | None) -> Settings:
    settings = options.resolved(ctx, data_dir)
    bootstrap = options.bootstrap_of(settings)
    if not answers(bootstrap, seconds_max=10.0):
        raise unanswered(bootstrap, f"no broker answers at {bootstrap}; is it running, and is the "
                         "address right?")
    return settings
