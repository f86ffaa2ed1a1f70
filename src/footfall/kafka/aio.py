"""What a client of aiokafka is made with: where brokers are, and how they are reached."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.abc import AbstractTokenProvider

from footfall.kafka.security import OAUTHBEARER, Security, security_of, tls_of
from footfall.kafka.tokens import token_of


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens of one identity."""

    def __init__(self, security: Security) -> None:
        self._security = security

    async def token(self) -> str:
        """One that is valid; it is fetched beside the event loop."""
        return (await asyncio.to_thread(token_of, self._security)).text

    def extensions(self) -> dict[str, str]:
        """What goes with it."""
        return self._security.extensions


def aio(bootstrap: str) -> dict[str, Any]:
    """The arguments of a client that say which cluster; raises `SettingsError`."""
    return {"bootstrap_servers": str(bootstrap).split(","), **secured(security_of(bootstrap))}


def secured(security: Security) -> dict[str, Any]:
    """Those that say how it is reached; one connection takes them too."""
    made: dict[str, Any] = {"security_protocol": security.security_protocol,
                            "ssl_context": tls_of(security)}
    if security.has_sasl:
        made["sasl_mechanism"] = security.sasl_mechanism
    if security.sasl_mechanism == OAUTHBEARER:
        made["sasl_oauth_token_provider"] = Tokens(security)
    elif security.has_sasl:
        made["sasl_plain_username"] = security.sasl_username
        made["sasl_plain_password"] = security.sasl_password
    return made
