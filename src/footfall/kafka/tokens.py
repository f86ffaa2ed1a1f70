"""Tokens for SASL OAUTHBEARER, by OAuth 2.0 client credentials (RFC 6749, 4.4).

Decides when a token is fetched anew: when a fifth of its life is left. All clients of a process
share one, or every command would ask the endpoint a dozen times. Must never show the secret or the
token, nor follow a redirect with them.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import msgspec

from footfall.errors import BrokerError
from footfall.kafka.security import Security

ANSWER_S_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 1 << 20
#: Where the endpoint does not say it (RFC 6749 leaves it open).
LIFE_S_DEFAULT: Final = 300.0
#: Of its life, after which there is a new one.
USED_PART: Final = 0.8


class Token(NamedTuple):
    """`expires_at_s`: as `time.time`."""

    text: str
    expires_at_s: float
    renew_at_s: float


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float = LIFE_S_DEFAULT


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Never: the endpoint is where the setting says."""


_lock = threading.Lock()
_held: dict[Security, Token] = {}


def token_of(security: Security) -> Token:
    """One that is valid; raises `BrokerError` where none can be had."""
    with _lock:
        held = _held.get(security)
        if held is None or held.renew_at_s <= time.time():
            held = _held[security] = _fetch(security)
        return held


def _fetch(security: Security) -> Token:
    login = ":".join(map(quote_plus, (security.sasl_oauth_client_id,
                                      security.sasl_oauth_client_secret)))
    form = {"grant_type": "client_credentials"}
    if security.sasl_oauth_scope:
        form["scope"] = security.sasl_oauth_scope
    request = urllib.request.Request(  # noqa: S310 - https, or this machine: security.py
        security.sasl_oauth_token_url, urlencode(form).encode(),
        {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}",
         "Accept": "application/json"})
    now_s = time.time()
    try:
        with _opener().open(request, timeout=ANSWER_S_MAX) as answer:
            said = msgspec.json.decode(answer.read(ANSWER_BYTES_MAX), type=_Answer)
    except urllib.error.HTTPError as error:
        raise _none(security, f"it answered {error.code}", "client id, secret and scope") from None
    except (OSError, http.client.HTTPException) as error:
        raise _none(security, str(getattr(error, "reason", error)), "the address") from None
    except msgspec.MsgspecError:
        raise _none(security, "its answer holds no access_token", "the address") from None
    life_s = max(1.0, said.expires_in)
    return Token(said.access_token, now_s + life_s, now_s + USED_PART * life_s)


def _opener() -> urllib.request.OpenerDirector:
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    return urllib.request.build_opener(tls, _NoRedirect())


def _none(security: Security, why: str, check: str) -> BrokerError:
    return BrokerError(f"{security.prefix}sasl_oauth_token_url gave no token ({why}); check "
                       f"{check}")
