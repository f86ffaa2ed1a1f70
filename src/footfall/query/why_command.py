"""`footfall why TRIGGER_ID` and `footfall why-not RULE KIND:VALUE`: docs/why.md.

Decides how it is asked for, what is read first, and what is said where there is nothing. Must never
work anything out anew: what is shown was recorded.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec
from rich.console import Console

from footfall import options, tables
from footfall.admin.arguments import IDENTIFIER, TRIGGER_ID
from footfall.admin.scan import Scanner, Span, newest
from footfall.errors import DecodeError, FootfallError, SettingsError
from footfall.events.codec import Codec, TriggerRecord
from footfall.events.customer_key import CustomerKeys
from footfall.events.registry import codecs_for
from footfall.events.topics import TRIGGERS
from footfall.query import why as finding
from footfall.query.customer import Question, find
from footfall.query.why_deliveries import deliveries_of
from footfall.query.why_text import why_not_text, why_text
from footfall.settings import Role, Settings
from footfall.view.identifiers import key_of
from footfall.view.roles import CLEARANCES
from footfall.view.trigger import moment
from footfall.view.why import fired_of
from footfall.view.why import why as explained
from footfall.view.why_classes import ExplanationMask
from footfall.view.why_not import RULE_UNKNOWN
from footfall.view.why_not import why_not as not_fired

DAY_MS = 86_400_000
DAYS = 30
RECORDS_MAX = 10_000_000


_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
_role = click.option("--role", type=click.Choice(list(CLEARANCES)), default="owner",
                     show_default=True, help="Show what this role may see, the rest masked.")


@click.command()
@click.argument("trigger_id", type=TRIGGER_ID, metavar="TRIGGER_ID")
@_as_json
@_role
@click.option("--days", default=DAYS, show_default=True, type=click.IntRange(1, 3650),
              help="How far back the topic is read.")
@click.option("--records-max", default=RECORDS_MAX, show_default=True, type=click.IntRange(1),
              help="At most so many records of the topic, the newest.")
@options.data_dir
@click.pass_context
def why(ctx: click.Context, *, trigger_id: str, as_json: bool, role: Role, days: int,
        records_max: int, data_dir: Path | None) -> None:
    """Show why a trigger fired, by the evidence recorded with it, and what became of it.

    From the index where a view is served, else from the topic, its newest part first. TRIGGER_ID
    may be the beginning that `tail` shows. Its deliveries are read from footfall.deliveries.

    \b
    Examples:
      footfall why 0d4fb0bb5b3e0b0a8a2c6bb7f7f3e4c1
      footfall why 0d4fb0bb --days 365
      footfall why 0d4fb0bb --json | jq .conditions
    """
    settings = options.resolved(ctx, data_dir)
    codecs = codecs_for(settings.schema_registry_url)
    shown = _indexed(settings, trigger_id, codecs.trigger)
    if shown is None:
        shown = _of_topic(settings, trigger_id, codecs.trigger, days, records_max)
    shown["deliveries"] = deliveries_of(settings.kafka_bootstrap_servers, codecs, shown,
                                        records_max)
    shown = ExplanationMask(tables.ALL).why(shown, CLEARANCES[role])
    if as_json:
        _print_json(shown)
    else:
        Console(highlight=False).print(why_text(shown))


@click.command(name="why-not")
@click.argument("rule", metavar="RULE")
@click.argument("identifier", type=IDENTIFIER, metavar="KIND:VALUE")
@_as_json
@_role
@options.data_dir
@click.pass_context
def why_not(ctx: click.Context, *, rule: str, identifier: tuple[str, str], as_json: bool,
            role: Role, data_dir: Path | None) -> None:
    """Show why a rule did not fire for a customer, from what was recorded of it.

    From the worker that owns the customer; where none answers, from the copy in the changelog.

    \b
    Examples:
      footfall why-not win_back user_id:u1
      footfall why-not win_back user_id:u1 --json | jq -r .reason
    """
    settings = options.resolved(ctx, data_dir)
    if settings.customer_key_secret is None:
        raise SettingsError("FOOTFALL_CUSTOMER_KEY_SECRET is not set, and no `footfall up` runs in "
                            f"{settings.data_dir}: without it no customer can be found")
    key = key_of(*identifier, CustomerKeys(settings.customer_key_secret.encode()))
    question = Question(f"/why-not/{quote(rule, safe='')}",
                        lambda of, held, now: not_fired(of, held, rule, now))
    shown = find(settings, key, question)
    if shown is None:
        raise FootfallError(f"nothing is held of this {identifier[0]}: no rule was asked for it. "
                            "`footfall customer` says how to look for its events")
    if shown["reason"] == RULE_UNKNOWN:
        raise FootfallError(f"{rule}: {shown['text']}")
    codec = codecs_for(settings.schema_registry_url).trigger
    records = finding.of_customer(settings.redis_url, shown["customer_key"].encode())
    shown["triggers"] = None if records is None else fired_of(records, rule, codec.decode)
    shown = ExplanationMask(tables.ALL).why_not(shown, CLEARANCES[role])
    if as_json:
        _print_json(shown)
    else:
        Console(highlight=False).print(why_not_text(shown))


def _indexed(settings: Settings, trigger_id: str, codec: Codec[TriggerRecord]
             ) -> dict[str, Any] | None:
    """As the index has it; None where it cannot say, or nobody can read it."""
    record = finding.in_index(settings.redis_url, trigger_id)
    try:
        return None if record is None else {"source": {"kind": "index"},
                                            **explained(codec.decode(record))}
    except DecodeError:
        return None


def _of_topic(settings: Settings, trigger_id: str, codec: Codec[TriggerRecord], days: int,
              records_max: int) -> dict[str, Any]:
    since = time.time_ns() // 1_000_000 - days * DAY_MS
    with Scanner(options.bootstrap_of(settings)) as scanner:
        period = scanner.since(TRIGGERS, scanner.spans(TRIGGERS), since)
        spans = newest(period, records_max)
        with click.progressbar(length=_size(spans), label="reading the topic", file=sys.stderr,
                               hidden=not sys.stderr.isatty()) as progress:
            found = finding.in_topic(scanner, spans, trigger_id, codec, progress.update)
    if found is None:
        rest = "" if spans == period else " (the newest only: --records-max reads more)"
        raise FootfallError(
            f"no trigger {trigger_id} among the {_size(spans)} records of {TRIGGERS} since "
            f"{moment(max(since, 0))}{rest}; --days reads further back, as far as the topic goes")
    return {"source": {"kind": "topic", "topic": TRIGGERS}, **explained(found)}


def _size(spans: dict[int, Span]) -> int:
    return sum(span.end - span.low for span in spans.values())


def _print_json(shown: dict[str, Any]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(shown) + b"\n")
