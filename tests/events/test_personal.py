"""`personal` is free content: what has another type is absent, the rest counts, nothing fails."""

import json
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.events import personal, personal_row
from footfall.events.interaction import Interaction

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
ITEM = st.dictionaries(
    st.sampled_from(["userId", "anonymousId", "context", "properties", "traits", "other"]), JSON
    | st.dictionaries(st.sampled_from(["device", "os", "ip", "userAgent", "code", "traits"]), JSON
                      | st.dictionaries(st.sampled_from(["id", "type", "name"]), JSON)))


class Code(msgspec.Struct):
    code: str | None = None


def event(item: Any) -> Interaction:
    return cast(Interaction, {"personal": json.dumps(item).encode()})


def context_of(sent: Interaction) -> personal_row.Context:
    return personal.read(sent).context or personal_row.Context()


def test_reads_what_is_there() -> None:
    sent = event({"userId": "u", "context": {"device": {"id": "d", "type": "ios"}, "ip": "1.2.3.4",
                                             "userAgent": "x"}, "properties": {"code": "A"}})
    got, context = personal.read(sent), context_of(sent)
    assert ("u", None) == (got.user_id, got.anonymous_id)
    assert ("1.2.3.4", "x") == (context.ip, context.user_agent)
    assert personal_row.Device("d", "ios") == context.device
    assert personal.read(sent) is got
    assert "A" == personal.properties(sent, Code).code


@pytest.mark.parametrize("wrong", [7, "x", [], {}, True, {"id": 5}, {"device": 5}, {"ip": []}])
def test_another_type_is_absent_and_the_rest_counts(wrong: Any) -> None:
    got = personal.read(event({"userId": "u", "context": wrong, "properties": wrong}))
    assert ("u", None) == (got.user_id, got.anonymous_id)
    beside = {"device": wrong, "ip": "1.2.3.4"}
    assert "1.2.3.4" == context_of(event({"context": beside})).ip


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[1]", b"null", b'"x"'])
def test_bytes_that_are_no_item_name_nothing(data: bytes) -> None:
    sent = cast(Interaction, {"personal": data})
    assert personal.read(sent) == personal_row.Personal()
    assert personal.properties(sent, Code) == Code()


@given(ITEM)
def test_never_fails_and_agrees_with_plain_json(item: Any) -> None:
    sent = event(item)
    got = personal.read(sent)
    for name, value in (("userId", got.user_id), ("anonymousId", got.anonymous_id)):
        given = item.get(name)
        assert value == (given if isinstance(given, str) else None)
    properties = item.get("properties")
    code = properties.get("code") if isinstance(properties, dict) else None
    assert personal.properties(sent, Code).code == (code if isinstance(code, str) else None)
    inner = item.get("context")
    inner = inner.get("traits") if isinstance(inner, dict) else None
    context = got.context or personal_row.Context()
    assert [item.get("traits"), inner] == [json.loads(bytes(raw))
                                           for raw in (got.traits, context.traits)]


@pytest.mark.parametrize("wrong", [7, "x", [], True])
def test_traits_are_the_bytes_that_were_sent(wrong: Any) -> None:
    """Also beside members of another type than expected."""
    text = '{"traits":{"a":1.10},"context":{"traits":{"b": -0}},"properties":{"c":2.50},"userId":'
    for data in (text + '"u"}', text + json.dumps(wrong) + "}",
                 text.replace('"context":{', '"context":{"device":7,') + '"u"}'):
        got = personal.read(cast(Interaction, {"personal": data.encode()}))
        assert got.context is not None
        assert ['{"a":1.10}', '{"b": -0}', '{"c":2.50}'] == [
            bytes(raw).decode() for raw in (got.traits, got.context.traits, got.properties)]


def test_what_was_not_sent_is_absent() -> None:
    """By identity, so that asking costs nothing."""
    got = personal.read(event({"context": {}}))
    assert got.context is not None
    assert got.traits is got.context.traits is got.properties is personal_row.ABSENT
