"""Ports on loopback: which are free, and what to say when one is not."""

from __future__ import annotations

import socket

from footfall.errors import SettingsError

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int, what: str, option: str) -> None:
    """Raise when the port is taken, naming it and the way out."""
    if not is_free(port):
        raise SettingsError(f"port {port} ({what}) is in use on this machine: end the program that "
                            f"listens on it, or choose another with {option}")
