"""A child sees exactly what `up` decided, and nothing of the shell around it."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from footfall.settings import ApiKeySettings, Settings, SourceSettings, load
from footfall.up.children import environment_of, worker

SETTINGS = Settings(
    data_dir="/data", kafka_bootstrap_servers="127.0.0.1:9092", customer_key_secret="c" * 16,
    system_secret="s" * 16, write_keys={"web": "k1 k3", "app": "k2"}, api_key="a", http_port=8088,
    sources={"web": SourceSettings(events=["Product: Viewed, \"x\""], origins=["null"])},
    api_keys={"desk": ApiKeySettings(role="support", keys=["a,b", "sha256:" + "0" * 64])},
    redis_url="redis://:p@h:1", checkpoint_s=0.25, accept_gap=True, cart_idle_s=2.5, partitions=3,
    key_dates={"write_keys.web": date(2026, 1, 31)}, log_format="json", log_level="debug",
)


def test_settings_survive_the_way_through_the_environment() -> None:
    """Every one of them, of every type."""
    assert SETTINGS == load(environment_of(SETTINGS, {}))


def test_defaults_are_stated_so_that_no_file_of_the_child_changes_them(tmp_path: Path) -> None:
    """A footfall.toml where the child runs is overridden."""
    file = tmp_path / "footfall.toml"
    file.write_text("partitions = 99\nhttp_host = '0.0.0.0'\n")

    assert SETTINGS == load(environment_of(SETTINGS, {}), file)


def test_variables_of_the_shell_stay_but_for_our_own() -> None:
    """PATH is needed; an old FOOTFALL_ variable would stop the child or change it."""
    made = environment_of(Settings(), {"PATH": "/bin", "FOOTFALL_NO_SUCH": "1",
                                       "FOOTFALL_SYSTEM_SECRET": "x" * 16})

    assert "/bin" == made["PATH"]
    assert not {"FOOTFALL_NO_SUCH", "FOOTFALL_SYSTEM_SECRET"} & made.keys()


def test_a_child_writes_its_file_for_people() -> None:
    """`up` shows lines of it on the screen."""
    assert "text" == load(environment_of(Settings(), {})).log_format


def test_no_secret_stands_on_a_command_line(tmp_path: Path) -> None:
    """Every user of the machine can read command lines."""
    child = worker(SETTINGS, tmp_path, {}, 1)

    assert [sys.executable, "-m", "footfall", "worker"] == child.process.command
    assert "worker-1" == child.name
