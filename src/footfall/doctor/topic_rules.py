"""What a topic must be, judged from what was seen of it. Pure.

Decides, beside what the laws need (`events/topics.py`), when replicas are too few for an
acknowledgement to mean anything, when one broker that is away stops everything, and when retention
is shorter than people sleep. Each finding has the command that changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from footfall.doctor.findings import Finding, Status
from footfall.events.topics import ALL, CHANGELOG, DELIVERIES, INTERACTIONS, TRIGGERS, Topic
from footfall.health import numbers
from footfall.settings import Settings

OFFSETS = "__consumer_offsets"
DAY_MS = 86_400_000
#: Kafka's default, which the limits of records were made for (law 7: at most half of it).
MESSAGE_BYTES_MIN = 1_048_588
COMPACTION_LAG_MS_MIN = DAY_MS
#: Shorter than that, an outage over a long weekend takes records that nobody has processed.
_RETENTION_MS_MIN = {INTERACTIONS: 4 * DAY_MS, DELIVERIES: 4 * DAY_MS, TRIGGERS: DAY_MS}


class Part(NamedTuple):
    """One partition; `leader` is -1 where it has none."""

    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class Seen(NamedTuple):
    """A topic; without partitions it was not seen, without `config` its settings were not."""

    name: str
    partitions: Mapping[int, Part]
    config: Mapping[str, str]

    @property
    def replication(self) -> int:
        """Of the partition that has the fewest replicas."""
        return min((len(part.replicas) for part in self.partitions.values()), default=0)

    @property
    def in_sync_min(self) -> int:
        """`min.insync.replicas`; 0 where it is not known."""
        return int(self.config.get("min.insync.replicas", 0))


def judged(topic: Seen, settings: Settings, brokers: int) -> list[Finding]:
    """What is wrong with a topic of Footfall."""
    if not topic.partitions:
        return [Finding("topics", topic.name, "error", "does not exist",
                        "`footfall topics create` makes it")]
    rules: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _partitions(topic, settings.partitions), lambda: _alive(topic),
        lambda: _required(topic), lambda: _replication(topic, settings, brokers),
        lambda: _acknowledged(topic), lambda: _kept(topic, settings), lambda: _sizes(topic))
    return [finding for rule in rules for finding in rule()]


def offsets(topic: Seen, brokers: int) -> list[Finding]:
    """Of the topic where Kafka keeps what groups have committed."""
    found = list(_alive(topic))
    if topic.replication == 1 and brokers >= 3:
        found.append(Finding(
            "topics", topic.name, "warning", f"one replica, with {brokers} brokers: with the one "
            "that holds it groups stop", "kafka-reassign-partitions.sh adds replicas; set "
            "offsets.topic.replication.factor=3 on the brokers", wanted="3 replicas"))
    return found


def alter(topic: str, key: str, value: object) -> str:
    """The command that changes one setting of a topic."""
    return ("kafka-configs.sh --bootstrap-server $FOOTFALL_KAFKA_BOOTSTRAP_SERVERS --alter "
            f"--entity-type topics --entity-name {topic} --add-config {key}={value}")


def _partitions(topic: Seen, wanted: int) -> Iterator[Finding]:
    have = len(topic.partitions)
    if have != wanted:
        yield Finding("topics", topic.name, "error", f"has {have} partitions, not {wanted}; all "
                      "topics must have the same number",
                      f"set FOOTFALL_PARTITIONS={have} if that is what they have; a topic that was "
                      "enlarged: docs/operate/README.md, More partitions", wanted=str(wanted))


def _alive(topic: Seen) -> Iterator[Finding]:
    leaderless = [n for n, part in topic.partitions.items() if part.leader < 0]
    behind = {n: part for n, part in topic.partitions.items()
              if part.leader >= 0 and len(part.in_sync) < len(part.replicas)}
    away = {broker for part in topic.partitions.values()
            for broker in set(part.replicas) - set(part.in_sync)}
    start = f"start broker {numbers(away)}, or wait for it to catch up" if away else "see its log"
    if leaderless:
        yield Finding("topics", topic.name, "error", f"partitions {numbers(leaderless)} have no "
                      "leader: nobody can read or write them", start, wanted="a leader for each")
    few = [n for n, part in behind.items() if len(part.in_sync) < topic.in_sync_min]
    if few:
        yield Finding("topics", topic.name, "error", f"partitions {numbers(few)} have fewer than "
                      f"min.insync.replicas {topic.in_sync_min} in sync: nothing is acknowledged",
                      start, wanted=f"{topic.in_sync_min} or more in sync")
    elif behind:
        yield Finding("topics", topic.name, "warning", f"partitions {numbers(behind)} are "
                      "under-replicated", start, wanted="every replica in sync")


def _required(topic: Seen) -> Iterator[Finding]:
    known = _as_made(topic.name)
    for key, value in known.config.items():
        is_required = key in known.required
        if key != "message.timestamp.type" and not is_required:
            continue
        if (seen := topic.config.get(key, value)) != value:
            status: Status = "error" if is_required else "warning"
            yield Finding("topics", topic.name, status, f"{key} is {seen}, not {value}",
                          alter(topic.name, key, value), wanted=f"{key}={value}")


def _replication(topic: Seen, settings: Settings, brokers: int) -> Iterator[Finding]:
    have = topic.replication
    wanted = max(settings.replication_factor, 3 if brokers >= 3 else 1)
    if have < wanted:
        why = (f"one replica, with {brokers} brokers: what one disk holds is gone with it"
               if have == 1 else f"{have} replicas")
        yield Finding("topics", topic.name, "warning", why, "kafka-reassign-partitions.sh adds "
                      "replicas; topics that are made anew get FOOTFALL_REPLICATION_FACTOR",
                      wanted=f"{wanted} replicas")


def _acknowledged(topic: Seen) -> Iterator[Finding]:
    have, needed = topic.replication, topic.in_sync_min
    if not needed:
        return
    good = max(1, min(2, have - 1))
    change = alter(topic.name, "min.insync.replicas", good)
    if needed > have:
        yield Finding("topics", topic.name, "error", f"min.insync.replicas {needed} with {have} "
                      "replicas: nothing is ever acknowledged", change, wanted=str(good))
    elif have > 1 and needed == have:
        yield Finding("topics", topic.name, "warning", f"min.insync.replicas {needed} with {have} "
                      "replicas: one broker that is away stops all writing",
                      change if good < have else "add a replica", wanted=str(good))
    elif have >= 3 and needed == 1:
        yield Finding("topics", topic.name, "warning", f"min.insync.replicas 1 with {have} "
                      "replicas: what one broker alone has is acknowledged, and lost with it",
                      change, wanted=str(good))
    if topic.config.get("unclean.leader.election.enable") == "true" and have > 1:
        yield Finding("topics", topic.name, "error", "unclean.leader.election.enable is true: a "
                      "replica that lacks what was acknowledged may become the leader",
                      alter(topic.name, "unclean.leader.election.enable", "false"), wanted="false")


def _kept(topic: Seen, settings: Settings) -> Iterator[Finding]:
    least = _RETENTION_MS_MIN.get(topic.name, 0)
    if topic.name == INTERACTIONS and settings.archive_target:
        # The archive has what is older: its files must be closed, and its process may be away.
        least = max(DAY_MS, round(4_000 * settings.archive_file_age_s_max))
    kept = int(topic.config.get("retention.ms", -1))
    if least and 0 <= kept < least:
        made = _as_made(topic.name).config["retention.ms"]
        yield Finding("topics", topic.name, "warning", f"retention.ms is {kept} "
                      f"({kept / DAY_MS:.1f} days): an outage that is longer loses records",
                      alter(topic.name, "retention.ms", made),
                      wanted=f"{least} or more")
    size = int(topic.config.get("retention.bytes", -1))
    if least and size >= 0:
        yield Finding("topics", topic.name, "warning", f"retention.bytes is {size}: a burst may "
                      "push out what nobody has read yet",
                      alter(topic.name, "retention.bytes", -1), wanted="-1: by time alone")
    lag = topic.config.get("min.compaction.lag.ms")
    if (lag and int(lag) < COMPACTION_LAG_MS_MIN
            and "min.compaction.lag.ms" in _as_made(topic.name).config):
        yield Finding("topics", topic.name, "warning", f"min.compaction.lag.ms is {lag}: rows of a "
                      "worker that was replaced may go before its successor has seen them",
                      alter(topic.name, "min.compaction.lag.ms", COMPACTION_LAG_MS_MIN),
                      wanted=f"{COMPACTION_LAG_MS_MIN} or more")


def _sizes(topic: Seen) -> Iterator[Finding]:
    size = int(topic.config.get("max.message.bytes", MESSAGE_BYTES_MIN))
    if size < MESSAGE_BYTES_MIN:
        yield Finding("topics", topic.name, "warning", f"max.message.bytes is {size}: a large "
                      "record may not be taken, and ends the worker",
                      alter(topic.name, "max.message.bytes", MESSAGE_BYTES_MIN),
                      wanted=f"{MESSAGE_BYTES_MIN} or more")


def _as_made(name: str) -> Topic:
    """As Footfall makes it; later generations of the state as the first."""
    return next((one for one in ALL if one.name == name),
                next(one for one in ALL if one.name == CHANGELOG))
