"""A request has one name: in its answer, and in every line about it."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from footfall.collector.request_ids import RequestIds
from footfall.log_lines import JsonLines
from tests.collector.edge import AUTH, MemorySink

UUID = "6f1d2c3b-0a9e-4b7d-8c5f-0123456789ab"
ITEM = {"event": "A", "userId": "u1", "messageId": "m"}
OURS = r"[0-9a-f]{16}-[0-9a-f]{8}"


@pytest.mark.parametrize("given", [UUID, UUID.upper(), "0" * 32, "a" * 20, "f" * 64])
def test_what_proxies_make_is_believed(given: str) -> None:
    """A UUID, 32 digits."""
    assert given == RequestIds().of(given)


@pytest.mark.parametrize("given", [
    None, "", "a" * 19, "f" * 65, "canary@shop.example", "Ann Smith", "4915112345678", UUID + "\n",
    f"{UUID}, {UUID}", "4111111111111111", "\N{FULLWIDTH DIGIT ONE}" * 32])
def test_what_could_be_somebodys_is_replaced(given: str | None) -> None:
    """An address, a name, a number of a phone or a card: it would stand in the log."""
    ids = RequestIds()
    first, second = ids.of(given), ids.of(given)
    assert re.fullmatch(OURS, first)
    assert first != second
    assert first != RequestIds().of(given)
    assert first == ids.of(first), "by what comes after us it is believed"


@pytest.mark.parametrize(("method", "path"), [
    ("POST", "/v1/track"), ("POST", "/v1/track/"), ("GET", "/v1/pixel/track"), ("GET", "/healthz"),
    ("GET", "/metrics"), ("GET", "/nothing"), ("OPTIONS", "/v1/track"), ("GET", "/v1/track"),
    ("GET", "/v1/customers/user_id:u1")])
async def test_every_answer_has_it(client: Any, method: str, path: str) -> None:
    """Errors, too: those are asked about."""
    given = await client.request(method, path, headers={"X-Request-Id": UUID}, json=ITEM)
    made = await client.request(method, path, headers={"X-Request-Id": "ann"}, json=ITEM)

    assert UUID == given.headers["X-Request-Id"]
    assert re.fullmatch(OURS, made.headers["X-Request-Id"])


@pytest.mark.parametrize("path", ["/v1/track", "/v1/track/"])
async def test_every_line_about_a_request_has_it(
        client: Any, sink: MemorySink, caplog: pytest.LogCaptureFixture, path: str) -> None:
    """On both ways, and of two at once each its own."""
    lines: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(self.format(record)))

    async def fails(_outgoing: Any) -> None:
        raise LookupError("canary")

    handler = Keep()
    handler.setFormatter(JsonLines("collector", "c"))
    logging.getLogger("footfall").addHandler(handler)
    sink.send = fails  # type: ignore[method-assign]
    try:
        with caplog.at_level(logging.DEBUG, "footfall"):
            ids = [f"{n:032x}" for n in range(2)]
            for one in ids:
                answer = await client.post(path, json=ITEM, headers={**AUTH, "X-Request-Id": one})
                assert 500 == answer.status
            await client.get("/v1/customers/email:canary@shop.example",
                             headers={"X-Request-Id": UUID})
    finally:
        logging.getLogger("footfall").removeHandler(handler)

    about = [(line["message"], line["request_id"]) for line in lines
             if line["message"] in ("answering failed", "answered")]
    assert [(message, one) for one in ids for message in ("answering failed", "answered")] == (
        about[:4])
    assert ("answered", UUID) == about[4]
    assert "canary" not in json.dumps(lines)
    assert re.fullmatch(r"/v1/customers/\{\w+.*\}", lines[-1]["route"])
