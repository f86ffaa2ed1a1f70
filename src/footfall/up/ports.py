"""Ports on loopback: which are free, and what to say when one is not."""

from __future__ import annotations

import random
import socket

from footfall.errors import SettingsError

HOST = "127.0.0.1"
#: Below those that systems give out by themselves (Linux from 32,768 on, others from 49,152): what
#: is started again finds its port as it left it.
PORTS = range(20_000, 32_000)
_TRIES = 100
#: Not seeded: two programs that ask at once are given two ports.
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """A port that nobody uses now."""
    for _ in range(_TRIES):
        port = _RANDOM.choice(PORTS)
        if is_free(port):
            return port
    raise SettingsError(f"no free port between {PORTS[0]} and {PORTS[-1]} on this machine: end "
                        "programs that listen there")


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
