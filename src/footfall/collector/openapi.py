"""The OpenAPI 3.1 document of the collector, made from its table of routes and its limits.

Decides nothing: a test holds it to the router, and schemathesis holds the answers to it.
Items are described as far as they are judged; whatever else they hold is kept.
"""

from __future__ import annotations

from typing import Any

from footfall.collector.asked import LAST_EVENT_ID, LIMIT_MAX, PLACE
from footfall.collector.limits import Limits
from footfall.collector.request_ids import BELIEVED, HEADER
from footfall.collector.routes import ALL, BATCH, WEBHOOK, Route
from footfall.collector.subscriptions import STARTS
from footfall.events.admit import CALLS, CHANNEL_CHARS_MAX
from footfall.events.fields import TEXT_CHARS_MAX
from footfall.events.interaction import MESSAGE_ID_CHARS_MAX
from footfall.events.unsubscribe import TOKEN_CHARS_MAX
from footfall.subscriptions.cursor import CURSOR_CHARS_MAX
from footfall.view.roles import CLEARANCES
from footfall.view.why import TRIGGER_ID_CHARS

Json = dict[str, Any]

_NEEDED = {"track": ["event"], "group": ["groupId"], "alias": ["previousId"]}
_WRITE_KEY = {"name": "writeKey", "in": "query", "required": False, "schema": {"type": "string"}}
#: The last: the key stands in the body.
_KEYS: list[Json] = [{"basic": []}, {"bearer": []}, {"query": []}, {}]
_CUSTOMER: list[Json] = [
    {"name": "identifier", "in": "path", "required": True, "schema": {"type": "string"},
     "description": "KIND:VALUE, percent-encoded"},
    {"name": "include", "in": "query", "schema": {"type": "string"},
     "description": "ids and names of tables, comma-separated; without it all"}]
_TRIGGER: list[Json] = [
    {"name": "trigger_id", "in": "path", "required": True, "schema": {
        "type": "string", "pattern": f"^[0-9a-f]{{{TRIGGER_ID_CHARS}}}$"}}]
_WHY_NOT: list[Json] = [
    _CUSTOMER[0],
    {"name": "rule", "in": "path", "required": True, "schema": {"type": "string"},
     "description": "The rule's name"}]
_LINK: list[Json] = [
    {"name": "token", "in": "path", "required": True, "schema": {
        "type": "string", "pattern": f"^[A-Za-z0-9_-]{{1,{TOKEN_CHARS_MAX}}}$"}}]
_LINKED = ("unsubscribe_page", "unsubscribe")
_ASKED: list[Json] = [
    {"name": "name", "in": "query", "schema": {"type": "string"},
     "description": "Names of triggers, comma-separated; without it all. What a trigger carries is "
     "asked for as data.PATH=VALUE"},
    {"name": "customer", "in": "query", "schema": {"type": "string"},
     "description": "KIND:VALUE"}]
_STREAM: list[Json] = [
    *_ASKED,
    {"name": "start", "in": "query", "schema": {"enum": list(STARTS)}},
    {"name": LAST_EVENT_ID, "in": "header", "schema": {
        "type": "string", "maxLength": CURSOR_CHARS_MAX},
     "description": "Where to go on: the id of the last event"},
    {"name": PLACE, "in": "query", "schema": {"type": "string", "maxLength": CURSOR_CHARS_MAX},
     "description": "The same, for browsers; the header counts"},
    {"name": "ticket", "in": "query", "schema": {"type": "string"},
     "description": "Of a page in a browser, instead of an API key"}]
_HISTORY: list[Json] = [
    _ASKED[0], {**_ASKED[1], "required": True},
    *({"name": name, "in": "query", "schema": {"type": "string"}, "description":
       "RFC 3339 or whole milliseconds since 1970"} for name in ("since", "until")),
    {"name": "limit", "in": "query", "schema": {
        "type": "integer", "minimum": 1, "maximum": LIMIT_MAX}}]
#: What reads, for API keys alone: its parameters.
_READING: dict[str, list[Json]] = {"customer": _CUSTOMER, "why": _TRIGGER, "why_not": _WHY_NOT,
                              "stream": _STREAM, "ticket": [], "history": _HISTORY}
_REFUSED = {"400": "Refused", "401": "NoKey", "403": "Refused", "408": "Refused",
            "413": "Refused", "429": "TryAgain", "500": "Refused", "503": "TryAgain"}


def document(limits: Limits) -> Json:
    """The whole of it."""
    paths: Json = {}
    for route in ALL:
        for path in (route.path, route.path + "/"):
            paths.setdefault(path, {}).update(_path(route, path))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Footfall collector", "version": "1", "license": {
            "name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Tracking calls over HTTP into the log. 200 means durable."},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "The write key as user "
                          "name, no password."},
                "bearer": {"type": "http", "scheme": "bearer"},
                "query": {"type": "apiKey", "in": "query", "name": "writeKey"},
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key."},
            },
            "schemas": _schemas(limits),
            "headers": {"RequestId": {
                "required": True, "schema": {"type": "string"},
                "description": "What this request is called in logs: the request's own, where it "
                f"is {BELIEVED}, else one that is made"}},
            "responses": _named({
                "Refused": _answer("Refused as a whole; nothing was taken.", "Error"),
                "NoKey": _answer("No valid write key.", "Error"),
                "TryAgain": {**_answer("Nothing was promised; send the same again.", "Error"),
                             "headers": {"Retry-After": {"schema": {"type": "integer"}}}},
            }),
        },
    }


def _path(route: Route, path: str) -> Json:
    operation: Json = {
        "operationId": f"{route.method.lower()}{path.replace('/', '_')}",
        "summary": _SUMMARIES[route.kind].format(route.call),
        "responses": _named({"200": _DONE[route.kind](route), **_refused(route)}),
    }
    named: list[Json] = []
    if route.kind in _READING:
        named += _READING[route.kind]
        operation["security"] = [{"apiKey": []}]
    elif route.kind in _LINKED:
        named += _LINK
        operation["security"] = []
    elif "{writeKey}" in path:
        named.append({**_WRITE_KEY, "in": "path", "required": True})
    elif route.is_ingest and route.kind != "ignored":
        named.append(_WRITE_KEY)
        operation["security"] = _KEYS[:-1] if route.call == WEBHOOK else _KEYS
    if route.kind == "pixel":
        named += [{"name": name, "in": "query", "schema": {"type": "string"}}
                  for name in ("data", "userId", "anonymousId", "event", "name")]
    if named:
        operation["parameters"] = named
    if route.kind == "unsubscribe":
        operation["requestBody"] = {"required": False, "content": {
            "application/x-www-form-urlencoded": {"schema": _object(**{
                "List-Unsubscribe": {"const": "One-Click"}})}}}
    elif route.method == "POST" and route.kind != "ticket":
        schema = "Batch" if route.call == BATCH else route.call.capitalize() or "Anything"
        operation["requestBody"] = {"required": True, "content": {
            "application/json": {"schema": _ref(schema)}}}
    return {route.method.lower(): operation}


def _refused(route: Route) -> Json:
    if route.is_ingest:
        return {status: {"$ref": f"#/components/responses/{name}"}
                for status, name in _REFUSED.items()}
    if route.kind in _LINKED:
        return {status: {"$ref": f"#/components/responses/{name}"}
                for status, name in _REFUSED.items() if status not in ("401", "403")}
    if route.kind == "script":
        return {"304": {"description": "It is as the browser has it."}}
    if route.kind in _READING:
        return {**({"304": {"description": "It is as the client has it."}}
                   if route.kind == "customer" else {}),
                "401": _answer("No API key.", "Error"),
                **{status: {"$ref": f"#/components/responses/{name}"} for status, name in (
                    ("400", "Refused"), ("404", "Refused"), ("500", "Refused"),
                    ("429", "TryAgain"), ("503", "TryAgain"))}}
    if route.kind == "readyz":
        return {"503": {**_answer("A part that it needs is not well.", "NotReady"),
                        "headers": {"Retry-After": {"schema": {"type": "integer"}}}}}
    return {}


def _schemas(limits: Limits) -> Json:
    identifier: Json = {"type": ["string", "integer", "null"], "maxLength": TEXT_CHARS_MAX}
    free: Json = {"type": ["object", "null"]}
    time: Json = {"type": ["string", "integer", "null"],
                  "description": "RFC 3339, or whole milliseconds since 1970"}
    item: Json = {
        "type": "object",
        "description": f"At most {limits.item_bytes_max} bytes. Unknown members are kept.",
        "properties": {
            "userId": identifier, "anonymousId": identifier,
            "messageId": {"type": ["string", "integer", "null"], "minLength": 1,
                          "maxLength": MESSAGE_ID_CHARS_MAX},
            "timestamp": time, "originalTimestamp": time, "sentAt": time,
            "channel": {"type": ["string", "null"], "maxLength": CHANNEL_CHARS_MAX},
            "context": free, "integrations": free, "properties": free, "traits": free,
            "writeKey": {"type": ["string", "null"]},
        },
    }
    needed = {"event": {"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX},
              "groupId": identifier, "previousId": identifier}
    named: Json = {"name": {"type": ["string", "null"], "maxLength": TEXT_CHARS_MAX}}
    calls = {call.capitalize(): {"allOf": [_ref("Item"), {
        "type": "object", "required": _NEEDED.get(call, []),
        "properties": named if call in ("page", "screen")
        else {name: needed[name] for name in _NEEDED.get(call, [])}}]}
        for call in sorted(CALLS)}
    return {
        "Anything": {"type": "object"},
        "Item": item, **calls,
        "TypedItem": {"allOf": [_ref("Item"), {
            "type": "object", "required": ["type"],
            "properties": {"type": {"enum": sorted(CALLS)}}}]},
        "Webhook": {"oneOf": [_ref("TypedItem"), {
            "type": "array", "minItems": 1, "maxItems": limits.batch_items_max,
            "items": _ref("TypedItem")}]},
        "Batch": {
            "type": "object", "required": ["batch"],
            "description": f"At most {limits.body_bytes_max} bytes, unpacked.",
            "properties": {
                "batch": {"type": "array", "minItems": 1, "maxItems": limits.batch_items_max,
                          "items": _ref("TypedItem")},
                "sentAt": time, "context": free, "integrations": free,
                "writeKey": {"type": ["string", "null"]},
            },
        },
        **_ANSWERS,
    }


def _ref(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _answer(description: str, schema: str) -> Json:
    return {"description": description,
            "content": {"application/json": {"schema": _ref(schema)}}}


def _named(answers: Json) -> Json:
    """Each with the header that every answer has."""
    header = {HEADER: {"$ref": "#/components/headers/RequestId"}}
    return {status: answer if "$ref" in answer
            else {**answer, "headers": {**header, **answer.get("headers", {})}}
            for status, answer in answers.items()}


def _object(**properties: Json) -> Json:
    return {"type": "object", "required": sorted(properties), "properties": properties}


def _done(route: Route) -> Json:
    if route.call == BATCH:
        return _answer("Every accepted or rejected item is in the log.", "BatchAnswer")
    if route.call == WEBHOOK:
        return _answer("As of a single call, or for an array as of a batch.", "WebhookAnswer")
    return _answer("It is in the log.", "OneAnswer")


_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_FREE: Json = {"type": "object"}
_LIST: Json = {"type": "array", "items": _TEXT}
_PARTS: Json = {"type": "object", "additionalProperties": _object(
    ok={"type": "boolean"}, needed={"type": "boolean"}, reason=_TEXT)}
_ANSWERS: Json = {
    "Accepted": _object(status={"enum": ["accepted", "duplicate"]}, messageId=_TEXT),
    "Rejected": _object(status={"const": "rejected"}, reason=_TEXT, field=_TEXT, detail=_TEXT),
    "OneAnswer": _object(success={"const": True}, status={"enum": ["accepted", "duplicate"]},
                         messageId=_TEXT),
    "BatchAnswer": _object(success={"const": True}, accepted=_COUNT, duplicate=_COUNT,
                           rejected=_COUNT, results={"type": "array", "items": {
                               "oneOf": [_ref("Accepted"), _ref("Rejected")]}}),
    "WebhookAnswer": {"oneOf": [_ref("OneAnswer"), _ref("BatchAnswer")]},
    "Customer": {
        "type": "object",
        "required": ["customer_key", "as_of", "clock", "staleness_ms", "watermark", "role",
                     "tables", "timers"],
        "properties": {
            "customer_key": _TEXT, "owner": {"type": "null"}, "passed": _LIST, "ids": _FREE,
            "as_of": _TEXT, "clock": _TEXT, "staleness_ms": _COUNT, "partition": _COUNT,
            "watermark": _COUNT, "behind_records": {"type": ["integer", "null"]},
            "config_version": _TEXT, "source": _FREE, "role": {"enum": list(CLEARANCES)},
            "timers": _FREE, "tables": _FREE},
    },
    "Why": {
        "type": "object",
        "required": ["trigger_id", "name", "customer_key", "emitted_at", "held_out", "rule", "on",
                     "conditions", "caused_by", "data", "evidence", "role"],
        "properties": {
            "trigger_id": _TEXT, "name": _TEXT, "customer_key": _TEXT, "ids": _FREE,
            "occurred_at": _TEXT, "emitted_at": _TEXT, "config_version": _TEXT,
            "held_out": {"type": "boolean"}, "rule": {"type": ["object", "null"]},
            "on": {"type": ["object", "null"]}, "conditions": {"type": "array", "items": _FREE},
            "caused_by": _FREE, "data": _FREE, "evidence": _FREE,
            "role": {"enum": list(CLEARANCES)}},
    },
    "WhyNot": {
        "type": "object",
        "required": ["rule", "reason", "text", "customer_key", "as_of", "last", "fired", "waiting",
                     "role"],
        "properties": {
            "rule": _TEXT, "version": _COUNT, "reason": _TEXT, "text": _TEXT, "on": _TEXT,
            "customer_key": _TEXT, "passed": _LIST, "as_of": _TEXT, "clock": _TEXT,
            "last": {"type": ["object", "null"]}, "fired": {"type": ["object", "null"]},
            "waiting": {"type": "array", "items": _FREE}, "source": _FREE,
            "triggers": {"type": ["array", "null"], "items": _FREE},
            "role": {"enum": list(CLEARANCES)}},
    },
    "Triggers": _object(customer_key=_TEXT, passed=_LIST, role={"enum": list(CLEARANCES)},
                        triggers={"type": "array", "items": _ref("Trigger")}),
    "Ticket": _object(ticket=_TEXT, expires_s=_COUNT),
    "Trigger": {
        "type": "object",
        "required": ["trigger_id", "name", "customer_key", "ids", "occurred_at", "emitted_at",
                     "config_version", "held_out", "data", "evidence"],
        "properties": {
            "trigger_id": _TEXT, "name": _TEXT, "customer_key": _TEXT, "ids": _FREE,
            "occurred_at": _TEXT, "emitted_at": _TEXT, "config_version": _TEXT,
            "held_out": {"const": False}, "data": _FREE, "evidence": _FREE},
    },
    "Ready": _object(status={"const": "ready"}, parts=_PARTS),
    "NotReady": _object(status={"const": "not_ready"}, code=_TEXT, message=_TEXT, parts=_PARTS),
    "Error": {"type": "object", "required": ["code", "message"],
              "properties": {"code": _TEXT, "message": _TEXT, "field": _TEXT}},
}
_SUMMARIES = {
    "call": "Tracking call: {}", "pixel": "Tracking call with the item in the query: {}",
    "ignored": "Telemetry of an SDK: taken, not kept",
    "segment_settings": "What Segment's browser SDK loads first",
    "source_config": "What RudderStack's browser SDK loads first",
    "customer": "All that is held of one customer (docs/view.md)",
    "why": "Why a trigger fired (docs/why.md)",
    "why_not": "Why a rule did not fire for a customer (docs/why.md)",
    "unsubscribe_page": "The page of an unsubscribe link: changes nothing (docs/delivery-email.md)",
    "unsubscribe": "Unsubscribe with one click (RFC 8058)",
    "stream": "Triggers as they come (docs/subscriptions.md)",
    "ticket": "What opens a stream in a browser (docs/subscriptions.md)",
    "history": "A customer's triggers, the newest first (docs/subscriptions.md)",
    "console": "Triggers as they come, on a page",
    "script": "The browser script (docs/browser.md)", "healthz": "Alive",
    "readyz": "Whether requests are taken, part by part (docs/operate/health.md)",
    "metrics": "Prometheus", "openapi": "This document",
}
_DONE: dict[str, Any] = {
    "call": _done,
    "pixel": lambda _route: {"description": "It is in the log.", "content": {"image/gif": {}}},
    "script": lambda _route: {"description": "It.", "content": {"text/javascript": {}}},
    "customer": lambda _route: {
        **_answer("The customer, as far as the key's role may see it.", "Customer"),
        "headers": {"ETag": {"schema": _TEXT}}},
    "why": lambda _route: _answer("Its evidence, as far as the key's role may see it.", "Why"),
    "why_not": lambda _route: _answer("What was recorded, as far as the key's role may see it.",
                                      "WhyNot"),
    **{kind: lambda _route: {"description": "A page.", "content": {"text/html": {}}}
       for kind in _LINKED},
    "stream": lambda _route: {"description": "Events `trigger` (its data is a Trigger) and `gap`.",
                              "content": {"text/event-stream": {}}},
    "ticket": lambda _route: _answer("For a minute.", "Ticket"),
    "console": lambda _route: {"description": "It.", "content": {"text/html": {}}},
    "history": lambda _route: _answer("As far as the key may see them.", "Triggers"),
    "metrics": lambda _route: {"description": "Metrics.", "content": {"text/plain": {}}},
    **{kind: lambda _route: _answer("Done.", "Anything")
       for kind in ("ignored", "segment_settings", "source_config", "healthz", "openapi")},
    "readyz": lambda _route: _answer("All parts that it needs are well.", "Ready"),
}
