"""Which Apprise URLs a destination may have, and how a recipient gets into one. Pure.

Apprise resolves and connects by itself, so what it calls cannot be checked address by address as
for webhooks. It is decided by the URL alone: services whose host is written into Apprise and is
reached by https; services whose host stands in the URL only where that host is of the service's
own domain or in `allow`. Anything else is refused, above all what acts on this machine (files,
desktops, syslog, plugins of one's own) and what reads its files. A recipient comes from outside:
it must look like one, stands in the path or as the user, and never moves the host. Errors never
hold the URL.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

from footfall.errors import ConfigError

TO = "{to}"
URL_CHARS_MAX = 4_000
#: To telephones; the recipient is a number as E.164 writes it.
SMS = frozenset({
    "46elks", "elks", "atalk", "bulksms", "bulkvs", "burstsms", "clickatell", "clicksend", "cm",
    "d7sms", "freemobile", "httpsms", "msg91", "msgbird", "nexmo", "octopush", "plivo", "seven",
    "serwersms", "sinch", "smsmgr", "sns", "telesign", "telnyx", "twilio", "voipms", "vonage",
    "whapi", "whatsapp"})
#: The host is written into Apprise, and reached by https.
HOSTED = SMS | {
    "dingtalk", "discord", "feishu", "flock", "gchat", "groupme", "guilded", "ifttt", "ilert",
    "incidentio", "join", "kook", "lark", "line", "onesignal", "opsgenie", "pagerduty", "pbul",
    "pover", "prowl", "pushed", "pushy", "ryver", "signl4", "simplepush", "slack", "splunk",
    "spush", "squadcast", "stackfield", "tgram", "threema", "twist", "viber", "webex", "wecombot",
    "wxteams", "zalo", "zoom"}
#: The host stands in the URL: it must be of one of these domains, or in `allow`.
DOMAINS: dict[str, tuple[str, ...]] = {
    "workflow": (".logic.azure.com", ".api.powerplatform.com"),
    "workflows": (".logic.azure.com", ".api.powerplatform.com"),
    "form": (), "forms": (), "gotify": (), "gotifys": (), "json": (), "jsons": (), "mmost": (),
    "mmosts": (), "ncloud": (), "nclouds": (), "nctalk": (), "nctalks": (), "ntfy": (), "ntfys": (),
    "rocket": (), "rockets": (), "signal": (), "signals": (), "xml": (), "xmls": ()}
#: Options of an Apprise URL that go round a limit of ours or read a file of this machine.
OPTIONS_REFUSED = frozenset({
    "attach", "cto", "optional", "redirect", "retry", "rto", "store", "verify", "wait"})
#: Where `template` is a file; elsewhere it is the name of one that the service keeps.
_TEMPLATE_FILES = frozenset({"discord", "guilded", "slack", "tgram", "workflow", "workflows"})
_PARTS = re.compile(r"([a-z0-9]{1,12})://(?:([^/?#@]*)@)?([^/?#@]*)(/[^?#]*)?(?:\?([^#]*))?")
#: Of a host in the URL: a name or address, a port.
_HOST = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", re.ASCII)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}")
#: No white space, comma or semicolon, which Apprise takes for the next recipient; nothing in front
#: that says what kind it is (@, #).
_ANY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+-]{0,199}")


class Address(NamedTuple):
    """An Apprise URL, checked. `host`: in small letters, without port and brackets; of a hosted
    service it is a token.
    """

    schema: str
    host: str
    url: str


def checked(url: str, variable: str, allow: Sequence[str]) -> Address:
    """The address that is in `variable`; raises `ConfigError`, which never holds it."""
    # A channel's name may stand there as `/#general`; Apprise reads it so.
    url = url.replace("/#", "/%23")
    parts = _PARTS.fullmatch(url) if len(url) <= URL_CHARS_MAX and url.isprintable() else None
    if parts is None or {" ", "\\"} & set(url):
        raise ConfigError(f"url_env: {variable} holds no Apprise URL (SERVICE://...)", ("url_env",))
    schema, user, host, path, query = (part or "" for part in parts.groups())
    if schema not in HOSTED and schema not in DOMAINS:
        raise ConfigError(f"url_env: {variable} is of the service {schema}, which is not one that "
                          "delivery may use; docs/delivery-more.md lists them", ("url_env",))
    _no_bad_option(schema, query, variable)
    if (user.partition(":")[0] + path).count(TO) != url.count(TO):
        raise ConfigError(f"url_env: {variable} has {TO} where it may not stand; a recipient may "
                          "stand in the path, after the first /, or as the user", ("url_env",))
    if schema in DOMAINS:
        named = _HOST.fullmatch(host.lower())
        host = named[1].strip("[]") if named else ""
        if not (any(host.endswith(domain) for domain in DOMAINS[schema])
                or is_allowed(host, allow)):
            raise ConfigError(f"url_env: the host that {variable} names for {schema} is not in the "
                              "setting delivery_allow; put it there if it may be called",
                              ("url_env",))
    return Address(schema, host, url)


def is_allowed(host: str, allow: Sequence[str]) -> bool:
    """Whether a host stands in `allow`, or its address lies in a network that does. A name is not
    resolved: who answers for it could change until Apprise asks.
    """
    for entry in allow:
        if entry.lower() == host:
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def is_recipient(value: str, kind: str, schema: str) -> bool:
    """Whether `value` may be the recipient. `kind`: of identifier or trait it was found under."""
    if schema in SMS or kind == "phone":
        return _E164.fullmatch(value) is not None
    if kind == "email":
        return _EMAIL.fullmatch(value) is not None
    return any(form.fullmatch(value) for form in (_ANY, _E164, _EMAIL))


def addressed(address: Address, to: str) -> str:
    """The URL for one recipient."""
    return address.url.replace(TO, quote(to, safe=""))


def _no_bad_option(schema: str, query: str, variable: str) -> None:
    names = {name.strip().lower() for name, _ in parse_qsl(query, keep_blank_values=True)}
    refused = names & OPTIONS_REFUSED
    if schema in _TEMPLATE_FILES:
        refused |= names & {"template"}
    if refused:
        raise ConfigError(f"url_env: {variable} has the option {min(refused)}, which delivery does "
                          "not allow; leave it out", ("url_env",))
