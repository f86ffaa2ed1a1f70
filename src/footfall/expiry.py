"""What runs out: until when the certificates are valid that this process uses, and since when its
keys are.

Decides of which files and keys there are metrics. A file is looked at with every scrape and read
again when it is another; what was in it at the start stands beside that, for it is what the process
uses, and a renewed file helps it only from its next start. When a key was made nobody can see in
it: the setting `key_dates` says it, and a name there that no key has stops the start, for it would
never be alarmed. The two secrets that are permanent have no date. Must never put a key, a part of
one, or what stands in a certificate into a metric or a log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509

from footfall.errors import SettingsError
from footfall.kafka.security import Security, security_of
from footfall.settings import NAMED_KEYS, Settings
from footfall.telemetry import CERTIFICATE_EXPIRES, KEY_CREATED

#: Clocks and time zones differ by so much; a key of later is a slip of the pen.
AHEAD_S_MAX: Final = 86_400.0
#: No sane file of certificates is larger; all that a system trusts are 250 KB.
FILE_BYTES_MAX: Final = 4 << 20
#: Is told where it cannot be read: it has expired.
UNREADABLE_S: Final = 0.0
#: What a process read when it started, and what it would read now.
IN_USE, ON_DISK = "in_use", "on_disk"
log = logging.getLogger(__name__)


class Certificate(NamedTuple):
    """A file of certificates. `destination`: of the routes; "": of Footfall's own cluster."""

    kind: str
    file: Path
    destination: str = ""


class _Watched:
    """One file, and when what is in it ends."""

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate
        self._seen: tuple[int, int, int] | None = None
        self._expires_s = UNREADABLE_S

    def expires_s(self) -> float:
        """Seconds since 1970; reads it when it is another than before."""
        file = self._certificate.file
        try:
            found = file.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen == self._seen:
                return self._expires_s
            self._seen = seen
            self._expires_s = expires_s(
                file, is_authority=self._certificate.kind == "kafka_ca")
        except (OSError, ValueError) as error:
            if self._expires_s != UNREADABLE_S or self._seen is None:
                log.warning("a certificate cannot be read", extra={
                    "file": str(file), "error": type(error).__name__})
            self._expires_s = UNREADABLE_S
        return self._expires_s


def certificates_of(security: Security, destination: str = "") -> Iterator[Certificate]:
    """The files by which a cluster is reached."""
    for kind, file in (("kafka_ca", security.ssl_ca_file),
                       ("kafka_client", security.ssl_certificate_file)):
        if file:
            yield Certificate(kind, Path(file), destination)


def watch(settings: Settings, certificates: Collection[Certificate] = (),
          variables: Collection[str] | None = None) -> None:
    """Show what this process has from now on; raises `SettingsError`. `certificates`: those beside
    the cluster's own. `variables`: all that routes name; None: this program reads no routes.
    """
    _check(settings, variables)
    for one in (*certificates_of(security_of(settings.kafka_bootstrap_servers)), *certificates):
        watched = _Watched(one)
        CERTIFICATE_EXPIRES.labels(one.kind, one.destination, IN_USE).set(watched.expires_s())
        CERTIFICATE_EXPIRES.labels(one.kind, one.destination, ON_DISK).set_function(
            watched.expires_s)
    for name, day in settings.key_dates.items():
        if _has(settings, name, variables or ()):
            KEY_CREATED.labels(name).set(_start_s(day))


def expires_s(file: Path, *, is_authority: bool = False) -> float:
    """When it ends, in seconds since 1970; raises OSError and ValueError. Of our certificate the
    first end in its chain: without one link there is none. Authorities stand beside each other: one
    that has ended is replaced by those that have not.
    """
    with file.open("rb") as opened:
        content = opened.read(FILE_BYTES_MAX)
    ends = sorted(one.not_valid_after_utc.timestamp()
                  for one in x509.load_pem_x509_certificates(content))
    if is_authority:
        now_s = time.time()
        return next((end for end in ends if end > now_s), ends[-1])
    return ends[0]


def _check(settings: Settings, variables: Collection[str] | None) -> None:
    """Names that no key has, where all of their kind are known here; and days to come."""
    known: Mapping[str, Collection[str]] = {
        "write_keys": {**settings.write_keys, **settings.sources}, "api_keys": settings.api_keys}
    for name, day in settings.key_dates.items():
        kind, _, of = name.partition(".")
        if of and known[kind] and of not in known[kind]:
            raise SettingsError(f"key_dates: {name!r} names no key: {kind} has "
                                f"{', '.join(sorted(known[kind]))}; correct it, or take it away")
        if name.isupper() and variables is not None and name not in variables:
            raise SettingsError(f"key_dates: {name!r} names no key: no destination of the routes "
                                "names this variable; correct it, or take it away")
        if _start_s(day) > time.time() + AHEAD_S_MAX:
            raise SettingsError(f"key_dates: {name!r} is {day}, which is to come; set the day on "
                                "which the key was made")


def _has(settings: Settings, name: str, variables: Collection[str]) -> bool:
    """Whether this process has the key."""
    kind, _, of = name.partition(".")
    if kind == "write_keys":
        return of in settings.write_keys or of in settings.sources
    if kind == "api_keys":
        return of in settings.api_keys
    return bool(getattr(settings, name)) if name in NAMED_KEYS else name in variables


def _start_s(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
