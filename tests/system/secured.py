"""A cluster that asks everybody who they are: TLS, SASL and an authorizer, on a real Apache Kafka.

Its plain listener is the administrator's, as a test's own; `bootstrap` is the protected one. What
the authorizer decided stands in the node's log, and `decisions` reads it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from footfall.rights import Right
from footfall.up.ports import free_port
from tests.services import KafkaNode
from tests.system.topics import until

PASSWORD = "a password for tests"
#: What the controller has written, the broker reads within moments.
KNOWN_S_MAX = 60.0
LOGGING = """
logger.authorizer.name = kafka.authorizer.logger
logger.authorizer.level = debug
"""
_DECISION = re.compile(
    r"Principal = User:(\S+) is (Allowed|Denied) operation = (\w+) from host = \S+ on resource = "
    r"(\w+):LITERAL:(\S+) for request")


class Authority:
    """Makes certificates for 127.0.0.1 and localhost. `folder`: where their files go."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority for tests")])
        self.file = folder / "ca.pem"
        self._write(self.file, self._signed(self._name, self._key, 3650, True, ()))

    def issue(self, name: str, days: float = 365, hosts: Iterable[str] = ("localhost", "127.0.0.1")
              ) -> Path:
        """A PEM file with key and certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        file = self._folder / f"{name}.pem"
        self._write(file, self._signed(subject, key, days, False, hosts), key)
        return file

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float,
                is_authority: bool, hosts: Iterable[str]) -> x509.Certificate:
        until = datetime.now(UTC) + timedelta(days=days)
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(until - timedelta(days=4000)).not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                self._key.public_key()), False))
        if is_authority:
            builder = builder.add_extension(x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, key_encipherment=False,
                content_commitment=False, data_encipherment=False, key_agreement=False,
                encipher_only=False, decipher_only=False), critical=True)
        names: list[x509.GeneralName] = [_name_of(host) for host in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, file: Path, certificate: x509.Certificate,
               key: ec.EllipticCurvePrivateKey | None = None) -> None:
        text = certificate.public_bytes(serialization.Encoding.PEM)
        if key is not None:
            text = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()) + text
        file.write_bytes(text)


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@contextmanager
def tls_server(certificate: Path) -> Iterator[str]:
    """Answers a TLS handshake, and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            with suppress(OSError):
                while True:
                    plain, _address = server.accept()
                    with suppress(OSError), context.wrap_socket(plain, server_side=True):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"localhost:{server.getsockname()[1]}"
        # `accept` does not wake up by itself.
        server.shutdown(socket.SHUT_RDWR)


class Decision(NamedTuple):
    """What the authorizer said of one operation."""

    who: str
    is_allowed: bool
    operation: str
    kind: str
    name: str


class Secured:
    """The cluster. `start`: `own_kafka`."""

    def __init__(self, start: Callable[..., KafkaNode], authority: Authority,
                 certificate: Path) -> None:
        plain, secure, mutual, controller = (free_port() for _ in range(4))
        self.authority = authority
        self.node = start({
            "listeners": f"PLAINTEXT://127.0.0.1:{plain},SECURE://127.0.0.1:{secure},"
                         f"MUTUAL://127.0.0.1:{mutual},"
                         f"CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},"
                                    f"SECURE://localhost:{secure},MUTUAL://localhost:{mutual}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map":
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            # Whoever comes by the plain listeners: this test and the node itself.
            "super.users": "User:ANONYMOUS",
            "listener.name.secure.ssl.keystore.type": "PEM",
            "listener.name.secure.ssl.keystore.location": str(certificate),
            "listener.name.mutual.ssl.keystore.type": "PEM",
            "listener.name.mutual.ssl.keystore.location": str(certificate),
            "listener.name.mutual.ssl.truststore.type": "PEM",
            "listener.name.mutual.ssl.truststore.location": str(authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.secure.scram-sha-512.sasl.jaas.config":
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.secure.oauthbearer.sasl.jaas.config":
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
                'unsecuredLoginStringClaim_sub="broker";',
        }, plain)
        self.bootstrap = f"localhost:{secure}"
        #: Where a certificate says who one is: `CN=...`.
        self.mutual = f"localhost:{mutual}"
        self.admin = AdminClient({"bootstrap.servers": self.node.bootstrap, "log_level": 0})
        self._read = 0

    def user(self, name: str) -> None:
        """Make a user of SCRAM."""
        secret = UserScramCredentialUpsertion(
            name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), PASSWORD.encode())
        self.admin.alter_user_scram_credentials([secret])[name].result(timeout=20)
        until(lambda: self._knows(name), KNOWN_S_MAX, "the broker knows it")

    def _knows(self, name: str) -> bool:
        try:
            self.admin.describe_user_scram_credentials([name])[name].result(timeout=20)
        except KafkaException:  # not yet
            return False
        return True

    def grant(self, name: str, rights: Iterable[Right]) -> None:
        """Allow these operations."""
        bindings = [_binding(name, right) for right in rights]
        for future in self.admin.create_acls(bindings).values():
            future.result(timeout=20)
        until(lambda: all(map(self._has, map(_filter, bindings))), KNOWN_S_MAX, "they are in force")

    def revoke(self, name: str, right: Right | None = None) -> None:
        """Take a right away, or all."""
        if right is None:
            wanted = AclBindingFilter(
                ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{name}", None,
                AclOperation.ANY, AclPermissionType.ANY)
        else:
            wanted = _filter(_binding(name, right))
        for future in self.admin.delete_acls([wanted]).values():
            future.result(timeout=20)
        until(lambda: not self._has(wanted), KNOWN_S_MAX, "it is in force no more")

    def _has(self, wanted: AclBindingFilter) -> bool:
        """Whether the broker knows such a right: the controller answers before the broker does."""
        return bool(self.admin.describe_acls(wanted).result(timeout=20))

    def settings(self, name: str, **more: Any) -> dict[str, Any]:
        """The settings of a program that is this user."""
        return {
            "kafka_bootstrap_servers": self.bootstrap, "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "SCRAM-SHA-512", "kafka_sasl_username": name,
            "kafka_sasl_password": PASSWORD, "kafka_ssl_ca_file": str(self.authority.file), **more}

    def decisions(self, *, are_kept: bool = False) -> set[Decision]:
        """What the authorizer decided since this was asked last; told again if they are kept."""
        text = self.node.log.read_text()
        found = {Decision(m[1], m[2] == "Allowed", m[3], m[4], m[5])
                 for m in _DECISION.finditer(text, self._read)}
        if not are_kept:
            self._read = len(text)
        return found


def _filter(one: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        one.restype, one.name, one.resource_pattern_type, one.principal, one.host, one.operation,
        one.permission_type)


def _binding(name: str, right: Right) -> AclBinding:
    return AclBinding(
        ResourceType[right.kind], right.name,
        ResourcePatternType.PREFIXED if right.is_prefix else ResourcePatternType.LITERAL,
        f"User:{name}", "*", AclOperation[right.operation], AclPermissionType.ALLOW)
