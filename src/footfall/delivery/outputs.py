"""What a fold of deliveries sends: what became of each, for the log of interactions; that a
destination was disabled; what it cannot read.

Decides the id of that trigger: a hash of the destination and of how often it was enabled before, so
that all partitions tell the same one. Bytes depend on nothing but the arguments.
"""

from __future__ import annotations

from typing import Final

from footfall.delivery import reasons
from footfall.delivery.health import Health
from footfall.errors import DecodeError
from footfall.events import topics
from footfall.events.codec import Codecs, DeliveryRecord
from footfall.events.customer_key import is_customer_key
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import DeliveryPayload, Outcome
from footfall.tables import outputs
from footfall.tables.fold_state import LogRecord
from footfall.tables.spec import Output, Trigger

#: The one trigger that is of no customer.
DESTINATION_DISABLED: Final = "destination_disabled"
DESTINATION_KEY: Final = "$destination:"
#: Of records in footfall.rejected.
STAGE: Final = "delivery"
#: Kind of an output for the log of interactions.
OUTCOME: Final = "outcome"
_OUTCOMES: Final[dict[str, Outcome]] = {
    reasons.SENT: "sent", reasons.DEAD: "dead", reasons.SUPPRESSED: "suppressed"}


class Outputs:
    """Encodes the outputs of one partition."""

    def __init__(self, codecs: Codecs, reserved: Reserved, partition: int) -> None:
        self.decode = codecs.delivery.decode
        self._interaction = codecs.interaction
        self._reserved = reserved
        self._outputs = outputs.Outputs(codecs, reserved, topics.DELIVERIES, partition, STAGE)

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
        """What became of a delivery, for the log of interactions. Nothing where it goes on, where
        there is no customer, or where it is the held-out part, which nobody must act on.
        """
        status, key = record["status"], record["customer_key"].encode()
        if (status not in _OUTCOMES or record["reason"] == "held_out"
                or not is_customer_key(key)):
            return []
        event = self._reserved.delivery(key, DeliveryPayload(
            _OUTCOMES[status], record["destination"], record["channel"], record["medium"],
            record["purpose"], record["trigger"], record["trigger_id"], record["reason"],
            record["depth"]), record["at"])
        return [Output(OUTCOME, key, self._interaction.encode(event))]
