"""Against a real SMTP server: what becomes of a mail, and that a copy of it is the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from footfall.delivery.channels import email, email_smtp
from footfall.delivery.message import Outcome
from tests.delivery.channels.mails import (
    ANNA,
    ATTEMPT,
    destination,
    opened,
    rendered,
    resources,
)
from tests.delivery.channels.smtp_peer import (
    DROP,
    OK,
    PASSWORD,
    USER,
    certificate,
    peer_running,
)

TEMPORARY = ("retry", "smtp_temporary")


@pytest.mark.parametrize("name", ["Anna", ".", "\r\n.\r\nMAIL FROM:<x@y.example>\r\n", "..\n." * 99,
                                  "ü" * 99, "日本" * 99])
async def test_a_mail_arrives_as_it_was_rendered(tmp_path: Path, name: str) -> None:
    """Byte for byte, to one recipient, from the address that bounces go to."""
    (tmp_path / "bare.txt").write_text("{{ customer.traits.first_name }}")
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port, text="bare.txt")
        message = rendered(channel, replace(ANNA, traits={"first_name": name}))
        assert Outcome("sent", "", 250) == await channel.send(message, ATTEMPT)
        await channel.close()

    (mail,) = peer.taken
    assert message.body.encode() == mail.original_content
    assert ("news@shop.example", ["anna@shop.example"]) == (mail.mail_from, mail.rcpt_tos)


@pytest.mark.parametrize(("answers", "result", "reason", "code"), [
    ({"DATA": ["421 going away"]}, *TEMPORARY, 421),
    ({"DATA": ["451 try later"]}, *TEMPORARY, 451),
    ({"RCPT": ["450 greylisted"]}, *TEMPORARY, 450),
    ({"RCPT": ["452 mailbox full"]}, *TEMPORARY, 452),
    ({"MAIL": ["421 too many"]}, *TEMPORARY, 421),
    ({"RCPT": ["550 no such user"]}, "dead", "refused", 550),
    ({"RCPT": ["553 bad mailbox"]}, "dead", "refused", 553),
    ({"DATA": ["554 looks like spam"]}, "dead", "refused", 554),
    ({"MAIL": ["552 too large"]}, "dead", "refused", 552),
    ({"MAIL": ["550 sender not allowed"]}, "retry", "status", 550),
    ({"DATA": ["250-OK\r\n250 more"]}, "sent", "", 250),
    ({"DATA": ["299 what"]}, "retry", "answer_invalid", 299),
    ({"DATA": ["hello"]}, "retry", "answer_invalid", 0),
    ({"DATA": ["250 " + "x" * 100_000]}, "retry", "answer_invalid", 0),
    ({"MAIL": [DROP]}, "retry", "connection", 0),
    ({"RCPT": [DROP]}, "retry", "connection", 0),
    ({"DATA": [DROP]}, "retry", "connection", 0),
])
async def test_what_an_answer_means(tmp_path: Path, answers: dict[str, list[str]], result: str,
                                    reason: str, code: int) -> None:
    """The table of docs/delivery-email.md; and the next mail goes out whatever became of this."""
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port)
        peer.answers = answers
        outcome = await channel.send(rendered(channel), ATTEMPT)
        assert (result, reason, code) == outcome[:3]
        assert "sent" == (await channel.send(rendered(channel), ATTEMPT)).result
        await channel.close()


async def test_a_drop_after_data_makes_one_copy_at_most(tmp_path: Path) -> None:
    """The server had it and could not say so: the next attempt is the same mail (F26)."""
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port)
        message = rendered(channel)
        peer.answers = {"DATA": [DROP]}
        outcomes = [await channel.send(message, ATTEMPT) for _ in range(2)]
        await channel.close()

    assert ["retry", "sent"] == [one.result for one in outcomes]
    first, second = (mail.original_content for mail in peer.taken)
    assert first == second == message.body.encode()
    assert 1 == len(set(re.findall(rb"Message-ID: (\S+)", first + second)))


async def test_a_slow_server_costs_no_more_than_the_time(tmp_path: Path) -> None:
    """The attempt ends with the destination's time."""
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port, timeout_s=0.3)
        peer.delay_s = 60
        started = asyncio.get_running_loop().time()
        assert ("retry", "timeout") == (await channel.send(rendered(channel), ATTEMPT))[:2]
        assert asyncio.get_running_loop().time() - started < 30
        peer.delay_s = 0
        async with asyncio.timeout(30):  # on a busy machine one has more of them
            while (after := await channel.send(rendered(channel), ATTEMPT)).reason == "timeout":
                pass
        assert "sent" == after.result
        await channel.close()


async def test_a_server_that_says_nothing_is_left(tmp_path: Path) -> None:
    """No greeting: it counts as the time being over."""
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    channel = await opened(tmp_path, server.sockets[0].getsockname()[1], timeout_s=0.3)

    assert ("retry", "timeout") == (await channel.send(rendered(channel), ATTEMPT))[:2]
    server.close()


@pytest.mark.parametrize(("greeting", "expected"), [
    (b"554 no service\r\n", ("retry", "status", 554)),
    (b"421 later\r\n", ("retry", "smtp_temporary", 421)),
    (b"HTTP/1.1 400 Bad Request\r\n", ("retry", "answer_invalid", 0)),
    (b"", ("retry", "connection", 0)),
    (b"2" * 1_000_000 + b"\n", ("retry", "answer_invalid", 0))])
async def test_what_a_greeting_means(tmp_path: Path, greeting: bytes,
                                     expected: tuple[str, str, int]) -> None:
    """What a server says of us is no mail's fault: each mail is tried again."""
    async def greets(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(greets, "127.0.0.1", 0)
    channel = await opened(tmp_path, server.sockets[0].getsockname()[1])

    assert expected == (await channel.send(rendered(channel), ATTEMPT))[:3]
    server.close()


#: What a broken or hostile server might send, in any order.
PIECES = (b"250 OK\r\n", b"220 hello\r\n", b"354 go\r\n", b"250-SIZE 10\r\n", b"250-AUTH PLAIN\r\n",
          b"250 STARTTLS\r\n", b"-12 x\r\n", b"999\r\n", b"25\r\n", b"\xff\xfe\r\n", b"\r\n", b"\n",
          b"2 5 0\r\n", b"+25 x\r\n", b"334 !\r\n", b"\0" * 99, b"250-" + b"x" * 9_000, b"421\r\n",
          b"550 " + "ü".encode() + b"\r\n", b"250", b"250\x00OK\r\n", b"")


@pytest.mark.parametrize("seed", range(60))
async def test_no_server_breaks_delivery(tmp_path: Path, seed: int) -> None:
    """Whatever it sends and when: an outcome, within the time, and `sent` only for a mail that it
    let come."""
    choose, went_in = random.Random(seed), []
    ended = asyncio.Event()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            for n in range(choose.randint(2, 12)):
                pieces = choose.choices(PIECES, weights=[40, 1, 6] + [1] * 19,
                                        k=choose.choice((1, 1, 1, 2)))
                writer.write(b"".join(pieces if n else PIECES[1:2]))
                await writer.drain()
                went_in.append(await reader.read(65_536))
        writer.close()
        ended.set()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    smtp = choose.choice(({}, {"tls": "starttls"}, {"user": "u", "password_env": "P"}))
    channel = await email.open_channel(
        "m", destination(server.sockets[0].getsockname()[1], smtp, timeout_s=0.2),
        resources(tmp_path, environment={"P": "p"}))
    outcome = await channel.send(rendered(channel), ATTEMPT)
    await channel.close()
    if outcome.result != "retry":
        await asyncio.wait_for(ended.wait(), 30)  # it answers before it reads
    server.close()

    assert outcome.result in ("sent", "retry", "dead")
    assert outcome.result == "retry" or b"RCPT" in b"".join(went_in)
    assert outcome.result != "sent" or b"Message-ID" in b"".join(went_in)


@pytest.mark.parametrize(("host", "reason"), [
    ("127.0.0.1", "connection"), ("no-such-host.invalid", "dns")])
async def test_a_server_that_is_not_there(tmp_path: Path, host: str, reason: str) -> None:
    """Is tried again."""
    channel = await opened(tmp_path, 1, {"host": host})

    assert ("retry", reason, 0) == (await channel.send(rendered(channel), ATTEMPT))[:3]


async def test_connections_are_kept_and_bounded(tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """One for mails after each other, never more than `concurrency_max`, each for so many mails."""
    monkeypatch.setattr(email_smtp, "MAILS_MAX", 4)
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port, concurrency_max=3)
        message = rendered(channel)
        for _ in range(8):
            await channel.send(message, ATTEMPT)
        assert 2 == len(peer.connections)
        peer.gate.clear()
        sending = asyncio.gather(*(channel.send(message, ATTEMPT) for _ in range(12)))
        async with asyncio.timeout(20):
            while peer.at_once < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        peer.gate.set()
        assert {"sent"} == {one.result for one in await sending}
        assert 3 == peer.at_once_most
        await channel.close()


async def test_a_refused_mail_leaves_the_connection(tmp_path: Path) -> None:
    """Addresses that are gone cost no new connection each."""
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port)
        peer.answers = {"RCPT": ["550 gone"] * 3 + [OK], "DATA": []}
        results = [(await channel.send(rendered(channel), ATTEMPT)).result for _ in range(4)]
        await channel.close()

    assert ["dead", "dead", "dead", "sent"] == results
    assert (1, 3) == (len(peer.connections), peer.rsets)


@pytest.mark.parametrize("how", ["closed", "told", "old"])
async def test_a_kept_connection_that_ended_costs_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Nothing was asked of it: the mail goes over a new one."""
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port)
        await channel.send(rendered(channel), ATTEMPT)
        if how == "closed":
            peer.connections[0].abort()  # type: ignore[attr-defined]
        elif how == "told":
            peer.answers = {"MAIL": ["421 idle for too long"]}
        else:
            monkeypatch.setattr(email_smtp, "IDLE_S_MAX", -1.0)
        assert Outcome("sent", "", 250) == await channel.send(rendered(channel), ATTEMPT)
        await channel.close()

    assert (2, 2) == (len(peer.connections), len(peer.taken))


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_tls_and_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: str) -> None:
    """The password goes over TLS whose certificate is checked, and to nobody else."""
    file = certificate(tmp_path)
    has = {"environment": {"SMTP_PASSWORD": PASSWORD}}
    smtp = {"tls": tls, "user": USER, "password_env": "SMTP_PASSWORD"}
    async with peer_running(tls=tls, cert=file, is_closed=True) as peer:
        wanted = destination(peer.port, smtp)
        unknown = await email.open_channel("m", wanted, resources(tmp_path, **has))
        assert ("retry", "tls") == (await unknown.send(rendered(unknown), ATTEMPT))[:2]
        assert [] == peer.logins

        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        channel = await email.open_channel("m", wanted, resources(tmp_path, **has))
        assert "sent" == (await channel.send(rendered(channel), ATTEMPT)).result
        await channel.close()
        assert {USER.encode()} == {one.login for one in peer.logins}

        wrong = await email.open_channel("m", wanted, resources(
            tmp_path, environment={"SMTP_PASSWORD": "wrong"}))
        assert ("retry", "status", 535) == (await wrong.send(rendered(wrong), ATTEMPT))[:3]
    assert 1 == len(peer.taken)


async def test_a_certificate_for_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trusted, but of another host."""
    file = certificate(tmp_path, "mail.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with peer_running(tls="starttls", cert=file) as peer:
        channel = await opened(tmp_path, peer.port, {"tls": "starttls"})
        assert ("retry", "tls") == (await channel.send(rendered(channel), ATTEMPT))[:2]
    assert [] == peer.taken


async def test_no_mail_goes_in_clear_where_tls_was_asked_for(tmp_path: Path) -> None:
    """A server, or somebody before it, that offers no STARTTLS gets nothing."""
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port, {"tls": "starttls"})
        assert ("retry", "tls") == (await channel.send(rendered(channel), ATTEMPT))[:2]
    assert [] == peer.taken


async def test_a_server_that_offers_no_login_gets_no_password(tmp_path: Path) -> None:
    """It is tried again, as whoever set it up may mend it."""
    async with peer_running() as peer:
        channel = await email.open_channel(
            "m", destination(peer.port, {"user": USER, "password_env": "P"}),
            resources(tmp_path, environment={"P": PASSWORD}))
        assert ("retry", "answer_invalid") == (await channel.send(rendered(channel), ATTEMPT))[:2]
    assert [] == peer.taken


async def test_an_attempt_that_is_cancelled_keeps_nothing(tmp_path: Path) -> None:
    """Its connection is closed: a late answer must not be taken for that of the next mail."""
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port)
        peer.delay_s = 5
        task = asyncio.create_task(channel.send(rendered(channel), ATTEMPT))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [] == channel._mailer._kept
        peer.delay_s = 0
        assert "sent" == (await channel.send(rendered(channel), ATTEMPT)).result
        await channel.close()


async def test_nothing_of_a_mail_is_logged(tmp_path: Path, caplog: Any, capsys: Any) -> None:
    """Neither what is sent nor what the server says of it (law 6)."""
    caplog.set_level(1, "footfall")
    caplog.set_level(1, "aiosmtplib")
    caplog.set_level(1, "asyncio")
    async with peer_running() as peer:
        channel = await opened(tmp_path, peer.port)
        peer.answers = {"RCPT": ["550 anna@shop.example is gone"]}
        outcome = await channel.send(rendered(channel), ATTEMPT)
        await channel.close()
    seen = " ".join(r.getMessage() for r in caplog.records if not r.name.startswith("mail"))

    assert "anna" not in seen + repr(outcome) + "".join(capsys.readouterr())


def test_the_context_checks(tmp_path: Path) -> None:
    """What `open_channel` makes is Python's default: names and certificates are checked."""
    server = email._server("m", destination(1, {"tls": "tls"}).smtp, resources(tmp_path), "h")

    assert server.context is not None
    assert (True, ssl.CERT_REQUIRED) == (server.context.check_hostname, server.context.verify_mode)
