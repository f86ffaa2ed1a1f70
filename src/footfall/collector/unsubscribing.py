"""Unsubscribing by a message's link: one click for mail programs (RFC 8058), a page for people.

Decides what the link answers. `GET` shows a page with a button and changes nothing, for programs
that only look open every link of a mail; `POST` records the withdrawal as any interaction is, and
answers when the log has it. The token is the key: who has it may leave, and nothing else. What a
tracking plan says is not asked, for no plan may keep a refusal out of the log.
The page works without JavaScript, loads nothing, and shows nothing of the customer.
"""

from __future__ import annotations

from html import escape

from aiohttp import web

from footfall.collector.answers import RequestError
from footfall.collector.ingest import Ingest
from footfall.events.customer_key import CustomerKeys
from footfall.events.unsubscribe import Ask, Links, interaction

#: What RFC 8058 has mail programs send; a form with its files taken away is not longer.
BODY_BYTES_MAX = 4_096
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; "
                               "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unsubscribe</title>
</head>
<body>
{}
</body>
</html>
"""
_ASK = """<h1>Unsubscribe</h1>
<p>No more messages by {} for the purpose “{}”?</p>
<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<button type="submit">Unsubscribe</button>
</form>"""
_DONE = """<h1>You are unsubscribed</h1>
<p>You get no more messages by {} for the purpose “{}”.</p>"""


class Unsubscribing:
    """Both ways of one link."""

    def __init__(self, keys: CustomerKeys, ingest: Ingest) -> None:
        self._links = Links(keys)
        self._keys = keys
        self._ingest = ingest

    async def page(self, request: web.Request) -> web.Response:
        """The page with the button."""
        ask, _token = self._read(request)
        return _html(_ASK, ask)

    async def take(self, request: web.Request) -> web.Response:
        """The click; of a mail program or of the button."""
        ask, token = self._read(request)
        await self._ingest.record(request, BODY_BYTES_MAX,
                                  lambda now: interaction(ask, token, self._keys, now))
        return _html(_DONE, ask)

    def _read(self, request: web.Request) -> tuple[Ask, str]:
        token = request.match_info["token"]
        ask = self._links.read(token)
        if ask is None:
            raise RequestError(400, "token_invalid", "no link of ours, or one that was cut off; "
                               "use the whole link as it stands in the message")
        return ask, token


def _html(body: str, ask: Ask) -> web.Response:
    content = _PAGE.replace("{}", body.format(escape(ask.medium), escape(ask.purpose)))
    return web.Response(text=content, content_type="text/html", headers=_HEADERS)
