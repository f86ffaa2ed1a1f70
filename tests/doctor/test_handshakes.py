"""Why TLS does not come about with registry and Redis: each cause, and what to change."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import certifi
import pytest
import redis

import footfall.doctor.view as doctor_view
from footfall.doctor.clock import clocks
from footfall.doctor.findings import Finding
from footfall.doctor.prometheus import prometheus
from footfall.doctor.registry import registry, trusted
from footfall.doctor.view import view
from footfall.errors import SchemaError
from footfall.events.registry import Registry
from footfall.health_serving import HealthServing, beside
from footfall.settings import Settings
from footfall.up.ports import HOST, free_port
from tests.redis_server import RedisServer
from tests.system.secured import Authority, tls_server

CANARY = "a-password"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that is known here, as a user makes it known."""
    made = Authority(tmp_path / "known")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


def of_registry(address: str) -> Finding:
    found, *_release = registry(Settings(schema_registry_url=f"https://me:{CANARY}@{address}"))
    return found


def of_redis(address: str, query: str = "") -> Finding:
    found, *_others = view(Settings(redis_url=f"rediss://:{CANARY}@{address}{query}", partitions=1))
    return found


@pytest.mark.parametrize(("days", "host", "said", "change"), [
    (365, "elsewhere.example", "its certificate is for another host name", "by a name that stands"),
    (-1, "localhost", "its certificate has expired", "renew it"),
    (4100, "localhost", "its certificate is not valid yet", "set the clocks right")])
def test_what_is_wrong_with_a_certificate_is_told(
        authority: Authority, days: float, host: str, said: str, change: str) -> None:
    """Of the registry, of Prometheus and of Redis, in the words that are used of brokers."""
    with tls_server(authority.issue("server", days, [host])) as address:
        [scraper] = prometheus(Settings(prometheus_url=f"https://{address}"))
        for found in (of_registry(address), scraper, of_redis(address)):
            assert ("error", True) == (found.status, said in found.found)
            assert change in found.change
            assert CANARY not in str(found)


def test_an_authority_that_is_not_known_is_told_with_where_it_is_made_known(
        authority: Authority, tmp_path: Path) -> None:
    """What is said of the registry its client meets, too; Redis has an authority in its URL."""
    other = Authority(tmp_path / "other")
    with tls_server(other.issue("server")) as address:
        for found, change in ((of_registry(address), "set SSL_CERT_FILE to a file"),
                              (of_redis(address), "add ?ssl_ca_certs=FILE")):
            assert ("error", True) == (found.status, found.change.startswith(change))
            assert "comes from an authority that is not known here (" in found.found
        with pytest.raises(SchemaError, match="certificate verify failed"):
            Registry(f"https://{address}").current_id("interaction")


def test_where_no_tls_is_spoken_that_is_told(
        authority: Authority, own_redis: Callable[..., RedisServer]) -> None:
    """Where the answer to a handshake is something else; where there is none, as of Redis, it is
    asked without TLS.
    """
    port = free_port()
    with beside(HealthServing(HOST, port, dict)):
        found = of_registry(f"{HOST}:{port}")
    assert "no TLS could be agreed (WRONG_VERSION_NUMBER)" in found.found
    assert "http://" in found.change
    found = of_redis(f"{HOST}:{own_redis().port}")
    assert ("error", True) == (found.status, found.found.startswith("no TLS could be agreed ("))
    assert "redis://" in found.change


def test_a_redis_that_is_mute_is_not_taken_for_one_without_tls(
        authority: Authority, own_redis: Callable[..., RedisServer]) -> None:
    """It takes connections, and answers neither with TLS nor without."""
    server = own_redis()
    server.pause()
    assert "does not answer (timeout)" == of_redis(f"{HOST}:{server.port}").found


def test_with_a_good_certificate_both_answer(
        authority: Authority, own_redis: Callable[..., RedisServer]) -> None:
    """A real Redis wants a certificate of ours, too, unless it was told otherwise."""
    file = authority.issue("server")
    with https(file) as address:
        assert "lacks" in of_registry(address).found
    port = free_port()
    own_redis("--tls-port", str(port), "--tls-cert-file", str(file), "--tls-key-file", str(file),
              "--tls-ca-cert-file", str(authority.file))
    found = of_redis(f"localhost:{port}")
    assert ("error", "it wants a certificate of ours") == (found.status, found.found)
    assert "ssl_certfile=FILE&ssl_keyfile=FILE" in found.change
    well = view(Settings(redis_url=f"rediss://localhost:{port}?ssl_certfile={file}"
                                   f"&ssl_keyfile={file}", partitions=1))
    assert ["release", "partitions"] == [one.subject for one in well]


@pytest.mark.parametrize("name", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    """Where Redis is asked with it."""
    found = of_redis(f"localhost:{free_port()}", f"?{name}={tmp_path}/none.pem")
    assert ("error", f"{name} names {tmp_path}/none.pem, which is no file",
            "correct FOOTFALL_REDIS_URL") == (found.status, found.found, found.change)


def test_what_a_redis_wants_is_told_though_it_ends_before_it_could_be_read(
        authority: Authority, own_redis: Callable[..., RedisServer],
        monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a command of ours reached it before it had judged the handshake."""
    async def cut(_: Settings) -> NoReturn:
        raise redis.ConnectionError("Connection reset by peer")

    file, port = authority.issue("server"), free_port()
    own_redis("--tls-port", str(port), "--tls-cert-file", str(file), "--tls-key-file", str(file),
              "--tls-ca-cert-file", str(authority.file))
    monkeypatch.setattr(doctor_view, "_look", cut)
    assert "it wants a certificate of ours" == of_redis(f"localhost:{port}").found
    certificate = f"?ssl_certfile={file}&ssl_keyfile={file}"
    for address in (f"localhost:{port}{certificate}", f"localhost:{free_port()}"):
        assert "does not answer (connection)" == of_redis(address).found


def test_authorities_of_the_registry_are_those_of_its_client(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority that the system alone knows would be well here, and refused by programs."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    known = ssl.create_default_context(cafile=certifi.where())
    assert known.get_ca_certs() == trusted().get_ca_certs()


def test_the_clock_of_a_registry_is_told_where_only_its_client_knows_the_authority(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the system's: as programs ask it, so doctor does."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    unknown = Authority(tmp_path / "unknown")
    monkeypatch.setattr(certifi, "where", lambda: str(unknown.file))
    with https(unknown.issue("server")) as address:
        [found] = clocks(Settings(schema_registry_url=f"https://{address}"))
    assert ("clock", f"registry https://{address}", "ok") == (
        found.area, found.subject, found.status)


class Subjects(BaseHTTPRequestHandler):
    """A registry that has none."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@contextmanager
def https(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ThreadingHTTPServer((HOST, 0), Subjects) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"localhost:{server.server_address[1]}"
        server.shutdown()
