"""What becomes of a trigger in a test: nothing is delivered there, so the test says it.

Decides what a test may say of a delivery and what it leaves out: a webhook called `test`, which
needs no consent.
"""

from __future__ import annotations

import msgspec

from footfall.errors import MisfitError
from footfall.events.reserved_row import DeliveryPayload, Label, Outcome
from footfall.tables.rules_row import Name
from footfall.testing.expectation import TriggerDocument
from footfall.view.identifiers import IdentifierError, parse


class Delivered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The newest trigger of this name, of this customer where one is named, came to this at a
    destination.
    """

    trigger: Name
    outcome: Outcome
    customer: str | None = None
    destination: Label = "test"
    channel: Label = "webhook"
    purpose: Label = "necessary"
    reason: Label = ""

    def __post_init__(self) -> None:
        if self.customer is not None:
            try:
                parse(self.customer)
            except IdentifierError as error:
                raise MisfitError(str(error), "customer") from None

    def payload(self, told: TriggerDocument) -> DeliveryPayload:
        """What delivery would write of a trigger."""
        return DeliveryPayload(
            self.outcome, self.destination, self.channel, self.channel, self.purpose,
            self.trigger, told["trigger_id"], self.reason, told.get("depth", 0))
