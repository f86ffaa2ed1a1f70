"""The configuration: what a `$config` may hold, and which of two versions holds."""

from __future__ import annotations

import json
from typing import Annotated

import msgspec
import pytest

from footfall.errors import ConfigError
from footfall.tables.config import Config, canonical, content_hash
from footfall.tables.spec import AnyTable, TableSpec, wants_all


class Shop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration of the table made for these tests."""

    idle_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 1800
    names: list[str] = []


class Empty(msgspec.Struct):
    """Facts and told of a table that does nothing."""


def table(name: str) -> AnyTable:
    return TableSpec(name, 1, Empty, Empty, Shop, wants_all,
                     lambda facts, _event, _when: facts, None, None, None)  # type: ignore[arg-type]


SHOP = (table("shop"),)


def test_version_zero_is_the_defaults() -> None:
    """Without any `$config` the code's defaults hold, as version 0."""
    config = Config(SHOP)
    assert (0, content_hash(b"{}")) == config.version
    assert 1800 == config.sections["shop"].idle_s
    assert (500, 5000, 10_000, 60_000) == (
        config.grace_ms, config.late_ms, config.settle_ms, config.settle_ms_max)


def test_canonical_names_every_value() -> None:
    """What goes to the log is whole, so that a later default cannot change what was applied."""
    content = canonical(SHOP, b'{"shop": {"idle_s": 900}}')
    assert {"idle_s": 900.0, "names": []} == json.loads(content)["shop"]
    assert canonical(SHOP, content) == content


def test_one_content_has_one_hash() -> None:
    """Order and spelling of a document do not change its version."""
    one = canonical(SHOP, b'{"shop": {"idle_s": 900, "names": ["a"]}, "clock": {"grace_s": 1}}')
    two = canonical(SHOP, b'{"clock": {"grace_s": 1.0}, "shop": {"names":["a"], "idle_s": 9e2}}')
    assert one == two


def test_hash_is_of_the_record_not_of_the_code() -> None:
    """Code with one more table gives the same record the same version; a rolling upgrade would
    otherwise leave partitions at different versions."""
    content = canonical(SHOP, b'{"shop": {"idle_s": 900}}')
    newer = (*SHOP, table("added_later"))
    assert Config(SHOP, 3, content).version == Config(newer, 3, content).version
    assert content == Config(newer, 3, content).content


def test_payload_comes_back_as_the_same_version() -> None:
    """What a `$config` or `$partition` carries is read as what was written."""
    config = Config(SHOP, 7, b'{"shop": {"idle_s": 900}}')
    again = Config(SHOP, config.payload.number, config.payload.content)
    assert (config.version, config.label) == (again.version, again.label)


@pytest.mark.parametrize(("content", "said"), [
    (b'{"shop": {"idle_s": 0}}', ["[shop] idle_s", "= 0", "> 0"]),
    (b'{"shop": {"idle_s": 86401}}', ["[shop] idle_s", "86401", "<= 86400"]),
    (b'{"shop": {"idle_s": "soon"}}', ["[shop] idle_s", "'soon'", "float"]),
    (b'{"shop": {"idles": 1}}', ["[shop]", "unknown field `idles`", "known keys: idle_s, names"]),
    (b'{"shop": {"names": ["a", 1]}}', ["[shop] names", "str"]),
    (b'{"shop": 3}', ["[shop]", "= 3"]),
    (b'{"clock": {"settle_s": 61}}', ["[clock]", "settle_s 61", "settle_s_max 60"]),
    (b'{"clock": {"grace_s": -1}}', ["[clock] grace_s", "-1", ">= 0"]),
    (b'{"cart": {}}', ["unknown section 'cart'", "clock, shop"]),
    (b"[]", ["JSON object"]),
    (b"{", ["JSON object"]),
])
def test_error_names_section_key_value_and_limit(content: bytes, said: list[str]) -> None:
    """Whoever wrote the value can mend it from the message alone."""
    with pytest.raises(ConfigError) as error:
        Config(SHOP, 1, content)
    assert [] == [part for part in said if part not in str(error.value)], str(error.value)
