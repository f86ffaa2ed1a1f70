"""Settings that do not go together, each as a pair with what to change; pure but for paths.

Decides what contradicts what. What a program refuses to start with is not here: it says so itself
(`kafka/security.py` for what reaches brokers).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from footfall.doctor.findings import Finding
from footfall.settings import PREFIX, Settings

#: Of a pair the first must not be greater than the second: what becomes of it otherwise.
_AT_MOST = (
    ("item_bytes_max", "body_bytes_max", "no item may be as large as it says"),
    ("body_bytes_max", "in_flight_bytes_max", "a large body is never let in"),
    ("batch_items_max", "in_flight_items_max", "a large batch is never let in"),
    ("body_bytes_max", "spool_bytes_max", "the spool cannot take one large body"),
    ("subscribers_of_key_max", "subscribers_max", "a key never gets as many streams as it says"),
    ("batch_records_max", "checkpoint_records_max", "every batch waits for a checkpoint"),
    ("checkpoint_s", "session_timeout_s", "a crashed worker's partitions move before it writes"),
)
#: Settings that say nothing while another is not set.
_ONLY_WITH = (("delivery_allow", "routes"),)
_FOR_ONCE = (
    ("accept_gap", "the next gap is accepted, too, and nobody is asked"),
    ("crash_at", "it kills the worker on purpose: it is for tests"),
)
_PATHS = ("routes", "plan_dir", "kafka_ssl_ca_file", "kafka_ssl_certificate_file",
          "kafka_ssl_key_file")


def conflicts(settings: Settings) -> Iterator[Finding]:
    """What does not go together."""
    for name, limit, why in _AT_MOST:
        value, bound = getattr(settings, name), getattr(settings, limit)
        if value > bound:
            yield _finding(name, f"{value:,} is more than {limit} {bound:,}: {why}",
                           f"raise {_variable(limit)}, or lower {_variable(name)}",
                           f"at most {bound:,}")
    for name, other in _ONLY_WITH:
        if getattr(settings, name) and not getattr(settings, other):
            yield _finding(name, f"is set, and {other} is not: it says nothing",
                           f"set {_variable(other)}, or take {_variable(name)} away")
    for name, why in _FOR_ONCE:
        if getattr(settings, name):
            yield _finding(name, f"is set: {why}", f"take {_variable(name)} away", "not set")
    if settings.metrics_port and settings.metrics_port == settings.http_port:
        yield _finding("metrics_port", f"{settings.metrics_port} is also http_port: collector and "
                       "worker cannot both have it on one machine",
                       f"give one of them another: {_variable('metrics_port')}=9100")
    yield from _paths(settings)


def _paths(settings: Settings) -> Iterator[Finding]:
    for name in _PATHS:
        path = getattr(settings, name)
        if path and not Path(path).exists():
            yield Finding("settings", name, "error", f"{path} does not exist here",
                          f"correct {_variable(name)}, or bring the file", wanted="a path that is")


def _finding(name: str, found: str, change: str, wanted: str = "") -> Finding:
    return Finding("settings", name, "warning", found, change, wanted=wanted)


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"
