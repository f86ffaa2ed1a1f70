"""A real SMTP server on a thread of its own, that fails as servers do, by the seed it is given."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from email import message_from_bytes
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, Envelope

from tests.delivery.channels.smtp_peer import DROP, OK, Peer, peer_running

UNAVAILABLE = "421 too many connections"
BUSY = "451 try again later"
NOBODY_HERE = "550 no such mailbox"
#: How much of what it is asked it does not do, or not say that it did.
FAILS = 0.1
STARTED_S_MAX = 10.0


class Arrived(NamedTuple):
    """A mail that the server has; `at` in ms of the wall clock. `is_told`: whether it said so."""

    at: int
    to: str
    message_id: str
    data: bytes
    is_told: bool


class PostOffice(Peer):
    """Takes mail until it is closed. To `refused@...` it takes none, ever."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self._chance = random.Random(seed)
        self.arrived: list[Arrived] = []
        #: Recipients to whom it said for good that there is nobody.
        self.refusals: list[str] = []
        #: How often it said each of its answers.
        self.said: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._started, self._ended = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._started.wait(STARTED_S_MAX)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(STARTED_S_MAX)
        self._loop.close()

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Envelope, address: str,
                          options: Any) -> str:
        """Nobody is there, or as ever."""
        if address.startswith("refused-"):
            self.refusals.append(address)
            self.said[NOBODY_HERE] = self.said.get(NOBODY_HERE, 0) + 1
            return NOBODY_HERE
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        """Taken, refused for now, or taken and the connection ended before it is said."""
        at = time.time_ns() // 1_000_000
        answer = await super().handle_DATA(server, session, envelope)
        if answer in (OK, DROP):
            assert isinstance(envelope.content, bytes)
            self.arrived.append(Arrived(
                at, envelope.rcpt_tos[0], str(message_from_bytes(envelope.content)["Message-ID"]),
                envelope.content, answer == OK))
        return answer

    async def _answer(self, server: SMTP, command: str) -> str:
        answer = OK
        if self._chance.random() < FAILS:
            answer = self._chance.choice(
                [UNAVAILABLE, BUSY, DROP] if command == "DATA" else [UNAVAILABLE, BUSY])
        self.said[answer] = self.said.get(answer, 0) + 1
        if answer == DROP:
            server.transport.abort()
        elif answer == UNAVAILABLE:  # it says so and hangs up
            self._loop.call_later(0.02, server.transport.close)
        return answer

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with peer_running(self) as peer:
            assert peer is self
            self._started.set()
            await self._ended.wait()
