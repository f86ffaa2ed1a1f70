"""The URL of a webhook, taken apart once: what is checked is what is called. Pure.

One strict form is read and everything else refused, so that no two readers can see different hosts
in it: http or https, an ASCII name or an address in its usual spelling, no user, no fragment.
Decides what can be refused before anything is sent; what depends on addresses of names is looked
at again at every send (`http.py`). Must never put more of a URL into a message than its host: path
and query are often secrets.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from footfall.delivery.addresses import (
    HOST_NAME,
    Address,
    Allow,
    ends_in_number,
    literal,
    unwrapped,
)
from footfall.errors import ConfigError

URL_CHARACTERS_MAX = 2_000
_PORTS = {"http": 80, "https": 443}
_FORM = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[a-z0-9._~!$&'()*+,;=:@%/-]*)?(?P<query>\?[a-z0-9._~!$&'()*+,;=:@%/?\[\]-]+)?",
    re.ASCII | re.IGNORECASE)
_LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))


class Endpoint(NamedTuple):
    """Where to send. `host`: in lower case, an IPv6 address without brackets. `url`: the whole."""

    secure: bool
    host: str
    port: int
    url: str

    @property
    def address(self) -> Address | None:
        """The address, where the host is one."""
        return literal(self.host)


def endpoint(url: str) -> Endpoint:
    """The parts of a URL; raises `ConfigError`."""
    if len(url) > URL_CHARACTERS_MAX:
        raise _bad(f"has {len(url)} characters; at most {URL_CHARACTERS_MAX}")
    found = _FORM.fullmatch(url)
    if found is None:
        raise _bad(_why(url))
    scheme, host = found["scheme"].lower(), (found["six"] or found["host"]).lower()
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    if not 1 <= port <= 65535:
        raise _bad(f"has port {port}; ports are 1 to 65535")
    address = literal(host)
    is_six = isinstance(address, IPv6Address)
    if bool(found["six"]) != is_six or (address is None and ends_in_number(host)):
        raise _bad(f"has the host {host!r}, which is no address in its usual spelling; write "
                   "addresses as 192.0.2.1 or [2001:db8::1]")
    if address is None and not HOST_NAME.fullmatch(host):
        raise _bad(f"has the host {host[:100]!r}, which is no name of a host")
    if address is not None:
        host = str(address)
    shown = f"[{host}]" if ":" in host else host
    target = (found["path"] or "/") + (found["query"] or "")
    return Endpoint(scheme == "https", host, port, f"{scheme}://{shown}:{port}{target}")


def check(place: Endpoint, allow: Allow) -> None:
    """Refuse what is known not to be allowed before any name is looked up; raises `ConfigError`."""
    address = place.address
    if address is not None:
        known = [address]
    elif place.host == "localhost" or place.host.endswith(".localhost"):
        known = list(_LOOPBACK)  # RFC 6761: it never is another
    else:
        known = []
    for found in known:
        why = allow.refusal(found, place.host, place.port)
        if why == "port":
            raise _port_refused(place)
        if why:
            raise _refused(place, f"is not a public address ({why})")
    if not known and not _may_be_open(place, allow):
        raise _port_refused(place)


def _may_be_open(place: Endpoint, allow: Allow) -> bool:
    """A port that only some addresses have: which the name has is known when it is sent."""
    return (allow.opens(place.port) or allow.names(place.host, place.port)
            or any(port in (0, place.port) for _, port in allow.networks))


def _why(url: str) -> str:
    if "@" in url.partition("//")[2].partition("/")[0]:
        return "names a user; a secret belongs into `secret_env` or `headers`"
    if "#" in url:
        return "has a fragment (#...), which no server ever sees; leave it out"
    if not re.match(r"https?://", url, re.IGNORECASE):
        return "is neither http://... nor https://..."
    if not url.isascii():
        return "has characters beyond ASCII; write hosts as xn--..., other parts with %XX"
    return "is no URL such as https://hooks.example.com/footfall"


def _bad(why: str) -> ConfigError:
    return ConfigError(f"url {why}", ("url",))


def _refused(place: Endpoint, why: str) -> ConfigError:
    address = place.address
    host = place.host if address is None else str(unwrapped(address))
    host = f"[{host}]" if ":" in host else host
    return ConfigError(
        f"url: host {place.host!r} {why}; where it shall be called all the same, add "
        f'"{host}:{place.port}" to delivery_allow', ("url",))


def _port_refused(place: Endpoint) -> ConfigError:
    return ConfigError(
        f"url: port {place.port} of {place.host!r} is neither 80 nor 443; where it shall be called "
        f'all the same, add "*:{place.port}" to delivery_allow', ("url",))
