"""Receivers of webhooks that answer byte for byte what a test says, and a TLS authority."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Request(NamedTuple):
    """What a receiver got. `connection`: which of its connections, from 0."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


Script = Callable[[asyncio.StreamWriter, Request], Awaitable[None]]


@dataclass
class Peer:
    """A receiver that runs."""

    host: str
    port: int
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/hook"


def saying(answer: bytes) -> Script:
    """Answers every request with these bytes, and keeps the connection."""

    async def script(writer: asyncio.StreamWriter, _request: Request) -> None:
        writer.write(answer)
        await writer.drain()

    return script


def answering(status: str, *headers: str, body: bytes = b"") -> Script:
    """Answers every request so, in good form."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return saying("\r\n".join(lines).encode() + body)


def endless(head: bytes, piece: bytes, pause_s: float = 0) -> Script:
    """Answers with a head, and then the same piece until the other side has had enough."""

    async def script(writer: asyncio.StreamWriter, _request: Request) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return script


@asynccontextmanager
async def peer(script: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None,
               port: int = 0) -> AsyncIterator[Peer]:
    """A receiver on a port of its own."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        number, made.connections = made.connections, made.connections + 1
        try:
            while True:
                request = await _request(reader, number)
                made.requests.append(request)
                await script(writer, request)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    made = Peer(host, server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _request(reader: asyncio.StreamReader, number: int) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (r.partition(":") for r in rest)}
    return Request(line, headers, await reader.readexactly(int(headers["content-length"])), number)


class Authority(NamedTuple):
    """A certificate authority: what a server shows for a name, and what a client trusts."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def authority(folder: Path, name: str, valid_days: float = 1) -> Authority:
    """One for a name or an address; trusted by nobody but its own client."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Footfall tests")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=valid_days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256()))
    shown = folder / f"{name}.pem"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(shown)
    return Authority(server, ssl.create_default_context(cafile=str(shown)))
