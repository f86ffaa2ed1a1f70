"""The `$config` records of the log: which version each partition has, and one more written to each.

Decides where to look: in the log, and in the changelog's `$partition` records where those are the
shorter way or the log's head has expired (its `$config` records went with it). Records whose MAC is
not ours are passed over, as a worker does. Must never write to a part of the partitions and call it
done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message, Producer

from footfall import options
from footfall.admin.scan import Scanner, Span
from footfall.errors import BrokerError, DecodeError, SettingsError
from footfall.events.codec import Codecs
from footfall.events.interaction import CONFIG
from footfall.events.registry import codecs_for
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload
from footfall.events.topics import CHANGELOG, INTERACTIONS
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import writing
from footfall.settings import Settings
from footfall.tables.config import content_hash
from footfall.tables.record import decode_partition
from footfall.tables.stored import PARTITION_KEY, SHADOW, PartitionState

KEY = CONFIG.encode()
ACKNOWLEDGED_S_MAX = 30.0


class Version(NamedTuple):
    """A configuration: number, then hash, decide which of two is higher (law 4)."""

    number: int
    hash: str
    content: bytes

    @property
    def label(self) -> str:
        """As triggers name it."""
        return f"{self.number}:{self.hash}"


class Written(NamedTuple):
    """A version as one record of the log has it."""

    version: Version
    partition: int
    offset: int
    appended_at: int


class Reading(NamedTuple):
    """The highest version of each partition, and where the reading ended."""

    versions: dict[int, Version]
    ends: dict[int, int]

    @property
    def highest(self) -> Version:
        """The version that holds, or will where it is missing."""
        return max(self.versions.values())

    @property
    def missing(self) -> list[int]:
        """Partitions that do not have the highest yet."""
        highest = self.highest
        return [p for p, version in self.versions.items() if version < highest]


def version_of(number: int, content: bytes) -> Version:
    """A version from what a record carries."""
    return Version(number, content_hash(content), content)


#: Where nothing was ever applied: the code's defaults.
NONE = version_of(0, b"{}")


class ConfigLog:
    """The configuration's side of footfall.interactions on one cluster."""

    def __init__(self, bootstrap: str, reserved: Reserved, codecs: Codecs) -> None:
        self.bootstrap = bootstrap
        self._reserved = reserved
        self._codecs = codecs

    def read(self, since: Reading | None = None) -> Reading:
        """The version of every partition; `since` an earlier reading only what came after it."""
        with Scanner(self.bootstrap) as scanner:
            log = scanner.spans(INTERACTIONS)
            if since is None:
                versions, start = _stored(scanner, log)
            else:
                versions, start = dict(since.versions), since.ends
            spans = {p: Span(start.get(p, span.low), span.end) for p, span in log.items()}
            for message in scanner.records(INTERACTIONS, KEY, spans):
                written = self._open(message)
                if written is not None:
                    p = written.partition
                    versions[p] = max(versions.get(p, NONE), written.version)
        return Reading({p: versions.get(p, NONE) for p in log}, {p: s.end for p, s in log.items()})

    def history(self) -> list[Written]:
        """Every `$config` record that the log still holds, in order of time."""
        with Scanner(self.bootstrap) as scanner:
            messages = scanner.records(INTERACTIONS, KEY, scanner.spans(INTERACTIONS))
            found = [w for w in map(self._open, messages) if w is not None]
        return sorted(found, key=lambda w: (w.appended_at, w.partition))

    def write(self, version: Version, partitions: Iterable[int]) -> None:
        """One record to each partition; returns when all are acknowledged by all replicas."""
        partitions = list(partitions)
        now = time.time_ns() // 1_000_000
        record = self._reserved.config(ConfigPayload(version.number, version.content), now)
        value = self._codecs.interaction.encode(record)
        producer = Producer({
            **confluent(self.bootstrap), "acks": "all", "enable.idempotence": True,
            "log_level": 0, "error_cb": lambda _error: None, "linger.ms": 0,
            "message.timeout.ms": round(ACKNOWLEDGED_S_MAX * 1000),
        })
        failed: dict[int, str] = dict.fromkeys(partitions, "no answer")

        def delivered(error: object, message: Message) -> None:
            if error is None:
                del failed[message.partition()]
            else:
                failed[message.partition()] = str(error)

        with writing(INTERACTIONS):
            for partition in partitions:
                producer.produce(INTERACTIONS, value, KEY, partition, on_delivery=delivered)
            producer.flush(ACKNOWLEDGED_S_MAX + 5)
        if failed:
            partition, why = min(failed.items())
            raise BrokerError(
                f"configuration {version.label} is not on {len(failed)} of {len(partitions)} "
                f"partitions (partition {partition}: {why}); apply it again: that completes it"
            )

    def _open(self, message: Message) -> Written | None:
        """What a record under the key b"$config" says; None when a worker would not take it."""
        try:
            event = self._codecs.interaction.decode(message.value())
            if event["type"] != CONFIG:
                return None
            payload = self._reserved.read_config(event, KEY)
        except DecodeError:
            return None
        kind, appended_at = message.timestamp()
        return Written(version_of(payload.number, payload.content), message.partition(),
                       message.offset(), 0 if kind == TIMESTAMP_NOT_AVAILABLE else appended_at)


def log_of(settings: Settings) -> ConfigLog:
    """The log that settings lead to; raises `SettingsError` with what is missing."""
    bootstrap = options.bootstrap_of(settings)
    if not settings.system_secret:
        raise SettingsError("system_secret is not set: give FOOTFALL_SYSTEM_SECRET the value that "
                            "the workers have")
    return ConfigLog(bootstrap, Reserved(settings.system_secret.encode()),
                     codecs_for(settings.schema_registry_url))


def _stored(scanner: Scanner, log: Mapping[int, Span]) -> tuple[dict[int, Version], dict[int, int]]:
    """Versions that `$partition` records hold, and the offsets of the log that they cover.

    Looked up only where the changelog is the shorter way, or the log's head has expired.
    """
    states: dict[int, PartitionState] = {}
    for topic in scanner.topics(CHANGELOG):
        changelog = scanner.spans(topic)
        wanted = {
            p: changelog[p] for p, span in log.items()
            if p in changelog and (span.low > 0
                                   or changelog[p].end - changelog[p].low < span.end - span.low)
        }
        for message in scanner.records(topic, PARTITION_KEY, wanted):
            if message.value() is None:
                continue
            state = decode_partition(message.value())
            known = states.get(message.partition())
            if state.moved_to != SHADOW and (
                    known is None or state.next_offset >= known.next_offset):
                states[message.partition()] = state
    versions = {p: version_of(s.config_number, s.config_content) for p, s in states.items()}
    return versions, {p: max(s.next_offset, log[p].low) for p, s in states.items()}
