"""Which Apprise URLs are taken, and where a recipient may stand: tables of cases."""

from __future__ import annotations

import pytest

from footfall.delivery.channels.notify_address import (
    DOMAINS,
    HOSTED,
    SMS,
    Address,
    addressed,
    checked,
    is_allowed,
    is_recipient,
)
from footfall.errors import ConfigError

SECRET = "s3cretT0ken"


@pytest.mark.parametrize("url", [
    f"slack://T1/B2/{SECRET}/#general",
    f"tgram://123456:{SECRET}/{{to}}/",
    f"twilio://AC123:{SECRET}@15005550006/{{to}}",
    f"twilio://AC123:{SECRET}@15005550006/15005550007?from=15005550008",
    f"discord://4174216298/{SECRET}?footer=yes",
    f"pbul://{SECRET}/{{to}}",
    f"workflows://prod-01.westeurope.logic.azure.com:443/643/{SECRET}",
    f"whatsapp://{SECRET}@12345/{{to}}?template=cart_reminder",
])
def test_hosted_services_are_taken(url: str) -> None:
    """With what their own URLs have."""
    assert url.partition("://")[0] == checked(url, "SHOP", ()).schema


@pytest.mark.parametrize("url", [
    "file:///etc/passwd", "dbus://", "glib://", "syslog://", "rsyslog://host", "windows://",
    "gnome://", "macosx://", "mailto://u:p@gmail.com", "mqtt://host/topic", "apprise://host/token",
    "https://hooks.slack.com", "exec://ls", "mybrand://x", "nostr://x", "vapid://a@b.c", "irc://h",
    "", "slack", "slack:/T1/B2", "SLACK://T1/B2/x", " slack://T1/B2/x", "slack://T1/B2/x\n",
    "slack://T1/B2/x json://127.0.0.1/", "json://allowed@127.0.0.1@10.0.0.1/",
    "json://10.0.0.1\\@127.0.0.1/x", "slack://" + "x" * 4_000,
])
def test_other_services_and_what_is_no_url_are_refused(url: str) -> None:
    """Above all what acts on this machine."""
    with pytest.raises(ConfigError, match="SHOP") as refused:
        checked(url, "SHOP", ("127.0.0.1", "10.0.0.1"))
    assert ("url_env",) == refused.value.path


@pytest.mark.parametrize(("url", "allow", "is_taken"), [
    ("json://127.0.0.1:8000/x", (), False),
    ("json://127.0.0.1:8000/x", ("127.0.0.1",), True),
    ("json://127.0.0.1:8000/x", ("127.0.0.0/8",), True),
    ("json://127.0.0.2:8000/x", ("127.0.0.1/32",), False),
    ("json://[::1]:8000/x", ("::1/128",), True),
    ("json://[::1]:8000/x", ("127.0.0.0/8",), False),
    ("json://localhost:8000/x", ("127.0.0.0/8",), False),
    ("json://localhost:8000/x", ("LocalHost",), True),
    ("jsons://hook.shop.test/x", ("hook.shop.test",), True),
    ("jsons://hook.shop.test.evil.test/x", ("hook.shop.test",), False),
    ("json://2130706433/x", ("127.0.0.0/8",), False),
    ("json://0x7f.1/x", ("127.0.0.0/8",), False),
    ("json://u:p@127.0.0.1/x", ("127.0.0.1",), True),
    ("json://127.0.0.1@10.0.0.1/x", ("127.0.0.1",), False),
    ("json://10.0.0.1%2f@x/x", ("10.0.0.1",), False),
    ("workflows://prod.logic.azure.com/643/x", (), True),
    ("workflows://prod.logic.azure.com.evil.test/643/x", (), False),
    ("workflows://logic.azure.com.evil.test?.logic.azure.com/643/x", (), False),
])
def test_a_host_in_the_url_must_be_allowed(url: str, allow: tuple[str, ...], is_taken: bool
                                           ) -> None:
    """By its name as it stands there, or by its address; nothing is resolved."""
    if is_taken:
        assert url == checked(url, "SHOP", allow).url
        return
    with pytest.raises(ConfigError, match="delivery_allow"):
        checked(url, "SHOP", allow)


@pytest.mark.parametrize("url", [
    "{to}://x/y", "slack{to}://x/y", "json://{to}/x", "json://{to}.shop.test/x",
    "json://127.0.0.1:{to}/x", "json://user:{to}@127.0.0.1/x", "json://127.0.0.1/x?to={to}",
    "json://127.0.0.1/{to}?to={to}", "json://127.0.0.1{to}/x",
])
def test_a_recipient_moves_no_host(url: str) -> None:
    """It stands in the path or as the user, and nowhere else."""
    with pytest.raises(ConfigError, match="SHOP"):
        checked(url, "SHOP", ("127.0.0.1", "{to}", "127.0.0.1{to}"))


@pytest.mark.parametrize("option", ["verify=no", "redirect=yes", "rto=900", "retry=9", "%72etry=9",
                                    "wait=60", "attach=/etc/passwd", "store=yes", " Verify=no",
                                    "template=/etc/passwd"])
def test_options_that_go_round_a_limit_are_refused(option: str) -> None:
    """By the name of the option, however it is spelt."""
    with pytest.raises(ConfigError, match="SHOP"):
        checked(f"slack://T1/B2/{SECRET}?footer=yes&{option}", "SHOP", ())


@pytest.mark.parametrize("url", [
    f"json://user:{SECRET}@10.0.0.1/", f"nope://{SECRET}", f"slack://{SECRET}/x?verify=no",
    f"json://127.0.0.1/?x={SECRET}&to={{to}}", f"{SECRET}"])
def test_refusals_hold_nothing_of_the_url(url: str) -> None:
    """It is a secret: who has it can send."""
    with pytest.raises(ConfigError) as refused:
        checked(url, "SHOP", ("127.0.0.1",))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("value", "kind", "schema", "expected"), [
    ("+4917612345678", "phone", "twilio", True),
    ("+4917612345678", "sms_number", "twilio", True),
    ("017612345678", "phone", "twilio", False),
    ("+4917612345678,+4917612345679", "phone", "twilio", False),
    ("+4917612345678\n", "phone", "twilio", False),
    ("+49176/+49177", "phone", "json", False),
    ("u1", "user_id", "twilio", False),
    ("ada@shop.test", "email", "pbul", True),
    ("ada@shop.test,eve@shop.test", "email", "pbul", False),
    ("ada", "email", "pbul", False),
    ("123456789", "telegram", "tgram", True),
    ("01234567890A", "line", "line", True),
    ("dXNlcg==", "viber", "viber", True),
    ("@everyone", "telegram", "tgram", False),
    ("#general", "channel", "slack", False),
    ("a b", "telegram", "tgram", False),
    ("a;b", "telegram", "tgram", False),
    ("a/b", "telegram", "tgram", False),
    ("../x", "telegram", "tgram", False),
    ("a%2Fb", "telegram", "tgram", False),
    ("a?verify=no", "telegram", "tgram", False),
    ("a#b", "telegram", "tgram", False),
    ("ä", "telegram", "tgram", False),
    ("x" * 201, "telegram", "tgram", False),
    ("", "telegram", "tgram", False),
])
def test_a_recipient_is_one_and_looks_like_it(value: str, kind: str, schema: str, expected: bool
                                              ) -> None:
    """What a customer typed never becomes two recipients, a channel or a part of the URL."""
    assert expected == is_recipient(value, kind, schema)


def test_a_recipient_is_put_in_encoded() -> None:
    address = Address("pbul", "x", "pbul://x/{to}/")
    assert "pbul://x/ada%2Bshop%40shop.test/" == addressed(address, "ada+shop@shop.test")


def test_nothing_is_allowed_by_an_entry_that_is_none() -> None:
    assert not is_allowed("10.0.0.1", ("", "10.0.0", "10.0.0.0/99", "shop"))


def test_services_are_as_apprise_has_them() -> None:
    """Hosted ones carry no host in their URL and speak https; the others do carry one."""
    from apprise.manager_plugins import NotificationManager

    known = NotificationManager()
    for schema in HOSTED | DOMAINS.keys():
        plugin = known[schema]
        secure = plugin.secure_protocol
        assert plugin.enabled, schema
        assert ("{host}" in " ".join(plugin.templates)) == (schema in DOMAINS), schema
        if schema in HOSTED:
            assert schema in ((secure,) if isinstance(secure, str) else secure), schema
            assert not str(getattr(plugin, "notify_url", "https:")).startswith("http:"), schema
    assert SMS < HOSTED
    assert not HOSTED & DOMAINS.keys()
