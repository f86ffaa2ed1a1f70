"""Settings: a bad one stops the start and names itself (law 7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from footfall.errors import SettingsError
from footfall.settings import Settings, SourceSettings, load


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def file(text: str | bytes, name: str = "footfall.toml") -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_defaults_have_no_secret() -> None:
    """Nothing is set, nothing is known."""
    settings = load({})
    assert Settings() == settings
    assert (None, None, {}, "") == (settings.customer_key_secret, settings.system_secret,
                                    settings.write_keys, settings.api_key)


def test_environment_wins_over_the_file() -> None:
    """Key by key; the file is found by its name or given."""
    file('http_port = 1\npartitions = 3\nwrite_keys = {web = "k1"}\n')
    settings = load({"FOOTFALL_HTTP_PORT": "2", "OTHER": "x", "FOOTFALLX": "y"})
    assert (2, 3, {"web": "k1"}) == (settings.http_port, settings.partitions, settings.write_keys)
    assert 9 == load({}, file("http_port = 9", "other.toml")).http_port


def test_values_of_the_environment_become_their_types() -> None:
    """They are all text there."""
    settings = load({"FOOTFALL_CHECKPOINT_S": "0.25", "FOOTFALL_ACCEPT_GAP": "true",
                     "FOOTFALL_CART_IDLE_S": "2", "FOOTFALL_WORKER_ID": "7",
                     "FOOTFALL_WRITE_KEYS": "web:K:1, app:K2,"})
    assert (0.25, True, 2.0, "7", {"web": "K:1", "app": "K2"}) == (
        settings.checkpoint_s, settings.accept_gap, settings.cart_idle_s, settings.worker_id,
        settings.write_keys)


@pytest.mark.parametrize("name", ["", " Order Completed", "x" * 101, "Order\nCompleted", "a\x00b"])
def test_a_north_star_without_a_name_stops_the_start(name: str) -> None:
    """It stands in a metric's label as it is."""
    with pytest.raises(SettingsError, match="north_star"):
        load({"FOOTFALL_NORTH_STAR": name})
    assert "Trial Begun" == load({"FOOTFALL_NORTH_STAR": "Trial Begun"}).north_star
    assert "é" * 100 == load({"FOOTFALL_NORTH_STAR": "é" * 100}).north_star


def test_sources_come_from_the_file_or_as_json() -> None:
    """One table each; a name that stands twice among the write keys has two."""
    path = file('[sources.web]\nwrite_keys = ["k"]\nevents = ["x"]\ncalls = ["track"]\n')
    expected = SourceSettings(write_keys=["k"], events=["x"], calls=["track"])
    assert {"web": expected} == load({}, path).sources
    text = '{"web": {"write_keys": ["k"], "events": ["x"], "calls": ["track"]}}'
    assert {"web": expected} == load({"FOOTFALL_SOURCES": text}).sources
    assert {} == load({"FOOTFALL_SOURCES": ""}, file("")).sources
    assert {"web": "K1 K2", "app": "K3"} == load(
        {"FOOTFALL_WRITE_KEYS": "web:K1,app:K3,web:K2"}, file("")).write_keys


@pytest.mark.parametrize(("name", "value"), [
    ("SOURCES", "{"), ("SOURCES", "[]"), ("SOURCES", '{"web": {"key": "k"}}'),
    ("SOURCES", '{"web": {"calls": ["buy"]}}'), ("BATCH_ITEMS_MAX", "4097"),
    ("ITEM_BYTES_MAX", "262145"),
    ("HTTP_PORT", "-1"), ("HTTP_PORT", "65536"), ("HTTP_PORT", "http"), ("PARTITIONS", "0"),
    ("PARTITIONS", "10001"), ("CHECKPOINT_S", "0"), ("CHECKPOINT_S", "nan"),
    ("CHECKPOINT_S", "inf"), ("REJECTED_RATIO_MAX", "1.01"), ("SESSION_TIMEOUT_S", "301"),
    ("SYSTEM_SECRET", "short"), ("CUSTOMER_KEY_SECRET", "short"), ("ACCEPT_GAP", "maybe"),
    ("CART_IDLE_S", "0"), ("CART_IDLE_S", "nan"), ("WRITE_KEYS", "web"), ("WRITE_KEYS", ":K"),
    ("WRITE_KEYS", "web:"), ("WRITE_KEYS", " :K")])
def test_bad_value_names_its_setting(name: str, value: str) -> None:
    """And never shows a secret."""
    with pytest.raises(SettingsError) as error:
        load({f"FOOTFALL_{name}": value})
    assert name in str(error.value).upper()
    assert "SECRET" not in name or value not in str(error.value)


@pytest.mark.parametrize("name", ["HTTP_PROT", "X", ""])
def test_unknown_variable_names_itself(name: str) -> None:
    """A slip of the pen is found at the start, not in production."""
    with pytest.raises(SettingsError, match=f"FOOTFALL_{name}: no such setting"):
        load({f"FOOTFALL_{name}": "1"})


def test_unknown_key_of_the_file_names_itself_and_the_file() -> None:
    """Also a section, which there is none of."""
    for text in ("http_prot = 1", "[http_prot]\nport = 1"):
        with pytest.raises(SettingsError, match=r"footfall\.toml: http_prot: no such setting"):
            load({}, file(text))


@pytest.mark.parametrize("text", ["http_port = ", b"api_key = '\xff'", "http_port = [1]"])
def test_unreadable_file_is_told(text: str | bytes) -> None:
    """With its name, or with the setting's."""
    with pytest.raises(SettingsError, match=r"footfall\.toml|http_port"):
        load({}, file(text))


def test_file_that_is_not_there_is_told() -> None:
    """When it was asked for by name."""
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        load({}, Path("gone.toml"))
