"""Every command finds a running `up`, and believes only one that runs."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from footfall import running
from footfall.errors import SettingsError
from footfall.running import Running, resolve
from footfall.settings import Settings
from footfall.up.data_dir import DataDir

TOLD = Running(
    pid=1, broker="demo broker", kafka_bootstrap_servers="127.0.0.1:9092",
    http_url="http://127.0.0.1:8088", http_port=8088, write_keys={"development": "w"}, api_key="a",
    customer_key_secret="c" * 16, system_secret="s" * 16, worker_urls="http://127.0.0.1:9101",
    routes="/data/webhook.yaml", delivery_allow="localhost:3000",
)


def test_what_is_not_configured_comes_from_a_running_up(tmp_path: Path) -> None:
    """Addresses, secrets and keys; all of it."""
    with DataDir(tmp_path).lock():
        running.write(tmp_path, TOLD)
        found = resolve(Settings(data_dir=str(tmp_path)))

    assert ("127.0.0.1:9092", "c" * 16, "s" * 16, {"development": "w"}, "a", 8088,
            "http://127.0.0.1:9101", "/data/webhook.yaml", "localhost:3000") == (
        found.kafka_bootstrap_servers, found.customer_key_secret, found.system_secret,
        found.write_keys, found.api_key, found.http_port, found.worker_urls, found.routes,
        found.delivery_allow)


def test_configured_settings_win(tmp_path: Path) -> None:
    """One by one."""
    with DataDir(tmp_path).lock():
        running.write(tmp_path, TOLD)
        found = resolve(Settings(data_dir=str(tmp_path), api_key="mine",
                                 customer_key_secret="m" * 16))

    assert ("mine", "m" * 16, "s" * 16) == (
        found.api_key, found.customer_key_secret, found.system_secret)


def test_secrets_of_one_cluster_are_not_used_on_another(tmp_path: Path) -> None:
    """A configured address that is not that of the running `up` takes nothing from it."""
    settings = Settings(data_dir=str(tmp_path), kafka_bootstrap_servers="elsewhere:9092")
    with DataDir(tmp_path).lock():
        running.write(tmp_path, TOLD)

        assert settings == resolve(settings)


def test_the_secret_that_up_made_is_found_by_its_name(tmp_path: Path) -> None:
    """Beside the variables of the environment, which win; a dead `up` has none."""
    told = msgspec.structs.replace(TOLD, webhook_secret="made")
    with DataDir(tmp_path).lock():
        running.write(tmp_path, told)
        assert {"UP_WEBHOOK_SECRET": "made", "A": "b"} == running.secrets(tmp_path, {"A": "b"})
        assert {"UP_WEBHOOK_SECRET": "mine"} == running.secrets(
            tmp_path, {"UP_WEBHOOK_SECRET": "mine"})
        running.write(tmp_path, TOLD)
        assert {} == running.secrets(tmp_path, {})
    running.write(tmp_path, told)

    assert {} == running.secrets(tmp_path, {})


def test_the_file_of_a_dead_up_is_not_believed(tmp_path: Path) -> None:
    """Nobody holds the lock: nobody runs, whatever pid stands in the file."""
    with DataDir(tmp_path).lock():
        running.write(tmp_path, TOLD)
        assert TOLD == running.running(tmp_path)

    assert running.running(tmp_path) is None
    assert Settings(data_dir=str(tmp_path)) == resolve(Settings(data_dir=str(tmp_path)))


def test_without_a_data_directory_nothing_runs(tmp_path: Path) -> None:
    """And none is made by looking."""
    assert running.running(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_the_file_is_private_and_goes_with_up(tmp_path: Path) -> None:
    """It holds secrets."""
    running.write(tmp_path, TOLD)
    assert 0o600 == stat.S_IMODE((tmp_path / "up.json").stat().st_mode)

    running.remove(tmp_path)
    assert not (tmp_path / "up.json").exists()


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "up.json").write_text("[]")

    with pytest.raises(SettingsError, match=r"up\.json.*delete the file"):
        running.running(tmp_path)
