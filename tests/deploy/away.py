"""A collector with a spool whose log is away until it is told to be back; its disk may be damaged.

The way to the brokers is a relay that does not listen yet: brokers answer with addresses of their
own, so only the first contact goes through it.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from footfall.up.ports import HOST, free_port
from footfall.up.process import Process

#: The least that a spool may be given.
SPOOL_BYTES_MAX = 8_388_608
STOP_S_MAX = 40.0


class Relay:
    """Passes bytes on to one address, from `open` on."""

    def __init__(self, to: str) -> None:
        host, _, port = to.rpartition(":")
        self._to = host, int(port)
        # Bound from the beginning, so that nobody else is given the port meanwhile.
        self._listener = socket.socket()
        self._listener.bind((HOST, free_port()))
        self.port: int = self._listener.getsockname()[1]

    def open(self) -> None:
        """From now on somebody listens."""
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Nobody does any more."""
        self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                ours, _ = listener.accept()
            except OSError:
                return
            theirs = socket.create_connection(self._to)
            for one, other in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=_pass, args=(one, other), daemon=True).start()


class SpoolingCollector:
    """Has settings of another collector, and a spool in `folder`."""

    def __init__(self, bootstrap: str, folder: Path, settings: Mapping[str, str]) -> None:
        self._relay = Relay(bootstrap)
        self.port = free_port()
        self._spool = folder / "spool"
        self.process = Process("spooling collector",
                               [sys.executable, "-m", "footfall", "collector"],
                               folder / "spooling.out", {
            **os.environ, **settings,
            "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{self._relay.port}",
            "FOOTFALL_HTTP_PORT": str(self.port),
            "FOOTFALL_SPOOL_PATH": str(self._spool),
            "FOOTFALL_SPOOL_BYTES_MAX": str(SPOOL_BYTES_MAX),
        })

    def log_is_back(self) -> None:
        """The brokers can be reached."""
        self._relay.open()

    def damage(self) -> None:
        """One bit of what is spooled turns over while it does not run."""
        assert self.process.stop(STOP_S_MAX)
        file = min(path for path in self._spool.iterdir() if path.stat().st_size > 1_000_000)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        self.process.start()

    def stop(self) -> None:
        """The end."""
        self.process.stop(STOP_S_MAX)
        self._relay.close()


def _pass(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65_536):
            other.sendall(data)
    except OSError:
        pass
    finally:
        one.close()
        other.close()
