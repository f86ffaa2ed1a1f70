"""Applying a configuration: what is in force, and how the next version comes to every partition.

Decides, by law 4: read every partition, complete the highest version where it is missing, write the
next number to all, wait for all. Of two applies at the same time the higher (number, hash) holds on
every partition and the other one is told. Must never be run by a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from footfall import tables
from footfall.admin.config_document import merged
from footfall.admin.config_log import ConfigLog, Reading, Version, version_of
from footfall.errors import ConfigError
from footfall.events.codec import Codecs
from footfall.events.reserved import Reserved
from footfall.tables.config import Config, canonical, check_changes
from footfall.tables.spec import AnyTable

#: Of one record of the log. Compressed it travels in every `$partition` record as well, once a
#: checkpoint.
CONTENT_BYTES_MAX = 400_000


class Outcome(NamedTuple):
    """What holds now. `completed`: partitions to which an earlier apply had not come."""

    version: Version
    changed: bool
    completed: int


def apply(bootstrap: str, system_secret: bytes, document: dict[str, Any],
          codecs: Codecs | None = None) -> str:
    """Bring a document into force and return its version's label.

    The document is whole: a value that it does not name is the code's default.
    """
    log = ConfigLog(bootstrap, Reserved(system_secret), codecs or Codecs())
    return put(log, document).version.label


def change(bootstrap: str, system_secret: bytes, changes: dict[str, Any],
           codecs: Codecs | None = None) -> str:
    """Like `apply`, but what `changes` does not name stays as it is in force."""
    log = ConfigLog(bootstrap, Reserved(system_secret), codecs or Codecs())
    return put(log, changes, keep=True).version.label


def put(log: ConfigLog, document: Mapping[str, Any], keep: bool = False) -> Outcome:
    """Bring a document into force; with `keep`, over the version in force."""
    wanted = None if keep else content_of(document)
    before = log.read()
    highest = before.highest
    if wanted is None:
        wanted = content_of(merged(values(highest), document))
    completed = len(before.missing)
    if completed:
        log.write(highest, before.missing)
    if highest.number and highest.content == wanted:
        return Outcome(highest, changed=False, completed=completed)
    if highest.number:
        check_changes(tables.ALL, highest.content, wanted)
    mine = version_of(highest.number + 1, wanted)
    log.write(mine, before.versions)
    _check_won(log, before, mine)
    return Outcome(mine, changed=True, completed=completed)


def values(version: Version) -> dict[str, Any]:
    """A version as a document."""
    document: dict[str, Any] = msgspec.json.decode(version.content)
    return document


def checked(document: Mapping[str, Any]) -> Config:
    """A document as it would be in force; raises `ConfigError` where it cannot be applied."""
    return Config(tables.ALL, 1, content_of(document))


def defaults() -> dict[str, Any]:
    """The document that names every value the code would use by itself."""
    document: dict[str, Any] = msgspec.json.decode(canonical(tables.ALL, b"{}"))
    return document


def content_of(document: Mapping[str, Any], specs: Sequence[AnyTable] = tables.ALL) -> bytes:
    """A document as it is written to the log; raises `ConfigError` where it cannot be applied."""
    content = canonical(specs, msgspec.json.encode(document))
    if len(content) > CONTENT_BYTES_MAX:
        raise ConfigError(f"the configuration has {len(content)} bytes, the limit is "
                          f"{CONTENT_BYTES_MAX}: shorten it")
    return content


def _check_won(log: ConfigLog, before: Reading, mine: Version) -> None:
    """Where another apply came in between and holds, help it to every partition and say so."""
    after = log.read(since=before)
    if after.highest > mine:
        log.write(after.highest, after.missing)
        raise ConfigError(
            f"another apply came at the same time: {after.highest.label} is in force, not "
            f"{mine.label}; see `footfall config show`, then apply again if yours is to hold"
        )
