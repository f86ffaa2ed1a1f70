"""What routes and destinations may not say together, and what cannot be meant.

Decides what is looked for and how grave it is: with an error delivery does not start, a warning is
most likely a mistake, a hint may be one. A message says what to do. Files that a
destination names are looked for by `of_files` alone; everything else is pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path as FilePath
from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit

from footfall.admin.config_yaml import Path
from footfall.delivery.routes_reading import (
    DESTINATIONS,
    ROUTES,
    Code,
    Finding,
    Level,
    Reading,
)
from footfall.delivery.routes_row import (
    AnyDestination,
    EmailDestination,
    KafkaDestination,
    NotifyDestination,
    RedisDestination,
    Route,
    WebhookDestination,
)
from footfall.errors import SettingsError
from footfall.events.consent import NECESSARY

HEADER_CHARS_MAX: Final = 4_096
#: `*` at the end: all that begin so.
TRIGGER_PATTERN: Final = re.compile(r"[A-Za-z0-9_.$-]{1,200}\*?|\*")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
#: What the sender itself decides.
_HEADERS_OWN: Final = frozenset({
    "host", "connection", "content-length", "content-type", "transfer-encoding", "webhook-id",
    "webhook-timestamp", "webhook-signature"})
_HEADERS_SECRET: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
#: How alike two names are that are taken for one, misspelt.
_ALIKE: Final = 0.7
NAMES_SHOWN_MAX: Final = 10


class _Of:
    """Findings of one destination."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, level: Level, code: Code, message: str, *keys: str | int) -> Finding:
        inner = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
        place = f"[{DESTINATIONS}.{self._name}] {inner.lstrip('.')}".rstrip()
        return Finding(level, code, (DESTINATIONS, self._name, *keys), f"{place}: {message}")


def of_reading(reading: Reading) -> Iterator[Finding]:
    """All that the file alone shows, in its order."""
    for name, one in reading.file.destinations.items():
        found = _Of(name)
        yield from _of_all(one, found)
        yield from _CHECKS[type(one)](one, found)
    for n, route in enumerate(reading.file.routes):
        yield from _route(n, route, reading.names)
    used = {name for route in reading.file.routes for name in route.to}
    for name in reading.file.destinations:
        if name not in used:
            yield _Of(name)("warning", "destination_unused",
                            "no route leads here; name it in `to` of one, or take it out")


def of_triggers(routes: Sequence[Route], known: Collection[str], *, is_complete: bool
                ) -> Iterator[Finding]:
    """Names of triggers that nobody fires. `is_complete`: all rules are among `known`; else what is
    not known may be the name of a rule.
    """
    for n, route in enumerate(routes):
        for at, said in enumerate(route.triggers):
            if said.endswith("*"):
                is_known = any(name.startswith(said[:-1]) for name in known)
            else:
                is_known = said in known
            if is_known:
                continue
            meant = _meant(said.rstrip("*"), known)
            no_rule = "" if is_complete else (" of a table; if a rule fires it, all is well "
                                              "(--config FILE says which rules there are)")
            yield Finding("warning" if is_complete or meant else "hint", "trigger_unknown",
                          (ROUTES, n, "triggers", at),
                          f"[{ROUTES}[{n}]] triggers[{at}] {said!r} is no trigger{no_rule}{meant}")


def of_files(destinations: Mapping[str, AnyDestination], folder: FilePath) -> Iterator[Finding]:
    """Files that are not there."""
    for name, one in destinations.items():
        for key, file in _files(one):
            if file and not _is_outside(file) and not (folder / file).is_file():
                yield _Of(name)("error", "file_invalid", f"there is no file {folder / file}; its "
                                "path is read from the folder of the routes file", key)


def of_variables(destinations: Mapping[str, AnyDestination], environment: Mapping[str, str]
                 ) -> Iterator[Finding]:
    """Variables that are not set here."""
    for name, one in destinations.items():
        found = _Of(name)
        for keys, variable in variables_of(one):
            if not environment.get(variable):
                yield found("hint", "variable_unset", f"the variable {variable} is not set here; "
                            "delivery does not start without it", *keys)


def variables_of(one: AnyDestination) -> Iterator[tuple[Path, str]]:
    """The variables that it names, with the keys that do."""
    if isinstance(one, WebhookDestination):
        yield from (((("secret_env", n)), name) for n, name in enumerate(one.secret_env))
    elif isinstance(one, EmailDestination):
        if one.smtp.password_env is not None:
            yield ("smtp", "password_env"), one.smtp.password_env
    elif isinstance(one, KafkaDestination) and one.security is not None:
        yield from (((("security", f"{secret}_env")), variable)
                    for secret, variable in one.security.variables().items())
    elif isinstance(one, RedisDestination | NotifyDestination) and one.url_env is not None:
        yield ("url_env",), one.url_env


def _route(n: int, route: Route, names: Collection[str]) -> Iterator[Finding]:
    place = f"[{ROUTES}[{n}]]"
    for at, said in enumerate(route.triggers):
        if not TRIGGER_PATTERN.fullmatch(said):
            yield Finding("error", "trigger_invalid", (ROUTES, n, "triggers", at),
                          f"{place} triggers[{at}] {said!r}: give the name of a trigger, `*` at "
                          "its end for all that begin so, or `*` alone for all")
    for at, name in enumerate(route.to):
        if name not in names:
            shown = sorted(names)[:NAMES_SHOWN_MAX] + ["..."] * (len(names) > NAMES_SHOWN_MAX)
            yield Finding("error", "destination_unknown", (ROUTES, n, "to", at),
                          f"{place} to[{at}] {name!r} is none of the destinations: "
                          f"{', '.join(shown)}{_meant(name, names)}")
    for path in route.where:
        if path.startswith("data."):
            yield Finding("warning", "below_data", (ROUTES, n, "where", path),
                          f"{place} where: paths begin below `data`; write "
                          f"{path.removeprefix('data.')!r}")


def _of_all(one: AnyDestination, found: _Of) -> Iterator[Finding]:
    """What every destination may get wrong."""
    if one.breaker.open_s > one.breaker.open_s_max:
        yield found("error", "breaker_invalid", f"{one.breaker.open_s:g} is more than open_s_max "
                    f"{one.breaker.open_s_max:g}; lower it, or raise that", "breaker", "open_s")
    seen: set[str] = set()
    for n, cap in enumerate(one.caps):
        if cap.per in seen:
            yield found("error", "cap_twice", f"there is a cap for each {cap.per} already; keep "
                        "one of them", "caps", n, "per")
        seen.add(cap.per)
        if cap.then == "hold" and not one.expires_s:
            yield found("warning", "hold_endless", "what is over the cap is held, and nothing ever "
                        "expires: a customer with more triggers than the cap allows gets older and "
                        "older ones. Give `expires_s`, or `then: drop`", "caps", n, "then")


def _meant(name: str, known: Collection[str]) -> str:
    alike = get_close_matches(name, known, 1, _ALIKE)
    return f"; is {alike[0]!r} meant?" if alike else ""


def _webhook(one: AnyDestination, found: _Of) -> Iterator[Finding]:
    assert isinstance(one, WebhookDestination)
    yield from _url(one.url, found)
    if not one.secret_env:
        yield found("warning", "unsigned", "without `secret_env` nothing is signed: the receiver "
                    "cannot tell who sent it")
    yield from _template(one, found)
    for name, value in one.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _HEADERS_OWN:
            yield found("error", "header_invalid", f"{name!r} is no name of a header that may be "
                        "set; those of content, connection and signature are the sender's",
                        "headers", name)
        elif len(value) > HEADER_CHARS_MAX or not value.isprintable() or not value.isascii():
            yield found("error", "header_invalid", "give at most "
                        f"{HEADER_CHARS_MAX} printable characters of ASCII", "headers", name)
        elif name.lower() in _HEADERS_SECRET:
            yield found("warning", "header_secret", "stands here where all who read the file see "
                        "it; let the receiver verify the signature instead", "headers", name)


def _url(url: str, found: _Of) -> Iterator[Finding]:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or not url.isprintable() \
            or " " in url:
        yield found("error", "url_invalid", "expected https://HOST[:PORT]/PATH", "url")
    elif parts.username is not None or parts.password is not None:
        yield found("error", "url_invalid", "has a user or a password in it, and secrets never "
                    "stand in the file; let the receiver verify the signature (`secret_env`)",
                    "url")
    elif parts.fragment:
        yield found("error", "url_invalid", "has a part after `#`, which is never sent; take it "
                    "out", "url")
    elif parts.scheme == "http" and host not in _LOOPBACK:
        yield found("warning", "not_encrypted", "http is read by all on the way, triggers and "
                    "customers with it; use https", "url")


def _email(one: AnyDestination, found: _Of) -> Iterator[Finding]:
    assert isinstance(one, EmailDestination)
    if not one.text and not one.html:
        yield found("error", "template_missing", "needs `text` or `html`, better both: files of "
                    "the templates, beside the routes file")
    if not one.unsubscribe and one.purpose != NECESSARY:
        yield found("error", "unsubscribe_missing", f"mail of the purpose {one.purpose!r} must "
                    "offer to unsubscribe; take `unsubscribe: false` out, or give the purpose "
                    "`necessary` if nobody may refuse this mail", "unsubscribe")
    if "@" not in one.from_:
        yield found("error", "smtp_invalid", 'expected an address: "Shop <hello@shop.example>"',
                    "from")
    if bool(one.smtp.user) != (one.smtp.password_env is not None):
        yield found("error", "smtp_invalid", "give both `user` and `password_env`, or neither",
                    "smtp")
    if one.smtp.tls == "none" and one.smtp.host not in _LOOPBACK:
        yield found("warning", "not_encrypted", "without TLS all on the way read the mail, and the "
                    "password; use starttls or tls", "smtp", "tls")
    yield from _paths(one, found)


def _template(one: WebhookDestination | KafkaDestination | RedisDestination, found: _Of
              ) -> Iterator[Finding]:
    if one.thin and one.template:
        yield found("error", "thin_template", "`thin` and `template` exclude each other; take one "
                    "of them out", "template")
    yield from _paths(one, found)


def _redis(one: AnyDestination, found: _Of) -> Iterator[Finding]:
    assert isinstance(one, RedisDestination)
    yield from _template(one, found)


def _kafka(one: AnyDestination, found: _Of) -> Iterator[Finding]:
    assert isinstance(one, KafkaDestination)
    yield from _template(one, found)
    if one.security is None:
        return
    if not one.bootstrap_servers:
        yield found("error", "security_invalid", "is for the brokers of another cluster: give "
                    "`bootstrap_servers` too, or take it out (Footfall's own are reached as the "
                    "settings say)", "security")
    try:
        # What goes together does not depend on what the secrets are.
        one.security.of("", FilePath(), dict.fromkeys(one.security.variables(), "set"))
    except SettingsError as error:
        yield found("error", "security_invalid", str(error), "security")
    if one.security.security_protocol == "SASL_PLAINTEXT":
        yield found("warning", "not_encrypted", "without TLS all on the way read the triggers, and "
                    "maybe the password; use SASL_SSL", "security", "security_protocol")


def _notify(_one: AnyDestination, _found: _Of) -> Iterator[Finding]:
    return iter(())


_CHECKS: Final[dict[type, Callable[[AnyDestination, _Of], Iterator[Finding]]]] = {
    WebhookDestination: _webhook, EmailDestination: _email, KafkaDestination: _kafka,
    RedisDestination: _redis, NotifyDestination: _notify,
}


def _paths(one: AnyDestination, found: _Of) -> Iterator[Finding]:
    for key, file in _files(one):
        if file and _is_outside(file):
            yield found("error", "file_invalid", f"{file!r} leads out of the folder of the routes "
                        "file; put the template beside it", key)


def _is_outside(file: str) -> bool:
    path = PurePath(file)
    return path.is_absolute() or ".." in path.parts or "\0" in file


def _files(one: AnyDestination) -> tuple[tuple[str, str], ...]:
    if isinstance(one, EmailDestination):
        return ("text", one.text), ("html", one.html)
    return () if isinstance(one, NotifyDestination) else (("template", one.template),)
