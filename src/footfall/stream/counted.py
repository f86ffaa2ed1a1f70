"""Interactions that are counted by what they are called: the north star, and the way to an order.

The fold counts names, this file says which and publishes them. Decides that an interaction counts
once it is durable: what a crash has not saved is applied, and counted, after it, and never before.
Repeats, handoffs and imports do not count, for the fold does not take them as new. Names are taken
however they are spelled, as `Order Completed` or `completed_order`. Must never give a metric a
label that comes from what apps send (law 7): there are those names alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from footfall import telemetry
from footfall.events.commerce import squeeze

#: What a shop calls the stations of the way to an order.
STEPS: Final = ("Product Viewed", "Product Added", "Checkout Started", "Order Completed")


class Counted:
    """The counts of one worker; `names`: name, squeezed -> what the fold counts it as."""

    def __init__(self, north_star: str) -> None:
        self._north_star = north_star
        self._step_of = {squeeze(step): step.lower().replace(" ", "_") for step in STEPS}
        wanted = {squeeze(one): one for one in (*STEPS, north_star)}
        self.names = {squeeze(spelled): name for name, one in wanted.items()
                      for spelled in (one, _turned(one))}
        self._star = self.names[squeeze(north_star)]
        #: Partition -> counts of the snapshot that is on its way to the changelog.
        self._taken: dict[int, Mapping[str, int]] = {}

    def begin(self) -> None:
        """Every label at 0."""
        telemetry.at_zero(telemetry.NORTH_STAR, (self._north_star,))
        telemetry.at_zero(telemetry.FUNNEL, self._step_of.values())

    def taken(self, partition: int, counts: Mapping[str, int]) -> None:
        """A snapshot holds what these interactions made; it is no more than that yet."""
        self._taken[partition] = counts

    def durable(self, partition: int) -> None:
        """That snapshot is in the changelog: its interactions will not be applied again."""
        for name, count in self._taken.pop(partition, {}).items():
            if name in self._step_of:
                telemetry.FUNNEL.labels(self._step_of[name]).inc(count)
            if name == self._star:
                telemetry.NORTH_STAR.labels(self._north_star).inc(count)


def _turned(name: str) -> str:
    """The last word first: "Order Completed" -> "Completed Order"."""
    rest, _, last = name.replace("_", " ").rpartition(" ")
    return f"{last} {rest}"
