"""Of this installation: what is configured, from where, and what of it is missing or dangerous.

Decides which settings are needed, and when a value is dangerous by itself; what does not go
together is `conflicts.py`. A secret is shown as set or absent, never as more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from footfall.doctor.findings import Finding, Status
from footfall.kafka import security
from footfall.settings import KAFKA, PREFIX, Given, Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")
KAFKA_SECRETS = tuple(KAFKA + name for name in security.SECRETS)
SECRETS = ("customer_key_secret", "system_secret", "api_key")
UP = "footfall up"

_MISSING: dict[str, tuple[Status, str]] = {
    "customer_key_secret": ("error", "collector and worker need it: a permanent secret of 16 "
                                     "characters or more"),
    "system_secret": ("error", "worker and `footfall config` need it: 16 characters or more"),
    "write_keys": ("warning", "a collector needs it: SOURCE:KEY"),
    "api_key": ("warning", "without it no worker serves customers: a long random key"),
}


def configured(settings: Settings, up: str, given: Given, own: Settings | None = None
               ) -> Iterator[Finding]:
    """What is configured and from where. `up`: of the running `up` that fills in; "" for none.
    `own`: the settings before it did.
    """
    yield _file(given)
    origins = {name: UP if own is not None and getattr(settings, name) != getattr(own, name)
               else given.origin(name) for name in Settings.__struct_fields__}
    shown = {name: masked(name, getattr(settings, name)) for name in origins}
    text = ", ".join(f"{name} = {shown[name]} ({origin})" for name, origin in origins.items()
                     if origin != "default") or "nothing"
    yield Finding("settings", "configured", "ok", text, details={
        name: {"value": shown[name], "from": origin} for name, origin in origins.items()})
    yield Finding("settings", UP, "ok",
                  up or f"none runs in {settings.data_dir}: settings alone count")
    yield from _missing(settings)
    yield from _dangerous(settings)


def _file(given: Given) -> Finding:
    """Whether settings come from a file, and what is said twice."""
    both = sorted(given.in_file & given.in_environment)
    if not given.file:
        return Finding("settings", "file", "ok", "no footfall.toml in this folder, no "
                       "--config-file: variables and defaults alone")
    if both:
        return Finding("settings", "file", "warning", f"{given.file}: the environment overrides "
                       f"its {', '.join(both)}", "take away one of the two: the other is what "
                       "somebody will read", {"overridden": both})
    return Finding("settings", "file", "ok", f"{given.file}: {len(given.in_file)} settings")


def _missing(settings: Settings) -> Iterator[Finding]:
    for name, (status, why) in _MISSING.items():
        if name == "write_keys" and any(s.write_keys for s in settings.sources.values()):
            continue
        if not getattr(settings, name):
            yield Finding("settings", name, status, "absent", f"{PREFIX}{name.upper()}: {why}")


def _dangerous(settings: Settings) -> Iterator[Finding]:
    secret = settings.system_secret
    others = [settings.customer_key_secret, settings.api_key]
    others += " ".join(settings.write_keys.values()).split()
    others += [key for source in settings.sources.values() for key in source.write_keys]
    others += [key for reader in settings.api_keys.values() for key in reader.keys]
    if secret and secret in others:
        yield Finding("settings", "system_secret", "error", "is also used as another key",
                      "make one of its own: whoever has it can write configuration")
    for name in ("http_host", "metrics_host"):
        if getattr(settings, name) not in LOOPBACK:
            yield Finding("settings", name, "warning", f"{getattr(settings, name)}: beyond this "
                          "machine, without TLS", "put a proxy with TLS before it, or keep the "
                          "network private", wanted="127.0.0.1, or a private network")


def masked(name: str, value: Any) -> str:
    """A value as it may be shown."""
    if name in SECRETS or name in KAFKA_SECRETS:
        return "set" if value else "absent"
    if not value and value not in (0, False):
        return "none"
    if name == "write_keys":
        return ", ".join(f"{source}: set" for source in value)
    if name == "api_keys":
        return ", ".join(f"{reader}: {said.role}, {len(said.keys)} keys"
                         for reader, said in value.items())
    if name == "sources":
        return ", ".join(f"{source}: {len(said.write_keys)} keys" for source, said in value.items())
    if isinstance(value, str) and "://" in value:
        return ",".join(without_password(url.strip()) for url in value.split(","))
    return str(value)


def without_password(url: str) -> str:
    """A URL less what may stand before its host, and what may stand behind its path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
