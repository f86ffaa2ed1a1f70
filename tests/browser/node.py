"""Packages from npm, as a lock file has them.

They are put into `node_modules` beside it, which git ignores, once for each content of the lock.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

INSTALL_S_MAX = 300


def installed(folder: Path, missing: Callable[[str], None]) -> Path:
    """The `node_modules` of a folder; `missing` is told what there is to install first."""
    if shutil.which("npm") is None:
        missing("no npm here; install Node 20 or later with npm")
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    modules = folder / "node_modules"
    stamp = modules / ".footfall-lock"
    if not stamp.exists() or stamp.read_text() != lock:
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline"],
                              cwd=folder, capture_output=True, text=True, check=False,
                              timeout=INSTALL_S_MAX)
        if done.returncode:
            missing(f"npm ci failed in {folder.name}: {done.stderr.strip()[-500:]}")
        stamp.write_text(lock)
    return modules


def run(modules: Path, command: str, *arguments: str) -> str:
    """What a command of these packages writes; fails with what it says."""
    done = subprocess.run([str(modules / ".bin" / command), *arguments], cwd=modules.parent,
                          capture_output=True, text=True, check=False, timeout=60)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout
