"""What a mail says, to whom it goes, and that it is always the same bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.channels import email, email_mime
from footfall.delivery.channels.email_mime import Mail
from footfall.delivery.message import MESSAGE_BYTES_MAX, Message, Person, RenderError
from footfall.errors import ConfigError
from footfall.events.customer_key import CustomerKeys
from footfall.events.unsubscribe import Ask, Links
from tests.delivery.channels.mails import (
    ANNA,
    SECRET,
    destination,
    opened,
    parsed,
    rendered,
    resources,
)
from tests.delivery.test_templates import HOSTILE


@pytest.mark.parametrize(("value", "expected"), [
    ("anna@shop.example", "anna@shop.example"),
    ("  Anna.O'Neil+x@Shop.Example ", "Anna.O'Neil+x@shop.example"),
    ("anna@bücher.example", "anna@xn--bcher-kva.example"),
    ("anna@faß.example", "anna@xn--fa-hia.example"),
    ("anna@例え.テスト", "anna@xn--r8jz45g.xn--zckzah"),
    ("a" * 64 + "@shop.example", "a" * 64 + "@shop.example"),
    ("a" * 65 + "@shop.example", None),
    ("a@" + ("b" * 59 + ".") * 4 + "example", "a@" + ("b" * 59 + ".") * 4 + "example"),
    ("a@" + ("b" * 60 + ".") * 4 + "example.x", None),
    ("a" * 321, None), ("a@" + "b" * 319, None),
    ("a@b,c@d", None), ("a@b.example,c@d.example", None), ("a@b.example;c@d.example", None),
    ("a@b.example c@d.example", None), ("a@b.example\r\nBcc: c@d.example", None),
    ("a\r\n@b.example", None), ("a@b.example\n", None), ("a@b.example\0", None),
    ('"a b"@b.example', None), ("<a@b.example>", None), ("A <a@b.example>", None),
    ("a@b@c.example", None), ("a..b@c.example", None), (".a@c.example", None),
    ("jürgen@shop.example", None), ("a@localhost", None), ("a@127.0.0.1", None),
    ("a@[127.0.0.1]", None), ("a@-b.example", None), ("a@b_c.example", None), ("a@.example", None),
    ("a@b\u3002example,x", None), ("a@b\uff0cc.example", None), ("@b.example", None), ("a@", None),
    ("", None), (None, None), (7, None), (["a@b.example"], None),
])
def test_addresses(value: Any, expected: str | None) -> None:
    """One address, as servers take it, or none (B23)."""
    assert expected == email_mime.address(value)


@given(st.text(max_size=60) | st.from_regex(r"[^\s]{1,9}@[^\s]{1,9}\.[a-z]{2}", fullmatch=True))
def test_an_address_is_one_whatever_it_is_made_of(value: str) -> None:
    """ASCII, one @, nothing that could begin another recipient or header."""
    found = email_mime.address(value)

    if found is not None:
        assert re.fullmatch(r"[!-~]+@[a-z0-9.-]+", found)
        assert 1 == found.count("@")
        assert not re.search(r"[,;:<>()\[\]\"\\]", found)


async def test_a_mail_as_programs_read_it(tmp_path: Path) -> None:
    """Both forms, all headers, one recipient."""
    message = rendered(await opened(tmp_path, reply_to="Desk <desk@shop.example>"))
    mail = parsed(message)

    assert "anna@shop.example" == message.to
    assert {} == message.headers
    assert [("From", "Shop <news@shop.example>"), ("To", "anna@shop.example"),
            ("Subject", "Anna: your cart"), ("Date", "Thu, 26 Nov 2026 07:00:01 +0000"),
            ("Auto-Submitted", "auto-generated"), ("Reply-To", "Desk <desk@shop.example>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"), ("Precedence", "bulk"),
            ("MIME-Version", "1.0")] == [
        (name, value) for name, value in mail.items()
        if name not in ("Message-ID", "List-Unsubscribe", "Content-Type")]
    assert re.fullmatch(r"<[0-9a-f]{32}@shop\.example>", mail["Message-ID"])
    assert "multipart/alternative" == mail.get_content_type()
    text, html = mail.iter_parts()
    link = mail["List-Unsubscribe"].strip("<> ")
    assert ("text/plain", f"Hello Anna, 12.5 EUR wait.\n{link}\n") == (
        text.get_content_type(), text.get_content().replace("\r\n", "\n"))
    assert ("text/html", "<p>Hello Anna</p>\n") == (
        html.get_content_type(), html.get_content().replace("\r\n", "\n"))
    assert [] == mail.defects + text.defects + html.defects


async def test_the_link_is_the_customers(tmp_path: Path) -> None:
    """Highest identifier, purpose, medium, and when the message was made; nothing readable."""
    message = rendered(await opened(tmp_path, medium="newsletter"))
    link = parsed(message)["List-Unsubscribe"].strip("<> ")

    assert link.startswith("https://c.example/v1/unsubscribe/")
    assert Ask("user_id", "u1", "marketing", "newsletter", 1_795_676_401_999) == Links(
        CustomerKeys(SECRET)).read(link.rpartition("/")[2])
    assert "u1" not in link


async def test_it_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    """Rendered again, by another process, a trigger is the same mail; another one is another."""
    first = rendered(await opened(tmp_path))

    assert first == rendered(await opened(tmp_path))
    ids = {parsed(one)["Message-ID"] for one in (
        first, rendered(await opened(tmp_path), trigger_id="1" * 32))}
    assert 2 == len(ids)


@pytest.mark.parametrize("hostile", [*HOSTILE, "=?utf-8?q?=0D=0ABcc:_x?=", "\u2028x", "ü" * 400,
                                     "x" * 2_000, ".\r\n.\r\nMAIL FROM:<x@y>", "\0", "x\rBcc: y"])
async def test_what_a_customer_typed_stays_in_its_place(tmp_path: Path, hostile: str) -> None:
    """No header, part or recipient more, whatever a name is; the text itself arrives."""
    person = replace(ANNA, traits={"first_name": hostile})
    message = rendered(await opened(tmp_path), person)
    mail = parsed(message)

    assert message.body.isascii()
    assert ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Unsubscribe",
            "List-Unsubscribe-Post", "Precedence", "MIME-Version", "Content-Type"] == mail.keys()
    assert ["anna@shop.example"] == [one.addr_spec for one in mail["To"].addresses]
    text, html = mail.iter_parts()
    lines = hostile.replace("\r\n", "\n").replace("\r", "\n")
    assert f"Hello {lines}, 12.5" in text.get_content().replace("\r\n", "\n")
    assert "<script" not in html.get_content()
    expected = email_mime.one_line(f"{hostile}: your cart")
    assert expected == str(mail["Subject"])
    assert len(expected) <= email_mime.SUBJECT_CHARS_MAX


@given(st.text(min_size=1, max_size=300), st.text(max_size=120))
def test_every_text_arrives(text: str, subject: str) -> None:
    """In ASCII, in lines that no hop breaks, and read back as it was."""
    line = email_mime.one_line(subject)
    body = email_mime.written(Mail(
        "news@shop.example", "", "a@b.example", line, text, "", "<1@shop.example>", 0,
        "https://c.example/v1/unsubscribe/" + "x" * 850))
    mail = parsed(Message(body))

    assert body.isascii()
    assert max(map(len, body.split("\r\n"))) <= 998
    assert not re.search(r"(?<!\r)\n|\r(?!\n)|\0", body)
    assert line == str(mail["Subject"])
    read = mail.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert re.sub(r"\r\n|\r", "\n", text).rstrip("\n") == read.replace("\r\n", "\n").rstrip("\n")


@pytest.mark.parametrize(("person", "to"), [
    (Person(ids={"email": "ids@shop.example"}, traits={"email": "t@shop.example"}),
     "ids@shop.example"),
    (Person(ids={"user_id": "u"}, traits={"email": "Info@Shop.example"}), "Info@shop.example"),
    (Person(ids={"user_id": "u", "email": "a@b,c@d"}, traits={"email": "t@shop.example"}),
     "t@shop.example"),
    (Person(ids={"user_id": "u"}), None),
    (Person(ids={"user_id": "u"}, traits={"email": "a@b.example\r\nBcc: c@d.example"}), None),
    (Person(ids={"user_id": "u"}, traits={"email": ["a@b.example"]}), None),
    (Person(ids={"user_id": "u"}, traits={"email": "x" * 321}), None),
])
async def test_whom_a_mail_goes_to(tmp_path: Path, person: Person, to: str | None) -> None:
    """The known address, else the profile's; without one the mail is suppressed, not broken."""
    channel = await opened(tmp_path)
    if to is not None:
        assert to == rendered(channel, person).to
        return
    with pytest.raises(RenderError) as caught:
        rendered(channel, person)

    assert ("no_address", True) == (caught.value.reason, caught.value.is_suppression)
    assert "@" not in caught.value.detail


@pytest.mark.parametrize(("changed", "person", "reason", "detail"), [
    ({"subject": "{{ data.gone }}"}, ANNA, "render_failed",
     "cart_mail.subject, line 1: what `data.gone` asks for is not there; give it a `default`"),
    ({"subject": " {{ data.blanks }} "}, ANNA, "render_failed", "the subject is empty"),
    ({"text": "blank.txt", "html": ""}, ANNA, "render_failed", "the mail is empty"),
    ({}, replace(ANNA, ids={"user_id": "ü" * 500, "email": "a@b.example"}), "render_failed",
     "too long for a link"),
    ({"subject": "x", "text": "long.txt"}, ANNA, "message_too_large",
     f"at most {MESSAGE_BYTES_MAX}"),
])
async def test_what_cannot_be_a_mail_is_told(tmp_path: Path, changed: dict[str, Any],
                                             person: Person, reason: str, detail: str) -> None:
    """By reason and place."""
    (tmp_path / "long.txt").write_text("{% for i in (1..7000) %}" + "ü" * 16 + "\n{% endfor %}")
    (tmp_path / "blank.txt").write_text("{{ data.blanks }}")
    channel = await opened(tmp_path, **changed)
    with pytest.raises(RenderError) as caught:
        rendered(channel, person, data={"value": 1, "blanks": "\r\n"})

    assert (reason, False) == (caught.value.reason, caught.value.is_suppression)
    assert detail in caught.value.detail


async def test_a_necessary_mail_has_no_link(tmp_path: Path) -> None:
    """Nobody can withdraw from it, so it does not offer to."""
    (tmp_path / "plain.txt").write_text("x")
    mail = parsed(rendered(await opened(tmp_path, purpose="necessary", text="plain.txt", html="")))

    assert {"List-Unsubscribe", "List-Unsubscribe-Post", "Precedence"}.isdisjoint(mail.keys())
    assert "text/plain" == mail.get_content_type()


@pytest.mark.parametrize(("changed", "smtp", "has", "told"), [
    ({"text": "", "html": ""}, {}, {}, "destinations.cart_mail.text and html are both absent"),
    ({"text": "gone.txt"}, {}, {}, "gone.txt cannot be read"),
    ({"text": "../x"}, {}, {}, "../x is outside the folder"),
    ({"subject": "{% if %}"}, {}, {}, "cart_mail.subject, line 1: missing expression"),
    ({"subject": "{{ unsubscribe_url }}", "purpose": "necessary"}, {}, {},
     "cart_mail.subject, line 1: there is no variable unsubscribe_url"),
    ({"from": "news"}, {}, {}, "destinations.cart_mail.from is not one e-mail address"),
    ({"from": "a@b.example, c@d.example"}, {}, {}, "destinations.cart_mail.from is not one"),
    ({"from": "Shop\r\nBcc: x <a@b.example>"}, {}, {}, "destinations.cart_mail.from is not one"),
    ({"reply_to": "x"}, {}, {}, "destinations.cart_mail.reply_to is not one e-mail address"),
    ({"unsubscribe": False}, {}, {}, "destinations.cart_mail.unsubscribe may be false for"),
    ({}, {}, {"public_url": ""}, "needs FOOTFALL_HTTP_PUBLIC_URL"),
    ({}, {}, {"public_url": "http://c.example"}, "needs FOOTFALL_HTTP_PUBLIC_URL"),
    ({}, {}, {"public_url": "https://c.example/" + "x" * 100}, "needs FOOTFALL_HTTP_PUBLIC_URL"),
    ({}, {}, {"customer_key_secret": b""}, "needs FOOTFALL_CUSTOMER_KEY_SECRET"),
    *(({}, {"host": host}, {}, "destinations.cart_mail.smtp.host is no name or address")
      for host in ("", "a b", "mail.example\r\n", "http://mail.example", "x" * 254)),
    ({}, {"user": "u"}, {}, "destinations.cart_mail.smtp.password_env is absent"),
    ({}, {"user": "u", "password_env": "SMTP_PASSWORD"}, {},
     "destinations.cart_mail.smtp.password_env names SMTP_PASSWORD, which is not set"),
    ({}, {"user": "u", "password_env": "P", "host": "mail.example"}, {"environment": {"P": "p"}},
     "destinations.cart_mail.smtp.tls is none, and would send the password in clear"),
])
async def test_a_destination_that_cannot_work_is_refused(
    tmp_path: Path, changed: dict[str, Any], smtp: dict[str, Any], has: dict[str, Any], told: str
) -> None:
    """When it is opened, by its place in routes.yaml."""
    with pytest.raises(ConfigError) as caught:
        await email.open_channel("cart_mail", destination(1, smtp, **changed),
                                 resources(tmp_path, **has))

    assert told in str(caught.value)
