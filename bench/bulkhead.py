"""What a destination that hangs does to another: nothing, if each has places of its own.

The same triggers at the same rate go to a good destination: alone, beside one that answers, and
beside one that accepts and never answers, in turns. p95 of trigger written to webhook received at
the good one. Beside the others its records share partitions and log with twice as many: what that
alone costs is the difference of the first two.
"""

from __future__ import annotations

import time
from statistics import median, quantiles
from typing import Any

from figures import ratio_text, ratios, show, spread, verdict
from lab import Lab
from receiver import HANGS, Receiver, receiving

from delivery import begin_anew, delivering, tell

GOAL = 1.2
A_SECOND = 100
RUN_S = 8
#: Left out: the first ones open connections.
WARM_S = 1
CONTENDERS = {"alone": "", "beside one that answers": "answers", "beside one that hangs": HANGS}


def run(lab: Lab, _n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """All in turns, a delivery process and topics of its own each."""
    p95: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for number in range(rounds):
        for name in list(CONTENDERS)[:: -1 if number % 2 else 1]:
            begin_anew(lab)
            with receiving(lab) as receiver, \
                    delivering(lab, _routes(receiver, CONTENDERS[name])):
                p95[name].append(_measured(lab, receiver, number))
    alone = p95["alone"]
    rows = []
    for name, found in p95.items():
        against = ratios(found, alone)
        rows.append((name, spread(found), ratio_text(against),
                     verdict(median(against), GOAL, at_least=False) if name != "alone" else ""))
    show(f"bulkhead: {A_SECOND} triggers a second for {RUN_S} s, {rounds} rounds",
         ("the good destination", "p95 ms", "of it alone", "goal"), rows)
    return {"p95_ms": p95}


def _measured(lab: Lab, receiver: Receiver, number: int) -> float:
    told = tell(lab, A_SECOND * RUN_S, number, A_SECOND)
    time.sleep(2)
    came = {one.trigger_id: one.at for one in reversed(receiver.end()) if one.path == "good"}
    missing = told.keys() - came.keys()
    assert not missing, f"{len(missing)} did not come"
    begin = min(told.values()) + WARM_S
    took = [(came[i] - at) * 1000 for i, at in told.items() if at >= begin]
    return quantiles(took, n=100, method="inclusive")[94]


def _routes(receiver: Receiver, other: str) -> str:
    """`failures`: so many that no breaker relieves it of what hangs."""
    hook = "channel: webhook, secret_env: HOOK, purpose: necessary"
    text = f'destinations:\n  good: {{{hook}, url: "{receiver.url("good")}"}}\n'
    if other:
        text += (f'  other: {{{hook}, url: "{receiver.url(other)}", timeout_s: 3, '
                 "breaker: {failures: 1000}}\n")
    return text + f'routes: [{{triggers: ["*"], to: [good{", other" if other else ""}]}}]\n'
