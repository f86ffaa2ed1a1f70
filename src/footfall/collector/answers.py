"""What the collector answers: always a JSON object, on errors with `code` and `message`.

Decides the shapes that stock SDKs rely on (docs/collector.md). Must never repeat a value that was
sent, a stack trace or a name of this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from aiohttp import hdrs, web

from footfall.errors import Rejected
from footfall.events.admit import field_of
from footfall.events.arrival import Admitted

#: Every code of a request that is refused as a whole.
CODES = (
    "address_rate_limited", "api_key_unknown", "batch_empty", "batch_too_large", "body_timeout",
    "body_too_large", "body_unreadable", "cursor_invalid", "customer_missing", "customer_unknown",
    "data_unreadable", "encoding_unsupported", "field_kind", "filter_invalid", "host_unreadable",
    "http_malformed", "identifier_invalid", "include_unknown", "internal_error",
    "key_subscribers_full", "limit_invalid", "log_unavailable", "method_not_allowed",
    "not_an_object", "not_found", "not_json", "number_out_of_range", "origin_not_allowed",
    "overloaded", "parameter_unknown", "pointer_loop", "rule_unknown", "shared_too_large",
    "source_rate_limited", "start_unknown", "stopping", "subscribers_full", "text_not_unicode",
    "ticket_invalid", "time_unreadable", "token_invalid", "too_deep", "trigger_invalid",
    "trigger_unknown", "view_unavailable", "write_key_unknown",
)
#: What a client is asked to wait, in seconds, when it may try again.
RETRY_AFTER_S = 2

#: Rejections of what a source may not send, rather than of what is wrong.
NOT_ALLOWED = frozenset({"call_not_allowed", "event_not_allowed"})


class Duplicate(NamedTuple):
    """An item whose first copy is known to be in the log; it is not written again."""

    message_id: str


#: Of a single item; the gap is for its messageId.
_ACCEPTED = b'{"success":true,"status":"accepted","messageId":%b}'

Outcome = Admitted | Rejected | Duplicate
Outcomes = Sequence[Outcome]


class Answer(NamedTuple):
    """One JSON object with its status; with Retry-After where the client may try again."""

    status: int
    content: bytes
    retry_after_s: int = 0


class RequestError(Exception):
    """A request that is answered as a whole with an error."""

    def __init__(self, status: int, code: str, message: str, field: str = "",
                 retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s


def of_batch(outcomes: Outcomes) -> Answer:
    """200, with the outcome of every item in the order they were sent."""
    results = [_result(outcome) for outcome in outcomes]
    rejected = sum(isinstance(outcome, Rejected) for outcome in outcomes)
    duplicate = sum(isinstance(outcome, Duplicate) for outcome in outcomes)
    return json_of({"success": True, "accepted": len(results) - rejected - duplicate,
                    "duplicate": duplicate, "rejected": rejected, "results": results})


def of_one(outcome: Outcome) -> Answer:
    """200, or 400 (403 what may not be sent, 413 what is too large) with what is wrong."""
    if isinstance(outcome, Admitted):  # nearly all are
        return Answer(200, _ACCEPTED % msgspec.json.encode(outcome.event["message_id"]))
    if isinstance(outcome, Duplicate):
        return json_of({"success": True, **_result(outcome)})
    status = 413 if outcome.reason == "item_too_large" else 400
    if outcome.reason in NOT_ALLOWED:
        status = 403
    return of_error(RequestError(status, outcome.reason, outcome.detail, field_of(outcome)))


def of_error(error: RequestError) -> Answer:
    """The error as JSON; with Retry-After where the client may try again."""
    content = {"code": error.code, "message": error.message}
    if error.field:
        content["field"] = error.field
    return Answer(error.status, msgspec.json.encode(content),
                  error.retry_after_s if error.status in (429, 503) else 0)


def json_of(content: dict[str, Any]) -> Answer:
    """An answer of one JSON object."""
    return Answer(200, msgspec.json.encode(content))


def of_health(status: int, content: dict[str, Any]) -> Answer:
    """How the collector is; with Retry-After where it is not ready."""
    return Answer(status, msgspec.json.encode(content), 0 if status == 200 else RETRY_AFTER_S)


def response(answer: Answer) -> web.Response:
    """The answer as aiohttp sends it."""
    made = web.Response(status=answer.status, body=answer.content,
                        content_type="application/json")
    if answer.retry_after_s:
        made.headers[hdrs.RETRY_AFTER] = str(answer.retry_after_s)
    return made


def _result(outcome: Outcome) -> dict[str, str]:
    if isinstance(outcome, Admitted):
        return {"status": "accepted", "messageId": outcome.event["message_id"]}
    if isinstance(outcome, Duplicate):
        return {"status": "duplicate", "messageId": outcome.message_id}
    return {"status": "rejected", "reason": outcome.reason, "field": field_of(outcome),
            "detail": outcome.detail}
