"""`GET /console`: a page that shows the stream of triggers live, from memory.

Decides what the page may do (its Content-Security-Policy): run its own script and no other, ask
this collector and nobody else, be framed by nobody, and make HTML of no text (trusted types). The
page itself holds nothing: whoever opens it types an API key, which stays in the memory of the tab.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from aiohttp import hdrs, web

PATH = Path(__file__).with_name("console.html")
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class Console:
    """The page as it is served."""

    def __init__(self) -> None:
        text = PATH.read_text("utf-8")
        hashes = {kind: base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
                  for kind, inline in _INLINE.findall(text)}
        self._body = text.encode()
        self._headers = {
            hdrs.CONTENT_TYPE: "text/html; charset=utf-8",
            hdrs.CACHE_CONTROL: "no-store",
            "Content-Security-Policy": "; ".join((
                "default-src 'none'", f"script-src 'sha256-{hashes['script']}'",
                f"style-src 'sha256-{hashes['style']}'", "connect-src 'self'", "base-uri 'none'",
                "form-action 'none'", "frame-ancestors 'none'",
                "require-trusted-types-for 'script'", "trusted-types 'none'")),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def answer(self, _request: web.Request) -> web.Response:
        """The page."""
        return web.Response(body=self._body, headers=self._headers)
