"""docker-compose.yml keeps its promises: no default secret, no port beyond loopback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parent.parent / "docker-compose.yml").read_text()
SECRET = re.compile(r"(?m)^\s+(FOOTFALL_\w*(?:SECRET|KEYS?)): (.+)$")


@pytest.mark.parametrize(
    "name", ["FOOTFALL_CUSTOMER_KEY_SECRET", "FOOTFALL_SYSTEM_SECRET", "FOOTFALL_WRITE_KEYS",
             "FOOTFALL_API_KEY"])
def test_it_refuses_to_start_without_a_secret(name: str) -> None:
    """`${NAME:?...}`: compose names what is missing; no value stands in the file."""
    values = [value for found, value in SECRET.findall(TEXT) if found == name]

    assert values
    assert all(value.startswith(f"${{{name}:?") for value in values), values


def test_every_port_is_bound_to_loopback() -> None:
    """What listens for the machine does not listen for the network."""
    published = re.findall(r'(?m)^\s+- "([\d.:]+:\d+)"$', TEXT)

    assert 2 == len(published)
    assert all(port.startswith("127.0.0.1:") for port in published)
