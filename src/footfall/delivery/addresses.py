"""Which addresses a webhook may call: those of the public Internet, and what the operator allows.

A URL comes from people who plan, the request from inside the network: it must not reach what only
the inside may (SSRF). Of IPv6 a list says what is public, for most of it is not; of IPv4 a list
says what is not. `ipaddress.is_global` is neither: it takes multicast, NAT64 and 6to4 for global.
An IPv4 address within an IPv6 one (mapped, or NAT64 of RFC 6052) is judged as what it is; where it
stands at a place that only the operator of a network knows, or that way of writing is out of use
(6to4, Teredo, ISATAP), it is refused. A zone (`fe80::1%eth0`) names an interface of this machine:
refused.

Ports other than 80 and 443 are refused too, public or not: a name of one's own that points at
somebody's mail server or database is no webhook. `*:8443` among what is allowed opens one.
Pure: no look-up, no socket. Names are judged by the addresses that they turn out to have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

from footfall.errors import ConfigError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

ALLOW_MAX = 1_000
OPEN_PORTS = frozenset((80, 443))
#: A name of hosts as it may be written: ASCII, in lower case once read, no point at the end.
HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_ANY_PORT = 0

CLOSED_4 = tuple((IPv4Network(network), name) for network, name in (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier_nat"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "cloud_host"),  # Azure's, on an address that looks public
    ("169.254.0.0/16", "link_local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "protocol"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
))
_PUBLIC_6 = IPv6Network("2000::/3")
CLOSED_6 = tuple((IPv6Network(network), name) for network, name in (
    ("2001::/32", "teredo"),
    ("2001::/23", "protocol"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3ffe::/16", "reserved"),
    ("3fff::/20", "documentation"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "embedded"),
    ("64:ff9b:1::/48", "embedded"),
    ("100::/64", "discard"),
    ("5f00::/16", "segment_routing"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link_local"),
    ("fec0::/10", "site_local"),
    ("ff00::/8", "multicast"),
))
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


def kind_of(address: Address) -> str:
    """What an address is that may not be called; "" for a public one."""
    address = unwrapped(address)
    if isinstance(address, IPv4Address):
        return next((name for network, name in CLOSED_4 if address in network), "")
    if address.scope_id is not None:
        return "zone"
    for network, name in CLOSED_6:
        if address in network:
            return name
    if address not in _PUBLIC_6:
        return "reserved"
    return "embedded" if address.packed[8:12] in _ISATAP else ""


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv6Address) and address.scope_id is None and (
            address in _MAPPED or address in _NAT64):
        return IPv4Address(address.packed[12:])
    return address


@dataclass(frozen=True, slots=True)
class Allow:
    """What may be called though it is not public. Made by `allowed`."""

    networks: tuple[tuple[Network, int], ...] = ()
    hosts: frozenset[tuple[str, int]] = frozenset()
    ports: frozenset[int] = frozenset()

    def refusal(self, address: Address, host: str, port: int) -> str:
        """Why this address, of that host, may not be called at that port; "": it may."""
        if self.names(host, port) or self.covers(address, port):
            return ""
        return kind_of(address) or ("" if self.opens(port) else "port")

    def covers(self, address: Address, port: int) -> bool:
        """Whether an entry names this address."""
        plain = unwrapped(address)
        if isinstance(plain, IPv6Address) and plain.scope_id is not None:
            return False
        return any(plain in network for network, at in self.networks if at in (_ANY_PORT, port))

    def names(self, host: str, port: int) -> bool:
        """Whether an entry names this host, whatever its addresses are."""
        return (host, port) in self.hosts or (host, _ANY_PORT) in self.hosts

    def opens(self, port: int) -> bool:
        """Whether public addresses may be called at this port."""
        return port in OPEN_PORTS or port in self.ports


def allowed(entries: Sequence[str]) -> Allow:
    """What the entries of `delivery_allow` allow; raises `ConfigError`, which names the entry.

    An address or network, at any port: `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`; an address at one:
    `127.0.0.1:3000`, `[::1]:3000`. A host as URLs name it, whichever address it has then:
    `localhost:3000`, `crm.internal`. A port of public addresses: `*:8443`.
    """
    if len(entries) > ALLOW_MAX:
        raise ConfigError(f"delivery_allow has {len(entries)} entries; at most {ALLOW_MAX}")
    networks, hosts, ports = [], set(), set()
    for entry in entries:
        text, port = _split(entry.strip().lower(), entry)
        network = _network(text, entry)
        if network is not None:
            networks.append((network, port))
        elif text == "*" and port != _ANY_PORT:
            ports.add(port)
        elif HOST_NAME.fullmatch(text) and not ends_in_number(text):
            hosts.add((text, port))
        else:
            raise _refused(entry)
    return Allow(tuple(networks), frozenset(hosts), frozenset(ports))


def ends_in_number(host: str) -> bool:
    """Whether resolvers may take a name for an address of unusual spelling: `0x7f.1`, `127.1`, `0`.
    """
    return bool(re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]))


def literal(host: str) -> Address | None:
    """The address that the host of a URL is, without brackets; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _split(text: str, entry: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})", text)
    if found is None:
        return text, _ANY_PORT
    if not 1 <= int(found[3]) <= 65535:
        raise _refused(entry)
    return found[1] or found[2], int(found[3])


def _network(text: str, entry: str) -> Network | None:
    try:
        network = ip_network(text)
    except ValueError:
        if "/" in text or ":" in text:
            raise _refused(entry) from None
        return None
    # Nothing would ever fit these: what is mapped is looked for as what it stands for.
    if "%" in text or unwrapped(network.network_address) != network.network_address:
        raise _refused(entry)
    return network


def _refused(entry: str) -> ConfigError:
    return ConfigError(
        f"delivery_allow: {entry[:100]!r} is no address (127.0.0.1), network (10.0.0.0/8, without "
        "bits beyond its length), host (crm.internal), one of these with a port (localhost:3000, "
        "[::1]:3000) or open port (*:8443)")
