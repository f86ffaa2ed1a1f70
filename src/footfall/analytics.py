"""Module-level calls, as `segment.analytics` has them: set `write_key` and `host`, then call.

    from footfall import analytics

    analytics.write_key = "..."
    analytics.track("user-1", "Product Added", {"product_id": "p1"})

The client is made by the first call from what the settings are then; a later change changes
nothing. An app with more than one source makes a `footfall.Client` for each.
"""

from __future__ import annotations

import threading
from typing import Any

from footfall.sdk.client import FLUSH_S_MAX, Client
from footfall.sdk.config import Options
from footfall.sdk.drops import OnError
from footfall.sdk.message import Call

write_key: str | None = None
host: str | None = None
on_error: OnError | None = None
debug = False
send = True
sync_mode = False
max_queue_size = 10_000
gzip = True
timeout: float = 15.0
max_retries = 10
#: Any other option of `footfall.Client`.
options: Options = {}

default_client: Client | None = None


def track(*args: Any, **kwargs: Any) -> Call:
    """What a customer did."""
    return _client().track(*args, **kwargs)


def identify(*args: Any, **kwargs: Any) -> Call:
    """Who a customer is, and what is known of them."""
    return _client().identify(*args, **kwargs)


def group(*args: Any, **kwargs: Any) -> Call:
    """A company or household that a customer belongs to."""
    return _client().group(*args, **kwargs)


def alias(*args: Any, **kwargs: Any) -> Call:
    """Another id of the same customer."""
    return _client().alias(*args, **kwargs)


def page(*args: Any, **kwargs: Any) -> Call:
    """A page that a customer saw."""
    return _client().page(*args, **kwargs)


def screen(*args: Any, **kwargs: Any) -> Call:
    """A screen of an app that a customer saw."""
    return _client().screen(*args, **kwargs)


def consent(*args: Any, **kwargs: Any) -> Call:
    """What a customer allows, purpose by purpose."""
    return _client().consent(*args, **kwargs)


def flush(timeout_s: float = FLUSH_S_MAX) -> bool:
    """Send at once; whether everything called before has found its end in that time."""
    return _client().flush(timeout_s)


def join() -> None:
    """Send what waits and end."""
    _client().join()


def shutdown() -> None:
    """Send what waits and end."""
    _client().shutdown()


def _client() -> Client:
    global default_client
    with _lock:
        if default_client is None:
            given: Options = {
                "on_error": on_error, "debug": debug, "send": send, "sync_mode": sync_mode,
                "max_queue_size": max_queue_size, "gzip": gzip, "timeout": timeout,
                "max_retries": max_retries,
            }
            given.update(options)
            default_client = Client(write_key, host, **given)
        return default_client


_lock = threading.Lock()
