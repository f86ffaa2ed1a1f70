"""Launcher: becomes the command given, which Linux ends (SIGTERM) when its parent dies.

    python -m footfall.up.tied PARENT_PID COMMAND [ARGUMENT ...]

Decides nothing else: same process, same environment, same files. Imports nothing of Footfall.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Ask for the signal, make sure that the parent still lives, become the command."""
    parent, command = int(arguments[0]), arguments[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(f"{command[0]}: the process that started it is gone")
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
