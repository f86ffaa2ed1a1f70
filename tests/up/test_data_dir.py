"""One `up` a directory; keys that stay; nothing secret for others to read."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from footfall.errors import SettingsError
from footfall.running import is_locked
from footfall.settings import Settings
from footfall.up.data_dir import DataDir

HOLD = """
import sys, time
from pathlib import Path
from footfall.up.data_dir import DataDir
with DataDir(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_up_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    """Another process holds it; killed with -9 it holds nothing any more."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE,
                          text=True) as other:
        assert other.stdout is not None
        assert "held\n" == other.stdout.readline()
        with pytest.raises(SettingsError, match=r"another `footfall up` runs on .*--data-dir"):
            with DataDir(tmp_path).lock():
                pass
        assert is_locked(tmp_path)
        other.kill()

    with DataDir(tmp_path).lock():
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_keys_stay_the_same(tmp_path: Path) -> None:
    """A new secret would part every customer from its history."""
    first = DataDir(tmp_path).keys(Settings())

    assert first == DataDir(tmp_path).keys(Settings())
    assert first != DataDir(tmp_path / "other").keys(Settings())
    assert 6 == len({first.installation, first.customer_key_secret, first.system_secret,
                     first.write_key, first.api_key, first.webhook_secret})


def test_a_directory_of_an_earlier_release_gets_what_it_lacks(tmp_path: Path) -> None:
    """The secret of webhooks is made, once, and all else stays."""
    first = DataDir(tmp_path).keys(Settings())
    file = tmp_path / "secrets.json"
    file.write_bytes(msgspec.json.encode({
        key: value for key, value in msgspec.structs.asdict(first).items()
        if key != "webhook_secret"}))

    later = DataDir(tmp_path).keys(Settings())

    assert first == msgspec.structs.replace(later, webhook_secret=first.webhook_secret)
    assert later == DataDir(tmp_path).keys(Settings())
    assert later.webhook_secret != first.webhook_secret


def test_the_secret_of_webhooks_is_one_of_standard_webhooks(tmp_path: Path) -> None:
    """`whsec_` and 24 to 64 bytes in base64."""
    prefix, _, encoded = DataDir(tmp_path).keys(Settings()).webhook_secret.partition("_")

    assert ("whsec", 32) == (prefix, len(base64.b64decode(encoded, validate=True)))


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    """Mode 0600 from the first moment on."""
    DataDir(tmp_path).keys(Settings())

    assert 0o600 == stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode)


def test_keys_given_as_options_replace_the_stored_ones(tmp_path: Path) -> None:
    """They hold at the next start too."""
    DataDir(tmp_path).keys(Settings())
    DataDir(tmp_path).keys(Settings(), write_key="mine", api_key="reader")

    later = DataDir(tmp_path).keys(Settings())

    assert ("mine", "reader") == (later.write_key, later.api_key)


def test_configured_secrets_win_and_are_not_stored(tmp_path: Path) -> None:
    """A production secret does not end up in a file of ours."""
    secret = "configured-secret-0123"
    configured = Settings(
        customer_key_secret=secret, system_secret=secret, api_key="configured-api")

    keys = DataDir(tmp_path).keys(configured)

    assert (secret, secret) == (keys.customer_key_secret, keys.system_secret)
    assert "configured-api" == keys.api_key
    assert "configured" not in (tmp_path / "secrets.json").read_text()


@pytest.mark.parametrize("key", ["a:b", "a,b", "with space", "x" * 129, "é"])
def test_a_key_that_a_header_cannot_carry_is_refused(tmp_path: Path, key: str) -> None:
    """The option is named."""
    with pytest.raises(SettingsError, match="--write-key"):
        DataDir(tmp_path).keys(Settings(), write_key=key)


def test_a_broken_secrets_file_stops_the_start(tmp_path: Path) -> None:
    """New secrets in its place would lose every customer in silence."""
    (tmp_path / "secrets.json").write_text("{")

    with pytest.raises(SettingsError, match="restore the file"):
        DataDir(tmp_path).keys(Settings())
