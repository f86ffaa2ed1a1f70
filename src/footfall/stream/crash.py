"""How a worker dies: at once, saying why, with an exit code that `up` understands.

Recovery is the tested path; no handler tries to mend a process whose state may be wrong (law 1).
Also the named points at which tests kill it (`FOOTFALL_CRASH_AT=point:count`).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import NoReturn

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)

from footfall.errors import FootfallError, StateRefused

logger = logging.getLogger(__name__)

EXIT_FAILED = 1
#: The log and the state do not fit: starting again will not help.
EXIT_REFUSED = 3

AuthorizationError = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError,
                      TopicAuthorizationFailedError)

POINTS = ("after_outputs", "half_changelog", "after_changelog", "before_commit", "in_recovery",
          "in_timer", "in_handoff", "before_send", "after_send", "before_move", "after_move",
          "after_cutover", "half_shadow")


def die(error: BaseException) -> NoReturn:
    """End the process now. Nothing is flushed to Kafka: what is not acknowledged never was."""
    if isinstance(error, FootfallError):
        logger.critical("the program ends", extra={"error": error})
    elif isinstance(error, AuthorizationError):
        logger.critical("the cluster does not allow what this program has to do; `footfall acls "
                        "list` prints the rights that each part needs",
                        extra={"error": type(error).__name__, "error_text": str(error)})
    else:
        logger.critical("the program ends", exc_info=error)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_REFUSED if isinstance(error, StateRefused) else EXIT_FAILED)


class CrashPoints:
    """Kills the process with SIGKILL when a named point is passed for the n-th time."""

    def __init__(self, at: str) -> None:
        self._point, _, count = at.partition(":")
        self._left = int(count or 1)
        if self._point and self._point not in POINTS:
            raise ValueError(f"crash_at: no point {self._point!r}; there are {', '.join(POINTS)}")

    def __call__(self, point: str) -> None:
        """Pass a point."""
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
