"""How a command finds a running `up`: the file `up.json` in the data directory.

`up` writes it when everything answers and removes it when it stops; it holds keys and secrets, so
it is readable by its owner alone. Configured settings always win over what is found here. A file
left behind by a killed `up` is not believed: the directory's lock must be held.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from footfall.errors import SettingsError
from footfall.kafka.security import FIELDS, Cluster, Security
from footfall.settings import KAFKA, Settings

FILE = "up.json"
LOCK = "lock"
#: The variable that the routes of `up --webhook` name.
WEBHOOK_SECRET = "UP_WEBHOOK_SECRET"  # noqa: S105 - a name


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What a running `up` tells every other command."""

    pid: int
    broker: str
    kafka_bootstrap_servers: str
    #: Settings that say how they are reached, where it is not without TLS and SASL.
    kafka: dict[str, str] = {}
    http_url: str
    http_port: int
    write_keys: dict[str, str]
    api_key: str
    customer_key_secret: str
    system_secret: str
    worker_urls: str = ""
    redis_url: str = ""
    #: File of the routes in force; "": nothing is delivered.
    routes: str = ""
    delivery_allow: str = ""
    #: Where the delivery process answers.
    delivery_url: str = ""
    #: What the webhook of `up --webhook` is signed with; "": there is none.
    webhook_secret: str = ""

    @property
    def cluster(self) -> Cluster:
        """The brokers, with the way to reach them."""
        how = {name.removeprefix(KAFKA): value for name, value in self.kafka.items()}
        return Cluster(self.kafka_bootstrap_servers,
                       msgspec.convert({**how, "prefix": KAFKA}, Security))


def write(data_dir: Path, running: Running) -> None:
    """Tell others; the file appears whole, with mode 0600."""
    write_private(data_dir / FILE, msgspec.json.format(msgspec.json.encode(running), indent=2))


def remove(data_dir: Path) -> None:
    """Nobody runs here any more."""
    (data_dir / FILE).unlink(missing_ok=True)


def running(data_dir: str | Path) -> Running | None:
    """The `up` that runs on this data directory; None when there is none."""
    file = Path(data_dir) / FILE
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Running)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(f"{file}: {error}; stop `footfall up` and delete the file") from None
    return found if is_locked(Path(data_dir)) else None


def resolve(settings: Settings) -> Settings:
    """The settings, with what is not configured taken from a running `up`."""
    if settings.kafka_bootstrap_servers and settings.customer_key_secret and settings.system_secret:
        return settings
    found = running(settings.data_dir)
    if found is None:
        return settings
    if settings.kafka_bootstrap_servers not in ("", found.kafka_bootstrap_servers):
        return settings  # another cluster: the secrets of this one do not belong to it
    return msgspec.structs.replace(
        settings,
        kafka_bootstrap_servers=found.kafka_bootstrap_servers,
        **(reached_by(settings) if settings.kafka_bootstrap_servers else
           {**reached_by(Settings()), **found.kafka}),
        customer_key_secret=settings.customer_key_secret or found.customer_key_secret,
        system_secret=settings.system_secret or found.system_secret,
        write_keys=settings.write_keys or found.write_keys,
        api_key=settings.api_key or found.api_key,
        http_port=found.http_port,
        worker_urls=settings.worker_urls or found.worker_urls,
        delivery_urls=settings.delivery_urls or found.delivery_url,
        redis_url=settings.redis_url or found.redis_url,
        routes=settings.routes or found.routes,
        delivery_allow=settings.delivery_allow or found.delivery_allow,
    )


def reached_by(settings: Settings) -> dict[str, str]:
    """The settings that say how brokers are reached; they go with the addresses."""
    return {KAFKA + name: getattr(settings, KAFKA + name) for name in FIELDS}


def secrets(data_dir: str | Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that routes may name: those of the environment, and what a running `up` made
    for its own.
    """
    found = running(data_dir)
    made = {} if found is None or not found.webhook_secret else {
        WEBHOOK_SECRET: found.webhook_secret}
    return {**made, **environment}


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, at once or not at all."""
    new = file.with_suffix(file.suffix + ".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
    new.replace(file)


def is_locked(data_dir: Path) -> bool:
    """Whether an `up` holds the data directory; a dead one holds nothing (unlike a pid, which the
    system gives out again)."""
    try:
        descriptor = os.open(data_dir / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
