"""Who is asked how it is answers part by part, in words, and with 503 only for what it needs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

import pytest

from footfall.errors import SettingsError
from footfall.health import Part, readiness
from footfall.health_serving import HealthServing, beside
from footfall.up.ports import HOST, free_port

WELL, BAD = Part(True, "is well"), Part(False, "is away", "away")


def asked(url: str) -> tuple[int, dict[str, Any]]:
    """(status, JSON)."""
    with suppress(urllib.error.HTTPError):
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, json.load(answer)
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    raise AssertionError("it has just failed")


@pytest.mark.parametrize(("parts", "status", "code"), [
    ({"a": WELL, "b": WELL}, 200, None), ({"a": WELL, "b": BAD}, 503, "away"),
    ({"a": BAD, "b": BAD._replace(code="other")}, 503, "away"), ({}, 200, None),
    ({"a": WELL, "b": BAD._replace(is_needed=False)}, 200, None)])
def test_it_is_ready_when_all_that_it_needs_is_well(
        parts: dict[str, Part], status: int, code: str | None) -> None:
    """The first that is not gives code and message; all are told either way."""
    found, said = readiness(parts, partitions=[1])

    assert (status, code) == (found, said.get("code"))
    assert ("ready" if status == 200 else "not_ready", [1]) == (said["status"], said["partitions"])
    assert {name: {"ok": one.ok, "needed": one.is_needed, "reason": one.reason}
            for name, one in parts.items()} == said["parts"]


def test_a_program_without_a_loop_is_served_from_beside() -> None:
    """As it is at each question; the port is free again afterwards."""
    parts: dict[str, Part] = {}
    port = free_port()
    for _ in range(2):
        with beside(HealthServing(HOST, port, lambda: parts)):
            parts["log"] = WELL
            assert 200 == asked(f"http://{HOST}:{port}/readyz")[0]
            parts["log"] = BAD
            status, said = asked(f"http://{HOST}:{port}/readyz")
            assert (503, "away") == (status, said["code"])
            assert (200, {"status": "alive"}) == asked(f"http://{HOST}:{port}/healthz")


def test_a_port_that_is_taken_is_a_setting_to_change() -> None:
    """Not a thread that died unseen."""
    port = free_port()
    with beside(HealthServing(HOST, port, dict)):
        with pytest.raises(SettingsError, match=f"FOOTFALL_METRICS_PORT: port {port} .* cannot be"):
            with beside(HealthServing(HOST, port, dict)):
                pass


def test_a_fault_is_told_without_its_text() -> None:
    """It may hold what was sent (law 6)."""
    def parts() -> dict[str, Part]:
        raise ValueError("canary@example.com")

    port = free_port()
    with beside(HealthServing(HOST, port, parts)):
        status, said = asked(f"http://{HOST}:{port}/readyz")

    assert (500, "internal_error") == (status, said["code"])
    assert "canary" not in str(said)
