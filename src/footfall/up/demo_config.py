"""What the demo configures, so that minutes show what takes days: idle times, shortened.

Sessions keep their 30 minutes and the factors of risk their half-lives: neither is configured.
"""

from __future__ import annotations

from typing import Any

#: A customer of the demo is dormant after so many times the silence of a cart that was left.
DORMANT_IDLES = 9
IDLE_S = 5.0


def document(idle_s: float) -> dict[str, Any]:
    """The configuration of a demo whose carts are abandoned after `idle_s`."""
    dormant_s = max(1, round(DORMANT_IDLES * idle_s))
    return {"cart": {"idle_s": idle_s}, "engagement": {"dormant_s": dormant_s}}
