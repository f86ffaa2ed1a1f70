"""How a process of delivery is: what its `/readyz` says beside what every process over a log says.

Decides that destinations, the served view, and a log that is not read to its end yet are told and
make nobody unready: what is for the other destinations goes on. Must never name a customer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from footfall.delivery import health
from footfall.health import Part, numbers

if TYPE_CHECKING:
    from footfall.delivery.engine import DeliveryEngine


def parts(engine: DeliveryEngine) -> dict[str, Part]:
    """Its own."""
    return {"log": _log(engine), "destinations": _destinations(engine), "view": _view(engine)}


def _log(engine: DeliveryEngine) -> Part:
    behind = [p.number for p in engine.partitions.values() if not p.is_caught_up]
    if behind and engine.consumer.gate:
        return Part(False, f"partitions {numbers(behind)} are not read to their end: nothing of "
                           "theirs is sent until then", is_needed=False)
    return Part(True, "read to its end", is_needed=False)


def _destinations(engine: DeliveryEngine) -> Part:
    """Those that get nothing, and why; `footfall deliveries summary` has more."""
    disabled = [name for name, lane in engine.lanes.items() if lane.health.disabled_at]
    failing = [name for name, lane in engine.lanes.items() if not lane.health.disabled_at
               and health.is_open(lane.health, engine.now())]
    said = [f"{', '.join(sorted(found))}: {what}" for found, what in (
        (disabled, "disabled until enabled (`footfall deliveries enable`)"),
        (failing, "failing, tried now and then")) if found]
    return Part(not said, "; ".join(said) or f"all {len(engine.lanes)} get what is sent",
                is_needed=False)


def _view(engine: DeliveryEngine) -> Part:
    wanting = sorted(name for name, lane in engine.lanes.items() if lane.needs_person)
    if not wanting:
        return Part(True, "no destination has to know customers", is_needed=False)
    unconfirmed = engine.unconfirmed_partitions()
    if unconfirmed is None:
        return Part(False, f"there is none (FOOTFALL_REDIS_URL): what is for {', '.join(wanting)} "
                           "waits", is_needed=False)
    if unconfirmed:
        return Part(False, f"nothing was heard of {unconfirmed} of {engine.settings.partitions} "
                           "partitions: what is for their customers waits", is_needed=False)
    return Part(True, f"is current; asked for {', '.join(wanting)}", is_needed=False)
