"""Why something is not, not yet, or no longer on its way: every code that a delivery may have.

Decides the closed sets of statuses and reasons, for records, metrics and docs/delivery.md alike.
"""

from __future__ import annotations

from typing import Final

QUEUED: Final = "queued"
SENDING: Final = "sending"
SENT: Final = "sent"
FAILED: Final = "failed"
HELD: Final = "held"
SUPPRESSED: Final = "suppressed"
DEAD: Final = "dead"
REDRIVEN: Final = "redriven"
RESENT: Final = "resent"
DISABLED: Final = "disabled"
ENABLED: Final = "enabled"

#: Of a delivery, and of a destination.
STATUSES = (QUEUED, SENDING, SENT, FAILED, HELD, SUPPRESSED, DEAD, REDRIVEN, RESENT)
#: What begins a delivery anew.
ANEW: Final = (REDRIVEN, RESENT)
DESTINATION_STATUSES = (DISABLED, ENABLED)

#: Status -> the reasons that it may have beside none.
REASONS = {
    SUPPRESSED: ("consent_denied", "consent_expired", "consent_unknown", "consent_withdrawn",
                 "expired", "frequency_cap", "held_out", "integrations", "no_address",
                 "quiet_hours", "too_deep"),
    HELD: ("frequency_cap", "quiet_hours"),
    FAILED: ("aborted", "address_refused", "answer_invalid", "broker", "connection", "dns", "gone",
             "internal", "notify", "redirect", "redis", "refused", "smtp_temporary", "status",
             "throttled", "timeout", "tls"),
    DEAD: ("aborted", "backlog_full", "destination_disabled", "destination_unknown", "gone",
           "message_too_large", "refused", "render_failed", "retries_exhausted"),
    DISABLED: ("administrator", "failing", "gone"),
}
