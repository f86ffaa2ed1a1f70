"""What a fold of deliveries sends: what it cannot read, and that a destination was disabled.

Decides the id of that trigger: a hash of the destination and of how often it was enabled before, so
that all partitions tell the same one. Bytes depend on nothing but the arguments.
"""

from __future__ import annotations

from typing import Final

from footfall.delivery.health import Health
from footfall.errors import DecodeError
from footfall.events import topics
from footfall.events.codec import Codecs, DeliveryRecord
from footfall.events.reserved import Reserved
from footfall.tables import outputs
from footfall.tables.fold_state import LogRecord
from footfall.tables.spec import Output, Trigger

#: The one trigger that is of no customer.
DESTINATION_DISABLED: Final = "destination_disabled"
DESTINATION_KEY: Final = "$destination:"


class Outputs:
    """Encodes the outputs of one partition."""

    def __init__(self, codecs: Codecs, reserved: Reserved, partition: int) -> None:
        self.decode = codecs.delivery.decode
        self._outputs = outputs.Outputs(codecs, reserved, topics.DELIVERIES, partition)

    def rejected(self, entry: LogRecord, error: DecodeError) -> Output:
        """A record that could not be applied."""
        return self._outputs.rejected(entry.offset, entry.timestamp, entry.value, error.reason,
                                      error.detail)

    def disabled(self, record: DeliveryRecord, before: Health) -> Output:
        """A destination gets nothing from now on; `before`: how it fared."""
        key = f"{DESTINATION_KEY}{record['destination']}".encode()
        trigger = Trigger(
            DESTINATION_DISABLED, cause=(before.generation,), occurred_at=record["at"],
            data={"destination": record["destination"], "channel": record["channel"],
                  "reason": record["reason"]},
            evidence={"failures": before.failures, "failing_since": before.failing_since,
                      "last_sent_at": before.last_sent_at})
        return self._outputs.trigger(key, trigger, {}, record["at"], record["routes_version"])

    def outcome(self, record: DeliveryRecord) -> list[Output]:
        """What became of a delivery, for the log of interactions."""
        return []
