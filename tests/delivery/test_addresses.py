"""Which addresses may be called: the table of SSRF, and what lifts it."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery.addresses import ALLOW_MAX, Allow, allowed, kind_of
from footfall.errors import ConfigError

REFUSED = [
    ("0.0.0.0", "unspecified"),  # noqa: S104 - nothing is bound
    ("0.1.2.3", "unspecified"), ("10.0.0.0", "private"), ("10.255.255.255", "private"),
    ("100.64.0.1", "carrier_nat"), ("100.100.100.200", "carrier_nat"),
    ("100.127.255.255", "carrier_nat"), ("127.0.0.1", "loopback"), ("127.255.255.254", "loopback"),
    ("168.63.129.16", "cloud_host"), ("169.254.0.1", "link_local"),
    ("169.254.169.254", "link_local"), ("172.16.0.1", "private"), ("172.31.255.255", "private"),
    ("192.0.0.1", "protocol"), ("192.0.0.192", "protocol"), ("192.0.2.1", "documentation"),
    ("192.88.99.1", "relay"), ("192.168.0.1", "private"), ("192.168.255.255", "private"),
    ("198.18.0.1", "benchmarking"), ("198.19.255.255", "benchmarking"),
    ("198.51.100.7", "documentation"), ("203.0.113.7", "documentation"),
    ("224.0.0.1", "multicast"), ("239.255.255.250", "multicast"), ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "unspecified"), ("::1", "loopback"), ("::7f00:1", "embedded"),
    ("::ffff:127.0.0.1", "loopback"), ("::ffff:10.0.0.1", "private"),
    ("::ffff:169.254.169.254", "link_local"), ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::a9fe:a9fe", "link_local"), ("64:ff9b:1::7f00:1", "embedded"), ("100::1", "discard"),
    ("2001::1", "teredo"), ("2001:0:7f00:1::", "teredo"), ("2001:10::1", "protocol"),
    ("2001:20::1", "protocol"), ("2001:db8::1", "documentation"), ("2002:7f00:1::", "6to4"),
    ("2002:808:808::1", "6to4"), ("3ffe::1", "reserved"), ("3fff::1", "documentation"),
    ("4000::1", "reserved"), ("5f00::1", "segment_routing"), ("fc00::1", "private"),
    ("fd00:ec2::254", "private"), ("fe80::1", "link_local"), ("fe80::1%eth0", "zone"),
    ("2a00:1450::1%1", "zone"), ("::1%lo", "zone"), ("fec0::1", "site_local"),
    ("ff02::1", "multicast"), ("2a00:1450::5efe:7f00:1", "embedded"),
    ("2a00:1450::200:5efe:a00:1", "embedded"),
]
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0",
    "191.255.255.255", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
    "198.20.0.0", "223.255.255.255", "2000::1", "2001:200::1", "2001:4860:4860::8888",
    "2003::1", "2606:4700::1111", "3ffd:ffff::1", "::ffff:8.8.8.8", "64:ff9b::808:808",
]
SPELLINGS = ["0x7f.1", "2130706433", "017700000001", "127.1", "0"]
NOTHING = Allow()


@pytest.mark.parametrize(("text", "kind"), REFUSED)
def test_what_is_not_public_is_refused(text: str, kind: str) -> None:
    """At the ports of the web too, and the refusal says what it is."""
    assert kind == kind_of(ip_address(text))
    assert kind == NOTHING.refusal(ip_address(text), "hook.example", 443)


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_may_be_called(text: str) -> None:
    """Up to the borders of what is not."""
    assert "" == kind_of(ip_address(text))
    assert "" == NOTHING.refusal(ip_address(text), "hook.example", 80)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_resolvers_take_for_an_address_is_judged_as_that(spelling: str) -> None:
    """getaddrinfo reads these as addresses of this machine: they are refused once looked up."""
    found = {address[0] for *_, address in socket.getaddrinfo(spelling, 80)}

    assert all(NOTHING.refusal(ip_address(address), spelling, 80) for address in found)


@given(st.ip_addresses(v=4))
def test_no_public_address_is_one_that_python_knows_as_special(address: IPv4Address) -> None:
    """What the standard library knows as special is a part of what is refused."""
    if not kind_of(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_embedding_changes_nothing(address: IPv4Address) -> None:
    """Mapped and translated, an address is what it is."""
    number = int(address)

    assert kind_of(address) == kind_of(IPv6Address((0xFFFF << 32) | number))
    assert kind_of(address) == kind_of(IPv6Address((0x64FF9B << 96) | number))


@given(st.ip_addresses(v=6))
def test_of_ipv6_only_global_unicast_is_public(address: IPv6Address) -> None:
    """Nothing outside 2000::/3 but what stands for an IPv4 address."""
    if not kind_of(address):
        assert address.packed[0] >> 5 == 1 or address.ipv4_mapped or address.packed[:4] == bytes(
            [0, 0x64, 0xFF, 0x9B])


@pytest.mark.parametrize(("entry", "address", "host", "port", "is_allowed"), [
    ("127.0.0.1", "127.0.0.1", "127.0.0.1", 80, True),
    ("127.0.0.1", "127.0.0.1", "localhost", 3000, True),
    ("127.0.0.1", "127.0.0.2", "localhost", 80, False),
    ("127.0.0.1", "::ffff:127.0.0.1", "hook.example", 80, True),
    ("127.0.0.1", "::1", "localhost", 80, False),
    ("10.0.0.0/8", "10.9.8.7", "crm.internal", 9000, True),
    ("10.0.0.0/8", "11.9.8.7", "crm.internal", 9000, False),
    ("10.0.0.0/8", "64:ff9b::a00:1", "crm.internal", 443, True),
    ("fd00::/8", "fd12::1", "crm.internal", 443, True),
    ("fd00::/8", "fd12::1%eth0", "crm.internal", 443, False),
    ("127.0.0.1:3000", "127.0.0.1", "127.0.0.1", 3000, True),
    ("127.0.0.1:3000", "127.0.0.1", "127.0.0.1", 3001, False),
    ("[::1]:3000", "::1", "localhost", 3000, True),
    ("[::1]:3000", "::1", "localhost", 80, False),
    ("::1", "::1", "localhost", 80, True),
    ("localhost:3000", "127.0.0.1", "localhost", 3000, True),
    ("localhost:3000", "::1", "localhost", 3000, True),
    ("localhost:3000", "127.0.0.1", "localhost", 3001, False),
    ("localhost:3000", "127.0.0.1", "rebound.example", 3000, False),
    ("LOCALHOST", "127.0.0.1", "localhost", 22, True),
    ("crm.internal", "10.0.0.1", "crm.internal", 443, True),
    ("*:8443", "8.8.8.8", "hook.example", 8443, True),
    ("*:8443", "8.8.8.8", "hook.example", 8444, False),
    ("*:8443", "10.0.0.1", "hook.example", 8443, False),
])
def test_an_entry_lifts_what_it_names_and_no_more(
    entry: str, address: str, host: str, port: int, is_allowed: bool
) -> None:
    """Addresses at any port or one, a host at any port or one, a port of public addresses."""
    assert is_allowed == (allowed([entry]).refusal(ip_address(address), host, port) == "")


def test_other_ports_than_those_of_the_web_are_refused() -> None:
    """Of a public address; one that an entry names has all of its ports."""
    assert "port" == NOTHING.refusal(ip_address("8.8.8.8"), "hook.example", 25)
    assert "" == allowed(["8.8.8.8"]).refusal(ip_address("8.8.8.8"), "hook.example", 25)


@pytest.mark.parametrize("entry", [
    "", " ", "10", "0x7f.1", "127.1", "1.2.3.256", "10.0.0.1/8", "10.0.0.0/33", "fe80::1%eth0",
    "[::1]", "*", "*.example.org", "*:0", "localhost:0", "localhost:65536", "localhost:x", "a b",
    "http://localhost:3000", "user@host", "::ffff:10.0.0.1", "64:ff9b::/96", "host.", "-host",
    "höst", "a" * 254,
])
def test_an_entry_that_cannot_be_meant_is_refused(entry: str) -> None:
    """Naming setting and entry, and what entries look like."""
    with pytest.raises(ConfigError, match="delivery_allow") as refused:
        allowed([entry])
    assert entry[:100] in str(refused.value)


def test_the_list_has_a_limit() -> None:
    """So that judging an address never takes long."""
    assert ALLOW_MAX == len(allowed(["127.0.0.1"] * ALLOW_MAX).networks)
    with pytest.raises(ConfigError, match=f"at most {ALLOW_MAX}"):
        allowed(["127.0.0.1"] * (ALLOW_MAX + 1))
