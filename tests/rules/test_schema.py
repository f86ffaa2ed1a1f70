"""The JSON Schema of rules files: as published, complete, no stricter than what reads a file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from click.testing import CliRunner

from footfall.cli import footfall
from footfall.rules import schema
from footfall.rules.keys import KEYS

ROOT = Path(__file__).parents[2]


def test_the_published_schema_is_that_of_the_code() -> None:
    """`footfall rules schema > rules/rules.schema.json` brings it up to date."""
    assert schema.text() == (ROOT / "rules/rules.schema.json").read_text()
    assert schema.text() == CliRunner().invoke(footfall, ["rules", "schema"]).output


@pytest.mark.parametrize("heading", KEYS)
def test_every_key_is_described(heading: str) -> None:
    struct, keys = KEYS[heading]
    fields = msgspec.structs.fields(struct)
    assert {one.encode_name for one in fields} == keys.keys()
    parts = {**schema.schema()["$defs"], "RulesFile": schema.schema()}
    described = [one for one in parts.values() if one.get("properties", {}).keys() == keys.keys()]
    assert any(all(one["properties"][key]["description"] == meaning
                   for key, meaning in keys.items()) for one in described)


def test_every_pattern_is_one_of_javascript() -> None:
    text = schema.text()
    assert '"pattern"' in text
    assert "\\\\Z" not in text
    for pattern in re.findall(r'"pattern": ("[^"]*")', text):
        assert json.loads(pattern).endswith("$")


@pytest.mark.parametrize(("document", "fits"), [
    ({"rules": {"definitions": [{"name": "a", "version": 1, "on": {"call": "track"}}]}}, True),
    ({"cart": {"idle_s": 5}, "rules": {}}, True),
    ({"rules": {"definitions": [{"name": "A", "version": 1, "on": {"call": "track"}}]}}, False),
    ({"rules": {"definitions": [{"name": "a", "version": 1, "on": {"call": "trak"}}]}}, False),
    ({"rules": {"definitions": [{"name": "a", "version": 1}]}}, False),
    ({"rules": {"definitions": [{"name": "a", "version": 1, "on": {"call": "track"},
                                 "wat": "30m"}]}}, False),
    ({"rules": {"definitions": [{"name": "a", "version": 1, "on": {"call": "track"},
                                 "wait": "30 min"}]}}, False),
    ({"segments": {"definitions": [{"name": "a", "version": 1, "if": {"all": [
        {"field": "risk.level", "equals": "high"},
        {"of": "count", "over": {"where": {"path": "properties.a", "greater": 1}},
         "at_least": 1}]}}]}}, True),
    ({"segments": {"definitions": [{"name": "a", "version": 1, "if": {"all": [
        {"of": "count", "over": {"where": {"path": "properties.a", "at_least": 1}},
         "at_least": 1}]}}]}}, False),
    ({"tests": [{"name": "x", "steps": [], "expect": []}]}, True),
])
def test_what_fits_the_schema(document: dict[str, Any], fits: bool) -> None:
    assert fits == jsonschema_rs.validator_for(schema.schema()).is_valid(document)
