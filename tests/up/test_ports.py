"""Which ports programs are given that ask for any."""

from __future__ import annotations

import socket

import pytest

from footfall.errors import SettingsError
from footfall.up import ports
from footfall.up.ports import HOST, free_port


def test_a_port_is_none_that_the_system_gives_out_by_itself() -> None:
    """A connection of somebody else could have it while a server is started again."""
    with socket.create_server((HOST, 0)) as server:
        assert free_port() < server.getsockname()[1]


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where none is free that is said."""
    taken = free_port()
    with socket.create_server((HOST, taken)):
        free = free_port()
        monkeypatch.setattr(ports, "PORTS", [taken, free])
        assert {free} == {free_port() for _ in range(20)}
        with (socket.create_server((HOST, free)),
              pytest.raises(SettingsError, match="no free port between")):
            free_port()
