"""The SMTP server of a destination: connections that are kept, one mail at a time on each.

Decides what an answer means. What the server says of this mail or this recipient for good is the
end of it (`refused`); what it says of us (greeting, TLS, login, sender) is wrong with the
destination, where somebody may mend it, so the mail waits. A connection that ends before the answer
to a mail has come is tried again: the server may have taken it, so at most one copy more comes, of
the same Message-ID. A kept connection that has ended meanwhile is opened anew without a word, as
nothing was asked of it. Certificates are always checked; a mail is never sent in clear where TLS
was asked for. Must never put an answer into a reason or a log: it may quote the address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import NamedTuple

from aiosmtplib import (
    SMTP,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from footfall.delivery.message import Outcome

#: Over one connection; providers close it after some hundred.
MAILS_MAX = 100
#: A kept connection is not used again after that; servers wait 5 minutes, some of them less.
IDLE_S_MAX = 30.0
#: For the goodbye.
QUIT_S_MAX = 2.0
_UNAVAILABLE = 421
_TOO_LARGE = 552
_SIZE = "size"


class Server(NamedTuple):
    """Where and as whom. `context`: None, no TLS; `is_upgraded`: by STARTTLS. `hello`: the name
    that is told.
    """

    host: str
    port: int
    context: ssl.SSLContext | None
    is_upgraded: bool
    user: str
    password: str
    hello: str


class _Kept(NamedTuple):
    client: SMTP
    mails: int
    since: float


class Mailer:
    """Connections to one server, at most `connections_max`, each answer within `timeout_s`."""

    def __init__(self, server: Server, connections_max: int, timeout_s: float) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(connections_max)
        self._kept: list[_Kept] = []

    async def send(self, sender: str, to: str, data: bytes) -> Outcome:
        """One mail to one recipient, within the time; never raises for what the world does."""
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                return await self._sent(sender, to, data)
        except (SMTPException, OSError) as error:
            return outcome_of(error)

    async def close(self) -> None:
        """Say goodbye to the server."""
        kept, self._kept = self._kept, []
        for one in kept:
            with contextlib.suppress(SMTPException, OSError):
                await one.client.quit(timeout=QUIT_S_MAX)
            one.client.close()

    async def _sent(self, sender: str, to: str, data: bytes) -> Outcome:
        kept = self._taken()
        client = kept.client if kept is not None else await self._opened()
        mails = kept.mails if kept is not None else 0
        try:
            try:
                await _begun(client, sender, len(data))
            except (SMTPServerDisconnected, SMTPSenderRefused) as error:
                code = getattr(error, "code", _UNAVAILABLE)
                if kept is None or code != _UNAVAILABLE:
                    raise
                client.close()
                client, mails = await self._opened(), 0
                await _begun(client, sender, len(data))
            try:
                await client.rcpt(to)
                answer = await client.data(data)
            except (SMTPRecipientRefused, SMTPDataError) as error:
                await self._kept_after(client, mails + 1)
                return outcome_of(error)
        except BaseException:
            client.close()
            raise
        self._keep(client, mails + 1)
        return Outcome("sent", "", answer.code)

    async def _opened(self) -> SMTP:
        server = self._server
        client = SMTP(
            hostname=server.host, port=server.port, timeout=self._timeout_s,
            username=server.user or None, password=server.password if server.user else None,
            local_hostname=server.hello, tls_context=server.context,
            use_tls=server.context is not None and not server.is_upgraded,
            start_tls=server.context is not None and server.is_upgraded)
        await client.connect()
        return client

    def _taken(self) -> _Kept | None:
        """The connection that was used last; those that are too old are closed."""
        now = asyncio.get_running_loop().time()
        fresh = []
        for one in self._kept:
            if one.client.is_connected and now - one.since <= IDLE_S_MAX:
                fresh.append(one)
            else:
                one.client.close()
        self._kept = fresh
        return fresh.pop() if fresh else None

    async def _kept_after(self, client: SMTP, mails: int) -> None:
        """What the server refused is over; whether it goes on is no question of that mail."""
        try:
            await client.rset()
        except (SMTPException, OSError):
            client.close()
        else:
            self._keep(client, mails)

    def _keep(self, client: SMTP, mails: int) -> None:
        if client.is_connected and mails < MAILS_MAX:
            self._kept.append(_Kept(client, mails, asyncio.get_running_loop().time()))
        else:
            client.close()


async def _begun(client: SMTP, sender: str, size_bytes: int) -> None:
    # With the size a server refuses what is too large before it has it.
    known = client.supports_extension(_SIZE)
    await client.mail(sender, options=[f"SIZE={size_bytes}"] if known else [])


def outcome_of(error: Exception) -> Outcome:
    """What a failure means for this mail."""
    if isinstance(error, SMTPResponseException):
        return _answered(error)
    for cause in (error, error.__cause__):
        if isinstance(cause, ssl.SSLError):
            return Outcome("retry", "tls")
        if isinstance(cause, socket.gaierror):
            return Outcome("retry", "dns")
    if isinstance(error, TimeoutError):
        return Outcome("retry", "timeout")
    if isinstance(error, SMTPConnectError | OSError):
        return Outcome("retry", "connection")
    # What is left the library says of the server's abilities: no STARTTLS, no way to log in.
    is_tls = str(error).startswith("SMTP STARTTLS")
    return Outcome("retry", "tls" if is_tls else "answer_invalid")


def _answered(error: SMTPResponseException) -> Outcome:
    code = error.code
    if 400 <= code < 500:
        return Outcome("retry", "smtp_temporary", code)
    if not 500 <= code < 600:
        return Outcome("retry", "answer_invalid", max(code, 0))
    if isinstance(error, SMTPRecipientRefused | SMTPDataError) or code == _TOO_LARGE:
        return Outcome("dead", "refused", code)
    return Outcome("retry", "status", code)
