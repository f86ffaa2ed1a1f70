"""Schema ids from a Confluent-compatible registry, or from the folder where none is configured.

Decides the subjects (TopicNameStrategy) and what an id that cannot be had means: unknown to the
registry is bad data (`DecodeError` by the codec), no answer is a failure of the world
(`SchemaError`: going on would reject good records). Asks once an id; waits with a bound, then
blocks nobody. Must never let a foreign schema in that could break the decoder. The only place in
`events/` that talks to a network; the client is imported when a URL is set.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from footfall.errors import DecodeError, SchemaError
from footfall.events.codec import SUBJECTS, Codecs, Schema, released_text, released_versions
from footfall.events.schema_rules import hazards
from footfall.events.topics import DELIVERIES, INTERACTIONS, REJECTED, TRIGGERS

#: TopicNameStrategy: subject of our schemas -> subject in the registry.
REGISTRY_SUBJECTS = {
    "interaction": f"{INTERACTIONS}-value",
    "trigger": f"{TRIGGERS}-value",
    "rejected": f"{REJECTED}-value",
    "delivery": f"{DELIVERIES}-value",
}
LEVEL = "FULL_TRANSITIVE"
ANSWER_S_MAX = 5.0
RETRIES = 3
RETRY_MS_MAX = 2_000
#: Ids that the registry does not know, remembered so that a flood of bad records asks only once.
UNKNOWN_IDS_MAX = 1_000
_NOT_FOUND = 404


def codecs_for(url: str) -> Codecs:
    """The codecs under the registry's ids; under the folder's where `url` is empty."""
    if not url:
        return Codecs()
    registry = Registry(url)
    ids = {subject: registry.current_id(subject) for subject in SUBJECTS}
    return Codecs(ids=ids, lookup=registry.lookup)


class Registry:
    """One registry, as far as Footfall needs it."""

    def __init__(self, url: str) -> None:
        try:
            from confluent_kafka.schema_registry import Schema as RegistrySchema
            from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError
        except ImportError as error:
            raise SchemaError(f"schema_registry_url is set, but the client is not installed "
                              f"({error}): pip install 'footfall[server]'") from None

        self._url = url
        self._error = SchemaRegistryError
        self._schema = RegistrySchema
        try:
            self._client = SchemaRegistryClient({
                "url": url, "timeout": ANSWER_S_MAX, "max.retries": RETRIES,
                "retries.wait.ms": 200, "retries.max.wait.ms": RETRY_MS_MAX,
            })
        except (ValueError, TypeError) as error:
            raise SchemaError(f"schema_registry_url: {error}") from None
        self._unknown: set[int] = set()

    def current_id(self, subject: str) -> int:
        """The id of the newest released schema; registers it where it is not there yet."""
        name = REGISTRY_SUBJECTS[subject]
        schema = self._released(subject, released_versions(subject)[-1])
        found = self._ask(f"look up {name}", lambda: self._client.lookup_schema(name, schema))
        if found is not None:
            return cast(int, found.schema_id)
        return self._register(name, schema)

    def register_all(self, subject: str) -> list[int]:
        """Ids of every released version, registered in order, under FULL_TRANSITIVE."""
        name = REGISTRY_SUBJECTS[subject]
        ids = [self._register(name, self._released(subject, n)) for n in released_versions(subject)]
        self._ask(f"set the compatibility of {name}",
                  lambda: self._client.set_compatibility(name, LEVEL))
        return ids

    def lookup(self, schema_id: int) -> Schema | None:
        """The schema of an id; None when the registry has none."""
        if schema_id in self._unknown:
            return None
        found = self._ask(f"get schema {schema_id}", lambda: self._client.get_schema(schema_id))
        if found is None or found.schema_type not in (None, "AVRO"):
            if len(self._unknown) < UNKNOWN_IDS_MAX:
                self._unknown.add(schema_id)
            return None
        try:
            schema = cast(Schema, json.loads(found.schema_str))
        except (ValueError, RecursionError):
            return None
        dangers = hazards(schema)
        if dangers:
            raise DecodeError("schema_refused", f"schema id {schema_id}: {dangers[0]}")
        return schema

    def _released(self, subject: str, version: int) -> Any:
        return self._schema(released_text(subject, version), "AVRO")

    def _register(self, name: str, schema: Any) -> int:
        found = self._ask(f"register {name}", lambda: self._client.register_schema(name, schema))
        if found is None:
            raise SchemaError(f"schema registry {self._url}: no such route; is the path right?")
        return cast(int, found)

    def _ask(self, what: str, ask: Callable[[], Any]) -> Any:
        """The answer, or None for "not found"; every other failure is a `SchemaError`."""
        try:
            return ask()
        except self._error as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise SchemaError(f"schema registry {self._url}: cannot {what}: {error}") from None
        except Exception as error:  # the client lets through whatever its HTTP library raises
            raise SchemaError(f"schema registry {self._url}: cannot {what}: "
                              f"{type(error).__name__}: {error}; is it running?") from None
