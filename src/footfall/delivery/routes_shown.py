"""Routes as people and programs read them: what goes where, and what each destination allows.

Decides the words of `footfall routes list`. Must never show a secret: of an address that is one it
names the variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from footfall.delivery.routes import Routes, channel_of, medium_of
from footfall.delivery.routes_row import (
    AnyDestination,
    EmailDestination,
    KafkaDestination,
    NotifyDestination,
    RedisDestination,
    Route,
    WebhookDestination,
)


def document(found: Routes) -> dict[str, Any]:
    """For programs."""
    return {
        "version": found.version,
        "routes": [{"triggers": list(one.triggers), "where": {
            key: list(texts) for key, texts in one.where.items()}, "to": list(one.to)}
            for one in found.routes],
        "destinations": [
            {"name": name, "channel": channel_of(one), "medium": medium_of(one),
             "purpose": one.purpose, "goes_to": _goes_to(one), "allows": _allows(one)}
            for name, one in found.destinations.items()]}


def lines(found: Routes) -> Iterator[str]:
    """For people: a line for each route, then one for each destination."""
    yield from _table(("TRIGGERS", "WHERE", "TO"), [
        (", ".join(one.triggers), _where(one), ", ".join(one.to)) for one in found.routes])
    yield ""
    yield from _table(("DESTINATION", "CHANNEL", "PURPOSE", "GOES TO", "ALLOWS"), [
        (name, _channel(one), one.purpose, _goes_to(one), _allows(one))
        for name, one in found.destinations.items()])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they need to be, the last one as wide as it is."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _where(one: Route) -> str:
    return " and ".join(f"{path} = {' or '.join(texts)}" for path, texts in one.where.items()) \
        or "-"


def _channel(one: AnyDestination) -> str:
    return channel_of(one) if medium_of(one) == channel_of(one) \
        else f"{channel_of(one)} ({medium_of(one)})"


def _goes_to(one: AnyDestination) -> str:
    """Where it ends; of a secret address the variable's name."""
    match one:
        case WebhookDestination():
            return one.url
        case EmailDestination():
            return f"{one.smtp.host}:{one.smtp.port}"
        case KafkaDestination():
            return f"{one.topic} at {one.bootstrap_servers or 'our brokers'}"
        case RedisDestination():
            return f"{one.stream} at {f'${one.url_env}' if one.url_env else 'our Redis'}"
        case NotifyDestination():
            return f"${one.url_env}"


def _allows(one: AnyDestination) -> str:
    parts = [f"{cap.max} a {cap.per} ({cap.then})" for cap in one.caps]
    quiet = one.quiet_hours
    if quiet is not None:
        parts.append(f"quiet {quiet.from_} to {quiet.to} {quiet.zone} ({quiet.then})")
    if one.expires_s:
        parts.append(f"expires after {one.expires_s:g} s")
    if one.rate_per_s:
        parts.append(f"{one.rate_per_s:g} a second")
    return ", ".join(parts) or "-"
