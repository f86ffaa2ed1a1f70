"""How a client is set up: every option, its default and its bounds.

The names are segment-analytics-python's where it has one. A wrong option is the programmer's error
and raises when the client is made, the only moment at which this SDK raises without being asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import msgspec

from footfall.errors import SettingsError
from footfall.kafka import security
from footfall.sdk.drops import OnError
from footfall.sdk.http import target

HOST = "http://127.0.0.1:8080"
_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=3_600)]


class Options(TypedDict, total=False):
    """What `Client` takes beside key and host. `Config` says what each means."""

    debug: bool
    max_queue_size: int
    send: bool
    on_error: OnError | None
    gzip: bool
    max_retries: int
    sync_mode: bool
    timeout: float
    thread: int
    upload_interval: float
    upload_size: int
    upload_bytes: int
    exit_s_max: float
    strict: bool
    test_mode: bool
    channel: str
    spool: str | Path | None
    spool_bytes_max: int
    spool_sync_s: float
    transport: Literal["http", "kafka"]
    bootstrap_servers: str
    security_protocol: security.Protocol
    sasl_mechanism: security.Mechanism
    sasl_username: str
    sasl_password: str
    sasl_oauth_token_url: str
    sasl_oauth_client_id: str
    sasl_oauth_client_secret: str
    sasl_oauth_scope: str
    sasl_oauth_extensions: str
    ssl_ca_file: str
    ssl_certificate_file: str
    ssl_key_file: str
    ssl_key_password: str
    customer_key_secret: str
    source: str
    schema_registry_url: str


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every option with its default."""

    write_key: str
    host: str
    #: Log every item's type and size. Never what is in it.
    debug: bool = False
    #: Items that may wait in memory; one more is dropped (`queue_full`).
    max_queue_size: _Count = 10_000
    #: False: calls are checked, and nothing is sent.
    send: bool = True
    on_error: Any = None
    gzip: bool = True
    max_retries: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 10
    #: Send within the call, for `timeout` seconds at most.
    sync_mode: bool = False
    #: Of one attempt, in seconds.
    timeout: Annotated[float, msgspec.Meta(gt=0, le=3_600)] = 15.0
    #: Of segment-analytics-python; there is one sender, which keeps the order.
    thread: int = 1
    upload_interval: _Seconds = 0.5
    upload_size: Annotated[int, msgspec.Meta(ge=1, le=2_500)] = 100
    upload_bytes: Annotated[int, msgspec.Meta(ge=1_000, le=500_000)] = 475_000
    #: What the end of the process waits for items that are still to be sent.
    exit_s_max: _Seconds = 5.0
    #: Raise what would else only be counted and told.
    strict: bool = False
    #: Record calls in `client.calls` instead of sending.
    test_mode: bool = False
    channel: Annotated[str, msgspec.Meta(max_length=50)] = "server"
    #: A folder; what was taken then outlives the process.
    spool: str | None = None
    spool_bytes_max: Annotated[int, msgspec.Meta(ge=8 * 1024 * 1024)] = 256 * 1024 * 1024
    #: Seconds from one fsync to the next; 0: within each call.
    spool_sync_s: _Seconds = 1.0
    transport: Literal["http", "kafka"] = "http"
    bootstrap_servers: str = ""
    #: How those brokers are reached: the names are Footfall's settings less `kafka_`.
    security_protocol: security.Protocol = "PLAINTEXT"
    sasl_mechanism: security.Mechanism = ""
    sasl_username: str = ""
    sasl_password: str = ""
    sasl_oauth_token_url: str = ""
    sasl_oauth_client_id: str = ""
    sasl_oauth_client_secret: str = ""
    sasl_oauth_scope: str = ""
    sasl_oauth_extensions: str = ""
    ssl_ca_file: str = ""
    ssl_certificate_file: str = ""
    ssl_key_file: str = ""
    ssl_key_password: str = ""
    customer_key_secret: str = ""
    source: str = ""
    schema_registry_url: str = ""

    def __repr__(self) -> str:
        return f"Config(host={self.host!r}, transport={self.transport!r})"

    @property
    def cluster(self) -> security.Cluster:
        """The brokers, with the way to reach them; raises `SettingsError`."""
        return security.Cluster(self.bootstrap_servers, security.Security(
            prefix="footfall.Client: ",
            **{name: getattr(self, name) for name in security.FIELDS}))


def configure(write_key: str | None, host: str | None, options: Options) -> Config:
    """The configuration; raises `SettingsError`, which names the option and its limit."""
    given: dict[str, Any] = {"write_key": write_key or "", "host": host or HOST, **options}
    if isinstance(given.get("spool"), Path):
        given["spool"] = str(given["spool"])
    try:
        config = msgspec.convert(given, Config)
    except (msgspec.ValidationError, TypeError) as error:
        raise SettingsError(f"footfall.Client: {error}") from None
    try:
        target(config.host)
    except ValueError as error:
        raise SettingsError(f"footfall.Client: {error}") from None
    sends = config.send and not config.test_mode
    needed = {"http": ("write_key",), "kafka": ("bootstrap_servers", "customer_key_secret",
                                                "source")}
    for name in needed[config.transport] if sends else ():
        if not getattr(config, name):
            raise SettingsError(f"footfall.Client: {name} is empty; transport "
                                f"{config.transport!r} needs it")
    _ = config.cluster  # what does not go together is told now
    if config.on_error is not None and not callable(config.on_error):
        raise SettingsError("footfall.Client: on_error is not callable")
    return config
