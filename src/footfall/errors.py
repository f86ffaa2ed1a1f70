"""The tree of errors.

Failures of data are values (`Rejected`), never exceptions past the edge. What is here is either a
failure of the world or of the set-up, and says what to do next.

    FootfallError
    +-- SettingsError       a setting is unknown, missing or out of bounds
    +-- BrokerError         the broker cannot be reached or is not set up as the laws need it
    +-- StateRefused        the log and the state do not fit: going on would lose or double
    +-- SchemaError         a schema is unknown or not compatible
    +-- DecodeError         bytes are not what they should be (caught at the edge: poison)
    +-- ConfigError         a configuration does not fit its schema
    +-- SubscriptionError   a subscription can never work as it was asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class FootfallError(Exception):
    """Anything that Footfall tells its user; the message says what to do next."""


class SettingsError(FootfallError):
    """A setting is unknown, missing or out of bounds; the message names it."""


class BrokerError(FootfallError):
    """The broker cannot be reached, or a topic is not as the laws need it."""


class StateRefused(FootfallError):
    """The log and the recovered state do not fit; a worker must not go on (law 1)."""


class SchemaError(FootfallError):
    """A schema is unknown, unreadable or not compatible with what was released."""


class DecodeError(FootfallError):
    """Bytes that are not what they should be; `reason` is a code of docs/rejected.md."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class ConfigError(FootfallError):
    """A configuration does not fit its schema; the message names key, value and limit. `path` leads
    to the key from the document's root: names, and places in lists.
    """

    def __init__(self, message: str, path: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.path = tuple(path)


class SubscriptionError(FootfallError):
    """A subscription can never work as it was asked for; `code` is the collector's, or ours."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class MisfitError(ValueError):
    """A struct of the configuration refuses what one of its keys says; `path` leads to it from that
    struct. It never gets past the configuration's reader, who names section and value.
    """

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


Finding = Literal["violated", "not_covered", "undeclared"]
#: What was done about it: with the property, or (`rejected`) with the whole item.
Done = Literal["allowed", "omitted", "rejected"]


class Found(NamedTuple):
    """What a tracking plan found in one property of an item. Call, event and version are those of
    the plan, `field` is the property's path, `rule` the keyword of JSON Schema that it breaks.
    """

    finding: Finding
    call: str
    event: str
    version: str
    field: str
    rule: str
    done: Done


class Rejected(NamedTuple):
    """Invalid data as a value: goes to footfall.rejected with the original bytes."""

    stage: str
    reason: str
    detail: str
    source: str
    rejected_at: int
    payload: bytes
    topic: str = ""
    partition: int = -1
    offset: int = -1
    found: Sequence[Found] = ()
