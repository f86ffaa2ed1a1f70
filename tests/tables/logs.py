"""A log of one partition with made-up append times, folded by the real fold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.interaction import Interaction
from footfall.events.reserved import Reserved
from footfall.events.reserved_row import ConfigPayload
from footfall.tables import cart, identity
from footfall.tables.fold import Fold
from footfall.tables.outputs import TRIGGER
from footfall.tables.spec import AnyTable
from footfall.testing.log import Entry

CODECS = Codecs()
KEYS = CustomerKeys(b"a secret for tests only")
RESERVED = Reserved(b"another secret for tests")
ANNA = KEYS.of("user_id", "anna")
BERT = KEYS.of("user_id", "bert")
#: The tables of tests about carts and about the fold itself: what others tell is not theirs.
CARTS: tuple[AnyTable, ...] = (cart.TABLE, identity.TABLE)
#: Most tests count time from here, in ms.
START = 1_700_000_000_000


class Appended(NamedTuple):
    """An interaction and the instant at which the broker appended it."""

    at: int
    key: bytes
    event: Interaction


def tick(at: int) -> Appended:
    """The clock moves on."""
    return Appended(at, b"$tick", RESERVED.tick(at))


def config(at: int, number: int, **cart: Any) -> Appended:
    """A configuration comes into force."""
    content = json.dumps({"cart": cart}).encode()
    return Appended(at, b"$config", RESERVED.config(ConfigPayload(number, content), at))


def fold(log: Sequence[Appended], specs: Sequence[AnyTable] = CARTS, **options: Any) -> Fold:
    """The fold after a whole log."""
    folded = Fold(0, specs, codecs=CODECS, keys=KEYS, reserved=RESERVED, topic="log", **options)
    for offset, (at, key, event) in enumerate(log):
        folded.apply(Entry(offset, at, key, CODECS.interaction.encode(event)))
    return folded


def triggers(folded: Fold) -> list[dict[str, Any]]:
    """What was told, in order, with data and evidence as objects."""
    told = []
    for output in folded.outputs:
        assert output.kind == TRIGGER, output
        record: dict[str, Any] = dict(CODECS.trigger.decode(output.value))
        record["data"] = json.loads(record["data"])
        record["evidence"] = json.loads(record["evidence"])
        record["ids"] = json.loads(record.pop("personal"))["ids"]
        told.append(record)
    return told
