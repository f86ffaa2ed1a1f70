"""E-mail destinations, triggers and customers for tests."""

from __future__ import annotations

import json
from email import message_from_string, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec

from footfall.delivery.channels import email
from footfall.delivery.channels.email import EmailChannel
from footfall.delivery.message import Attempt, Message, Person, Resources
from footfall.delivery.routes_row import EmailDestination

SECRET = b"a secret of sixteen bytes or more"
ANNA = Person(ids={"user_id": "u1", "email": "anna@shop.example"},
              traits={"first_name": "Anna"}, zone="Europe/Berlin")
TEXT = ("Hello {{ customer.traits.first_name | default: 'you' }}, {{ data.value }} EUR wait.\n"
        "{% if unsubscribe_url %}{{ unsubscribe_url }}{% endif %}\n")
HTML = "<p>Hello {{ customer.traits.first_name | default: 'you' }}</p>\n"
ATTEMPT = Attempt("m", "t", "cart_abandoned", "user_id:k", 1, 0.0)


def trigger(**changed: Any) -> dict[str, Any]:
    return {"trigger_id": "0" * 32, "name": "cart_abandoned", "customer_key": "user_id:k",
            "ids": {"user_id": "u1"}, "occurred_at": "2026-11-26T07:00:00.000Z",
            "emitted_at": "2026-11-26T07:00:01.999Z", "data": {"value": 12.5}, "evidence": {},
            **changed}


def destination(port: int = 1, smtp: dict[str, Any] | None = None, **changed: Any
                ) -> EmailDestination:
    """As routes.yaml has it."""
    given = {"channel": "email", "purpose": "marketing", "from": "Shop <news@shop.example>",
             "subject": "{{ customer.traits.first_name | default: 'Hello' }}: your cart",
             "text": "cart.txt", "html": "cart.html", "timeout_s": 30,
             "smtp": {"host": "localhost", "port": port, "tls": "none", **(smtp or {})}, **changed}
    return msgspec.convert(given, EmailDestination)


def resources(folder: Path, **changed: Any) -> Resources:
    """With both templates in the folder."""
    (folder / "cart.txt").write_text(TEXT)
    (folder / "cart.html").write_text(HTML)
    return Resources(**{"folder": folder, "environment": {}, "public_url": "https://c.example",
                        "customer_key_secret": SECRET, **changed})


async def opened(folder: Path, port: int = 1, smtp: dict[str, Any] | None = None, **changed: Any
                 ) -> EmailChannel:
    return await email.open_channel("cart_mail", destination(port, smtp, **changed),
                                    resources(folder))


def rendered(channel: EmailChannel, person: Person = ANNA, **changed: Any) -> Message:
    one = trigger(**changed)
    return channel.render(one, json.dumps(one).encode(), person)


def parsed(message: Message) -> EmailMessage:
    """As a mail program reads it."""
    return message_from_string(message.body, policy=policy.SMTP)  # type: ignore[return-value]
