"""Of this installation: what is configured, which versions run, what this machine has.

Decides which settings are needed and when a value is dangerous. Secrets are shown as their length.
Asks no network; a program that is asked for its version has a time limit.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from footfall.admin.doctor import Finding
from footfall.kafka import security
from footfall.settings import KAFKA, PREFIX, Settings
from footfall.tables import fold

VERSION_S_MAX = 5.0
JAVA_MIN = 17
DISK_BYTES_LOW = 1 << 30
DISK_BYTES_OUT = 100 << 20
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KAFKA_SECRETS = tuple(KAFKA + name for name in security.SECRETS)
SECRETS = ("customer_key_secret", "system_secret", "api_key")
#: Extras whose packages programs need; those of `demo` and `kafka` may be absent.
NEEDED = ("", "server")
_PIN = re.compile(r"([A-Za-z0-9_.-]+)==([^;\s]+)(?:.*extra == \"(\w+)\")?")

_MISSING = {
    "customer_key_secret": ("error", "collector and worker need it: a permanent secret of 16 "
                                     "characters or more"),
    "system_secret": ("error", "worker and `footfall config` need it: 16 characters or more"),
    "write_keys": ("warning", "a collector needs it: SOURCE:KEY"),
    "api_key": ("warning", "without it no worker serves customers: a long random key"),
}


def configured(settings: Settings, up: str) -> Iterator[Finding]:
    """What is configured, secrets masked. `up`: of the running `up` that fills in; "" for none."""
    default = Settings()
    given = {name: masked(name, getattr(settings, name)) for name in Settings.__struct_fields__
             if getattr(settings, name) != getattr(default, name)}
    text = ", ".join(f"{name} = {value}" for name, value in given.items()) or "nothing"
    yield Finding("settings", "configured", "ok", text, details=given)
    yield Finding("settings", "footfall up", "ok",
                  up or f"none runs in {settings.data_dir}: settings alone count")
    for name, (status, why) in _MISSING.items():
        if name == "write_keys" and any(s.write_keys for s in settings.sources.values()):
            continue
        if not getattr(settings, name):
            yield Finding("settings", name, "error" if status == "error" else "warning",
                          "not set", f"{PREFIX}{name.upper()}: {why}")
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
                          "network private")


def masked(name: str, value: Any) -> str:
    """A value as it may be shown."""
    if name in SECRETS or name in KAFKA_SECRETS:
        return f"set ({len(value)} characters)"
    if name == "write_keys":
        return ", ".join(f"{source}: set ({len(key)} characters)" for source, key in value.items())
    if name == "api_keys":
        return ", ".join(f"{reader}: {said.role}, {len(said.keys)} keys"
                         for reader, said in value.items())
    if name == "sources":
        return ", ".join(f"{source}: {len(said.write_keys)} keys" for source, said in value.items())
    if name in ("schema_registry_url", "redis_url"):
        return without_password(value)
    return str(value)


def without_password(url: str) -> str:
    """A URL less what may stand before its host."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def versions() -> Iterator[Finding]:
    """Python, Footfall, and the packages it was tested with."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("versions", "python", "ok", python)
    compiled = isinstance(fold.__loader__, ExtensionFileLoader)
    yield Finding("versions", "engine", "ok", "compiled" if compiled else "interpreted",
                  "" if compiled else "installed where a C compiler is, a worker does 1.5 times as "
                  "much on a core")
    installed: dict[str, Any] = {"footfall": importlib.metadata.version("footfall")}
    for requirement in importlib.metadata.requires("footfall") or ():
        match = _PIN.match(requirement)
        if match is None or match[3] == "dev":
            continue
        name, wanted, extra = match[1], match[2], match[3] or ""
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed[name] = None
            if extra in NEEDED:
                yield Finding("versions", name, "error", f"not installed; {wanted} is needed",
                              f"pip install 'footfall[{extra}]'")
            continue
        if installed[name] != wanted:
            yield Finding("versions", name, "warning", f"{installed[name]}, tested with {wanted}",
                          f"pip install {name}=={wanted}")
    found = ", ".join(f"{name} {version}" for name, version in installed.items() if version)
    yield Finding("versions", "packages", "ok", found, details=installed)


def machine(settings: Settings) -> Iterator[Finding]:
    """Disk and data directory; Java and Docker, for those who run brokers here."""
    folder = Path(settings.data_dir).resolve()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    status = _disk_status(free)
    yield Finding("machine", "disk", status, f"{free / 2**30:.1f} GiB free for {folder}",
                  "" if status == "ok" else "free some, or move the data with FOOTFALL_DATA_DIR",
                  {"free_bytes": free})
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("machine", "data_dir", "warning", f"{there} cannot be written",
                      "`footfall up` needs another: FOOTFALL_DATA_DIR")
    java = said("java", "-version")
    version = re.search(r'version "(\d+)', java)
    enough = version is not None and int(version[1]) >= JAVA_MIN
    yield Finding("machine", "java", "ok", java or "not found on PATH",
                  "" if enough or settings.kafka_bootstrap_servers else
                  f"with Java {JAVA_MIN} `footfall up` runs a real Kafka, not the demo broker")
    yield Finding("machine", "docker", "ok",
                  said("docker", "version", "--format", "engine {{.Server.Version}}")
                  or "no engine answers; only docker compose needs one")


def _disk_status(free: int) -> Any:
    if free < DISK_BYTES_OUT:
        return "error"
    return "warning" if free < DISK_BYTES_LOW else "ok"


def said(*command: str) -> str:
    """The first line of what a program says of itself; "" where it fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERSION_S_MAX,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else ""
