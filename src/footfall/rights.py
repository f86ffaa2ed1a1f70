"""What each part of Footfall must be allowed to do on a cluster that asks: its rights, exactly.

Decides who may do what: `footfall acls` prints it as ACLs, docs/kafka-acls.md shows it, programs
look at their own before they start, and a test gives each part these rights on a real cluster, and
all of them but one. READ, WRITE, ALTER and DELETE bring DESCRIBE with them. A prefix is given only
where generations of a changelog come and go. Must never give more than is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

from footfall.errors import BrokerError
from footfall.events import topics
from footfall.kafka.confluent import confluent
from footfall.kafka.reach import DENIED, require
from footfall.kafka.security import security_of

Operation = Literal["READ", "WRITE", "CREATE", "DELETE", "DESCRIBE", "DESCRIBE_CONFIGS"]
ANSWER_S_MAX: Final = 5.0


class Right(NamedTuple):
    """One operation on one resource, or on all whose names begin so."""

    operation: Operation
    kind: Literal["TOPIC", "GROUP"]
    name: str
    is_prefix: bool = False

    def __str__(self) -> str:
        begins = " and what begins so" if self.is_prefix else ""
        return f"{self.operation} on {self.kind.lower()} {self.name}{begins}"


class Part(NamedTuple):
    """A program, or commands that are used together."""

    what: str
    rights: tuple[Right, ...]


def _on(name: str, *operations: Operation, prefix: bool = False) -> tuple[Right, ...]:
    return tuple(Right(one, "TOPIC", name, prefix) for one in operations)


def _group(name: str, operation: Operation) -> tuple[Right, ...]:
    return (Right(operation, "GROUP", name),)


def _names(*groups: str) -> tuple[Right, ...]:
    """For a consumer that joins no group but has to name one: librdkafka looks for its coordinator
    all the same, and fails where it may not.
    """
    return tuple(Right("DESCRIBE", "GROUP", name) for name in groups)


_TOPICS: Final = tuple(topic.name for topic in topics.ALL)
_READ: Final = (topics.INTERACTIONS, topics.TRIGGERS, topics.REJECTED, topics.DELIVERIES)
#: What generations of the customers' changelog are called, the first one aside.
_LATER: Final = f"{topics.CHANGELOG}-"
_SCAN, _SOURCE, _ROWS = "footfall-admin", "footfall-replay", "footfall-recovery"

PARTS: Final = {
    "collector": Part("`footfall collector`", (
        *_on(topics.INTERACTIONS, "WRITE"), *_on(topics.REJECTED, "WRITE"),
        # For who subscribes to triggers.
        *_on(topics.TRIGGERS, "READ"), *_names("footfall-subscriptions"))),
    "worker": Part("`footfall worker`", (
        *_on(topics.INTERACTIONS, "READ", "WRITE"), *_on(topics.TRIGGERS, "WRITE"),
        *_on(topics.REJECTED, "WRITE"),
        *_on(topics.CHANGELOG, "READ", "WRITE", prefix=True),
        *_group(topics.APP_ID, "READ"), *_names(_ROWS))),
    "delivery": Part("`footfall delivery`; WRITE on topics that routes name comes to it", (
        *_on(topics.DELIVERIES, "READ", "WRITE"),
        # It also tells: of a destination that is disabled.
        *_on(topics.TRIGGERS, "READ", "WRITE"),
        # What was sent is known to its customer: `$delivery`.
        *_on(topics.INTERACTIONS, "WRITE"),
        *_on(topics.REJECTED, "WRITE"),
        *_on(topics.DELIVERY_CHANGELOG, "READ", "WRITE"),
        *_group(topics.DELIVERY_APP_ID, "READ"), *_names(_ROWS))),
    "reader": Part("`footfall tail`, `customer`, `why`, `segments`, `plan`, `view`, `deliveries`", (
        *(right for name in _READ for right in _on(name, "READ", "DESCRIBE_CONFIGS")),
        *_on(topics.CHANGELOG, "READ", prefix=True), *_on(topics.CHANGELOG, "DESCRIBE_CONFIGS"),
        *_names(_SCAN, _ROWS, "footfall-tail"))),
    "admin": Part("`footfall topics`, `config`, `customer unmerge`, `doctor`", (
        *(right for name in _TOPICS for right in _on(name, "CREATE", "DESCRIBE_CONFIGS")),
        *_on(topics.INTERACTIONS, "READ", "WRITE"),
        *_on(topics.CHANGELOG, "READ", prefix=True),
        *(right for name in (topics.TRIGGERS, topics.REJECTED, topics.DELIVERIES,
                             topics.DELIVERY_CHANGELOG) for right in _on(name, "DESCRIBE")),
        *_names(_SCAN, topics.APP_ID, topics.DELIVERY_APP_ID))),
    "redrive": Part("`footfall deliveries redrive`, `recover`, `enable`, `disable`", (
        *_on(topics.DELIVERIES, "READ", "WRITE"), *_names(_SCAN))),
    "resend": Part("`footfall replay resend`", (
        *_on(topics.TRIGGERS, "READ"), *_on(topics.DELIVERIES, "READ", "WRITE"),
        *_names(_SCAN))),
    "archive": Part("`footfall archive`", (
        *_on(topics.INTERACTIONS, "READ"), *_names(_SCAN, _SOURCE))),
    "import": Part("`footfall import`", (
        *_on(topics.INTERACTIONS, "READ", "WRITE"), *_on(topics.CHANGELOG, "READ"),
        *_names(_SCAN))),
    "what-if": Part("`footfall replay what-if`", (
        *_on(topics.INTERACTIONS, "READ"), *_on(topics.TRIGGERS, "READ"),
        *_on(topics.CHANGELOG, "READ", prefix=True),
        *_names(_SCAN, _SOURCE, topics.APP_ID))),
    "rebuild": Part("`footfall replay rebuild`, `status`, `cutover`, `commit`, `abandon`", (
        *_on(topics.INTERACTIONS, "READ", "WRITE"),
        *_on(topics.CHANGELOG, "READ", "CREATE", "DELETE", "DESCRIBE_CONFIGS", prefix=True),
        # Not the first one: that is the live state, which workers write.
        *_on(_LATER, "WRITE", prefix=True),
        # Before it makes the first one anew it looks whether the topics are as they must be.
        *_on(topics.INTERACTIONS, "DESCRIBE_CONFIGS"),
        *(right for name in (topics.TRIGGERS, topics.REJECTED, topics.DELIVERIES,
                             topics.DELIVERY_CHANGELOG)
          for right in _on(name, "DESCRIBE", "DESCRIBE_CONFIGS")),
        *_names(_SCAN, _SOURCE, _ROWS))),
}


def missing(bootstrap: str, part: str) -> list[Right]:
    """The rights that we do not have of those that a part needs: see `lacking`."""
    return lacking(bootstrap, (part,))[part]


def lacking(bootstrap: str, parts: Iterable[str]) -> dict[str, list[Right]]:
    """Of each part the rights that we do not have, as far as the cluster tells: of what does not
    exist it tells nothing. Raises `BrokerError` where it does not answer.
    """
    return {part: found.lacking for part, found in told(bootstrap, parts).items()}


class Told(NamedTuple):
    """Of a part's rights those that we do not have, and those of which the cluster tells nothing:
    their resource does not exist, or it does not know of rights at all.
    """

    lacking: list[Right]
    unknown: list[Right]


def told(bootstrap: str, parts: Iterable[str]) -> dict[str, Told]:
    """What the cluster says of our rights, part by part. Asked are the brokers' own decisions, not
    ACLs: these would have to be read as an authorizer reads them, with denials, prefixes, groups
    and users that are above all, and few may see them. Raises `BrokerError`.
    """
    needed = {part: PARTS[part].rights for part in parts}
    names = {(right.kind, _asked(right)) for rights in needed.values() for right in rights}
    topic_names, group_names = (sorted(name for kind, name in names if kind == wanted)
                                for wanted in ("TOPIC", "GROUP"))
    admin = AdminClient({**confluent(bootstrap), "log_level": 0, "error_cb": lambda _error: None})
    how: dict[str, Any] = {"include_authorized_operations": True, "request_timeout": ANSWER_S_MAX}
    try:
        known = {
            **{("TOPIC", name): _allowed(future) for name, future in (
                admin.describe_topics(TopicCollection(topic_names), **how)
                if topic_names else {}).items()},
            **{("GROUP", name): _allowed(future) for name, future in (
                admin.describe_consumer_groups(group_names, **how)
                if group_names else {}).items()}}
    except (KafkaException, TimeoutError) as error:
        raise BrokerError(f"{bootstrap} does not tell our rights: {error}") from None
    return {part: Told(
        [right for right in rights if (may := known.get((right.kind, _asked(right)))) is not None
         and right.operation not in may],
        [right for right in rights if known.get((right.kind, _asked(right))) is None])
        for part, rights in needed.items()}


def admit(bootstrap: str, part: str) -> None:
    """Raises `BrokerError` where brokers that are protected refuse us, or a right is missing: both
    need a person, and trying again does not help. Brokers that are away are no error.
    """
    if security_of(bootstrap).security_protocol == "PLAINTEXT":
        return
    require(bootstrap)
    try:
        wanting = missing(bootstrap, part)
    except BrokerError:
        return
    if wanting:
        raise BrokerError(refused(part, wanting))


def refused(part: str, wanting: Iterable[Right]) -> str:
    """What is missing, and how it is given."""
    return (f"{part} may not " + ", ".join(map(str, wanting)) + ": `footfall acls list "
            f"{part}` prints what the cluster's administrator has to run")


def _asked(right: Right) -> str:
    """The resource that is looked at: of later generations the second one."""
    return f"{right.name}2" if right.is_prefix and right.name.endswith("-") else right.name


def _allowed(future: Any) -> frozenset[str] | None:
    """What we may do with a resource; None where it is not told."""
    try:
        found = future.result(ANSWER_S_MAX)
    except KafkaException as error:
        if error.args[0].code() in DENIED:
            return frozenset()
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise
    told = found.authorized_operations
    return frozenset(AclOperation(one).name for one in told) if told else None
