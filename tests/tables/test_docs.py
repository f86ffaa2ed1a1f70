"""The documents name every table, trigger, field and setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from footfall import tables
from tests.tables.consents import carried
from tests.tables.events import added, commerce, ordered, plain
from tests.tables.log import Log
from tests.tables.logs import ANNA, KEYS, START, Appended, config, fold, tick, triggers
from tests.tables.ruled import Shop, counts

DOCS = Path(__file__).parents[2] / "docs"


def test_every_table_and_setting_is_documented() -> None:
    """A section for each table; each configuration field by its full name."""
    text = (DOCS / "tables.md").read_text()
    assert [t.name for t in tables.ALL] == re.findall(r"^## (\w+)$", text, re.MULTILINE)
    for table in tables.ALL:
        for field in table.config.__struct_fields__:
            assert f"`{table.name}.{field}`" in text


def test_every_field_of_a_trigger_is_documented() -> None:
    """In the section of that trigger."""
    text = (DOCS / "triggers.md").read_text()
    log = [config(START, 1, idle_s=2), Appended(START, ANNA, added(START, "a")),
           tick(START + 3_000), tick(START + 4_000),
           Appended(START + 5_000, ANNA, ordered(START + 5_000, "b")),
           Appended(START + 6_000, ANNA, commerce("order_refunded", START + 6_000, "c"))]
    log.append(Appended(START + 6_000, ANNA, carried(START + 6_000, "d", allowed={"ads": True})))
    for n in range(5):
        failed = plain(START + 7_000, f"f{n}")
        failed["event"] = "Payment Failed"
        log.append(Appended(START + 7_000, ANNA, failed))
    log += [tick(START + days * 86_400_000) for days in (20, 31, 32)]
    log += [tick(START + 32 * 86_400_000 + 20_000)]
    told = {t["name"]: t for t in (*triggers(fold(log, tables.ALL)), *linked().triggers(),
                                   *grouped().triggers())}
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert told.keys() == sections.keys()
    for name, trigger in told.items():
        documented = set(re.findall(r"`(\w+)`", sections[name]))
        assert set() == _fields(trigger["data"]) - documented
        assert set() == _fields(trigger["evidence"]) - documented


def linked() -> Log:
    """What links tell: a visitor becomes a user, is joined to another, and to no third one."""
    log = Log(tables.ALL)
    for n, item in enumerate((
            {"anonymousId": "a"}, {"userId": "u", "anonymousId": "a"}, {"userId": "v"},
            {"userId": "w"}, {"userId": "u", "previousId": "v"},
            {"userId": "u", "previousId": "w"})):
        log.config(log.now, 1 + n, links={"user_id_max": 2})
        event = plain(START, f"l{n}", item)
        event["type"] = "alias" if "previousId" in item else "page"
        kind = "user_id" if "userId" in item else "anonymous_id"
        log.append(KEYS.of(kind, item["userId" if "userId" in item else "anonymousId"]), event,
                   log.now)
        log.run()
    return log


def grouped() -> Log:
    """What segments tell: a customer enters one and leaves it."""
    shop = Shop([], [{"name": "new", "version": 1, "if": counts("", "1h", at_least=1)}])
    shop.did(0, "Product Viewed")
    shop.passed(7_200_000)
    return shop.log


def _fields(value: Any) -> set[str]:
    """Names in an object and in the objects of its lists; not the keys of maps."""
    names = set()
    for name, inner in value.items():
        names.add(name)
        if isinstance(inner, list):
            names |= {n for item in inner if isinstance(item, dict) for n in _fields(item)}
    return names
