"""`/footfall.js`, the browser script, from memory.

Decides how it is cached: for five minutes, then asked for again by its ETag, so that an upgraded
collector reaches every page soon. Any page may load it. It is built from `footfall/browser` and
committed, so nobody who installs Footfall needs Node; a test builds it anew and compares.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

from aiohttp import ETag, hdrs, web

PATH = Path(__file__).parents[1] / "browser/footfall.js"
FRESH_S = 300


class Script:
    """The script as it is served."""

    def __init__(self) -> None:
        self._plain = PATH.read_bytes()
        self._packed = gzip.compress(self._plain, 9, mtime=0)
        # Weak: the same for both encodings.
        self._etag = ETag(hashlib.sha256(self._plain).hexdigest()[:16], is_weak=True)

    async def answer(self, request: web.Request) -> web.Response:
        """The script, or 304 where the browser has it."""
        if any(tag.value in (self._etag.value, "*") for tag in request.if_none_match or ()):
            response = web.Response(status=304)
        elif "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            response = web.Response(body=self._packed, headers={hdrs.CONTENT_ENCODING: "gzip"})
        else:
            response = web.Response(body=self._plain)
        response.content_type, response.charset = "text/javascript", "utf-8"
        response.etag = self._etag
        response.headers.update({
            hdrs.CACHE_CONTROL: f"public, max-age={FRESH_S}, must-revalidate",
            hdrs.VARY: hdrs.ACCEPT_ENCODING,
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        })
        return response
