"""`footfall deliveries test`: nobody's trigger, sent once, as any message is."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from footfall.delivery.deliveries_trial import (
    BODY_BYTES_SHOWN,
    NOBODY,
    Given,
    Trial,
    cut,
    sample,
    try_once,
)
from footfall.delivery.message import (
    Attempt,
    Channel,
    Message,
    Outcome,
    Person,
    RenderError,
    Resources,
)
from footfall.delivery.routes_row import AnyDestination, WebhookDestination
from footfall.events.customer_key import is_customer_key
from tests.delivery.channels.smtp_peer import peer_running
from tests.delivery.peers import OK, answering, peer, saying
from tests.events.records import AT

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
HOOK = WebhookDestination(url="https://shop.example/", purpose="necessary", timeout_s=0.1)


class Sent:
    """A channel that keeps what it is given, and answers as it is told."""

    needs_person = True

    def __init__(self, outcome: Outcome | RenderError | None) -> None:
        self.outcome = outcome
        self.given: list[Any] = []
        self.is_closed = False

    def render(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        if isinstance(self.outcome, RenderError):
            raise self.outcome
        self.given += [trigger, document, person]
        return Message(document.decode(), to=person.ids.get("email", ""))

    async def send(self, message: Message, attempt: Attempt) -> Outcome:
        assert not isinstance(self.outcome, RenderError)
        if self.outcome is None:
            await asyncio.sleep(60)
        self.given += [message, attempt]
        return self.outcome or Outcome("sent")

    async def close(self) -> None:
        self.is_closed = True


async def tried(channel: Sent, monkeypatch: pytest.MonkeyPatch | None = None) -> Trial:
    async def open_channel(name: str, destination: AnyDestination, resources: Resources) -> Channel:
        assert ("crm", HOOK) == (name, destination)
        return channel

    if monkeypatch is not None:
        monkeypatch.setattr("footfall.delivery.deliveries_trial.GRACE_S", 0.0)
    trigger = sample("cart_abandoned", Given(), {"email": "me@shop.example"}, AT)
    return await try_once("crm", HOOK, Resources(Path(), {}), trigger, open_channel)


async def test_the_trigger_is_nobodys() -> None:
    """It says that it is a test, in id and data, and goes to whom is named alone."""
    channel = Sent(Outcome("sent", code=204))
    done = await tried(channel)
    trigger, document, person, message, attempt = channel.given
    assert (Trial(done.trigger_id, "sent", "", 204, done.took_ms, body=message.body)) == done
    assert msgspec.json.decode(document) == trigger
    assert ("cart_abandoned", {"test": True}, False) == (
        trigger["name"], trigger["data"], trigger["held_out"])
    assert done.trigger_id == trigger["trigger_id"] == attempt.message_id == attempt.trigger_id
    assert done.trigger_id.startswith("test") and len(done.trigger_id) == 32
    assert NOBODY == trigger["customer_key"] == attempt.customer_key
    assert is_customer_key(NOBODY.encode())
    assert ("me@shop.example", {"email": "me@shop.example"}) == (message.to, person.ids)
    assert (1, True) == (attempt.number, channel.is_closed)


@pytest.mark.parametrize(("outcome", "expected"), [
    (Outcome("retry", "throttled", 429, 30.0), ("retry", "throttled", 429, 30.0)),
    (Outcome("gone", "gone", 410), ("gone", "gone", 410, None)),
    (RenderError("no_address", "none", is_suppression=True),
     ("not_rendered", "no_address", 0, None)),
    (None, ("retry", "timeout", 0, None)),
])
async def test_whatever_comes_of_it_is_told(
        outcome: Outcome | RenderError | None, expected: tuple[Any, ...],
        monkeypatch: pytest.MonkeyPatch) -> None:
    """And the channel is closed."""
    channel = Sent(outcome)
    done = await tried(channel, monkeypatch)
    assert expected == (done.result, done.reason, done.code, done.retry_after_s)
    assert channel.is_closed


def test_of_a_given_trigger_no_identifier_is_taken() -> None:
    """Name, data and evidence are, byte for byte."""
    given = msgspec.json.decode(
        b'{"name":"win_back","trigger_id":"x","ids":{"email":"anna@example.org"},'
        b'"customer_key":"k","data":{"n":1.10,"test":false},"evidence":{"e":2.0}}', type=Given)
    shown = msgspec.json.encode(sample("other", given, {}, AT))
    assert b'"name":"win_back"' in shown
    assert b'"data":{"n":1.10,"test":true},"evidence":{"e":2.0}' in shown
    assert b"anna" not in shown


@pytest.mark.parametrize(("text", "expected"), [
    ("short", "short"), ("n" * 2_000, "n" * BODY_BYTES_SHOWN), ("ä" * 2_000, "ä" * 512),
    ("n" + "ä" * 2_000, "n" + "ä" * 511)])
def test_a_body_is_cut(text: str, expected: str) -> None:
    """Between characters."""
    assert expected == cut(text)


def to_webhook(folder: Path, url: str) -> None:
    """Routes that lead to this address."""
    (folder / "routes.yaml").write_text(
        "destinations:\n  crm:\n    channel: webhook\n    purpose: marketing\n"
        f"    url: {url}\n    secret_env: CRM_SECRET\n    timeout_s: 5\n"
        "routes:\n  - triggers: [cart_*, win_back]\n    to: crm\n")


def to_mail(folder: Path, port: int) -> None:
    """Routes that lead to the mail server at this port."""
    (folder / "cart.txt").write_text("{{ data.value }} EUR. {{ unsubscribe_url }}")
    (folder / "routes.yaml").write_text(
        "destinations:\n  mail:\n    channel: email\n    purpose: marketing\n"
        f"    smtp: {{host: 127.0.0.1, port: {port}, tls: none}}\n"
        "    from: news@shop.example\n    subject: Your cart\n    text: cart.txt\n"
        "routes:\n  - triggers: [win_back]\n    to: mail\n")


async def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """The command as a process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "footfall", "deliveries", "test", *arguments, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "FOOTFALL_ROUTES": "routes.yaml", "CRM_SECRET": SECRET, **environment})
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


ALLOWED = {"FOOTFALL_DELIVERY_ALLOW": "127.0.0.1"}


async def test_the_command_sends_once_and_shows_what_came_of_it(tmp_path: Path) -> None:
    """Signed as any request; no broker is needed."""
    async with peer(saying(OK)) as there:
        to_webhook(tmp_path, there.url)
        code, out, err = await run(tmp_path, "crm", "--json", **ALLOWED)
    assert (0, "") == (code, err)
    shown = json.loads(out)
    (request,) = there.requests
    document = Webhook(SECRET).verify(request.body, request.headers)
    assert (shown["trigger_id"], "win_back", {"test": True}) == (
        document["trigger_id"], document["name"], document["data"])
    assert shown["trigger_id"] == request.headers["webhook-id"]
    assert ("sent", 200, len(request.body), "webhook") == (
        shown["result"], shown["code"], shown["bytes"], shown["channel"])
    assert "body" not in shown


async def test_people_see_a_line(tmp_path: Path) -> None:
    """With a trigger of their own; exit code 1 where it did not get there."""
    (tmp_path / "trigger.json").write_text('{"name":"cart_abandoned","data":{"value":"9.90"}}')
    async with peer(answering("503 No", "Retry-After: 7", body=b"internal detail")) as there:
        to_webhook(tmp_path, there.url)
        code, out, _err = await run(tmp_path, "crm", "--trigger", "trigger.json", "--body",
                                    **ALLOWED)
    assert 1 == code
    for said in ("crm (webhook): retry", "503", "a pause of 7 s", '"value":"9.90"'):
        assert said in out
    assert "internal detail" not in out


async def test_a_mail_goes_to_whom_is_named(tmp_path: Path) -> None:
    """With a link by which nobody is unsubscribed; never to the customer whose trigger it was."""
    (tmp_path / "trigger.json").write_text(
        '{"name":"win_back","ids":{"email":"anna@shop.example"},"data":{"value":"9.90"}}')
    arguments = ("mail", "--trigger", "trigger.json", "--json")
    settings = {"FOOTFALL_HTTP_PUBLIC_URL": "https://c.example",
                "FOOTFALL_CUSTOMER_KEY_SECRET": "a secret for tests only"}
    async with peer_running() as server:
        to_mail(tmp_path, server.port)
        nobody = await run(tmp_path, *arguments, **settings)
        code, out, err = await run(tmp_path, *arguments, "--to", "email:me@shop.example",
                                   **settings)
    assert (1, "no_address") == (nobody[0], json.loads(nobody[1])["reason"]), nobody
    assert (0, ("sent", 250)) == (code, (json.loads(out)["result"], json.loads(out)["code"])), err
    (mail,) = server.taken
    assert ["me@shop.example"] == mail.rcpt_tos
    assert b"9.90 EUR. https://c.example" in (mail.original_content or b"")


async def test_a_private_address_is_not_called(tmp_path: Path) -> None:
    """As of any send."""
    async with peer(saying(OK)) as there:
        to_webhook(tmp_path, there.url)
        code, out, err = await run(tmp_path, "crm")
    assert (1, "") == (code, out)
    assert "FOOTFALL_DELIVERY_ALLOW" in err or "delivery_allow" in err
    assert [] == there.requests


@pytest.mark.parametrize(("arguments", "environment", "code", "said"), [
    (["mail"], ALLOWED, 1, "they have crm"),
    (["crm"], {**ALLOWED, "CRM_SECRET": ""}, 1, "CRM_SECRET"),
    (["crm"], {"FOOTFALL_ROUTES": ""}, 1, "FOOTFALL_ROUTES"),
    (["crm", "--trigger", "routes.yaml"], ALLOWED, 1, "is no trigger"),
    (["crm", "--to", "me"], ALLOWED, 2, "KIND:VALUE"),
])
async def test_what_is_wrong_is_said(tmp_path: Path, arguments: list[str],
                                     environment: dict[str, str], code: int, said: str) -> None:
    """And nothing is sent."""
    async with peer(saying(OK)) as there:
        to_webhook(tmp_path, there.url)
        found, _out, err = await run(tmp_path, *arguments, **environment)
    assert (code, True) == (found, said in err), err
    assert [] == there.requests
