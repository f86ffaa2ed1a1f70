"""How a process over a log is: the parts of its `/readyz` that worker and delivery have in common.

Decides what such a process needs to be of use: its partitions, recovered, and its place in the
group. A clock that is off is told and changes nothing: the partitions that are not held go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from footfall.health import Part, numbers

if TYPE_CHECKING:
    from footfall.stream.log_engine import LogEngine


def parts(engine: LogEngine[Any]) -> dict[str, Part]:
    """Of any engine."""
    return {"partitions": _partitions(engine), "group": _group(engine), "clock": _clock(engine)}


def state(engine: LogEngine[Any]) -> dict[str, Any]:
    """What is for programs: partitions that are owned, and how far the brokers' clock is ahead of
    ours, as the last append showed it.
    """
    if not engine.consumer.gate:
        return {}
    skew = engine.broker_skew_ms
    return {"partitions": sorted(engine.partitions),
            **({} if skew is None else {"broker_clock_ahead_s": round(skew / 1000, 3)})}


def _partitions(engine: LogEngine[Any]) -> Part:
    if not engine.consumer.is_ready:
        return Part(False, "partitions change hands or are being recovered", "recovering")
    if not engine.partitions:
        return Part(True, "stands by: there are no more partitions than others have")
    return Part(True, f"has recovered {len(engine.partitions)} of {engine.settings.partitions}: "
                      f"{numbers(engine.partitions)}")


def _group(engine: LogEngine[Any]) -> Part:
    if engine.consumer.gate and not engine.consumer.is_member():
        return Part(False, "the group has given its place away; it joins again", "not_a_member")
    return Part(True, "member" if engine.consumer.gate else "joins, or takes up partitions")


def _clock(engine: LogEngine[Any]) -> Part:
    held = [p.number for p in engine.partitions.values() if p.held and not p.fold.moving]
    if held:
        return Part(False, f"partitions {numbers(held)} are held: records were appended more than "
                           "60 s ahead of this machine's clock; set the clocks right",
                    is_needed=False)
    skew = engine.broker_skew_ms
    if skew is None:
        return Part(True, "nothing was appended yet: the brokers' clock is not known",
                    is_needed=False)
    ahead = "ahead of" if skew >= 0 else "behind"
    return Part(True, f"the brokers' is {abs(skew) / 1000:.3f} s {ahead} this one, as last seen",
                is_needed=False)
