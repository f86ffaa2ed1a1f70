"""What the browser SDKs load before they send: with it they need no server but this one.

Decides the least that Segment's analytics.js and RudderStack's SDK work with (docs/collector.md).
Both name the installation by the address the browser used, unless `http_public_url` says another.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from footfall.collector.answers import RequestError
from footfall.collector.auth import Source

_HOST = re.compile(r"[A-Za-z0-9._\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def of_segment(write_key: str, url: str) -> dict[str, Any]:
    """The answer of Segment's CDN for a write key."""
    scheme, _, host = url.partition("://")
    return {
        "integrations": {"Segment.io": {"apiKey": write_key, "apiHost": f"{host}/v1",
                                        "protocol": scheme}},
        # Its own telemetry, of which nothing would be kept.
        "metrics": {"sampleRate": 0},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
    }


def of_rudder(source: Source) -> dict[str, Any]:
    """The answer of RudderStack's control plane for a source."""
    return {"source": {"id": source.name, "name": source.name, "config": {}, "destinations": [],
                       "enabled": True}}


def url_of(request: web.Request, public_url: str, proxies: int) -> str:
    """Where the client reaches this collector; raises 400 for a Host header that is none."""
    if public_url:
        return public_url.rstrip("/")
    host = request.headers.get("Host", "")
    if _HOST.fullmatch(host) is None:
        raise RequestError(400, "host_unreadable", "the Host header names no host")
    said = request.headers.get("X-Forwarded-Proto", "") if proxies else ""
    return f"{'https' if said.strip().lower() == 'https' else request.scheme}://{host}"
