"""What routes may not say together, and what cannot be meant: each finding with its place."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from footfall.delivery.routes import all_of, parse
from footfall.delivery.routes_checks import HEADER_CHARS_MAX, of_triggers, of_variables
from footfall.delivery.routes_reading import Code, Finding, read_text
from footfall.errors import ConfigError

#: What each channel needs, and nothing that is warned of.
NEEDED = {
    "webhook": "url: https://x.example/h, secret_env: HOOK_SECRET",
    "email": "smtp: {host: mail.x.example}, from: shop@x.example, subject: s, text: t.txt",
    "kafka": "topic: t", "redis": "stream: s", "notify": "url_env: DESK_URL, body: b",
}


def found(channel: str, more: str = "", purpose: str = "necessary") -> list[Finding]:
    """The findings of one destination that a route leads to; `more` overrides what is needed."""
    needed = {part.split(":")[0]: part for part in NEEDED[channel].split(", ")}
    for part in more.split(";") if more else []:
        needed[part.strip().split(":")[0]] = part.strip()
    fields = ", ".join([f"channel: {channel}", f"purpose: {purpose}",
                        *(part for part in needed.values() if not part.endswith(": -"))])
    return all_of(read_text(f"destinations:\n  a: {{{fields}}}\n"
                            "routes:\n  - {triggers: t, to: a}\n"))


def one_of(findings: list[Finding]) -> tuple[str, str, str]:
    """Level, code and key of the only one."""
    (only,) = findings
    return only.level, only.code, ".".join(map(str, only.path[2:]))


@pytest.mark.parametrize("channel", NEEDED)
def test_what_a_channel_needs_is_enough(channel: str) -> None:
    """Nothing is said of the least that each one takes."""
    assert [] == found(channel)


QUIET = "quiet_hours: {{from: '{}', to: '{}', zone: {}, else_zone: {}}}"


@pytest.mark.parametrize(("channel", "more", "expected"), [
    ("webhook", "url: ftp://x.example", ("error", "url_invalid", "url")),
    ("webhook", "url: 'https:///nowhere'", ("error", "url_invalid", "url")),
    ("webhook", "url: 'https://x.example:99999/'", ("error", "url_invalid", "url")),
    ("webhook", "url: 'https://x.example/a b'", ("error", "url_invalid", "url")),
    ("webhook", "url: 'https://me:pass@x.example/'", ("error", "url_invalid", "url")),
    ("webhook", "url: 'https://x.example/#x'", ("error", "url_invalid", "url")),
    ("webhook", "url: 'http://x.example/'", ("warning", "not_encrypted", "url")),
    ("webhook", "secret_env: -", ("warning", "unsigned", "")),
    ("webhook", "thin: true; template: t.json", ("error", "thin_template", "template")),
    ("kafka", "thin: true; template: t.json", ("error", "thin_template", "template")),
    ("redis", "thin: true; template: t.json", ("error", "thin_template", "template")),
    ("webhook", "template: /etc/passwd", ("error", "file_invalid", "template")),
    ("kafka", "template: ../t.json", ("error", "file_invalid", "template")),
    ("email", "text: a/../../t.txt", ("error", "file_invalid", "text")),
    ("webhook", "headers: {Webhook-Id: x}", ("error", "header_invalid", "headers.Webhook-Id")),
    ("webhook", "headers: {'a b': x}", ("error", "header_invalid", "headers.a b")),
    ("webhook", 'headers: {a: "x\\r\\ny: z"}', ("error", "header_invalid", "headers.a")),
    ("webhook", f"headers: {{a: {'x' * (HEADER_CHARS_MAX + 1)}}}",
     ("error", "header_invalid", "headers.a")),
    ("webhook", "headers: {Authorization: Basic x}",
     ("warning", "header_secret", "headers.Authorization")),
    ("email", "text: -", ("error", "template_missing", "")),
    ("email", "from: shop", ("error", "smtp_invalid", "from")),
    ("email", "smtp: {host: m.example, user: u}", ("error", "smtp_invalid", "smtp")),
    ("email", "smtp: {host: m.example, password_env: P}", ("error", "smtp_invalid", "smtp")),
    ("email", "smtp: {host: m.example, tls: none}", ("warning", "not_encrypted", "smtp.tls")),
    ("notify", QUIET.format("22:00", "22:00", "customer", "UTC"),
     ("error", "refused", "quiet_hours.to")),
    ("notify", QUIET.format("22:00", "08:00", "Europe/Berln", "UTC"),
     ("error", "refused", "quiet_hours.zone")),
    ("notify", QUIET.format("22:00", "08:00", "customer", "customer"),
     ("error", "refused", "quiet_hours.else_zone")),
    ("notify", QUIET.format("22:00", "08:00", "../UTC", "UTC"),
     ("error", "refused", "quiet_hours.zone")),
    ("notify", "caps: [{max: 1, per: day}, {max: 2, per: day}]",
     ("error", "cap_twice", "caps.1.per")),
    ("notify", "caps: [{max: 1, per: day, then: hold}]",
     ("warning", "hold_endless", "caps.0.then")),
    ("notify", "breaker: {open_s: 60, open_s_max: 30}",
     ("error", "breaker_invalid", "breaker.open_s")),
])
def test_a_destination_may_not_say_this(channel: str, more: str, expected: tuple[str, str, str]
                                        ) -> None:
    """Level, code and key."""
    assert expected == one_of(found(channel, more))


@pytest.mark.parametrize(("channel", "more"), [
    ("webhook", "url: 'http://localhost:3000/x'"),
    ("webhook", "url: 'http://[::1]:3000/x'"),
    ("webhook", "headers: {X-Shop: berlin}"),
    ("webhook", "template: t/hook.json"),
    ("email", "text: -; html: t.html"),
    ("email", "smtp: {host: localhost, port: 25, tls: none}"),
    ("email", "unsubscribe: false"),
    ("notify", QUIET.format("22:00", "08:00", "Europe/Berlin", "UTC")),
    ("notify", QUIET.format("12:00", "12:01", "customer", "America/New_York")),
    ("notify", "caps: [{max: 1, per: day, then: hold}]; expires_s: 86400"),
    ("notify", "caps: [{max: 1, per: day}, {max: 2, per: week}]"),
])
def test_a_destination_may_say_this(channel: str, more: str) -> None:
    """What lies beside the refused."""
    assert [] == found(channel, more)


def test_only_necessary_mail_may_be_without_unsubscribing() -> None:
    """RFC 8058, and the law in most places."""
    findings = found("email", "unsubscribe: false", purpose="marketing")

    assert ("error", "unsubscribe_missing", "unsubscribe") == one_of(findings)
    assert [] == found("email", "unsubscribe: true", purpose="marketing")


DESTINATIONS = ("destinations:\n  mail: {channel: kafka, purpose: x, topic: t}\n"
                "  other: {channel: kafka, purpose: x, topic: t}\nroutes:\n")


@pytest.mark.parametrize(("line", "expected"), [
    ("{triggers: t, to: [mail, mial]}", ("error", "destination_unknown", "to.1")),
    ("{triggers: [t, 'a*b'], to: mail}", ("error", "trigger_invalid", "triggers.1")),
    ("{triggers: '**', to: mail}", ("error", "trigger_invalid", "triggers.0")),
    ("{triggers: '', to: mail}", ("error", "trigger_invalid", "triggers.0")),
    ("{triggers: t, where: {data.level: high}, to: mail}",
     ("warning", "below_data", "where.data.level")),
    ("{triggers: t, where: {value: 9.90}, to: mail}", ("warning", "amount", "where.value")),
])
def test_a_route_may_not_say_this(line: str, expected: tuple[str, str, str]) -> None:
    """Level, code and key; of a name that is misspelt also which is meant."""
    findings = all_of(read_text(f"{DESTINATIONS}  - {line}\n  - {{triggers: t, to: other}}\n"))

    unused = [one for one in findings if one.code == "destination_unused"]
    assert expected == one_of([one for one in findings if one not in unused])
    assert "is 'mail' meant?" in findings[0].message or expected[1] != "destination_unknown"


def test_a_destination_that_no_route_leads_to_is_warned_of() -> None:
    """It is no error: one may be kept for a test send."""
    findings = all_of(read_text(f"{DESTINATIONS}  - {{triggers: t, to: mail}}\n"))

    assert [("warning", "destination_unused", ("destinations", "other"))] == [
        one[:3] for one in findings]
    assert parse(f"{DESTINATIONS}  - {{triggers: t, to: mail}}\n", "r.yaml")


def test_a_broken_destination_is_still_known_by_its_name() -> None:
    """One mistake gives one error: routes that lead to it are not called wrong too."""
    findings = all_of(read_text("destinations:\n  a: {channel: kafka, purpose: x}\n"
                                "routes:\n  - {triggers: t, to: a}\n"))

    assert [("error", "refused", ("destinations", "a"))] == [one[:3] for one in findings]


KNOWN = {"cart_abandoned", "cart_recovered", "risk_level_changed"}


@pytest.mark.parametrize(("trigger", "is_complete", "expected"), [
    ("cart_abandoned", True, None), ("cart_*", True, None), ("*", True, None),
    ("my_rule", False, "hint"), ("my_rule", True, "warning"), ("my_*", True, "warning"),
    ("cart_abandonned", False, "warning"), ("order_*", False, "hint"),
])
def test_triggers_that_nobody_fires_are_told(trigger: str, is_complete: bool, expected: str | None
                                             ) -> None:
    """Where rules are known a warning; else a hint, but for what is misspelt."""
    file = read_text(f"{DESTINATIONS}  - {{triggers: ['{trigger}'], to: mail}}\n").file
    findings = list(of_triggers(file.routes, KNOWN, is_complete=is_complete))

    assert ([] if expected is None else [(expected, "trigger_unknown")]) == [
        one[:2] for one in findings]


def test_variables_that_are_not_set_are_hinted_at() -> None:
    """By name, and never with a value."""
    file = read_text("""
destinations:
  a: {channel: webhook, purpose: x, url: https://x.example/, secret_env: [ONE, TWO]}
  b: {channel: redis, purpose: x, stream: s, url_env: THREE}
  c: {channel: redis, purpose: x, stream: s}
  d: {channel: email, purpose: x, smtp: {host: h, user: u, password_env: FOUR}, from: a@b,
      subject: s, text: t}
  e: {channel: notify, purpose: x, url_env: FIVE, body: b}
""").file
    findings = list(of_variables(file.destinations, {"ONE": "value-one", "THREE": ""}))

    assert [("a", "secret_env", 1), ("b", "url_env"), ("d", "smtp", "password_env"),
            ("e", "url_env")] == [one.path[1:] for one in findings]
    assert {("hint", "variable_unset")} == {one[:2] for one in findings}
    assert "value-one" not in str(findings)


def test_every_code_can_be_found() -> None:
    """None of them is left over: each stands in a call, and in docs/delivery.md."""
    folder = Path(__file__).parents[2] / "src/footfall/delivery"
    source = "".join((folder / f"routes{name}.py").read_text()
                     for name in ("_checks", "_command")) + \
        (folder / "routes_reading.py").read_text().partition("class Finding")[2]

    assert [] == [code for code in get_args(Code) if f'"{code}"' not in source]


def test_an_error_keeps_all_of_the_file_out() -> None:
    """With an unused destination and an unknown one, the error alone is told."""
    with pytest.raises(ConfigError, match=r"r.yaml:5: .* 'nobody' is none of the destinations"):
        parse(f"{DESTINATIONS}  - {{triggers: t, to: nobody}}\n", "r.yaml")
