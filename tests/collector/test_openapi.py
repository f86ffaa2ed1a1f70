"""The OpenAPI document against the router, in both directions."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import hdrs

from footfall.collector import openapi
from footfall.collector.app import Collector
from footfall.collector.auth import WriteKeys
from footfall.collector.limits import Limits
from footfall.collector.routes import ALL
from tests.collector.edge import CODECS, KEYS, MemorySink, serving


def served() -> set[tuple[str, str]]:
    """(method, path) of everything that the router answers."""
    app = Collector(MemorySink(), KEYS, WriteKeys({"web": "k"}), CODECS).application()
    return {(route.method, route.resource.canonical) for route in app.router.routes()
            if route.resource is not None}


def refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(refs, value.values()))
    return set().union(*map(refs, value)) if isinstance(value, list) else set()


async def test_it_is_served() -> None:
    async with serving(MemorySink()) as client, client.get("/openapi.json") as answer:
        assert (200, "application/json") == (answer.status, answer.content_type)
        assert openapi.document(Limits()) == await answer.json()


async def test_it_has_every_route_and_no_other() -> None:
    """Preflights and HEAD go without saying; but only ingest routes have the former."""
    described = {(method.upper(), path) for path, operations in
                 openapi.document(Limits())["paths"].items() for method in operations}
    plain = {(m, p) for m, p in served() if m not in (hdrs.METH_OPTIONS, hdrs.METH_HEAD)}
    assert plain == described
    preflights = {p.rstrip("/") for m, p in served() if m == hdrs.METH_OPTIONS}
    assert {route.path for route in ALL if route.is_ingest} == preflights


def test_every_reference_leads_somewhere_and_names_are_its_own() -> None:
    document = openapi.document(Limits())
    for ref in refs(document):
        at: Any = document
        for part in ref.removeprefix("#/").split("/"):
            at = at[part]
    operations = [o for path in document["paths"].values() for o in path.values()]
    assert len(operations) == len({o["operationId"] for o in operations})
    assert all(re.fullmatch(r"\d{3}", status) for o in operations for status in o["responses"])


def test_every_answer_names_its_request() -> None:
    """Asked of real answers by schemathesis, for the header is required."""
    document = openapi.document(Limits())
    answers = [*document["components"]["responses"].values(), *(
        answer for path in document["paths"].values() for operation in path.values()
        for answer in operation["responses"].values() if "$ref" not in answer)]
    assert all("X-Request-Id" in answer["headers"] for answer in answers)
    assert document["components"]["headers"]["RequestId"]["required"] is True


def test_it_states_the_limits_in_force() -> None:
    schemas = openapi.document(Limits(batch_items_max=7))["components"]["schemas"]
    assert 7 == schemas["Batch"]["properties"]["batch"]["maxItems"]
