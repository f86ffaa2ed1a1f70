"""Settings: `footfall.toml`, overridden by `FOOTFALL_*` variables.

Read once, by the command line. An unknown or bad key stops the start and names itself (law 7).
These are the settings of programs; what steps read is configuration and comes through the log
(`tables/config.py`). Nothing here has a default secret.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from footfall.errors import SettingsError

PREFIX = "FOOTFALL_"
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Secret = Annotated[str, msgspec.Meta(min_length=16)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, with its default. docs/settings.md says what each means."""

    data_dir: str = ".footfall"
    kafka_bootstrap_servers: str = ""
    schema_registry_url: str = ""
    customer_key_secret: Secret | None = None
    system_secret: Secret | None = None
    partitions: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 12
    replication_factor: Annotated[int, msgspec.Meta(ge=1, le=15)] = 1

    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    #: Source name -> write key.
    write_keys: dict[str, str] = {}
    #: Folder of the collector's spool; empty: none.
    spool_path: str = ""
    spool_bytes_max: Annotated[int, msgspec.Meta(ge=8_388_608)] = 1_073_741_824
    api_key: str = ""
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 0
    #: Where `customer` and `doctor` find the workers, comma-separated.
    worker_urls: str = ""

    worker_id: str = ""
    checkpoint_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 0.5
    checkpoint_records_max: Annotated[int, msgspec.Meta(ge=1)] = 40_000
    batch_records_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 2_000
    hot_records_max: Annotated[int, msgspec.Meta(ge=1)] = 100_000
    session_timeout_s: Annotated[float, msgspec.Meta(ge=1, le=300)] = 10.0
    rejected_ratio_max: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.05
    rejected_run_max: Annotated[int, msgspec.Meta(ge=1)] = 100
    accept_gap: bool = False
    #: Modules of the user's own Faust agents, comma-separated.
    agents: str = ""
    #: Tests: kill the worker at a named point (`point:count`); `stream/crash.py` lists them.
    crash_at: str = ""

    #: Development: the value that `up` applies as configuration.
    cart_idle_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


def load(environment: Mapping[str, str], path: Path | None = None) -> Settings:
    """Settings from a file (default `footfall.toml` where it exists) and the environment."""
    merged: dict[str, Any] = {}
    file = path or Path("footfall.toml")
    if path is not None or file.exists():
        try:
            merged.update(tomllib.loads(file.read_text("utf-8")))
        except (OSError, ValueError) as error:  # not UTF-8, not TOML
            raise SettingsError(f"{file}: {error}") from None
        _check_names(merged, f"{file}: ")
    variables = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    _check_names(variables, PREFIX)
    if "write_keys" in variables:
        merged["write_keys"] = _write_keys(variables.pop("write_keys"))
    merged.update(variables)
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from None


def _write_keys(text: str) -> dict[str, str]:
    """`web:KEY1,app:KEY2` as a table."""
    pairs = [item.partition(":") for item in text.split(",") if item.strip()]
    keys = {name.strip(): key.strip() for name, _, key in pairs}
    if not all([*keys, *keys.values()]):
        raise SettingsError(f"{PREFIX}WRITE_KEYS: expected SOURCE:KEY[,SOURCE:KEY ...]")
    return keys


def _check_names(given: Mapping[str, Any], where: str) -> None:
    unknown = sorted(given.keys() - set(Settings.__struct_fields__))
    if unknown:
        name = unknown[0].upper() if where == PREFIX else unknown[0]
        raise SettingsError(f"{where}{name}: no such setting; docs/settings.md lists them")
