"""`up --webhook URL`: every trigger to one address, without writing a file of routes.

Decides what such a destination is: all triggers, no consent needed (it is the user's own program),
tried again soon, never disabled. It may be called where it is, for exactly its host and port. The
file is written anew at each start; its secret is made once for the data directory and stands in
none but `secrets.json`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from footfall.delivery import routes
from footfall.errors import ConfigError, SettingsError
from footfall.running import WEBHOOK_SECRET, write_private
from footfall.settings import Settings
from footfall.up.data_dir import DataDir

_PORTS = {"http": 80, "https": 443}
_FILE = """\
# Written by `footfall up --webhook` at each start. For more, begin a file of your own with a copy:
# docs/delivery.md.
destinations:
  webhook:
    channel: webhook
    purpose: necessary
    url: {url}
    secret_env: {secret}
    retry: {{delays_s: [1, 2, 5, 10, 30, 60, 300, 1800, 7200]}}
    breaker: {{open_s: 1, open_s_max: 10}}
    disable_after_s: 0
routes:
  - triggers: "*"
    to: webhook
"""


def with_webhook(settings: Settings, url: str, data_dir: DataDir) -> Settings:
    """The settings with the routes to it; the file is written."""
    if settings.routes:
        raise SettingsError(f"--webhook writes routes of its own, and FOOTFALL_ROUTES names "
                            f"{settings.routes}: add the webhook to that file, or leave one out")
    text = _FILE.format(url=msgspec.json.encode(url).decode(), secret=WEBHOOK_SECRET)
    try:
        routes.parse(text, "--webhook")
    except ConfigError:
        raise SettingsError("--webhook: expected http://HOST[:PORT]/PATH, without user, password "
                            "and #; such as http://localhost:3000/footfall") from None
    write_private(data_dir.webhook, text.encode())
    allow = ",".join(filter(None, (settings.delivery_allow, address_of(url))))
    return msgspec.structs.replace(settings, routes=str(data_dir.webhook), delivery_allow=allow,
                                   delivery_from="earliest")


def address_of(url: str) -> str:
    """Host and port of a URL that was checked, as `delivery_allow` has them."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or _PORTS[parts.scheme]}"
