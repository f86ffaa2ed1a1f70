"""Settings: `footfall.toml`, overridden by `FOOTFALL_*` variables.

Read once, by the command line. An unknown or bad key stops the start and names itself (law 7).
These are the settings of programs; what steps read is configuration and comes through the log
(`tables/config.py`). Nothing here has a default secret.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from footfall.errors import SettingsError
from footfall.kafka import security

PREFIX = "FOOTFALL_"
#: Settings that are tables, and what is in them: JSON in a variable.
TABLES = {"sources": "source -> its table", "api_keys": "name -> its table",
          "key_dates": "key -> its date"}
#: What names of settings begin with that say how brokers are reached.
KAFKA = "kafka_"
#: Settings that are never shown.
SECRETS = ("customer_key_secret", "system_secret", "api_key", "write_keys", "sources", "api_keys",
           "schema_registry_url", "redis_url", "prometheus_url",
           *(KAFKA + name for name in security.SECRETS))
#: Keys that have a date, beside those of sources, named API keys, and variables of routes.
NAMED_KEYS = ("api_key", "redis_url", "schema_registry_url",
              *(KAFKA + name for name in security.SECRETS))
PERMANENT_KEYS = ("customer_key_secret", "system_secret")
_DATED_KEY = re.compile(
    rf"{'|'.join(NAMED_KEYS)}|(write_keys|api_keys)\..{{1,100}}|[A-Z][A-Z0-9_]{{0,99}}", re.DOTALL)
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
#: Of an event in a metric's label.
NAME = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?$"
Secret = Annotated[str, msgspec.Meta(min_length=16)]


class SourceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One named source: who sends with these keys, and what it may send."""

    #: Each as it is, or as `sha256:` and 64 hexadecimal digits.
    write_keys: list[str] = []
    #: Names that its `track` calls may have; empty: any.
    events: list[str] = []
    #: Calls that it may make; empty: any.
    calls: list[Literal["identify", "track", "page", "screen", "group", "alias"]] = []
    #: Pages that may send with its keys, as browsers name them; empty: any.
    origins: list[str] = []


Role = Literal["owner", "admin", "analyst", "marketer", "support", "auditor", "service"]


class ApiKeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One named API key: what it may see."""

    role: Role
    #: Names of triggers that there are for it; empty: all.
    triggers: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    #: Each as it is, or as `sha256:` and 64 hexadecimal digits; one or two.
    keys: list[str]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, with its default. docs/settings.md says what each means."""

    data_dir: str = ".footfall"
    #: In use it is a `Cluster`: with the settings below, without which no client may be made.
    kafka_bootstrap_servers: str = ""
    kafka_security_protocol: security.Protocol = "PLAINTEXT"
    kafka_sasl_mechanism: security.Mechanism = ""
    kafka_sasl_username: str = ""
    kafka_sasl_password: str = ""
    #: Of OAUTHBEARER: where tokens are had for client id and secret.
    kafka_sasl_oauth_token_url: str = ""
    kafka_sasl_oauth_client_id: str = ""
    kafka_sasl_oauth_client_secret: str = ""
    kafka_sasl_oauth_scope: str = ""
    #: What some clusters want to be told with a token: NAME=VALUE,NAME=VALUE.
    kafka_sasl_oauth_extensions: str = ""
    #: PEM files; without an authority's those count that the system trusts.
    kafka_ssl_ca_file: str = ""
    kafka_ssl_certificate_file: str = ""
    kafka_ssl_key_file: str = ""
    kafka_ssl_key_password: str = ""
    schema_registry_url: str = ""
    customer_key_secret: Secret | None = None
    system_secret: Secret | None = None
    partitions: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 12
    replication_factor: Annotated[int, msgspec.Meta(ge=1, le=15)] = 1

    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    #: How clients reach the collector, where it cannot tell by itself.
    http_public_url: str = ""
    #: Proxies before it that add to X-Forwarded-For.
    http_proxies: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    #: Source name -> write key, or two of them with a blank between.
    write_keys: dict[str, str] = {}
    sources: dict[str, SourceSettings] = {}
    #: Folder of the collector's spool; empty: none.
    spool_path: str = ""
    spool_bytes_max: Annotated[int, msgspec.Meta(ge=8_388_608)] = 1_073_741_824
    #: The owner's, and others by name.
    api_key: str = ""
    api_keys: dict[str, ApiKeySettings] = {}
    #: When keys were made, by the names of their settings: `write_keys.web`, `api_key`; those of
    #: routes by their variables.
    key_dates: Annotated[dict[str, date], msgspec.Meta(max_length=1_000)] = {}
    #: Where the served view is; "": there is none.
    redis_url: str = ""
    #: Of the state that is served: a view gives way to one of a higher generation.
    view_generation: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] = 0
    #: Streams of triggers at once.
    subscribers_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 500
    #: And of one API key.
    subscribers_of_key_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 0
    #: Where `customer` and `doctor` find the workers, comma-separated.
    worker_urls: str = ""
    #: Where `doctor` finds the others, comma-separated.
    delivery_urls: str = ""
    archive_urls: str = ""
    prometheus_url: str = ""

    #: File of routes: which triggers go where; "": nothing is delivered.
    routes: str = ""
    #: What may be called though it is private: addresses, networks, host:port, comma-separated.
    delivery_allow: str = ""
    #: Where delivery begins that has never run here.
    delivery_from: Literal["latest", "earliest"] = "latest"

    #: Folder of the tracking plan; "": none.
    plan_dir: str = ""
    body_bytes_max: Annotated[int, msgspec.Meta(ge=1024, le=16_777_216)] = 4_259_840
    item_bytes_max: Annotated[int, msgspec.Meta(ge=1024, le=262_144)] = 32_768
    batch_items_max: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 2_500
    #: Items a second; 0: as many as there is room for.
    source_items_per_s: Annotated[float, msgspec.Meta(ge=0, le=10_000_000)] = 0
    address_items_per_s: Annotated[float, msgspec.Meta(ge=0, le=10_000_000)] = 0
    in_flight_requests_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 500
    in_flight_items_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000
    in_flight_bytes_max: Annotated[int, msgspec.Meta(ge=1_048_576, le=4_294_967_296)] = 33_554_432
    shutdown_delay_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.5

    #: Folder or fsspec URL of the archive; "": there is none.
    archive_target: str = ""
    archive_format: Literal["parquet", "avro"] = "parquet"
    archive_file_bytes_max: Annotated[int, msgspec.Meta(ge=65_536, le=4_294_967_296)] = 134_217_728
    archive_file_age_s_max: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 3600

    #: `auto`: JSON where standard error is no terminal.
    log_format: Literal["auto", "text", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
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
    #: Name of the tracked event that counts for the north star.
    north_star: Annotated[str, msgspec.Meta(pattern=NAME)] = "Order Completed"
    #: Tests: kill the worker at a named point (`point:count`); `stream/crash.py` lists them.
    crash_at: str = ""

    #: Development: the value that `up` applies as configuration.
    cart_idle_s: Annotated[float, msgspec.Meta(gt=0)] | None = None

    def __post_init__(self) -> None:
        _check_dated(self.key_dates)
        how = security.Security(prefix=KAFKA, **{
            name: getattr(self, KAFKA + name) for name in security.FIELDS})
        msgspec.structs.force_setattr(
            self, "kafka_bootstrap_servers", security.Cluster(self.kafka_bootstrap_servers, how))

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self._shown())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return list(self._shown())

    def _shown(self) -> Iterator[tuple[str, Any]]:
        """What differs from the defaults; of secrets only that they are set."""
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            if value != field.default and value not in ({}, []):
                yield field.name, "set" if field.name in SECRETS else value


class Given(NamedTuple):
    """Who said what: the file that was read ("" where there is none), and names of settings that
    stand in it and in the environment.
    """

    file: str
    in_file: frozenset[str]
    in_environment: frozenset[str]

    def origin(self, name: str) -> str:
        """Where a setting's value comes from."""
        if name in self.in_environment:
            return "environment"
        return "file" if name in self.in_file else "default"


def given(environment: Mapping[str, str], path: Path | None = None) -> Given:
    """Where `load` takes settings from."""
    file = _file(path)
    return Given("" if file is None else str(file), frozenset(() if file is None else _read(file)),
                 frozenset(_variables(environment)))


class Configured(NamedTuple):
    """The settings of a command line: read when they are asked for."""

    environment: Mapping[str, str]
    path: Path | None

    def __call__(self) -> Settings:
        """The settings; raises `SettingsError`."""
        return load(self.environment, self.path)

    def given(self) -> Given:
        """Who said what."""
        return given(self.environment, self.path)


def load(environment: Mapping[str, str], path: Path | None = None) -> Settings:
    """Settings from a file (default `footfall.toml` where it exists) and the environment."""
    merged: dict[str, Any] = {}
    file = _file(path)
    if file is not None:
        merged.update(_read(file))
        _check_names(merged, f"{file}: ")
    variables = _variables(environment)
    _check_names(variables, PREFIX)
    if "write_keys" in variables:
        merged["write_keys"] = _write_keys(variables.pop("write_keys"))
    for name, holds in TABLES.items():
        if name in variables:
            merged[name] = _table(name, holds, variables.pop(name))
    merged.update(variables)
    try:
        return msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from None


def _file(path: Path | None) -> Path | None:
    """The file that is read: the one that was named, or the default where it exists."""
    default = Path("footfall.toml")
    return path or (default if default.exists() else None)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:  # not UTF-8, not TOML
        raise SettingsError(f"{file}: {error}") from None


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(PREFIX).lower(): value for name, value in environment.items()
            if name.startswith(PREFIX)}


def _write_keys(text: str) -> dict[str, str]:
    """`web:KEY1,app:KEY2` as a table; a source that is named twice has two keys."""
    keys: dict[str, str] = {}
    for item in text.split(","):
        if not item.strip():
            continue
        name, _, key = (part.strip() for part in item.partition(":"))
        if not name or not key:
            raise SettingsError(f"{PREFIX}WRITE_KEYS: expected SOURCE:KEY[,SOURCE:KEY ...]")
        keys[name] = f"{keys[name]} {key}" if name in keys else key
    return keys


def _check_dated(names: Iterable[str]) -> None:
    """Dates are of keys that are replaced now and then."""
    for name in names:
        if name in PERMANENT_KEYS:
            raise SettingsError(f"key_dates: {name} has no date: it is permanent, and must not be "
                                "replaced; take it away")
        if _DATED_KEY.fullmatch(name) is None:
            raise SettingsError(
                f"key_dates: {name[:120]!r} names no key; give the name of its setting "
                f"(write_keys.SOURCE, api_keys.NAME, {', '.join(NAMED_KEYS)}) or the variable that "
                "routes name")


def _table(name: str, holds: str, text: str) -> Any:
    """A table of the file as one JSON object."""
    try:
        return msgspec.json.decode(text) if text.strip() else {}
    except msgspec.DecodeError:
        raise SettingsError(f"{PREFIX}{name.upper()}: expected one JSON object, "
                            f"{holds}") from None


def _check_names(given: Mapping[str, Any], where: str) -> None:
    unknown = sorted(given.keys() - set(Settings.__struct_fields__))
    if unknown:
        name = unknown[0].upper() if where == PREFIX else unknown[0]
        raise SettingsError(f"{where}{name}: no such setting; docs/settings.md lists them")
