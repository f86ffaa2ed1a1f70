"""Every route of the collector, once: the application, the OpenAPI document and the docs follow it.

Each is also served with a slash at its end. There is no redirect: SDKs take 3xx for delivered.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from footfall.events.admit import CALLS

BATCH = "batch"
WEBHOOK = "webhook"
Kind = Literal["call", "pixel", "ignored", "segment_settings", "source_config", "script",
               "customer", "why", "why_not", "stream", "ticket", "history", "console",
               "unsubscribe_page", "unsubscribe", "healthz", "readyz", "metrics", "openapi"]


class Route(NamedTuple):
    """A path, and what is done there."""

    method: str
    path: str
    kind: Kind
    #: Which call the one item is; `batch` for many, `webhook` for what another system forwards;
    #: "" where it is no call.
    call: str = ""

    @property
    def is_ingest(self) -> bool:
        """Whether browsers on other pages may use it: it has a preflight and CORS headers."""
        return self.kind not in ("script", "customer", "why", "why_not", "stream", "ticket",
                                 "history", "console", "unsubscribe_page", "unsubscribe",
                                 "healthz", "readyz", "metrics", "openapi")


#: Path -> call. Beside the documented seven the paths that Segment's Java and browser SDKs and the
#: beacons of RudderStack's use, and one for the webhook destinations of both.
ROUTES = {
    **{f"/v1/{call}": call for call in (*sorted(CALLS), BATCH)},
    **{f"/v1/{call[0]}": call for call in (*sorted(CALLS - {"alias"}), "alias", BATCH)},
    "/v1/import": BATCH,
    "/beacon/v1/batch": BATCH,
    "/v1/webhook": WEBHOOK,
}
#: The same for images.
PIXELS = {
    **{f"/v1/pixel/{call}": call for call in sorted(CALLS)},
    **{f"/pixel/v1/{call}": call for call in ("page", "track")},
}
ALL = (
    *(Route("POST", path, "call", call) for path, call in ROUTES.items()),
    *(Route("GET", path, "pixel", call) for path, call in PIXELS.items()),
    Route("POST", "/v1/m", "ignored"),
    Route("GET", "/v1/projects/{writeKey}/settings", "segment_settings"),
    Route("GET", "/sourceConfig", "source_config"),
    Route("GET", "/footfall.js", "script"),
    Route("GET", "/v1/customers/{identifier}", "customer"),
    Route("GET", "/v1/customers/{identifier}/why-not/{rule}", "why_not"),
    Route("GET", "/v1/triggers/{trigger_id}/why", "why"),
    Route("GET", "/v1/unsubscribe/{token}", "unsubscribe_page"),
    Route("POST", "/v1/unsubscribe/{token}", "unsubscribe"),
    Route("GET", "/v1/triggers/stream", "stream"),
    Route("POST", "/v1/triggers/stream/ticket", "ticket"),
    Route("GET", "/v1/triggers", "history"),
    Route("GET", "/console", "console"),
    Route("GET", "/healthz", "healthz"),
    Route("GET", "/readyz", "readyz"),
    Route("GET", "/metrics", "metrics"),
    Route("GET", "/openapi.json", "openapi"),
)
#: Reading is not for pages: no CORS here.
CUSTOMERS_PREFIX = "/v1/customers/"
TRIGGERS_PREFIX = "/v1/triggers/"
UNSUBSCRIBE_PREFIX = "/v1/unsubscribe/"
#: Where answers, errors too, carry CORS headers.
INGEST_PREFIXES = ("/v1/", "/beacon/", "/pixel/", "/sourceConfig")
