"""The npm packages that tests run, unmodified: exact versions and checksums, no download address.

They are installed beside their lock file, into a folder that git ignores, once for each content of
the lock. Where Node or the registry is missing the tests that need them are skipped and the reason
is printed; FOOTFALL_TEST_REQUIRE_NODE=1 makes that a failure.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
#: The oldest that the newest of the packages asks for.
NODE_MAJOR_MIN = 20
INSTALL_S_MAX = 180


class NodeError(Exception):
    """Node, npm or a package is not to be had here."""


def install(folder: Path = FOLDER) -> Path:
    """Install what a folder's lock file names; gives the folder, in which Node finds it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NodeError(f"no Node {NODE_MAJOR_MIN} with npm here")
    version = _output(folder, [node, "--version"], 20)
    if int(version.lstrip("v").partition(".")[0]) < NODE_MAJOR_MIN:
        raise NodeError(f"Node {version.strip()} is older than {NODE_MAJOR_MIN}")
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules/.footfall-lock"
    with (folder / "package-lock.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another run of tests may be about to install them, too
        if not stamp.exists() or stamp.read_text() != lock:
            _output(folder, [npm, "ci"], INSTALL_S_MAX)
            stamp.write_text(lock)
    return folder


def run(folder: Path, command: str, *arguments: str) -> str:
    """What a command of a folder's packages writes; fails with what it says."""
    done = subprocess.run([str(folder / "node_modules/.bin" / command), *arguments], cwd=folder,
                          capture_output=True, text=True, check=False, timeout=60)
    assert 0 == done.returncode, done.stdout + done.stderr
    return done.stdout


def _output(folder: Path, command: list[str], seconds_max: float) -> str:
    try:
        return subprocess.run(command, cwd=folder, check=True, timeout=seconds_max,
                              capture_output=True, text=True).stdout
    except subprocess.CalledProcessError as error:
        raise NodeError(f"{' '.join(command)} failed: {error.stderr[-2000:]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NodeError(f"{' '.join(command)} failed: {error}") from None
