"""Text of anybody's on a terminal. Pure.

Decides that no character is shown which a terminal could take for an order, and how much of a text.
"""

from __future__ import annotations

from typing import Final

DETAIL_CHARS_MAX: Final = 200


def safe(words: str) -> str:
    """Text with every character escaped that a terminal could take for an order; long ones cut."""
    if len(words) > DETAIL_CHARS_MAX:
        words = words[:DETAIL_CHARS_MAX] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
