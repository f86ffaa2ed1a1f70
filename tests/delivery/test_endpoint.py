"""URLs: one strict form, and what is refused before anything is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from footfall.delivery.addresses import allowed
from footfall.delivery.endpoint import URL_CHARACTERS_MAX, Endpoint, check, endpoint
from footfall.errors import ConfigError
from tests.delivery.test_addresses import REFUSED, SPELLINGS


@pytest.mark.parametrize(("url", "place"), [
    ("https://hooks.example.com", Endpoint(True, "hooks.example.com", 443,
                                           "https://hooks.example.com:443/")),
    ("HTTP://Hooks.Example.com/A?b=C", Endpoint(False, "hooks.example.com", 80,
                                                "http://hooks.example.com:80/A?b=C")),
    ("https://h.example:8443?x[]=%20", Endpoint(True, "h.example", 8443,
                                                "https://h.example:8443/?x[]=%20")),
    ("http://[0:0::1]:3000/", Endpoint(False, "::1", 3000, "http://[::1]:3000/")),
    ("http://127.0.0.1/a/../b", Endpoint(False, "127.0.0.1", 80, "http://127.0.0.1:80/a/../b")),
    ("https://xn--bcher-kva.example/%C3%A9@:;", Endpoint(
        True, "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example:443/%C3%A9@:;")),
])
def test_a_url_is_taken_apart(url: str, place: Endpoint) -> None:
    """The host in lower case, the port always there, path and query as they were."""
    assert place == endpoint(url)


@pytest.mark.parametrize(("url", "why"), [
    ("", "neither http"), ("ftp://hook.example/", "neither http"), ("hook.example", "neither http"),
    ("file:///etc/passwd", "neither http"), ("https://", "no URL"), ("https:///x", "no URL"),
    ("https://user@hook.example/", "names a user"), ("https://a:b@hook.example/", "names a user"),
    ("https://hook.example@127.0.0.1/", "names a user"),
    ("https://hook.example#@127.0.0.1/", "names a user"), ("https://hook.example/#a", "fragment"),
    ("https://hook.example\\@127.0.0.1/", "names a user"), ("https://hook.example\\.x/", "no URL"),
    ("https://hook.example/a b", "no URL"), ("https://hook.example/a\r\nHost: x", "no URL"),
    ("https://hook.example/\n", "no URL"), ("https://hook.example/\t", "no URL"),
    (" https://hook.example/", "neither http"), ("https://hook.example/{{id}}", "no URL"),
    ("https://bücher.example/", "beyond ASCII"), ("https://127。0。0。1/", "beyond ASCII"),
    ("https://①②⑦.0.0.1/", "beyond ASCII"), ("https://hook.example:0/", "port 0"),
    ("https://hook.example:65536/", "port 65536"), ("https://hook.example:99999999/", "no URL"),
    ("https://hook.example:/", "no URL"), ("https://[fe80::1%25eth0]/", "no URL"),
    ("https://[::1/", "no URL"), ("https://[1.2.3.4]/x", "no address"),
    ("https://[:::1]/", "no address"), ("https://hook.example/?", "no URL"),
    ("https://hook..example/", "no name"), ("https://hook.example./", "no name"),
    ("https://.example/", "no name"), ("https://-a.example/", "no name"),
    (f"https://{'a' * 64}.example/", "no name"), ("https://0.0.0.0.0/", "no address"),
    ("https://127.0.0.1./", "no name"), ("https://0177.0.0.1/", "no address"),
    ("https://1.2.3.256/", "no address"), ("https://0x7f000001/", "no address"),
    ("https://hook.example/" + "a" * URL_CHARACTERS_MAX, f"at most {URL_CHARACTERS_MAX}"),
    *((f"https://{spelling}/", "no address") for spelling in SPELLINGS),
])
def test_a_url_that_two_readers_could_read_in_two_ways_is_refused(url: str, why: str) -> None:
    """Each with its reason, and nothing of path, query or user in it."""
    with pytest.raises(ConfigError, match=why) as refused:
        endpoint(url)
    assert ("url",) == refused.value.path


def test_a_refusal_keeps_the_secret_parts_of_a_url() -> None:
    """What is refused is often a hook whose path is its password."""
    for url in ("https://a:s3cret@hook.example/s3cret", "https://hook.example:0/s3cret?s3cret",
                "https://127.1/s3cret", "https://hook.example/s3cret#s3cret"):
        with pytest.raises(ConfigError) as refused:
            endpoint(url)
        assert "s3cret" not in str(refused.value)


@given(st.text("https:/[]@\\.#?%127x0a:", max_size=40).map("http://".__add__))
def test_the_client_sees_the_host_that_was_checked(url: str) -> None:
    """Whatever gets past: host, port and target are the same for the library that calls it."""
    try:
        place = endpoint(url)
    except ConfigError:
        return
    seen = URL(place.url, encoded=True)
    assert (place.host, place.port) == (seen.raw_host, seen.port)
    assert place.url.endswith(seen.raw_path_qs)
    assert seen.user is None


@pytest.mark.parametrize(("text", "kind"), [row for row in REFUSED if "%" not in row[0]])
def test_an_address_that_is_not_public_is_refused_when_it_is_made(text: str, kind: str) -> None:
    """Long before anything is sent; the refusal says how to allow it."""
    host = f"[{text}]" if ":" in text else text
    place = endpoint(f"https://{host}/")
    with pytest.raises(ConfigError, match=kind) as refused:
        check(place, allowed([]))
    entry = str(refused.value).split('"')[1]
    check(place, allowed([entry]))


@pytest.mark.parametrize(("url", "allow", "is_allowed"), [
    ("http://localhost:3000/x", [], False), ("http://localhost/", [], False),
    ("http://a.localhost/", [], False), ("http://localhost:3000/x", ["localhost:3000"], True),
    ("http://localhost:3000/x", ["localhost:3001"], False),
    ("http://localhost:3000/x", ["127.0.0.1"], False),
    ("http://localhost:3000/x", ["127.0.0.1", "::1"], True),
    ("https://hook.example:8443/", [], False), ("https://hook.example:8443/", ["*:8443"], True),
    ("https://hook.example:8443/", ["hook.example:8443"], True),
    ("https://hook.example:8443/", ["10.0.0.0/8"], True),
    ("https://hook.example:8443/", ["10.0.0.1:8444"], False),
    ("https://hook.example/", [], True), ("https://crm.internal/", [], True),
    ("https://8.8.8.8:25/", [], False), ("https://8.8.8.8/", [], True),
])
def test_what_is_known_beforehand_is_refused_beforehand(
    url: str, allow: list[str], is_allowed: bool
) -> None:
    """Names of this machine and ports; what a name's addresses are is looked at when it is sent."""
    if is_allowed:
        check(endpoint(url), allowed(allow))
    else:
        with pytest.raises(ConfigError, match="delivery_allow"):
            check(endpoint(url), allowed(allow))
