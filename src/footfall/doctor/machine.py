"""What this machine has: disk and data directory; Java and Docker, for those who run brokers here.

Asks no network; a program that is asked for its version has a time limit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from footfall.doctor.findings import Finding
from footfall.settings import Settings

VERSION_S_MAX = 5.0
JAVA_MIN = 17
DISK_BYTES_LOW = 1 << 30
DISK_BYTES_OUT = 100 << 20


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
