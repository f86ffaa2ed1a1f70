"""What a request is called, in its answer and in every line about it.

Decides which name of the sender's is believed: what proxies make, 20 to 64 hexadecimal digits and
dashes (a UUID, 32 digits). Anything else could be the name, the address or the card number of
somebody, and would stand in the log (law 6): then it gets one of ours.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

HEADER: Final = "X-Request-Id"
BELIEVED: Final = "[0-9a-fA-F-]{20,64}"
_BELIEVED: Final = re.compile(BELIEVED)


class RequestIds:
    """Those of one process: no other makes the same."""

    def __init__(self) -> None:
        # Asking for a random name for each would be a call of the kernel.
        self._run = secrets.token_hex(8)
        self._n = 0

    def of(self, given: str | None) -> str:
        """The sender's, where it is one, else the next of ours."""
        if given is not None and _BELIEVED.fullmatch(given):
            return given
        self._n += 1
        return f"{self._run}-{self._n:08x}"
