"""The sender against receivers that do what they like, and names that point where they like."""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from footfall.delivery import http
from footfall.delivery.addresses import Allow, allowed, kind_of
from footfall.delivery.answers import Answer
from footfall.delivery.endpoint import endpoint
from footfall.delivery.http import (
    AddressRefusedError,
    Failure,
    Guard,
    Lookup,
    Sender,
    addresses_of,
    is_own,
)
from footfall.delivery.message import ANSWER_BYTES_MAX
from footfall.up.ports import free_port
from tests.delivery.peers import (
    OK,
    Peer,
    Request,
    Script,
    answering,
    authority,
    endless,
    peer,
    saying,
)

LOOPBACK = ("127.0.0.1", "::1")
BODY = b'{"name": "cart_abandoned"}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that gives up no connection because the machine is busy."""
    for name in ("DRAIN_S_MAX", "KEEPALIVE_S"):
        monkeypatch.setattr(http, name, 30.0)


@asynccontextmanager
async def sending(url: str, allow: Sequence[str] = LOOPBACK, **options: Any
                  ) -> AsyncIterator[Sender]:
    """A sender to a URL."""
    sender = Sender(endpoint(url), allowed(allow), **{"timeout_s": 30, **options})
    try:
        yield sender
    finally:
        await sender.close()


async def sent(script: Script, timeout_s: float = 30) -> Answer | Failure:
    """What one message to a receiver of this kind gives."""
    async with peer(script) as there, sending(there.url, timeout_s=timeout_s) as sender:
        return await sender.post({}, BODY)


def answers(*found: Sequence[str] | OSError) -> tuple[Lookup, list[str]]:
    """A name server that says one after the other, the last for ever; and what it was asked."""
    asked: list[str] = []

    def lookup(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        answer = found[min(len(asked), len(found)) - 1]
        if isinstance(answer, OSError):
            raise answer
        return answer

    return lookup, asked


# -- what is sent --------------------------------------------------------------------------------


async def test_a_request_has_what_was_given_and_nothing_else() -> None:
    """No cookies, no encodings that would be unpacked, nothing that the library thinks of."""
    async with peer(saying(OK)) as there, sending(there.url + "?a=%20", headers={
            "User-Agent": "Footfall/1", "Authorization": "Bearer t"}) as sender:
        answer = await sender.post({"webhook-id": "m1"}, BODY)

    assert Answer(200) == answer
    assert [Request("POST /hook?a=%20 HTTP/1.1", {
        "host": f"127.0.0.1:{there.port}", "user-agent": "Footfall/1", "authorization": "Bearer t",
        "webhook-id": "m1", "content-length": str(len(BODY))}, BODY, 0)] == there.requests


@pytest.mark.usefixtures("patient")
async def test_connections_are_kept_and_bounded() -> None:
    """One after the other uses one; at the same time never more than allowed."""
    async with peer(saying(OK)) as there, sending(there.url, connections_max=3) as sender:
        for _ in range(5):
            await sender.post({}, BODY)
        assert 1 == there.connections
        found = await asyncio.gather(*(sender.post({}, BODY) for _ in range(30)))

    assert [Answer(200)] * 30 == found
    assert 1 < there.connections <= 3


async def test_a_cookie_is_never_sent_back() -> None:
    """What a receiver sets is its own affair. By name: of addresses jars keep none anyway."""
    script = answering("200 OK", "Set-Cookie: session=1; Path=/")
    async with peer(script) as there:
        lookup, _ = answers([there.host])
        async with sending(f"http://hook.example:{there.port}/", lookup=lookup) as sender:
            await sender.post({}, BODY)
            await sender.post({}, BODY)

    assert [False, False] == ["cookie" in request.headers for request in there.requests]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
async def test_a_proxy_of_the_environment_is_not_asked(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would do the look-up, and every check with it; nor is a password taken from .netrc."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with peer(saying(OK)) as proxy, peer(saying(OK)) as there:
        monkeypatch.setenv(name, proxy.url)
        async with sending(there.url) as sender:
            await sender.post({}, BODY)

    assert (0, 1) == (len(proxy.requests), len(there.requests))
    assert "authorization" not in there.requests[0].headers


# -- what is answered ----------------------------------------------------------------------------


async def test_the_status_and_two_headers_are_looked_at() -> None:
    """Whatever the body is."""
    assert Answer(503, "7", "abort-message") == await sent(answering(
        "503 Away", "Retry-After: 7", "Webhook-Delivery: abort-message", body=b"{"))


async def test_a_redirect_is_not_followed() -> None:
    """Not to the address of a cloud's secrets, and not to anybody else either."""
    async with peer(saying(OK)) as other:
        for to in ("http://169.254.169.254/latest/meta-data/", other.url):
            for status in (301, 302, 303, 307, 308):
                assert Answer(status) == await sent(answering(f"{status} There", f"Location: {to}"))
    assert [] == other.requests


@pytest.mark.parametrize("script", [
    endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", bytes(65_536)),
    endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65_536)),
    endless(CHUNKED, b"10000\r\n" + bytes(65_536) + b"\r\n"),
    endless(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(bytes(10_000_000))),
    endless(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"x", 1.0),
    endless(CHUNKED, b"1\r\nx\r\n", 0.2),
], ids=["1 GB", "no end", "chunks", "bomb", "1 B/s", "slow chunks"])
async def test_a_body_is_never_waited_for(script: Script) -> None:
    """What was said in the status holds; the connection is closed and its memory free."""
    began = time.monotonic()
    async with peer(script) as there, sending(there.url, timeout_s=60) as sender:
        assert [Answer(200)] * 2 == [await sender.post({}, BODY) for _ in range(2)]
    assert time.monotonic() - began < 20  # 2 s, on a machine that has the time

    assert 2 == there.connections


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("size", "connections"), [(ANSWER_BYTES_MAX, 1), (2_000, 2)])
async def test_a_short_body_leaves_the_connection_usable(size: int, connections: int) -> None:
    """Also where it comes in pieces; of a longer one the rest is not waited for."""

    async def script(writer: asyncio.StreamWriter, _request: Request) -> None:
        head = b"HTTP/1.1 200 OK\r\n", f"Content-Length: {size}\r\n\r\n".encode()
        for piece in (*head, bytes(size - 10), bytes(10)):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)

    async with peer(script) as there, sending(there.url) as sender:
        assert [Answer(200)] * 2 == [await sender.post({}, BODY) for _ in range(2)]

    assert connections == there.connections


async def test_an_answer_that_breaks_off_after_its_status_holds() -> None:
    """The receiver has said that it has the message."""

    async def script(writer: asyncio.StreamWriter, _request: Request) -> None:
        writer.write(CHUNKED + b"5\r\nab")
        await writer.drain()
        writer.transport.abort()

    assert Answer(200) == await sent(script)


@pytest.mark.parametrize("answer", [
    b"HELLO\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n",
    b"HTTP/1.1 2OO OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", bytes(200),
    b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_048_576 + b"\r\n\r\n",
    b"HTTP/1.1 200 " + b"a" * 1_048_576 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 150_000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
], ids=["word", "ssh", "version", "letters", "two digits", "zeros", "1 MB header", "1 MB reason",
        "150,000 headers", "negative length", "two lengths", "no colon"])
async def test_what_is_no_http_is_an_invalid_answer(answer: bytes) -> None:
    """At once, not after the timeout."""
    began = time.monotonic()
    assert Failure("answer_invalid") == await sent(saying(answer), 60)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("script", [
    endless(b"", b"", 0.1),
    endless(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.1),
    endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
], ids=["nothing", "slow header", "only 100"])
async def test_no_status_within_the_time_is_a_timeout(script: Script) -> None:
    """Of the whole attempt, however busy the other side looks."""
    began = time.monotonic()
    assert Failure("timeout") == await sent(script, 0.4)
    assert 0.35 < time.monotonic() - began < 20


async def test_a_closed_or_reset_connection_is_said_to_be_one() -> None:
    """Before an answer: nobody knows whether it was taken."""

    async def close(writer: asyncio.StreamWriter, _request: Request) -> None:
        writer.close()

    async def reset(writer: asyncio.StreamWriter, _request: Request) -> None:
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    assert [Failure("connection")] * 2 == [await sent(close), await sent(reset)]


async def test_a_port_that_nobody_listens_on_is_a_failed_connection() -> None:
    """As is one whose receiver went away."""
    async with peer(saying(OK)) as there:
        pass
    async with sending(there.url) as sender:
        assert Failure("connection") == await sender.post({}, BODY)


async def test_no_answer_raises() -> None:
    """Answers with bytes changed, cut or added at random: one outcome each, none that hangs."""
    dice = random.Random(8)
    whole = CHUNKED.replace(b"200 OK", b"503 Away\r\nRetry-After: 7") + b"2\r\nok\r\n0\r\n\r\n"

    async def script(writer: asyncio.StreamWriter, _request: Request) -> None:
        answer = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(answer))
            answer[at:at + dice.randint(0, 2)] = dice.randbytes(dice.randint(0, 2))
        writer.write(answer[:dice.choice((len(answer), dice.randrange(len(answer))))])
        writer.close()

    async with peer(script) as there, sending(there.url) as sender:
        said = [await sender.post({}, BODY) for _ in range(400)]

    reasons = {one.reason for one in said if isinstance(one, Failure)}
    assert {"answer_invalid", "connection"} == reasons
    assert any(isinstance(one, Answer) for one in said)


async def test_a_header_that_would_split_the_request_is_not_sent(
    caplog: pytest.LogCaptureFixture
) -> None:
    """Should one ever get here; it is told as our fault, without what it held."""
    async with peer(saying(OK)) as there, sending(there.url) as sender:
        assert Failure("connection") == await sender.post({"X": "s3cret\r\nHost: inner"}, BODY)
        assert Answer(200) == await sender.post({}, BODY)

    assert 1 == len(there.requests)
    assert [("sending a webhook failed", "ValueError")] == [
        (record.message, record.__dict__["error"]) for record in caplog.records]


async def test_being_stopped_is_no_failure() -> None:
    """Whoever ends delivery gets through, whatever a receiver does."""
    async with peer(endless(b"", b"", 0.1)) as there, sending(there.url) as sender:
        task = asyncio.create_task(sender.post({}, BODY))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# -- where it is sent ----------------------------------------------------------------------------


async def rebound(there: Peer, *found: Sequence[str] | OSError, allow: Sequence[str]
                  ) -> tuple[list[Answer | Failure], list[str]]:
    """One message for each answer of a name server, each on a sender of its own but that server."""
    lookup, asked = answers(*found)
    said = []
    for _ in found:
        async with sending(f"http://hook.example:{there.port}/", allow, lookup=lookup) as sender:
            said.append(await sender.post({}, BODY))
    return said, asked


async def test_a_name_that_is_rebound_is_refused() -> None:
    """It points at what may be called first (127.0.0.2 stands for that), then at 127.0.0.1: the
    connection goes to what was checked, and one message is one look-up.
    """
    port = free_port()
    async with (peer(saying(OK), "127.0.0.2", port=port) as public,
                peer(saying(OK), port=port) as inner):
        said, asked = await rebound(public, ["127.0.0.2"], ["127.0.0.1"], allow=["127.0.0.2"])

    assert [Answer(200), Failure("address_refused")] == said
    assert ["hook.example"] * 2 == asked
    assert (1, 0) == (len(public.requests), inner.connections)
    assert f"hook.example:{public.port}" == public.requests[0].headers["host"]


async def test_one_address_that_may_not_be_called_refuses_them_all() -> None:
    """Wherever it stands, and however it is written."""
    async with peer(saying(OK), "127.0.0.2") as public:
        for other in ("127.0.0.1", "::ffff:10.0.0.1", "169.254.169.254", "fe80::1%eth0"):
            for found in (["127.0.0.2", other], [other, "127.0.0.2"]):
                said, _ = await rebound(public, found, allow=["127.0.0.2"])
                assert [Failure("address_refused")] == said

    assert 0 == public.connections


async def test_a_name_is_looked_up_anew_after_a_refusal() -> None:
    """It may have been put right; what was refused is not kept."""
    lookup, asked = answers(["10.0.0.1"], ["127.0.0.2"])
    async with peer(saying(OK), "127.0.0.2") as there:
        url = f"http://hook.example:{there.port}/"
        async with sending(url, ["127.0.0.2"], lookup=lookup) as sender:
            said = [await sender.post({}, BODY) for _ in range(3)]

    assert [Failure("address_refused"), Answer(200), Answer(200)] == said
    assert 2 == len(asked)


async def test_a_url_with_an_address_is_judged_at_the_socket() -> None:
    """Nothing is looked up there, and nothing gets past."""
    async with peer(saying(OK)) as there:
        for url in (there.url, f"http://[::ffff:127.0.0.1]:{there.port}/"):
            async with sending(url, ["10.0.0.0/8"]) as sender:
                assert Failure("address_refused") == await sender.post({}, BODY)

    assert 0 == there.connections


async def test_another_port_of_a_public_address_is_refused() -> None:
    """Though the name is allowed to have that port by an entry for other addresses."""
    async with sending("http://hook.example:8443/", lookup=answers(["1.1.1.1"])[0]) as sender:
        assert Failure("address_refused") == await sender.post({}, BODY)


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    """Of several that may be called."""
    async with peer(saying(OK), "127.0.0.3") as there:
        said, _ = await rebound(there, ["127.0.0.2", "127.0.0.3"], allow=["127.0.0.0/8"])

    assert [Answer(200)] == said


@pytest.mark.parametrize("found", [
    [socket.gaierror(socket.EAI_NONAME, "x")], [socket.gaierror(socket.EAI_AGAIN, "x")], [[]],
], ids=["unknown", "later", "none"])
async def test_a_name_without_an_address_is_a_failure_of_dns(found: list[Any]) -> None:
    """Whatever the reason."""
    async with sending("https://hook.example/", lookup=answers(*found)[0]) as sender:
        assert Failure("dns") == await sender.post({}, BODY)


async def test_a_name_server_that_hangs_holds_up_nobody_else() -> None:
    """One thread a destination waits for it, however many messages do; another's go out."""
    asked = []
    given_up = threading.Event()

    def hang(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        given_up.wait(60)
        return []

    async with peer(saying(OK)) as there, sending(there.url) as good:
        url = "http://hook.example/"
        async with sending(url, lookup=hang, timeout_s=0.3) as bad:
            for _ in range(3):
                waiting = [asyncio.create_task(bad.post({}, BODY)) for _ in range(20)]
                assert Answer(200) == await good.post({}, BODY)
                assert [Failure("timeout")] * 20 == await asyncio.gather(*waiting)
    given_up.set()

    assert ["hook.example"] == asked


async def test_the_look_up_of_the_system_gives_addresses_that_can_be_judged() -> None:
    """Each once."""
    found = addresses_of("localhost", 80)

    assert "127.0.0.1" in found
    assert {"loopback"} == {kind_of(ip_address(address)) for address in found}
    assert len(set(found)) == len(found)


def test_an_address_of_this_machine_is_known() -> None:
    """Without a packet; where there is no way to an address it is not ours."""
    assert is_own(socket.AF_INET, ("127.0.0.1", 80))
    assert not is_own(socket.AF_INET, ("192.0.2.1", 80))
    assert not is_own(socket.AF_INET6, ("2001:db8::1", 80, 0, 0))


def test_the_socket_is_the_last_place_to_refuse() -> None:
    """An address of this machine too, though it looks public: a service that listens on it is not
    there for those who plan.
    """

    class Public(Allow):
        def refusal(self, *_: Any) -> str:
            return ""

    guard = Guard(endpoint("http://hook.example/"), Public())
    loopback = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))
    with pytest.raises(AddressRefusedError, match="own"):
        guard.open(loopback)
    guard.open((*loopback[:4], ("192.0.2.1", 80))).close()
    with pytest.raises(AddressRefusedError, match="private"):
        Guard(endpoint("http://hook.example/"), Allow()).open(
            (*loopback[:4], ("10.255.255.1", 80)))
    allowed_guard = Guard(endpoint("http://hook.example/"), allowed(["127.0.0.1"]))
    allowed_guard.open(loopback).close()


# -- TLS -----------------------------------------------------------------------------------------


async def over_tls(folder: Path, name: str, host: str, trusted: bool = True, days: float = 1
                   ) -> Answer | Failure:
    """A message to `host` where a receiver shows a certificate for `name`."""
    made = authority(folder, name, days)
    tls = made.client if trusted else None
    async with peer(saying(OK), tls=made.server) as there:
        url = f"https://{host}:{there.port}/"
        lookup, _ = answers(["127.0.0.1"])
        async with sending(url, lookup=lookup, tls=tls) as sender:
            return await sender.post({}, BODY)


@pytest.mark.parametrize(("name", "host", "options", "said"), [
    ("hook.example", "hook.example", {}, Answer(200)),
    ("127.0.0.1", "127.0.0.1", {}, Answer(200)),
    ("other.example", "hook.example", {}, Failure("tls")),
    ("127.0.0.1", "hook.example", {}, Failure("tls")),
    ("hook.example", "127.0.0.1", {}, Failure("tls")),
    ("hook.example", "hook.example", {"trusted": False}, Failure("tls")),
    ("hook.example", "hook.example", {"days": -1}, Failure("tls")),
])
async def test_a_certificate_is_verified_against_the_host_of_the_url(
    tmp_path: Path, name: str, host: str, options: dict[str, Any], said: Answer | Failure
) -> None:
    """Not against the address that is called; and who signed it, and until when it holds."""
    assert said == await over_tls(tmp_path, name, host, **options)


async def test_what_does_not_speak_tls_is_a_failure_of_tls() -> None:
    """A receiver that speaks at once, and in the clear."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, sending(f"https://127.0.0.1:{port}/") as sender:
        assert Failure("tls") == await sender.post({}, BODY)


async def test_a_receiver_that_wants_a_certificate_of_ours_is_a_failure(tmp_path: Path) -> None:
    """TLS 1.3 says so only after the request was written."""
    made = authority(tmp_path, "hook.example")
    made.server.verify_mode = ssl.CERT_REQUIRED
    made.server.load_verify_locations(tmp_path / "hook.example.pem")
    async with peer(saying(OK), tls=made.server) as there:
        url = f"https://hook.example:{there.port}/"
        async with sending(url, lookup=answers(["127.0.0.1"])[0], tls=made.client) as sender:
            said = await sender.post({}, BODY)

    assert said in (Failure("tls"), Failure("connection"))
