"""API keys: a named one has a role and at most two values, of which only hashes are kept."""

from __future__ import annotations

import gc
import hashlib
import inspect

import pytest

from footfall import key_hashes
from footfall.errors import SettingsError
from footfall.settings import ApiKeySettings, load
from footfall.view import roles
from footfall.view.roles import ApiKeys

HASH = "sha256:" + hashlib.sha256(b"new key").hexdigest()
KEYS = ApiKeys("the owner's", {"desk": ApiKeySettings(role="support", keys=["old key", HASH])})


@pytest.mark.parametrize(("header", "name", "role"), [
    ("Bearer the owner's", "api_key", "owner"), ("bearer  old key ", "desk", "support"),
    ("Bearer new key", "desk", "support")])
def test_a_key_is_known_by_any_of_its_values(header: str, name: str, role: str) -> None:
    """Two live at once, one of them known by its hash alone."""
    found = KEYS.of_header(header)
    assert found is not None
    assert (name, role) == (found.name, found.role)


@pytest.mark.parametrize("header", [
    "", "Bearer", "Bearer ", "Bearer old", "Bearer old key x", "Basic old key", "old key",
    f"Bearer {HASH}", "Bearer " + "k" * 5_000, "Bearer schl\udcfcssel"])
def test_any_other_is_nobodys(header: str) -> None:
    """The hash itself is no key."""
    assert KEYS.of_header(header) is None
    assert ApiKeys("").of_header(header) is None


@pytest.mark.parametrize(("given", "said"), [
    ({"desk": ApiKeySettings(role="support", keys=[])}, "desk has 0 keys"),
    ({"desk": ApiKeySettings(role="support", keys=["a", "b", "c"])}, "desk has 3 keys"),
    ({"desk": ApiKeySettings(role="support", keys=[""])}, "a key of desk has 0 characters"),
    ({"desk": ApiKeySettings(role="support", keys=["sha256:12"])}, "64 hexadecimal"),
    ({"desk": ApiKeySettings(role="support", keys=["the owner's"])}, "share a key"),
    ({"a": ApiKeySettings(role="support", keys=["k"]),
      "b": ApiKeySettings(role="admin", keys=["k"])}, "b and a share a key"),
    ({"": ApiKeySettings(role="support", keys=["k"])}, "a name has 0 characters"),
    ({"api_key": ApiKeySettings(role="support", keys=["k"])}, "not api_key")])
def test_a_bad_one_stops_the_start(given: dict[str, ApiKeySettings], said: str) -> None:
    """And names itself, never its value."""
    with pytest.raises(SettingsError, match=said) as raised:
        ApiKeys("the owner's", given)
    assert "owner's" not in str(raised.value)


def test_they_come_from_file_and_environment() -> None:
    """In a variable as one JSON object; an unknown role is refused by name."""
    found = load({"FOOTFALL_API_KEYS": '{"desk": {"role": "support", "keys": ["k1", "k2"]}}'})
    assert {"desk": ApiKeySettings(role="support", keys=["k1", "k2"])} == found.api_keys
    for bad in ("[", '{"desk": {"role": "king", "keys": ["k"]}}', '{"desk": {"keys": ["k"]}}'):
        with pytest.raises(SettingsError):
            load({"FOOTFALL_API_KEYS": bad})


def test_no_value_is_kept_or_compared_in_clear() -> None:
    """Only keyed hashes are: looking one up takes as long whatever is right of it."""
    held = ApiKeys("a-very-rare-owner-key", {})
    reachable = [held]
    for _ in range(6):
        reachable += gc.get_referents(*[o for o in reachable if not inspect.ismodule(o)
                                        and not isinstance(o, type)])
    assert not any(isinstance(o, str | bytes) and "rare-owner" in repr(o) for o in reachable)
    source = inspect.getsource(key_hashes) + inspect.getsource(roles)
    assert "blake2b(key=secrets.token_bytes" in source
