"""The npm packages that tests run, unmodified: exact versions and checksums, no download address.

They are installed once a run of the tests, into a folder that git ignores. Where Node or the
registry is missing the tests that need them are skipped and the reason is printed;
FOOTFALL_TEST_REQUIRE_NODE=1 makes that a failure.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
#: The oldest that the newest of the packages asks for.
NODE_MAJOR_MIN = 20
INSTALL_S_MAX = 180


class NodeError(Exception):
    """Node, npm or a package is not to be had here."""


def install() -> Path:
    """The folder from which they are found: the working folder of what needs them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NodeError(f"no Node {NODE_MAJOR_MIN} with npm here")
    version = _output([node, "--version"], 20)
    if int(version.lstrip("v").partition(".")[0]) < NODE_MAJOR_MIN:
        raise NodeError(f"Node {version.strip()} is older than {NODE_MAJOR_MIN}")
    _output([npm, "ci"], INSTALL_S_MAX)
    return FOLDER


def _output(command: list[str], seconds_max: float) -> str:
    try:
        return subprocess.run(command, cwd=FOLDER, check=True, timeout=seconds_max,
                              capture_output=True, text=True).stdout
    except subprocess.CalledProcessError as error:
        raise NodeError(f"{' '.join(command)} failed: {error.stderr[-2000:]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NodeError(f"{' '.join(command)} failed: {error}") from None
