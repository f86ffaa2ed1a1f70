"""What the collector answers: always a JSON object, on errors with `code` and `message`.

Decides the shapes that stock SDKs rely on (docs/collector.md). Must never repeat a value that was
sent, a stack trace or a name of this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from footfall.errors import Rejected
from footfall.events.admit import Admitted, field_of

#: Every code of a request that is refused as a whole.
CODES = (
    "batch_empty", "batch_too_large", "body_timeout", "body_too_large", "body_unreadable",
    "encoding_unsupported", "field_kind", "internal_error", "log_unavailable",
    "method_not_allowed", "not_an_object", "not_found", "not_json", "number_out_of_range",
    "shared_too_large", "text_not_unicode", "too_deep", "write_key_unknown",
)
#: What a client is asked to wait, in seconds, when it may try again.
RETRY_AFTER_S = 2

Outcomes = Sequence[Admitted | Rejected]


class RequestError(Exception):
    """A request that is answered as a whole with an error."""

    def __init__(self, status: int, code: str, message: str, field: str = "") -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field


def of_batch(outcomes: Outcomes) -> web.Response:
    """200, with the outcome of every item in the order they were sent."""
    results = [_result(outcome) for outcome in outcomes]
    rejected = sum(isinstance(outcome, Rejected) for outcome in outcomes)
    return _json(200, {"success": True, "accepted": len(results) - rejected, "rejected": rejected,
                       "results": results})


def of_one(outcome: Admitted | Rejected) -> web.Response:
    """200, or 400 (413 where it is too large) with what is wrong."""
    if isinstance(outcome, Admitted):
        return _json(200, {"success": True, **_result(outcome)})
    status = 413 if outcome.reason == "item_too_large" else 400
    return of_error(RequestError(status, outcome.reason, outcome.detail, field_of(outcome)))


def of_error(error: RequestError) -> web.Response:
    """The error as JSON; with Retry-After where the client may try again."""
    content = {"code": error.code, "message": error.message}
    if error.field:
        content["field"] = error.field
    response = _json(error.status, content)
    if error.status in (429, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _result(outcome: Admitted | Rejected) -> dict[str, str]:
    if isinstance(outcome, Admitted):
        return {"status": "accepted", "messageId": outcome.event["message_id"]}
    return {"status": "rejected", "reason": outcome.reason, "field": field_of(outcome),
            "detail": outcome.detail}


def _json(status: int, content: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(content),
                        content_type="application/json")
