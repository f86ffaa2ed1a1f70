"""Signatures of webhooks: the published vector, the reference libraries, changes of keys."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from footfall.delivery.signing import headers, secret_of
from footfall.errors import ConfigError

OLD = "whsec_" + base64.b64encode(b"an old secret of 32 bytes length").decode()
NEW = "whsec_" + base64.b64encode(b"a new secret that has 64 bytes".ljust(64, b".")).decode()
OTHER = "whsec_" + base64.b64encode(b"the secret of somebody else who asks").decode()
BODY = '{"name": "cart_abandoned", "é": "☃ 😀", "value": 12.50}'.encode()
VERIFY = """
const { Webhook } = require("standardwebhooks");
let text = "";
process.stdin.on("data", (piece) => { text += piece; }).on("end", () => {
  const cases = JSON.parse(text);
  console.log(JSON.stringify(cases.map(({ secret, body, headers }) => {
    try { return new Webhook(secret).verify(body, headers).name; }
    catch (error) { return error.message; }
  })));
});
"""


def key(secret: str) -> bytes:
    return secret_of("HOOK_SECRET", {"HOOK_SECRET": secret})


def test_the_published_vector() -> None:
    """Byte for byte what Standard Webhooks shows."""
    made = headers([key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
                   "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    } == made


def test_the_reference_library_of_python_accepts_both_keys() -> None:
    """While keys are being changed, whoever knows either; nobody else, and no other body."""
    made = headers([key(NEW), key(OLD)], "ab" * 16, time.time(), BODY)

    assert 2 == len(made["webhook-signature"].split(" "))
    for secret in (OLD, NEW):
        assert "cart_abandoned" == Webhook(secret).verify(BODY, made)["name"]
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(BODY + b" ", made)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, made)


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(codec="utf-8")),
       st.uuids().map(str))
def test_whatever_text_is_signed_can_be_verified(secret: bytes, body: str, message: str) -> None:
    """With any key."""
    made = headers([secret], message, time.time(), body.encode())

    Webhook(secret).verify(body.encode(), made, json_parse=False)


def test_the_reference_library_of_node_accepts_both_keys(node_packages: Path) -> None:
    """The same for whoever receives in JavaScript."""
    made = headers([key(NEW), key(OLD)], "ab" * 16, time.time(), BODY)
    late = headers([key(NEW)], "ab" * 16, time.time() - 301, BODY)
    cases = [
        {"secret": OLD, "body": BODY.decode(), "headers": made},
        {"secret": NEW, "body": BODY.decode(), "headers": made},
        {"secret": OTHER, "body": BODY.decode(), "headers": made},
        {"secret": NEW, "body": BODY.decode() + " ", "headers": made},
        {"secret": NEW, "body": BODY.decode(), "headers": late},
    ]

    done = subprocess.run(["node", "-e", VERIFY], cwd=node_packages, input=json.dumps(cases),
                          capture_output=True, text=True, check=True, timeout=60)

    assert ["cart_abandoned", "cart_abandoned", "No matching signature found",
            "No matching signature found", "Message timestamp too old"] == json.loads(done.stdout)


def test_the_time_is_that_of_the_attempt_in_whole_seconds() -> None:
    """Cut, not rounded: a timestamp from the future may be refused."""
    assert "1614265330" == headers([], "a", 1614265330.999, b"")["webhook-timestamp"]


def test_without_a_key_nothing_claims_to_be_signed() -> None:
    """Id and time are there all the same."""
    assert ["webhook-id", "webhook-timestamp"] == list(headers([], "a", 1.0, b""))


@pytest.mark.parametrize("size", [24, 32, 64])
@pytest.mark.parametrize("padding", ["=", ""])
def test_a_secret_of_24_to_64_bytes_is_read(size: int, padding: str) -> None:
    """With the padding of base64 or without, and a line's end after it."""
    secret = bytes(range(size))
    text = base64.b64encode(secret).decode().rstrip("=")
    text += padding * (-len(text) % 4)

    assert secret == secret_of("V", {"V": f"whsec_{text}\n"})


@pytest.mark.parametrize(("text", "why"), [
    (None, "holds no secret"), ("", "holds no secret"), (" ", "holds no secret"),
    ("whsec_", "holds 0 bytes"), ("whsec_c2VjcmV0", "holds 6 bytes"),
    ("whsec_" + base64.b64encode(bytes(23)).decode(), "holds 23 bytes"),
    ("whsec_" + base64.b64encode(bytes(65)).decode(), "holds 65 bytes"),
    ("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "does not begin"),
    ("whsk_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "does not begin"),
    ("whsec_not base64 c2VjcmV0", "not base64"), ("whsec_ünïcödé", "not base64"),
    ("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c", "not base64"),
])
def test_what_is_no_secret_is_refused_by_the_name_of_its_variable(
    text: str | None, why: str
) -> None:
    """What it holds, or a part of that, is in no message."""
    with pytest.raises(ConfigError, match=f"variable HOOK_SECRET .*{why}") as refused:
        secret_of("HOOK_SECRET", {} if text is None else {"HOOK_SECRET": text})
    assert "c2VjcmV0" not in str(refused.value)


def test_an_id_with_a_point_is_a_fault_of_the_programmer() -> None:
    """It could make two messages with one signature."""
    with pytest.raises(AssertionError):
        headers([key(NEW)], "a.1614265330", 1.0, b"")
