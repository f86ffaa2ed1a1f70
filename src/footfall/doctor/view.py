"""What `footfall doctor` looks at of the served view: that Redis answers, keeps what it is given,
and has every partition.

Must never show the address' password.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from footfall.doctor.findings import Finding
from footfall.settings import Settings
from footfall.view.entry import Mark, decode_mark
from footfall.view.store import FAILURES, Store, failure_of

ANSWER_S_MAX = 3.0
#: A view is behind by less than a second; a worker that recovers, for longer.
STALE_S = 60.0
KEEPS = "noeviction"
RELEASE_MIN = 6


def view(settings: Settings) -> Iterator[Finding]:
    """The view of FOOTFALL_REDIS_URL."""
    if not settings.redis_url:
        yield Finding("view", "redis", "ok", "none is served: customers are read from the workers")
        return
    try:
        policy, release, marks = asyncio.run(_look(settings))
    except FAILURES as error:
        yield Finding("view", "redis", "error", f"does not answer ({failure_of(error)})",
                      "start it, or correct FOOTFALL_REDIS_URL; workers catch up by themselves")
        return
    if policy not in ("", KEEPS):
        yield Finding("view", "redis", "warning", f"it throws entries away ({policy})",
                      f"redis-cli CONFIG SET maxmemory-policy {KEEPS}, and give it room for all "
                      "customers", wanted=KEEPS)
    if release:
        yield judged_release(release)
    missing = settings.partitions - len(marks)
    age_s = time.time() - min((mark.at for mark in marks), default=0) / 1000
    if missing:
        yield Finding("view", "partitions", "warning",
                      f"{missing} of {settings.partitions} are not in it",
                      "start workers with this FOOTFALL_REDIS_URL; they fill it")
    elif age_s > STALE_S:
        yield Finding("view", "partitions", "warning", f"the oldest is {age_s:.0f} s old",
                      "look at footfall_view_away and the workers' logs")
    else:
        yield Finding("view", "partitions", "ok",
                      f"all {settings.partitions}, at most {max(age_s, 0):.1f} s old")


def judged_release(release: str) -> Finding:
    """Of Redis."""
    is_old = release.partition(".")[0].isdecimal() and int(release.partition(".")[0]) < RELEASE_MIN
    return Finding("view", "release", "warning" if is_old else "ok", f"Redis {release}",
                   "upgrade it" if is_old else "", wanted=f"Redis {RELEASE_MIN} or later")


async def _look(settings: Settings) -> tuple[str, str, list[Mark]]:
    store = Store(settings.redis_url, ANSWER_S_MAX)
    try:
        found = await store.marks(range(settings.partitions))
        return await store.policy(), await store.release(), [
            mark for data in found if (mark := decode_mark(data)) is not None]
    finally:
        await store.close()
