"""Tokens by client credentials: asked for once, renewed in time, and never shown."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from footfall.errors import BrokerError
from footfall.kafka import tokens
from footfall.kafka.aio import Tokens, aio
from footfall.kafka.confluent import confluent
from footfall.kafka.security import Cluster, Security

SECRET = "never to be seen"


class Endpoint:
    """A token endpoint on this machine: `answer` is what it says next."""

    def __init__(self) -> None:
        self.answer: tuple[int, Any] = (200, {"access_token": "t", "expires_in": 1000})
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked.append((self.headers["Authorization"], dict(parse_qsl(form))))
                status, body = outer.answer
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", body)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def security(self, **more: Any) -> Security:
        return Security(**{
            "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER",
            "sasl_oauth_token_url": self.url, "sasl_oauth_client_id": "wor:ker",
            "sasl_oauth_client_secret": SECRET, "prefix": "kafka_", **more})


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.close()


async def test_one_token_serves_all_clients(endpoint: Endpoint) -> None:
    """The endpoint is asked once, as RFC 6749 has it, whichever library wants the token."""
    security = endpoint.security(sasl_oauth_scope="kafka", sasl_oauth_extensions="pool=p1")
    cluster = Cluster("a:1", security)
    text, expires_at_s, _principal, extensions = confluent(cluster)["oauth_cb"]("")
    provider = aio(cluster)["sasl_oauth_token_provider"]
    assert isinstance(provider, Tokens)
    assert ("t", {"pool": "p1"}) == (await provider.token(), provider.extensions())
    assert ("t", {"pool": "p1"}) == (text, extensions)
    assert tokens.token_of(security).expires_at_s == expires_at_s
    login = base64.b64encode(b"wor%3Aker:never+to+be+seen").decode()
    assert [(f"Basic {login}", {"grant_type": "client_credentials", "scope": "kafka"})] == (
        endpoint.asked)


def test_it_is_renewed_before_it_expires(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a fifth of its life is left."""
    now = [1_000_000.0]
    monkeypatch.setattr(tokens.time, "time", lambda: now[0])
    security = endpoint.security()
    assert "t" == tokens.token_of(security).text
    endpoint.answer = (200, {"access_token": "u"})
    now[0] += 799
    assert "t" == tokens.token_of(security).text
    now[0] += 2
    assert "u" == tokens.token_of(security).text
    assert 2 == len(endpoint.asked)


@pytest.mark.parametrize(("answer", "said"), [
    ((401, {"error": "invalid_client"}), "it answered 401"),
    ((302, "http://127.0.0.1:1/"), "it answered 302"),
    ((200, {"token": "t"}), "holds no access_token")])
def test_an_endpoint_that_gives_none_is_named(
    endpoint: Endpoint, answer: tuple[int, Any], said: str
) -> None:
    """With what to check, and without the secret."""
    endpoint.answer = answer
    with pytest.raises(BrokerError, match=f"kafka_sasl_oauth_token_url .*{said}.*check") as error:
        tokens.token_of(endpoint.security())
    assert SECRET not in str(error.value)


def test_an_endpoint_that_is_away_is_named() -> None:
    """It is tried again with the next connection."""
    security = Security(
        security_protocol="SASL_SSL", sasl_mechanism="OAUTHBEARER", prefix="kafka_",
        sasl_oauth_token_url="http://127.0.0.1:1/", sasl_oauth_client_id="i",
        sasl_oauth_client_secret=SECRET)
    with pytest.raises(BrokerError, match=r"kafka_sasl_oauth_token_url .*refused.*check the"):
        tokens.token_of(security)
