"""What a client of confluent-kafka is made with: where brokers are, and how they are reached."""

from __future__ import annotations

from typing import Any

from footfall.kafka.security import OAUTHBEARER, security_of, tls_of
from footfall.kafka.tokens import token_of


def confluent(bootstrap: str) -> dict[str, Any]:
    """The part of a client's configuration that says which cluster; raises `SettingsError`."""
    security = security_of(bootstrap)
    made: dict[str, Any] = {"bootstrap.servers": str(bootstrap)}
    if security.security_protocol == "PLAINTEXT":
        return made
    # The files are looked at here: librdkafka names none of them when one does not do.
    tls_of(security)
    made["security.protocol"] = security.security_protocol
    if security.has_tls:
        made["ssl.endpoint.identification.algorithm"] = "https"
        made |= {key: value for key, value in {
            "ssl.ca.location": security.ssl_ca_file,
            "ssl.certificate.location": security.ssl_certificate_file,
            "ssl.key.location": security.ssl_key_file,
            "ssl.key.password": security.ssl_key_password,
        }.items() if value}
    if security.has_sasl:
        made["sasl.mechanism"] = security.sasl_mechanism
    if security.sasl_mechanism == OAUTHBEARER:

        def token(_config: str) -> tuple[str, float, str, dict[str, str]]:
            found = token_of(security)
            return found.text, found.expires_at_s, "", security.extensions

        made["oauth_cb"] = token
    elif security.has_sasl:
        made["sasl.username"] = security.sasl_username
        made["sasl.password"] = security.sasl_password
    return made
