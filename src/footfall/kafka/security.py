"""Who Footfall is to a Kafka cluster and how it knows the brokers: TLS and SASL.

Decides which settings go together and that host names are always checked: there is no way to switch
that off. A `Cluster` is the addresses with all of it, so that what was written for addresses alone
reaches a protected cluster too; clients are made of it by `confluent` and `aio` and by nothing else
(tests/kafka/test_clients.py). Must never show a secret: not in `repr`, nor in an error.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from footfall.errors import SettingsError

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
OAUTHBEARER: Final = "OAUTHBEARER"
#: Where a token may be fetched without TLS.
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_SASL_ONLY: Final = (
    "sasl_mechanism", "sasl_username", "sasl_password", "sasl_oauth_token_url",
    "sasl_oauth_client_id", "sasl_oauth_client_secret", "sasl_oauth_scope",
    "sasl_oauth_extensions")
_PASSWORD_ONLY: Final = ("sasl_username", "sasl_password")
_OAUTH_NEEDED: Final = ("sasl_oauth_token_url", "sasl_oauth_client_id", "sasl_oauth_client_secret")
_OAUTH_ONLY: Final = (*_OAUTH_NEEDED, "sasl_oauth_scope", "sasl_oauth_extensions")
_SSL_ONLY: Final = ("ssl_ca_file", "ssl_certificate_file", "ssl_key_file", "ssl_key_password")


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """How one cluster is reached. `prefix`: of these names where the user wrote them."""

    security_protocol: Protocol = "PLAINTEXT"
    sasl_mechanism: Mechanism = ""
    sasl_username: str = ""
    sasl_password: str = ""
    sasl_oauth_token_url: str = ""
    sasl_oauth_client_id: str = ""
    sasl_oauth_client_secret: str = ""
    sasl_oauth_scope: str = ""
    #: `name=value,name=value`.
    sasl_oauth_extensions: str = ""
    #: PEM; "": the authorities that the system trusts.
    ssl_ca_file: str = ""
    ssl_certificate_file: str = ""
    ssl_key_file: str = ""
    ssl_key_password: str = ""
    prefix: str = ""

    def __post_init__(self) -> None:
        for name, why in _misfits(self):
            raise SettingsError(f"{self.prefix}{name}{_shown(self, name)}: {why}")

    def __repr__(self) -> str:
        return f"Security({self.security_protocol}{self.sasl_mechanism and ' '}" \
               f"{self.sasl_mechanism})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("security_protocol", self.security_protocol),
                ("sasl_mechanism", self.sasl_mechanism)]

    @property
    def has_tls(self) -> bool:
        """Whether what is sent is encrypted, and the broker known by its certificate."""
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def has_sasl(self) -> bool:
        """Whether we say who we are by SASL."""
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    @property
    def extensions(self) -> dict[str, str]:
        """What is told to the broker beside a token."""
        pairs = (part.partition("=") for part in self.sasl_oauth_extensions.split(",") if part)
        return {name.strip(): value.strip() for name, _, value in pairs}


SECRETS: Final = ("sasl_password", "sasl_oauth_client_secret", "ssl_key_password")
FIELDS: Final = tuple(name for name in Security.__struct_fields__ if name != "prefix")


class Cluster(str):
    """Addresses of brokers (`host:port,host:port`) with the way to reach them."""

    __slots__ = ("security",)
    security: Security

    def __new__(cls, addresses: str, security: Security) -> Cluster:
        """Text is made whole before `__init__` could add to it."""
        made = super().__new__(cls, addresses)
        made.security = security
        return made


def security_of(bootstrap: str) -> Security:
    """Of addresses; those that are nothing but text are reached without TLS and SASL."""
    return bootstrap.security if isinstance(bootstrap, Cluster) else Security()


def tls_of(security: Security) -> ssl.SSLContext | None:
    """How brokers are known; None without TLS. Raises `SettingsError` for files that do not do."""
    if not security.has_tls:
        return None
    context = ssl.create_default_context()
    if security.ssl_ca_file:
        # In place of the system's: whoever names an authority means that one.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(security.ssl_ca_file)
        except (OSError, ValueError) as error:
            raise _unusable(security, "ssl_ca_file", error,
                            "the certificates of its authorities, in PEM") from None
    if security.ssl_certificate_file:
        # Asked for where there is none, Python would wait for someone to type it.
        password = security.ssl_key_password
        try:
            context.load_cert_chain(security.ssl_certificate_file, security.ssl_key_file,
                                    lambda: password)
        except (OSError, ValueError) as error:
            raise _unusable(security, "ssl_certificate_file", error,
                            "our certificate in PEM, to which the unlocked key of "
                            f"{security.prefix}ssl_key_file belongs") from None
    return context


def _unusable(security: Security, name: str, error: Exception, wanted: str) -> SettingsError:
    said = getattr(error, "strerror", None) or type(error).__name__
    return SettingsError(f"{security.prefix}{name} = {getattr(security, name)!r} cannot be used "
                         f"({said}); it must be a file with {wanted}")


def _misfits(one: Security) -> Iterator[tuple[str, str]]:
    """Field, and why it does not go with the others; the first is told."""
    prefix, protocol = one.prefix, f"{one.prefix}security_protocol"
    if not one.has_sasl:
        yield from ((name, f"goes with {protocol} SASL_SSL or SASL_PLAINTEXT, which is "
                           f"{one.security_protocol}; set that, or take this away")
                    for name in _SASL_ONLY if getattr(one, name))
    elif not one.sasl_mechanism:
        yield "sasl_mechanism", (f"is not set, and {protocol} is {one.security_protocol}; set it "
                                 "to PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")
    if not one.has_tls:
        yield from ((name, f"goes with {protocol} SSL or SASL_SSL, which is "
                           f"{one.security_protocol}; set that, or take this away")
                    for name in _SSL_ONLY if getattr(one, name))
    needed, foreign = ((_OAUTH_NEEDED, _PASSWORD_ONLY) if one.sasl_mechanism == OAUTHBEARER
                       else (_PASSWORD_ONLY, _OAUTH_ONLY))
    for name in needed if one.has_sasl else ():
        if not getattr(one, name):
            yield name, (f"is not set, and {prefix}sasl_mechanism {one.sasl_mechanism} needs it; "
                         "set it to what the cluster's administrator gave you")
    for name in foreign:
        if getattr(one, name):
            yield name, (f"does not go with {prefix}sasl_mechanism {one.sasl_mechanism}; take it "
                         "away")
    yield from _token_misfits(one)
    if bool(one.ssl_certificate_file) != bool(one.ssl_key_file):
        missing = "ssl_key_file" if one.ssl_certificate_file else "ssl_certificate_file"
        yield missing, "is not set; certificate and key go together: set both or neither"
    if one.ssl_key_password and not one.ssl_key_file:
        yield "ssl_key_password", f"goes with {prefix}ssl_key_file; set that, or take this away"


def _token_misfits(one: Security) -> Iterator[tuple[str, str]]:
    url = urlsplit(one.sasl_oauth_token_url)
    if one.sasl_oauth_token_url and not (url.hostname and (
            url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK))):
        yield "sasl_oauth_token_url", ("is no URL of a token endpoint; it must begin with "
                                       "https:// (http:// on this machine only)")
    pairs = filter(None, one.sasl_oauth_extensions.split(","))
    if not all(name.strip() and value.strip() for name, _, value in
               (pair.partition("=") for pair in pairs)):
        yield "sasl_oauth_extensions", "must be NAME=VALUE, several with commas between"


def _shown(one: Security, name: str) -> str:
    """The value, where it may be shown and there is one."""
    value = getattr(one, name)
    if not value or name in SECRETS:
        return ""
    if name == "sasl_oauth_token_url":
        value = urlsplit(value)._replace(query="", fragment="").geturl().rpartition("@")[2]
    return f" = {value!r}"
