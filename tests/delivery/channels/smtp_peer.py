"""A real SMTP server (aiosmtpd) in this process, that answers as a test wants."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

OK = "250 OK"
#: Instead of an answer: the connection ends.
DROP = "drop"
USER, PASSWORD = "footfall", "canary-password"


class Peer:
    """What it was asked and what it answers; `taken` are the mails that it has."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        #: Answers by command, taken from the front; then OK.
        self.answers: dict[str, list[str]] = {}
        self.delay_s = 0.0
        self.port = 0
        self.connections: list[asyncio.BaseTransport] = []
        self.logins: list[LoginPassword] = []
        self.rsets = 0
        self.at_once = self.at_once_most = 0
        #: Nothing is answered to a mail before it is set.
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle_MAIL(self, server: SMTP, _session: Any, envelope: Envelope, address: str,
                          _options: Any) -> str:
        answer = await self._answer(server, "MAIL")
        if answer == OK:
            envelope.mail_from = address
        return answer

    async def handle_RCPT(self, server: SMTP, _session: Any, envelope: Envelope, address: str,
                          _options: Any) -> str:
        answer = await self._answer(server, "RCPT")
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Envelope) -> str:
        """The mail is there: with `DROP` it is taken, and nobody is told."""
        self.at_once += 1
        self.at_once_most = max(self.at_once, self.at_once_most)
        try:
            await self.gate.wait()
            answer = await self._answer(server, "DATA")
        finally:
            self.at_once -= 1
        if answer in (OK, DROP):
            self.taken.append(envelope)
        return answer

    async def handle_RSET(self, _server: SMTP, _session: Any, _envelope: Envelope) -> str:
        self.rsets += 1
        return OK

    async def _answer(self, server: SMTP, command: str) -> str:
        await asyncio.sleep(self.delay_s)
        waiting = self.answers.get(command, [])
        answer = waiting.pop(0) if waiting else OK
        if answer == DROP:
            server.transport.abort()
        return answer

    def authenticate(self, _server: SMTP, _session: Any, _envelope: Envelope, _mechanism: str,
                     data: LoginPassword) -> AuthResult:
        self.logins.append(data)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


class _Counted(SMTP):
    """Tells its peer of each connection."""

    def __init__(self, peer: Peer, **options: Any) -> None:
        self._peer = peer
        super().__init__(peer, enable_SMTPUTF8=False, hostname="peer", **options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._peer.connections.append(transport)


@asynccontextmanager
async def peer_running(peer: Peer | None = None, *, tls: str = "none", cert: Path | None = None,
                       is_closed: bool = False) -> AsyncIterator[Peer]:
    """A peer on a port of loopback; `cert` has key and certificate; `is_closed`: it wants a login.
    """
    peer, options = peer or Peer(), {}
    context = None
    if cert is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert)
    if tls == "starttls":
        options = {"tls_context": context, "require_starttls": True}
    if is_closed:
        options |= {"authenticator": peer.authenticate, "auth_required": True,
                    "auth_require_tls": tls == "starttls"}
    made: Callable[[], SMTP] = lambda: _Counted(peer, **options)  # noqa: E731
    server = await asyncio.get_running_loop().create_server(
        made, "127.0.0.1", 0, ssl=context if tls == "tls" else None)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for transport in peer.connections:
            transport.abort()  # type: ignore[attr-defined]
        await server.wait_closed()


def certificate(folder: Path, name: str = "localhost") -> Path:
    """A file with a key and its own certificate, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (x509.CertificateBuilder().subject_name(whose).issuer_name(whose)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256()))
    file = folder / f"{name}.pem"
    file.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()) + made.public_bytes(serialization.Encoding.PEM))
    return file
