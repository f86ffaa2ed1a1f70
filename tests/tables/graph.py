"""Whose every identifier and event is: a simple reference that knows the whole graph at once.

Identifiers that are no user_id are joined by the events that name them, user_ids by alias calls
alone. A tree that one user claims is that user's; of one that several claim, an event that names
nobody is one of theirs, and log order decides whose.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from footfall.events.customer_key import is_user, order
from footfall.events.interaction import Interaction
from footfall.tables.spec import AnyTable
from tests.tables import events
from tests.tables.logs import KEYS


class Named(NamedTuple):
    """One event, by what it names."""

    user: str | None = None
    anonymous: str | None = None
    email: str | None = None
    previous: str | None = None
    phone: str | None = None

    def keys(self) -> list[bytes]:
        """Those of all that it names, highest first; `previous` apart."""
        ids = (("user_id", self.user), ("email", self.email), ("phone", self.phone),
               ("anonymous_id", self.anonymous))
        return [KEYS.of(kind, value) for kind, value in ids if value is not None]

    def before(self) -> list[bytes]:
        """What an alias call's previousId may be."""
        if self.previous is None:
            return []
        return [KEYS.of(kind, self.previous) for kind in ("user_id", "anonymous_id")]

    def key(self) -> bytes:
        """Where a collector puts it."""
        if self.user is not None:
            return KEYS.of("user_id", self.user)
        assert self.anonymous is not None
        return KEYS.of("anonymous_id", self.anonymous)

    def event(self, at: int, message_id: str) -> Interaction:
        """As it comes from the log."""
        event = events.added(at, message_id, f"p{message_id}", cart_id="c1")
        item: dict[str, Any] = {"userId": self.user, "anonymousId": self.anonymous}
        traits = {"email": self.email, "phone": self.phone}
        if any(traits.values()):
            item["context"] = {"traits": {k: v for k, v in traits.items() if v}}
        if self.previous is not None:
            event["type"], event["commerce"] = "alias", None
            item["previousId"] = self.previous
        event["personal"] = json.dumps({k: v for k, v in item.items() if v}).encode()
        return event


def trees(pairs: Iterable[tuple[bytes, bytes]], all_keys: Iterable[bytes]) -> dict[bytes, bytes]:
    """Key -> highest of its tree, by repeated relabelling."""
    root = {key: key for key in all_keys}
    for a, b in pairs:
        low, high = sorted((root[a], root[b]), key=order)
        root = {key: high if top == low else top for key, top in root.items()}
    return root


class Reference:
    """All customers of a set of events, at once."""

    def __init__(self, happened: Iterable[Named]) -> None:
        happened = list(happened)
        keys = {k for one in happened for k in (*one.keys(), *one.before())}
        joins = []
        claims: set[tuple[bytes, bytes]] = set()
        users = {one.key() for one in happened if one.user is not None}
        for one in happened:
            named = [*one.keys(), *(k for k in one.before() if not is_user(k))]
            if one.user is not None:
                claims |= {(named[0], k) for k in named if not is_user(k)}
                joins += [(named[0], k) for k in one.before() if k in users]
            else:
                joins += [(named[0], k) for k in named]
        self.root = trees(joins, keys)
        self.owners: dict[bytes, set[bytes]] = {}
        for user, key in claims:
            self.owners.setdefault(self.root[key], set()).add(self.root[user])

    def customers(self, one: Named) -> set[bytes]:
        """Whose this event may be."""
        root = self.root[one.key()]
        return self.owners.get(root, {root}) if one.user is None else {root}


def check_facts(specs: Sequence[AnyTable], mine: Sequence[tuple[Interaction, int]],
                got: Callable[[str], Any]) -> int:
    """Assert that a customer's facts, by table, are those of its own events (event, `when`), byte
    for byte; of how many tables: law 3 claims nothing for what a limit has cut.
    """
    checked = 0
    for table in specs:
        facts = table.facts()
        for event, when in mine:
            if table.wants(event):
                facts = table.observe(facts, event, when)
        if table.limited is not None and table.limited(facts):
            continue
        held = got(table.name)
        assert msgspec.msgpack.encode(facts, order="deterministic") == msgspec.msgpack.encode(
            table.facts() if held is None else held, order="deterministic"), table.name
        checked += 1
    return checked
