"""Schema ids from a real Confluent-compatible registry."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from footfall.errors import DecodeError, SchemaError
from footfall.events import registry
from footfall.events.codec import SUBJECTS, Codecs, folder_id, released_text, released_versions
from footfall.events.registry import REGISTRY_SUBJECTS, Registry, codecs_for
from tests.events.records import a_delivery, a_rejected, a_trigger, an_interaction

pytestmark = pytest.mark.kafka  # needs Java, as the broker does


def _foreign(url: str, subject: str, schema: Any, kind: str = "AVRO") -> int:
    """Somebody else registers a schema."""
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

    client = SchemaRegistryClient({"url": url})
    return int(client.register_schema(subject, Schema(json.dumps(schema), kind)))


def _wire(schema_id: int, body: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def test_without_a_url_the_folder_is_used_and_no_client_imported() -> None:
    """The light install has no registry client."""
    program = ("import sys; from footfall.events.registry import codecs_for; codecs_for('');"
               "sys.exit('confluent_kafka' in sys.modules)")
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode
    assert folder_id("trigger", 3) == codecs_for("").trigger.schema_id


def test_round_trip_under_the_registrys_ids(registry_url: str) -> None:
    """Every subject; a second program gets the same ids and reads what the first wrote."""
    one, two = codecs_for(registry_url), codecs_for(registry_url)
    assert an_interaction() == two.interaction.decode(one.interaction.encode(an_interaction()))
    assert a_trigger() == two.trigger.decode(one.trigger.encode(a_trigger()))
    assert a_rejected() == two.rejected.decode(one.rejected.encode(a_rejected()))
    assert a_delivery() == two.delivery.decode(one.delivery.encode(a_delivery()))


def test_the_registered_text_is_the_documented_schema(registry_url: str) -> None:
    """Documentation and classes are there for everybody who looks."""
    from confluent_kafka.schema_registry import SchemaRegistryClient

    codecs = codecs_for(registry_url)
    client = SchemaRegistryClient({"url": registry_url})
    every = (codecs.interaction, codecs.trigger, codecs.rejected, codecs.delivery)
    for subject, codec in zip(SUBJECTS, every, strict=True):
        found = client.get_latest_version(REGISTRY_SUBJECTS[subject])
        assert codec.schema_id == found.schema_id
        newest = released_versions(subject)[-1]
        assert json.loads(released_text(subject, newest)) == json.loads(found.schema.schema_str)


def test_register_all_twice_changes_nothing_and_sets_the_level(registry_url: str) -> None:
    """`footfall schemas register`."""
    from confluent_kafka.schema_registry import SchemaRegistryClient

    one = Registry(registry_url).register_all("trigger")
    assert one == Registry(registry_url).register_all("trigger")
    client = SchemaRegistryClient({"url": registry_url})
    assert "FULL_TRANSITIVE" == client.get_compatibility(REGISTRY_SUBJECTS["trigger"])


def test_reads_what_a_later_version_wrote(registry_url: str) -> None:
    """A newer program added a field: its id is looked up once, the field is passed over."""
    import fastavro

    schema = json.loads(released_text("trigger", 2))
    schema["fields"].append({"name": "later", "type": "string", "default": "", "class": "public"})
    schema_id = _foreign(registry_url, "later-value", schema)
    codec = codecs_for(registry_url).trigger
    import io
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {**a_trigger(), "later": "x"})
    assert a_trigger() == codec.decode(_wire(schema_id, out.getvalue()))


def test_unknown_id_is_bad_data(registry_url: str) -> None:
    """The registry answers that it has none: asked once, poison every time."""
    codec = codecs_for(registry_url).trigger
    for _ in range(3):
        with pytest.raises(DecodeError, match="schema_unknown"):
            codec.decode(_wire(4_000_000_000, b""))


@pytest.mark.parametrize("schema", [
    {"type": "record", "name": "Node", "fields": [
        {"name": "next", "type": ["null", "Node"]}]},
    {"type": "record", "name": "Bomb", "fields": [
        {"name": "many", "type": {"type": "array", "items": "null"}}]},
])
def test_dangerous_schema_is_refused(registry_url: str, schema: Any) -> None:
    """A few bytes under it would stop the process."""
    schema_id = _foreign(registry_url, f"foreign-{schema['name']}", schema)
    with pytest.raises(DecodeError, match="schema_refused"):
        codecs_for(registry_url).trigger.decode(_wire(schema_id, b"\x02" * 20_000))


def test_schema_of_something_else_is_bad_data(registry_url: str) -> None:
    """Another team's record in our topic, Avro or not."""
    other = _foreign(registry_url, "other-value", {"type": "record", "name": "Other", "fields": []})
    text = _foreign(registry_url, "json-value", {
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, "JSON")
    codec = codecs_for(registry_url).trigger
    for schema_id in (other, text):
        with pytest.raises(DecodeError):
            codec.decode(_wire(schema_id, b""))


def test_no_answer_is_a_failure_of_the_world(registry_url: str,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Good records must not be rejected because a registry is away: never a DecodeError."""
    monkeypatch.setattr(registry, "RETRIES", 0)
    with pytest.raises(SchemaError, match=r"127\.0\.0\.1:9.*is it running"):
        codecs_for("http://127.0.0.1:9")
    away = Registry("http://127.0.0.1:9")
    codec = Codecs(ids=dict.fromkeys(SUBJECTS, 1), lookup=away.lookup).trigger
    with pytest.raises(SchemaError):
        codec.decode(_wire(2, b""))


@pytest.mark.parametrize("url", ["registry", "ftp://x", "http://127.0.0.1:9/\x00"])
def test_bad_url_is_an_error_of_ours(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the registry."""
    monkeypatch.setattr(registry, "RETRIES", 0)
    with pytest.raises(SchemaError, match="registry"):
        codecs_for(url)
