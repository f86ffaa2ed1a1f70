"""How Faust's own clients reach a protected cluster: the same settings, in Faust's words."""

from __future__ import annotations

from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from footfall.kafka.aio import Tokens
from footfall.kafka.security import OAUTHBEARER, security_of, tls_of


def credentials_of(bootstrap: str) -> CredentialsT | None:
    """What the app's `broker_credentials` are; None for brokers without TLS and SASL."""
    security = security_of(bootstrap)
    tls = tls_of(security)
    if security.sasl_mechanism == OAUTHBEARER:
        return OAuthCredentials(oauth_cb=Tokens(security), ssl_context=tls)
    if security.has_sasl:
        return SASLCredentials(username=security.sasl_username, password=security.sasl_password,
                               mechanism=security.sasl_mechanism, ssl_context=tls)
    return None if tls is None else SSLCredentials(tls)
