"""A shop whose rules are under test: events by name, and the clock that moves on."""

from __future__ import annotations

from typing import Any

from footfall import tables
from tests.tables import events
from tests.tables.log import Log
from tests.tables.logs import ANNA, KEYS, START

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


class Shop:
    """A log under one configuration. Instants are ms after START."""

    def __init__(self, rules: list[dict[str, Any]], segments: list[dict[str, Any]] | None = None,
                 partitions: int = 1, **sections: Any) -> None:
        self.log = Log(tables.ALL, partitions)
        self._number = 0
        self._made = 0
        self.configure(0, rules, segments, **sections)

    def configure(self, at: int, rules: list[dict[str, Any]],
                  segments: list[dict[str, Any]] | None = None, **sections: Any) -> None:
        """Another configuration comes into force."""
        self._number += 1
        self.log.config(START + at, self._number, rules={"definitions": rules},
                        segments={"definitions": segments or []}, **sections)

    def did(self, at: int, event: str, key: bytes = ANNA, *, late: int = 0, call: str = "track",
            **properties: Any) -> str:
        """An interaction that came at `at` and happened `late` before; its messageId."""
        self._made += 1
        message_id = f"m{self._made}"
        made = events.plain(START + at - late, message_id, {"properties": properties})
        made["type"], made["event"] = call, event
        self.log.append(key, made, START + at)
        self.log.run()
        return message_id

    def sent(self, at: int, ids: dict[str, str], event: str, *, late: int = 0,
             call: str = "track", traits: dict[str, Any] | None = None, **properties: Any) -> None:
        """The same of whoever these identifiers name: a user, else a browser."""
        key = (KEYS.of("user_id", ids["userId"]) if "userId" in ids
               else KEYS.of("anonymous_id", ids["anonymousId"]))
        self._made += 1
        made = events.plain(START + at - late, f"m{self._made}",
                            {**ids, "properties": properties, "traits": traits or {}})
        made["type"], made["event"] = call, event
        self.log.append(key, made, START + at)
        self.log.run()

    def passed(self, at: int) -> None:
        """Time passes: a `$tick` wherever a worker would append one, then one at the end."""
        self.log.run()
        while True:
            due = [first for worker in self.log.workers
                   if (first := worker.fold.next_timer(START + at)) is not None]
            if not due:
                break
            self.log.tick(min(due) + 1)
            self.log.run()
        self.log.tick(START + at)
        self.log.run()

    def fired(self, name: str | None = None) -> list[tuple[str, int]]:
        """(name, ms after START when it fired) of all triggers told, or of those of a name."""
        return [(one["name"], one["emitted_at"] - START) for one in self.log.triggers(name)]

    def told(self, name: str) -> list[dict[str, Any]]:
        """The triggers of a name."""
        return self.log.triggers(name)

    def row(self, table: str, key: bytes = ANNA) -> Any:
        """What a table told of a customer."""
        row = self.log.fold_of(key).row(key, table)
        return None if row is None else row.told


def rule(name: str, on: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One rule."""
    return {"name": name, "version": 1, "on": on, **more}


def counts(event: str, window: str = "1h", **operator: Any) -> dict[str, Any]:
    """How often a tracked event happened in a window, compared; "" is every interaction."""
    over = {"call": "track", "event": event} if event else {}
    return {"of": "count", "over": over, "window": window, **operator}


def ordered(name: str, **more: Any) -> dict[str, Any]:
    """A rule on Order Completed."""
    return rule(name, {"call": "track", "event": "Order Completed"}, **more)


def key_of(user: str) -> bytes:
    """A customer's key."""
    return KEYS.of("user_id", user)
