"""Probes run beside each other, and what a probe does to itself it does to no other."""

from __future__ import annotations

import threading
import time

from footfall.doctor.findings import Finding, examine


def test_a_probe_that_hangs_or_fails_is_a_finding_and_holds_up_nobody() -> None:
    """In the order in which they were given."""
    never = threading.Event()

    def hangs() -> list[Finding]:
        never.wait(60)
        return []

    def fails() -> list[Finding]:
        raise OSError("no route")

    began = time.monotonic()
    found = examine([("a", hangs), ("b", fails),
                     ("c", lambda: [Finding("c", "", "ok", "well")])], 2.0)
    never.set()

    assert time.monotonic() - began < 30
    assert [("a", "error"), ("b", "error"), ("c", "ok")] == [(f.area, f.status) for f in found]
    assert "2 s" in found[0].found and "no route" in found[1].found
