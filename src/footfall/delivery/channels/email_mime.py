"""An e-mail as bytes: addresses, headers, parts. Pure.

Decides who an address is and how a mail is written. One recipient, always: what could be read as
two is no address. A domain in other letters is written in IDNA 2008; other letters before the @
need a server that knows SMTPUTF8 at every hop, so such a mail is not sent (2026-11-26). Everything
is ASCII, so that no hop changes a byte, and depends on nothing but what is given: the same mail is
the same bytes, which is what tells a copy from another mail.

Headers are written here and not by `email.message`, which folds a long link into encoded words that
no mail program takes for one, and reads each header that it is given: 5 ms a mail.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from datetime import UTC, datetime
from email import policy, quoprimime
from email.header import Header
from email.utils import format_datetime, formataddr
from hashlib import blake2b
from typing import NamedTuple

import idna

#: RFC 5321, 4.5.3.1.3, less the angle brackets.
ADDRESS_CHARS_MAX = 254
LOCAL_CHARS_MAX = 64
#: A subject is cut there; mail programs show 60 to 100.
SUBJECT_CHARS_MAX = 250

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
#: The last label begins with a letter: an address of a machine is none of a customer.
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")
_ASCII_END = 128


class Mail(NamedTuple):
    """What a mail consists of. `sender`, `reply_to`: as `header_address` gives them."""

    sender: str
    reply_to: str
    to: str
    subject: str
    text: str
    html: str
    message_id: str
    #: Milliseconds since the epoch.
    at: int
    #: The link; "": none.
    unsubscribe_url: str = ""


def address(value: object) -> str | None:
    """An address as servers take it; None where it is none, or not one."""
    if not isinstance(value, str) or len(value) > ADDRESS_CHARS_MAX:
        return None
    local, at, domain = value.strip(" ").rpartition("@")
    if not at or len(local) > LOCAL_CHARS_MAX or _LOCAL.fullmatch(local) is None:
        return None
    domain = domain.lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode()
        except UnicodeError:
            return None
    if _DOMAIN.fullmatch(domain) is None:
        return None
    found = f"{local}@{domain}"
    return found if len(found) <= ADDRESS_CHARS_MAX else None


def header_address(value: str) -> tuple[str, str] | None:
    """Of `Shop <news@shop.example>` the header, in ASCII, and the address; None where it is not one
    address.
    """
    if _CONTROL.search(value.replace(" ", "")):
        return None
    named = policy.SMTP.header_factory("From", value).addresses
    if len(named) != 1:
        return None
    found = address(named[0].addr_spec)
    return None if found is None else (formataddr((named[0].display_name, found)), found)


def message_id(trigger_id: str, destination: str, domain: str) -> str:
    """The Message-ID: of one trigger to one destination always the same."""
    made = blake2b(f"{trigger_id}\0{destination}".encode(), digest_size=16).hexdigest()
    return f"<{made}@{domain}>"


def one_line(subject: str) -> str:
    """A subject without breaks and control characters, and not too long."""
    line = _CONTROL.sub(" ", subject).strip()
    return line if len(line) <= SUBJECT_CHARS_MAX else line[:SUBJECT_CHARS_MAX - 1] + "…"


def written(mail: Mail) -> str:
    """The mail in ASCII, with the line ends that are sent; raises `ValueError` for a text that has
    no bytes.
    """
    when = format_datetime(datetime.fromtimestamp(mail.at / 1000, UTC).replace(microsecond=0))
    headers = [
        f"From: {mail.sender}",
        f"To: {mail.to}",
        f"Subject: {_subject(mail.subject)}",
        f"Date: {when}",
        f"Message-ID: {mail.message_id}",
        "Auto-Submitted: auto-generated",
    ]
    if mail.reply_to:
        headers.append(f"Reply-To: {mail.reply_to}")
    if mail.unsubscribe_url:
        # On a line of its own: no line may have more than 998 octets.
        headers += [f"List-Unsubscribe:\r\n <{mail.unsubscribe_url}>",
                    "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
                    "Precedence: bulk"]
    return "\r\n".join([*headers, _parts(mail)])


def _subject(line: str) -> str:
    # What looks like an encoded word is encoded: it is the customer's text, not ours.
    is_plain = line.isascii() and "=?" not in line
    return Header(line, "us-ascii" if is_plain else "utf-8", header_name="Subject",
                  maxlinelen=76).encode(linesep="\r\n")


def _parts(mail: Mail) -> str:
    """From the headers of MIME on. Of both forms the one that shows more is the last."""
    parts = [_part(subtype, text) for subtype, text in (("plain", mail.text), ("html", mail.html))
             if text]
    if len(parts) == 1:
        return f"MIME-Version: 1.0\r\n{parts[0]}"
    # With = before _, which no part has in either of its encodings.
    boundary = f"=_{mail.message_id[1:].partition('@')[0]}"
    return "\r\n".join(["MIME-Version: 1.0",
                        f'Content-Type: multipart/alternative; boundary="{boundary}"', "",
                        *(f"--{boundary}\r\n{part}" for part in parts), f"--{boundary}--", ""])


def _part(subtype: str, text: str) -> str:
    """Either encoding keeps every character, and lines short, whatever the text has."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    data = (lines if lines.endswith("\n") else lines + "\n").encode()
    if 3 * sum(byte >= _ASCII_END for byte in data) < 2 * len(data):
        encoding, body = "quoted-printable", quoprimime.body_encode(data.decode("latin-1"),
                                                                    eol="\r\n")
    else:
        encoding, body = "base64", encodebytes(data.replace(b"\n", b"\r\n")).decode().replace(
            "\n", "\r\n")
    return (f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n{body}")
