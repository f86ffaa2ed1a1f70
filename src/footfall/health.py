"""What a program says of itself at `/readyz`: its parts by name, each well or not, and why.

Decides that a program is ready when every part that it needs is well; a part that it can do without
(the served view, a destination) is told and changes nothing. `/healthz` is another question: there
a program that answers at all is alive, and what cannot be mended but by a restart ends the process.
Must never say anything of a customer: reasons are made of counts, times, and names that stand in
settings and routes (law 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

ALIVE: dict[str, Any] = {"status": "alive"}
OK, UNAVAILABLE = 200, 503
#: Of many things so many are named.
SHOWN_MAX: Final = 20


class Part(NamedTuple):
    """One part of a program. `code`: of an answer that is not ready because of it."""

    ok: bool
    reason: str
    code: str = ""
    is_needed: bool = True


Parts = Mapping[str, Part]


def missed(parts: Parts) -> Part | None:
    """The first part that is needed and not well."""
    return next((part for part in parts.values() if part.is_needed and not part.ok), None)


def readiness(parts: Parts, **more: Any) -> tuple[int, dict[str, Any]]:
    """(status, JSON object) of an answer; `more`: what a program says beside its parts."""
    told = {name: {"ok": part.ok, "needed": part.is_needed, "reason": part.reason}
            for name, part in parts.items()}
    bad = missed(parts)
    if bad is None:
        return OK, {"status": "ready", "parts": told, **more}
    return UNAVAILABLE, {"status": "not_ready", "code": bad.code, "message": bad.reason,
                         "parts": told, **more}


def listed(found: Iterable[object]) -> str:
    """The first of them, in their order, and how many more there are."""
    texts = [*map(str, found)]
    more = len(texts) - SHOWN_MAX
    return ", ".join(texts[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def numbers(found: Iterable[int]) -> str:
    """Numbers of partitions or brokers, in words."""
    return listed(sorted(found))
