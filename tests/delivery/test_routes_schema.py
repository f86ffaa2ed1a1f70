"""The JSON Schema of routes files: complete, and no stricter than what reads a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from click.testing import CliRunner

from footfall.admin import config_yaml
from footfall.cli import footfall
from footfall.delivery import routes_schema
from footfall.delivery.routes import parse
from footfall.delivery.routes_keys import KEYS
from footfall.delivery.routes_reading import CHANNELS
from footfall.delivery.routes_row import Destination

EXAMPLE = Path(__file__).parents[2] / "docs/routes.yaml"
HOOK = {"channel": "webhook", "purpose": "x", "url": "https://x.example/h"}
SHARED = {one.encode_name for one in msgspec.structs.fields(Destination)}


def test_the_command_prints_it() -> None:
    """For a file beside the routes."""
    assert routes_schema.text() == CliRunner().invoke(footfall, ["routes", "schema"]).output


@pytest.mark.parametrize("heading", KEYS)
def test_every_key_has_its_words(heading: str) -> None:
    """Of each struct all keys and no other; editors show the words."""
    struct, meanings = KEYS[heading]
    own = {one.encode_name for one in msgspec.structs.fields(struct)}
    assert (own - SHARED if struct in CHANNELS.values() else own) == meanings.keys()
    schema = routes_schema.schema()
    parts = {**schema["$defs"], "RoutesFile": schema}
    if struct is Destination:
        shown = [parts[one.__name__] for one in CHANNELS.values()]
    else:
        shown = [parts[struct.__name__]]
    for part in shown:
        assert meanings.items() <= {key: said.get("description") for key, said in
                                    part["properties"].items()}.items()


@pytest.mark.parametrize(("document", "expected"), [
    ({"destinations": {"a": HOOK}}, True),
    ({"destinations": {"a": {**HOOK, "secret_env": "A"}}}, True),
    ({"destinations": {"a": {**HOOK, "secret_env": ["A", "B"]}}}, True),
    ({"destinations": {"a": {**HOOK, "secret_env": "a"}}}, False),
    ({"destinations": {"a": {**HOOK, "ulr": "x"}}}, False),
    ({"destinations": {"a": {**HOOK, "channel": "fax"}}}, False),
    ({"destinations": {"a": {"channel": "webhook", "url": "https://x.example"}}}, False),
    ({"destinations": {"a": {**HOOK, "quiet_hours": {"from": "22:00", "to": "8:00"}}}}, False),
    ({"destinations": {"a": HOOK}, "routes": [{"triggers": "t", "to": "a"}]}, True),
    ({"destinations": {"a": HOOK}, "routes": [{"triggers": ["t"], "to": ["a"]}]}, True),
    ({"destinations": {"a": HOOK}, "routes": [
        {"triggers": "t", "to": "a", "where": {"n": 5, "v": True, "l": ["a", 0.5]}}]}, True),
    ({"destinations": {"a": HOOK}, "routes": [
        {"triggers": "t", "to": "a", "where": {"n": {"x": 1}}}]}, False),
    ({"destinations": {"a": HOOK}, "routes": [{"triggers": "t"}]}, False),
    ({"routes": []}, False),
])
def test_what_fits_the_schema(document: dict[str, Any], expected: bool) -> None:
    """And what fits, the reader takes."""
    assert expected == jsonschema_rs.validator_for(routes_schema.schema()).is_valid(document)
    if expected:
        parse(msgspec.json.encode(document).decode(), "r.yaml")


def test_the_example_fits_the_schema() -> None:
    """Editors mark nothing in it."""
    validator = jsonschema_rs.validator_for(routes_schema.schema())

    assert [] == [str(one) for one in
                  validator.iter_errors(config_yaml.load(EXAMPLE.read_text(), "destinations"))]
