"""The webhook channel: what it sends, what becomes of it, what it refuses to be made of."""

from __future__ import annotations

import asyncio
import base64
import gzip
import socket
import struct
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from footfall import __version__
from footfall.delivery.addresses import allowed
from footfall.delivery.channels import open_channel
from footfall.delivery.channels.webhook import HEADER_CHARACTERS_MAX, WebhookChannel
from footfall.delivery.endpoint import endpoint
from footfall.delivery.http import Sender
from footfall.delivery.message import Channel, Message, Outcome, Person, RenderError, Resources
from footfall.delivery.rendering import Body
from footfall.delivery.routes_row import WebhookDestination
from footfall.errors import ConfigError
from tests.delivery.channels import DOCUMENT, NOBODY, TRIGGER, TRIGGER_ID, attempt
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
from tests.delivery.test_addresses import REFUSED, SPELLINGS

SECRETS = {name: "whsec_" + base64.b64encode(text.ljust(32, b".")).decode()
           for name, text in (("HOOK_NEW", b"new"), ("HOOK_OLD", b"old"), ("OTHER", b"other"))}
NOW = attempt().at


def resources(folder: Path = Path(), allow: tuple[str, ...] = ("127.0.0.1",)) -> Resources:
    return Resources(folder, SECRETS, allow)


def destination(url: str, **options: Any) -> WebhookDestination:
    return WebhookDestination(url=url, purpose="marketing", **{"timeout_s": 30, **options})


@asynccontextmanager
async def channel(there: Peer, folder: Path = Path(), **options: Any) -> AsyncIterator[Channel]:
    """The channel to a receiver, as a route has it."""
    made = await open_channel("shop", destination(there.url, **options), resources(folder))
    try:
        yield made
    finally:
        await made.close()


async def sent(script: Script, timeout_s: float = 30) -> Outcome:
    """What becomes of a message to a receiver of this kind."""
    async with peer(script) as there, channel(there, timeout_s=timeout_s) as hook:
        return await hook.send(hook.render(TRIGGER, DOCUMENT, NOBODY), attempt())


# -- what becomes of it --------------------------------------------------------------------------


async def _reset(writer: asyncio.StreamWriter, _request: Request) -> None:
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


OUTCOMES: Mapping[str, tuple[Script, Outcome]] = {
    "200": (saying(OK), Outcome("sent", code=200)),
    "204": (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), Outcome("sent", code=204)),
    "200 to HTTP/1.0": (saying(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
                        Outcome("sent", code=200)),
    "200, abort": (answering("200 OK", "webhook-delivery: abort-message"),
                   Outcome("sent", code=200)),
    "200, endless body": (endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65_536)),
                          Outcome("sent", code=200)),
    "200, 1 GB": (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", bytes(65_536)),
                  Outcome("sent", code=200)),
    "200, bomb": (answering("200 OK", "Content-Encoding: gzip", body=gzip.compress(bytes(10**8))),
                  Outcome("sent", code=200)),
    "200, 1 B/s": (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x", 1),
                   Outcome("sent", code=200)),
    "200, cookie": (answering("200 OK", "Set-Cookie: a=b"), Outcome("sent", code=200)),
    "301 inside": (answering("301 There", "Location: http://169.254.169.254/latest/meta-data/"),
                   Outcome("retry", "redirect", 301)),
    "307": (answering("307 There", "Location: /there"), Outcome("retry", "redirect", 307)),
    "400": (answering("400 Bad Request"), Outcome("retry", "status", 400)),
    "404": (answering("404 Not Found"), Outcome("retry", "status", 404)),
    "410": (answering("410 Gone"), Outcome("gone", "gone", 410)),
    "422, abort": (answering("422 No", "Webhook-Delivery: abort-message"),
                   Outcome("dead", "aborted", 422)),
    "429": (answering("429 Slow Down"), Outcome("retry", "throttled", 429)),
    "429, seconds": (answering("429 Slow Down", "Retry-After: 120"),
                     Outcome("retry", "throttled", 429, 120.0)),
    "429, too long": (answering("429 Slow Down", "Retry-After: 9999999"),
                      Outcome("retry", "throttled", 429, 86_400.0)),
    "500": (answering("500 Broken", "Retry-After: 120"), Outcome("retry", "status", 500)),
    "500, 1 B/s": (endless(b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n", b"x", 1),
                   Outcome("retry", "status", 500)),
    "503, date": (answering("503 Away", f"Retry-After: {formatdate(NOW + 60, usegmt=True)}"),
                  Outcome("retry", "status", 503, 60.0)),
    "bad status line": (saying(b"HELO\r\n\r\n"), Outcome("retry", "answer_invalid")),
    "1 MB header": (saying(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1_048_576 + b"\r\n\r\n"),
                    Outcome("retry", "answer_invalid")),
    "101": (saying(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            Outcome("retry", "answer_invalid", 101)),
    "reset": (_reset, Outcome("retry", "connection")),
}


@pytest.mark.parametrize("name", OUTCOMES)
async def test_an_answer_has_its_outcome(name: str) -> None:
    """The table of docs/delivery-webhooks.md, against a receiver on this machine."""
    script, outcome = OUTCOMES[name]

    assert outcome == await sent(script)


async def test_no_answer_has_its_outcome(tmp_path: Path) -> None:
    """Nobody answers in time, nobody is there, or it is not who the URL names."""
    assert Outcome("retry", "timeout") == await sent(endless(b"", b"", 0.1), 0.3)
    async with peer(saying(OK)) as there:
        pass
    async with channel(there) as hook:
        assert Outcome("retry", "connection") == await hook.send(Message("{}"), attempt())
    async with peer(saying(OK), tls=authority(tmp_path, "127.0.0.1").server) as there:
        made = destination(there.url.replace("http:", "https:"))
        hook = await open_channel("shop", made, resources())
        assert Outcome("retry", "tls") == await hook.send(Message("{}"), attempt())
        await hook.close()


@pytest.mark.parametrize(("found", "reason"), [
    (["10.0.0.1"], "address_refused"), (["8.8.8.8", "127.0.0.1"], "address_refused"),
    ([], "dns"), (None, "dns"),
])
async def test_a_name_may_be_put_right_so_it_is_tried_again(
    found: list[str] | None, reason: str
) -> None:
    """A refused address is no end: name servers are slower than people."""

    def lookup(_host: str, _port: int) -> list[str]:
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "x")
        return found

    sender = Sender(endpoint("https://hook.example/"), allowed([]), lookup=lookup)
    hook = WebhookChannel(sender, [], Body(False, "", Path()), "application/json")

    assert Outcome("retry", reason) == await hook.send(Message("{}"), attempt())
    await hook.close()


# -- what is sent --------------------------------------------------------------------------------


async def test_a_request_is_the_document_signed_and_typed() -> None:
    """Byte for byte, with no header that is not documented."""
    async with peer(saying(OK)) as there, channel(
            there, secret_env=("HOOK_NEW",), headers={"Authorization": "Bearer t"}) as hook:
        now = time.time()
        await hook.send(hook.render(TRIGGER, DOCUMENT, NOBODY), attempt()._replace(at=now))

    request, = there.requests
    assert DOCUMENT == request.body
    assert "cart_abandoned" == Webhook(SECRETS["HOOK_NEW"]).verify(request.body,
                                                                  request.headers)["name"]
    assert {
        "host": f"127.0.0.1:{there.port}", "user-agent": f"Footfall/{__version__}",
        "content-type": "application/json", "authorization": "Bearer t",
        "content-length": str(len(DOCUMENT)), "webhook-id": TRIGGER_ID,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": request.headers["webhook-signature"],
    } == request.headers


async def test_every_attempt_has_the_same_id_and_bytes_and_its_own_signature() -> None:
    """So that a receiver can tell a repeat, and does not take it for an old one."""
    now = time.time()
    async with peer(answering("500 Broken")) as there, channel(
            there, secret_env=("HOOK_NEW",)) as hook:
        message = msgspec.json.decode(msgspec.json.encode(
            hook.render(TRIGGER, DOCUMENT, NOBODY)), type=Message)
        for number in range(3):
            await hook.send(message, attempt(number=number + 1)._replace(at=now - number))

    assert {TRIGGER_ID} == {request.headers["webhook-id"] for request in there.requests}
    assert {DOCUMENT} == {request.body for request in there.requests}
    assert 3 == len({request.headers["webhook-signature"] for request in there.requests})
    for request in there.requests:
        Webhook(SECRETS["HOOK_NEW"]).verify(request.body, request.headers)


async def test_while_keys_are_changed_a_receiver_may_know_either() -> None:
    """And no third one."""
    async with peer(saying(OK)) as there, channel(
            there, secret_env=("HOOK_NEW", "HOOK_OLD")) as hook:
        await hook.send(hook.render(TRIGGER, DOCUMENT, NOBODY), attempt()._replace(at=time.time()))

    request, = there.requests
    for name in ("HOOK_NEW", "HOOK_OLD"):
        Webhook(SECRETS[name]).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRETS["OTHER"]).verify(request.body, request.headers)


async def test_what_the_operator_added_is_in_no_record() -> None:
    """A header may be a password; a message is kept in the log."""
    async with peer(saying(OK)) as there, channel(
            there, headers={"Authorization": "Bearer s3cret"}) as hook:
        message = hook.render(TRIGGER, DOCUMENT, NOBODY)

    assert {"Content-Type": "application/json"} == message.headers


async def test_the_name_of_the_program_may_be_another() -> None:
    """Some receivers ask for one of their own."""
    async with peer(saying(OK)) as there, channel(there, headers={"user-agent": "Shop"}) as hook:
        await hook.send(hook.render(TRIGGER, DOCUMENT, NOBODY), attempt())

    assert "Shop" == there.requests[0].headers["user-agent"]


async def test_a_thin_body_names_nobody() -> None:
    """The receiver asks for the rest, and that is seen."""
    async with peer(saying(OK)) as there, channel(there, thin=True) as hook:
        message = hook.render(TRIGGER, DOCUMENT, NOBODY)

    assert not hook.needs_person
    assert {"trigger_id", "name", "customer_key", "occurred_at", "emitted_at"} == set(
        msgspec.json.decode(message.body))


async def test_a_template_makes_the_body(tmp_path: Path) -> None:
    """Of what the trigger says and what is known of the customer."""
    (tmp_path / "slack.liquid").write_text(
        '{"text": {{ customer.traits.first_name | json }}, "value": {{ data.value }} }')
    person = Person(traits={"first_name": 'A "quoted" name'})
    async with peer(saying(OK)) as there, channel(there, tmp_path, template="slack.liquid",
                                                  content_type="application/json") as hook:
        message = hook.render(TRIGGER, DOCUMENT, person)
        await hook.send(message, attempt())

    assert hook.needs_person
    assert b'{"text": "A \\"quoted\\" name", "value": 12.50 }' == there.requests[0].body


@pytest.mark.parametrize(("content_type", "is_refused"), [
    ("application/json", True), ("application/cloudevents+json; charset=utf-8", True),
    ("text/plain", False), ("application/jsonl", False),
])
async def test_a_template_that_makes_no_json_is_not_sent_as_such(
    tmp_path: Path, content_type: str, is_refused: bool
) -> None:
    """It would be refused by every receiver, for days; the detail says nothing of the customer."""
    (tmp_path / "bad.liquid").write_text('{"text": "{{ customer.traits.first_name }}"}')
    person = Person(traits={"first_name": '"'})
    async with peer(saying(OK)) as there, channel(there, tmp_path, template="bad.liquid",
                                                  content_type=content_type) as hook:
        if not is_refused:
            assert '{"text": """}' == hook.render(TRIGGER, DOCUMENT, person).body
            return
        with pytest.raises(RenderError, match="no JSON") as refused:
            hook.render(TRIGGER, DOCUMENT, person)

    assert ("render_failed", False) == (refused.value.reason, refused.value.is_suppression)


# -- what it refuses to be made of ---------------------------------------------------------------


async def refused(url: str = "https://hook.example/", **options: Any) -> ConfigError:
    """What is said of a destination that cannot be."""
    with pytest.raises(ConfigError, match=r"^shop: ") as raised:
        await open_channel("shop", destination(url, **options), resources(allow=()))
    return raised.value


@pytest.mark.parametrize("address", [address for address, _ in REFUSED if "%" not in address])
async def test_a_destination_at_an_address_that_is_not_public_cannot_be_made(address: str) -> None:
    """Nor tested: a test send needs a channel too."""
    host = f"[{address}]" if ":" in address else address
    error = await refused(f"https://{host}/s3cret")

    assert ("url",) == error.path
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("host", [*SPELLINGS, "localhost", "a@b.example", "hook.example:25"])
async def test_a_destination_at_another_spelling_name_or_port_cannot_be_made(host: str) -> None:
    """Whatever a resolver would make of it."""
    assert ("url",) == (await refused(f"https://{host}/")).path


@pytest.mark.parametrize(("headers", "why"), [
    ({"Host": "other.example"}, "set by Footfall"), ({"content-LENGTH": "1"}, "set by Footfall"),
    ({"Webhook-Id": "x"}, "set by Footfall"), ({"webhook-anything": "x"}, "set by Footfall"),
    ({"Content-Type": "text/plain"}, "content_type"), ({"Transfer-Encoding": "x"}, "set by"),
    ({"Content-Encoding": "gzip"}, "set by"), ({"Expect": "100-continue"}, "set by"),
    ({"Connection": "close"}, "set by"), ({"": "x"}, "no name"), ({"a b": "x"}, "no name"),
    ({"X:": "x"}, "no name"), ({"X\r\nHost": "x"}, "no name"), ({"Ü": "x"}, "no name"),
    ({"X": "s3cret\r\nHost: x"}, "value of X"), ({"X": "s3cret\n"}, "value of X"),
    ({"X": "s3crét"}, "value of X"), ({"X": ""}, "value of X"), ({"X": " s3cret"}, "value of X"),
    ({"X": "s3cret" + "a" * HEADER_CHARACTERS_MAX}, "value of X"),
    ({"X-A": "1", "x-a": "2"}, "twice"),
])
async def test_headers_that_would_forge_or_break_a_request_are_refused(
    headers: dict[str, str], why: str
) -> None:
    """By name; a value may be a secret."""
    error = await refused(headers=headers)

    assert why in str(error)
    assert "s3cret" not in str(error)
    assert "headers" == error.path[0]


async def test_what_a_destination_names_and_is_not_there_is_refused() -> None:
    """Secrets by their variables, templates by their files, a type that is none."""
    assert "variable ABSENT" in str(await refused(secret_env=("ABSENT",)))
    assert "absent.liquid" in str(await refused(template="absent.liquid"))
    assert ("content_type",) == (await refused(content_type="text/plain\r\nX: y")).path
    assert ("thin",) == (await refused(thin=True, template="a.liquid")).path


async def test_a_bad_entry_of_what_is_allowed_is_refused() -> None:
    """By every destination that is opened with it."""
    with pytest.raises(ConfigError, match="delivery_allow"):
        await open_channel("shop", destination("https://hook.example/"),
                           resources(allow=("10.0.0.1/8",)))
