"""Which versions run: Python, Footfall and its engine, the packages that it was tested with.

Asks no network. Versions of brokers, registry and Redis are told where those are looked at.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from typing import Any

import confluent_kafka

from footfall.doctor.findings import Finding
from footfall.tables import fold

PYTHON_MIN = (3, 11)
#: Extras whose packages programs need; those of `demo` and `kafka` may be absent.
NEEDED = ("", "server")
_PIN = re.compile(r"([A-Za-z0-9_.-]+)==([^;\s]+)(?:.*extra == \"(\w+)\")?")


def versions() -> Iterator[Finding]:
    """Python, Footfall, and the packages it was tested with."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("versions", "python", "ok", python,
                  wanted=f"{'.'.join(map(str, PYTHON_MIN))} or later")
    compiled = isinstance(fold.__loader__, ExtensionFileLoader)
    yield Finding("versions", "engine", "ok", "compiled" if compiled else "interpreted",
                  "" if compiled else "installed where a C compiler is, a worker does 1.5 times as "
                  "much on a core")
    yield Finding("versions", "librdkafka", "ok", confluent_kafka.libversion()[0])
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
                              f"pip install 'footfall[{extra}]'", wanted=wanted)
            continue
        if installed[name] != wanted:
            yield Finding("versions", name, "warning", f"{installed[name]}, tested with {wanted}",
                          f"pip install {name}=={wanted}", wanted=wanted)
    found = ", ".join(f"{name} {version}" for name, version in installed.items() if version)
    yield Finding("versions", "packages", "ok", found, details=installed)
