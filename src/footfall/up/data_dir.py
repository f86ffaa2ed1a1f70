"""The data directory of `up`: what lies where, who holds it, and the keys made for it once.

    .footfall/  lock  up.json  secrets.json  webhook.yaml  kafka/ | demo-broker/  logs/

Decides that one `up` at a time works on a directory, and that keys and secrets stay the same over
restarts: customer keys are hashed under them, so a new secret would part every customer from its
history. Must never put a secret into a file that others may read.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from footfall.errors import SettingsError
from footfall.running import LOCK, running, write_private
from footfall.settings import Settings

#: A reader of `up.json` tests the lock for an instant; that is not a second `up`.
LOCK_S_MAX = 0.5
_KEY = re.compile(r"[A-Za-z0-9._~-]{1,128}")


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What is made once for a data directory."""

    installation: str
    customer_key_secret: str
    system_secret: str
    write_key: str
    api_key: str
    #: "": made with the next start, for a directory that an earlier release made.
    webhook_secret: str = ""


class DataDir:
    """The paths in one data directory, which is made when it does not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.kafka = self.path / "kafka"
        self.demo_broker = self.path / "demo-broker"
        self.logs = self.path / "logs"
        self.secrets = self.path / "secrets.json"
        self.webhook = self.path / "webhook.yaml"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"data directory {self.path}: {error.strerror}; choose another "
                                "with --data-dir") from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory; a second `up` on it is refused. A dead one holds nothing."""
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._acquire(descriptor)
            yield
        finally:
            os.close(descriptor)

    def keys(self, settings: Settings, write_key: str = "", api_key: str = "") -> Keys:
        """The keys: configured ones first, then those given now or before, else made now.

        Configured secrets are used and not stored; keys given as options replace the stored ones.
        """
        for option, value in (("--write-key", write_key), ("--api-key", api_key)):
            if value and not _KEY.fullmatch(value):
                raise SettingsError(f"{option}: expected 1 to 128 of letters, digits, . _ ~ -")
        stored = self._stored()
        kept = msgspec.structs.replace(
            stored, write_key=write_key or stored.write_key, api_key=api_key or stored.api_key,
            webhook_secret=stored.webhook_secret or _webhook_secret(),
        )
        if kept != stored or not self.secrets.exists():
            write_private(self.secrets, msgspec.json.format(msgspec.json.encode(kept), indent=2))
        return msgspec.structs.replace(
            kept,
            customer_key_secret=settings.customer_key_secret or kept.customer_key_secret,
            system_secret=settings.system_secret or kept.system_secret,
            api_key=api_key or settings.api_key or kept.api_key,
        )

    def _stored(self) -> Keys:
        try:
            return msgspec.json.decode(self.secrets.read_bytes(), type=Keys)
        except FileNotFoundError:
            return Keys(
                installation=secrets.token_hex(3),
                customer_key_secret=secrets.token_urlsafe(32),
                system_secret=secrets.token_urlsafe(32),
                write_key=f"wk-{secrets.token_urlsafe(18)}",
                api_key=f"ak-{secrets.token_urlsafe(18)}",
            )
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(f"{self.secrets}: {error}; restore the file: without its secrets "
                                "the customers of this directory are not found again") from None

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_S_MAX
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    other = running(self.path)
                    who = f" (pid {other.pid}, {other.http_url})" if other else ""
                    raise SettingsError(
                        f"another `footfall up`{who} runs on {self.path}: stop it with Ctrl-C, or "
                        "choose another directory with --data-dir"
                    ) from None
                time.sleep(0.05)


def _webhook_secret() -> str:
    """As Standard Webhooks has it: 24 to 64 random bytes."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
