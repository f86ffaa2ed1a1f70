"""From a mail that arrived to consent that is withdrawn: SMTP, the collector's HTTP, the fold."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient

from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.delivery.channels import email
from footfall.delivery.message import Person
from footfall.testing import Harness
from footfall.testing.harness import CUSTOMER_KEY_SECRET, installation
from tests.collector.edge import CODECS, MemorySink, Server
from tests.delivery.channels.mails import ATTEMPT, destination, rendered, resources
from tests.delivery.channels.smtp_peer import peer_running

WHO = {"userId": "anna"}
PERSON = Person(ids={"user_id": "anna", "email": "anna@shop.example"},
                traits={"first_name": "Anna"})


def consents(shop: Harness) -> dict[tuple[str, str], str]:
    """(purpose, channel) -> status, as the customer's view has it."""
    found = shop.customer("user_id:anna")
    assert found is not None
    return {(one["purpose"], one["channel"]): one["status"]
            for one in found["tables"]["consent"]["effective"]}


def subscribe(shop: Harness, purpose: str, channel: str) -> None:
    shop.send(type="track", **WHO, event="Subscribed",
              properties={"purpose": purpose, "channel": channel})


def fold(shop: Harness, sink: MemorySink) -> None:
    """What the collector wrote, as the log has it."""
    for outgoing in sink.sent:
        for record in outgoing.interactions:
            shop._log.append_bytes(record["key"], record["value"], shop._now)
    sink.sent.clear()
    shop._run()


async def test_one_click_of_a_mail_withdraws(tmp_path: Path) -> None:
    """Looking at the link withdraws nothing; one POST does, for this purpose on this medium; again
    after a new grant, by the same link."""
    shop, sink = Harness(), MemorySink()
    shop.send(type="identify", **WHO, traits={"email": "anna@shop.example"})
    for purpose, channel in (("marketing", "email"), ("marketing", "sms"), ("news", "email")):
        subscribe(shop, purpose, channel)
    shop.advance("1m")
    collector = Collector(sink, installation().keys, WriteKeys({"web": "wk"}), CODECS,
                          lambda: shop._now)
    async with TestClient(Server(collector.application())) as client, peer_running() as peer:
        channel = await email.open_channel("cart_mail", destination(peer.port), resources(
            tmp_path, public_url=f"http://127.0.0.1:{client.port}",
            customer_key_secret=CUSTOMER_KEY_SECRET))
        assert "sent" == (await channel.send(rendered(channel, PERSON), ATTEMPT)).result
        await channel.close()
        link = arrived(peer.taken[0].original_content)

        async with client.session.get(link) as answer:
            assert 200 == answer.status
        fold(shop, sink)
        assert "granted" == consents(shop)["marketing", "email"]

        for _ in range(2):
            async with client.session.post(link, data={"List-Unsubscribe": "One-Click"}) as answer:
                assert 200 == answer.status
        assert 1 == len(sink.events())
        fold(shop, sink)
        expected = {("marketing", "email"): "withdrawn", ("marketing", "sms"): "granted",
                    ("news", "email"): "granted"}
        assert expected == consents(shop)

        shop.advance("1m")
        subscribe(shop, "marketing", "email")
        assert "granted" == consents(shop)["marketing", "email"]
        shop.advance("1m")
        async with client.session.post(link) as answer:
            assert 200 == answer.status
        fold(shop, sink)
        assert expected == consents(shop)


def arrived(data: bytes | str | None) -> str:
    """The link of a mail as it came over SMTP; it stands in the text, too."""
    assert isinstance(data, bytes)
    mail: Any = message_from_bytes(data, policy=policy.SMTP)
    link = str(mail["List-Unsubscribe"]).strip("<> ")
    assert "List-Unsubscribe=One-Click" == mail["List-Unsubscribe-Post"]
    assert link in mail.get_body(("plain",)).get_content()
    return link
