"""What `footfall doctor` looks at, and how: probes beside each other, each with a time limit.

A finding is ok, a warning (it works, but look) or an error (it does not, or it will not), and says
what to change. What is looked at has a file each; this one decides that no probe can hold up the
others, and that a probe that fails is itself a finding. Must never change anything, nor show a
secret.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

PROBE_S_MAX = 15.0
Status = Literal["ok", "warning", "error"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `change`: what to do; "" where nothing is. `details`: for
    programs. `wanted`: what should have been found, where that is a value.
    """

    area: str
    subject: str
    status: Status
    found: str
    change: str = ""
    details: Mapping[str, Any] = {}
    wanted: str = ""


#: What gives findings: its area, and the probe.
Probe = tuple[str, Callable[[], Sequence[Finding]]]


def examine(probes: Sequence[Probe], seconds_max: float = PROBE_S_MAX) -> list[Finding]:
    """The findings of all probes, in their order; one that takes longer is an error by itself."""
    answers: queue.Queue[tuple[int, list[Finding]]] = queue.Queue()
    for number, probe in enumerate(probes):
        # Daemons: one that hangs must not keep the command from ending.
        threading.Thread(target=_run, args=(number, probe, answers), daemon=True).start()
    found: dict[int, list[Finding]] = {}
    deadline = time.monotonic() + seconds_max
    while len(found) < len(probes):
        try:
            number, findings = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[number] = findings
    late = {n: [Finding(area, "", "error", f"did not answer within {seconds_max:g} s",
                        "see whether it is overloaded, or whether a firewall drops packets")]
            for n, (area, _probe) in enumerate(probes) if n not in found}
    return [finding for _n, findings in sorted({**found, **late}.items()) for finding in findings]


def _run(number: int, probe: Probe, answers: queue.Queue[tuple[int, list[Finding]]]) -> None:
    area, look = probe
    try:
        findings = list(look())
    except Exception as error:  # whatever a client library raises is what was found out
        findings = [Finding(area, "", "error", f"{type(error).__name__}: {error}",
                            "it could not be looked at")]
    answers.put((number, findings))


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether there is no error among them."""
    return all(finding.status != "error" for finding in findings)
