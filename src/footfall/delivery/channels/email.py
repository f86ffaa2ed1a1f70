"""The channel `email`: one mail to the customer's address, over the SMTP server that is configured.

Decides what a mail says and to whom it goes: the address that the customer is known by, else the
one in their profile. Every mail that is not `necessary` has a link by which the customer leaves
(RFC 8058), and is not sent if none can be made. It is rendered once; what is kept are the very
bytes that go out, so that each attempt is the same mail with the same Message-ID and date.
Servers are the administrator's: private addresses are allowed.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from footfall.delivery import templates
from footfall.delivery.channels import email_mime
from footfall.delivery.channels.email_mime import Mail
from footfall.delivery.channels.email_smtp import Mailer, Server
from footfall.delivery.message import (
    MESSAGE_BYTES_MAX,
    Attempt,
    Message,
    Outcome,
    Person,
    RenderError,
    Resources,
)
from footfall.delivery.routes_row import EmailDestination, Smtp
from footfall.delivery.templates import NAMES, Template
from footfall.errors import ConfigError
from footfall.events.consent import NECESSARY
from footfall.events.customer_key import SECRET_BYTES_MIN, CustomerKeys
from footfall.events.unsubscribe import Ask, Links, highest

EMAIL = "email"
UNSUBSCRIBE_URL = "unsubscribe_url"
PUBLIC_URL_CHARS_MAX = 100
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class _Texts(NamedTuple):
    subject: Template
    text: Template | None
    html: Template | None


class _Leaving(NamedTuple):
    """How links are made."""

    url: str
    links: Links


class EmailChannel:
    """A destination's mails."""

    needs_person = True

    def __init__(self, name: str, destination: EmailDestination, texts: _Texts,
                 mailer: Mailer, leaving: _Leaving | None) -> None:
        self._name = name
        self._purpose = destination.purpose
        self._medium = destination.medium or EMAIL
        self._texts = texts
        self._mailer = mailer
        self._leaving = leaving
        self._sender, self._address = _mailbox(name, "from", destination.from_)
        self._reply_to = ""
        if destination.reply_to:
            self._reply_to, _ = _mailbox(name, "reply_to", destination.reply_to)

    def render(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> Message:
        """The mail; raises `RenderError`, as a suppression where there is no address."""
        to = email_mime.address(person.ids.get(EMAIL)) or email_mime.address(
            person.traits.get(EMAIL))
        if to is None:
            raise RenderError("no_address", "no e-mail address that can be sent to is known",
                              is_suppression=True)
        at = int(datetime.fromisoformat(trigger["emitted_at"]).timestamp() * 1000)
        url = self._url(trigger, person, at)
        given = templates.variables(document, person,
                                    **({UNSUBSCRIBE_URL: url} if url else {}))
        texts = self._texts
        subject = email_mime.one_line(texts.subject.render(given))
        if not subject:
            raise RenderError("render_failed", "the subject is empty")
        mail = Mail(
            self._sender, self._reply_to, to, subject,
            texts.text.render(given) if texts.text else "",
            texts.html.render(given) if texts.html else "",
            email_mime.message_id(trigger["trigger_id"], self._name,
                                  self._address.partition("@")[2]),
            at, url)
        if not mail.text.strip() and not mail.html.strip():
            raise RenderError("render_failed", "the mail is empty")
        return Message(_body(mail), {}, to)

    async def send(self, message: Message, _attempt: Attempt) -> Outcome:
        """Hand it to the server."""
        return await self._mailer.send(self._address, message.to, message.body.encode("ascii"))

    async def close(self) -> None:
        """Say goodbye to the server."""
        await self._mailer.close()

    def _url(self, trigger: Mapping[str, Any], person: Person, at: int) -> str:
        if self._leaving is None:
            return ""
        found = highest(person.ids) or highest(trigger["ids"])
        if found is None:
            raise RenderError("render_failed", "the customer has no identifier for the link by "
                              "which to unsubscribe")
        try:
            token = self._leaving.links.token(Ask(*found, self._purpose, self._medium, at))
        except ValueError as error:
            raise RenderError("render_failed", str(error)) from None
        return f"{self._leaving.url}/v1/unsubscribe/{token}"


async def open_channel(name: str, destination: EmailDestination, resources: Resources
                       ) -> EmailChannel:
    """The channel of a destination; raises `ConfigError`. The server is first called by a mail."""
    leaving = _leaving(name, destination, resources)
    names = NAMES | {UNSUBSCRIBE_URL} if leaving else NAMES
    if not destination.text and not destination.html:
        raise _wrong(name, "text", "and html are both absent; name the file of at least one")
    folder = resources.folder
    texts = _Texts(
        Template(destination.subject, f"{name}.subject", folder=folder, names=names),
        templates.load(folder, destination.text, names=names) if destination.text else None,
        templates.load(folder, destination.html, escape_html=True, names=names)
        if destination.html else None)
    _sender, sender = _mailbox(name, "from", destination.from_)
    mailer = Mailer(_server(name, destination.smtp, resources, sender.partition("@")[2]),
                    destination.concurrency_max, destination.timeout_s)
    return EmailChannel(name, destination, texts, mailer, leaving)


def _body(mail: Mail) -> str:
    try:
        body = email_mime.written(mail)
    except ValueError as error:
        raise RenderError("render_failed", f"the mail has no bytes: {type(error).__name__}"
                          ) from None
    if len(body) > MESSAGE_BYTES_MAX:
        raise RenderError("message_too_large", f"{len(body)} bytes; at most {MESSAGE_BYTES_MAX}")
    return body


def _mailbox(name: str, field: str, value: str) -> tuple[str, str]:
    found = email_mime.header_address(value)
    if found is None:
        raise _wrong(name, field, "is not one e-mail address, as in `Shop <news@shop.example>`")
    return found


def _leaving(name: str, destination: EmailDestination, resources: Resources) -> _Leaving | None:
    if destination.purpose == NECESSARY:
        return None  # nobody can withdraw from it
    if not destination.unsubscribe:
        raise _wrong(name, "unsubscribe", "may be false for the purpose `necessary` alone; leave "
                     "it out, or say that the mail is necessary")
    url = resources.public_url.rstrip("/")
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or len(url) > PUBLIC_URL_CHARS_MAX or not url.isascii():
        raise _wrong(name, "unsubscribe", "needs FOOTFALL_HTTP_PUBLIC_URL, where customers reach "
                     f"the collector: https, at most {PUBLIC_URL_CHARS_MAX} characters of ASCII")
    if len(resources.customer_key_secret) < SECRET_BYTES_MIN:
        raise _wrong(name, "unsubscribe", "needs FOOTFALL_CUSTOMER_KEY_SECRET, the collector's")
    return _Leaving(url, Links(CustomerKeys(resources.customer_key_secret)))


def _server(name: str, smtp: Smtp, resources: Resources, hello: str) -> Server:
    if _HOST.fullmatch(smtp.host) is None:
        raise _wrong(name, "smtp.host", "is no name or address of a server")
    password = ""
    if smtp.user:
        variable = smtp.password_env
        if variable is None:
            raise _wrong(name, "smtp.password_env", "is absent; name the variable that holds the "
                         "password of `user`")
        password = resources.environment.get(variable, "")
        if not password:
            raise _wrong(name, "smtp.password_env", f"names {variable}, which is not set")
        if smtp.tls == "none" and smtp.host not in _LOOPBACK:
            raise _wrong(name, "smtp.tls", "is none, and would send the password in clear; use "
                         "starttls or tls")
    context = None if smtp.tls == "none" else ssl.create_default_context()
    return Server(smtp.host, smtp.port, context, smtp.tls == "starttls", smtp.user, password,
                  hello)


def _wrong(name: str, field: str, what: str) -> ConfigError:
    return ConfigError(f"destinations.{name}.{field} {what}",
                       ("destinations", name, *field.split(".")))
