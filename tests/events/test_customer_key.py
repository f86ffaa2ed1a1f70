"""The customer key: fixed for all time, and blind without the secret (law 6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.events.customer_key import CustomerKeys, is_blocked, is_customer_key

KEYS = CustomerKeys(b"0123456789abcdef")


@pytest.mark.parametrize(("kind", "value", "key"), [
    ("user_id", "u1", b"user_id:9_fhyKKZT96pFEpB5J_IVw"),
    ("user_id", "", b"user_id:2wcKj7Juob4TzbW5nlaNxQ"),
    ("anonymous_id", "u1", b"anonymous_id:kvmj6odz2eN199FJGAMxiw"),
    ("user_id", "J\u00fcrgen \U0001f600", b"user_id:7JguER5bN7b64xoBRsyqig"),
])
def test_vectors(kind: str, value: str, key: bytes) -> None:
    """Written down once: another result would be another customer in every installation."""
    assert key == KEYS.of(kind, value)


def test_fingerprint_and_message_hash_vectors() -> None:
    """The secret's fingerprint is stored beside the state; message hashes are in it."""
    assert "24bae0c93de0febd" == KEYS.fingerprint
    assert "99f2b863e20fa310" == KEYS.message_hash("m-1").hex()


@given(st.text(), st.text())
def test_equal_only_when_equal(one: str, two: str) -> None:
    """Kinds, values and secrets are told apart; the form is one that Kafka keys may have."""
    assert (one == two) == (KEYS.of("user_id", one) == KEYS.of("user_id", two))
    assert KEYS.of("user_id", one) != KEYS.of("anonymous_id", one)
    assert KEYS.of("user_id", one) != CustomerKeys(b"another secret 16").of("user_id", one)
    assert is_customer_key(KEYS.of("user_id", one))


@pytest.mark.parametrize("value", [
    "", " ", "0", "000", "00000000-0000-0000-0000-000000000000", "--", "-1", "null", "NULL",
    " undefined ", "None", "NaN", "true", "false", "Guest", "anonymous", "unknown",
    "[object Object]"])
def test_blocked(value: str) -> None:
    """Values that many people share by accident."""
    assert is_blocked(value)


@pytest.mark.parametrize("value", ["1", "a", "0a", "-2", "nobody", "guest1", "00000000-0000-1"])
def test_not_blocked(value: str) -> None:
    """Ordinary ones, however short."""
    assert not is_blocked(value)


def test_root_is_the_highest_that_is_not_blocked() -> None:
    """user_id before anonymous_id; a blocked one is not named at all."""
    both = {"anonymous_id": "a1", "user_id": "u1"}
    assert KEYS.of("user_id", "u1") == KEYS.root(both)
    assert KEYS.of("anonymous_id", "a1") == KEYS.root({**both, "user_id": "null"})
    assert KEYS.root({"anonymous_id": "0", "user_id": "guest"}) is None
    assert KEYS.root({"fingerprint": "x"}) is None
    assert KEYS.root({}) is None


def test_short_secret_is_refused() -> None:
    """It could be guessed from the keys."""
    with pytest.raises(ValueError, match="at least 16 bytes"):
        CustomerKeys(b"short")


@pytest.mark.parametrize("key", [
    None, b"", b"user_id:", b"someone@example.com", b"$config", b"user_id:" + b"A" * 21,
    b"user_id:" + b"A" * 23, b"User:" + b"A" * 22, b"user_id:" + b"A" * 21 + b"=",
    b"user_id:" + b"A" * 22 + b"\n", b"\xff:" + b"A" * 22, b"A" * 22, b"k" * 33 + b":" + b"A" * 22])
def test_no_customer_key(key: bytes | None) -> None:
    """Whatever else may stand in a Kafka key."""
    assert not is_customer_key(key)
