"""What one webhook costs: signing, sending, reading the answer, to a receiver that answers at once.

The receiver is another process. Contenders: the channel as delivery has it, on the loop of uvloop
and on asyncio's, and a plain POST with the same library that checks nothing, for what the checks
cost. `python bench/webhook.py` runs it without the rest of the bench. The goal leaves half of the
500 us that 2,000 deliveries a second and core have to what records them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab import Lab

GOAL_US = 250
MESSAGES_MAX = 20_000
CONCURRENCY = 64
BODY_BYTES = 1_500
CONTENDERS = ("webhook", "webhook on asyncio", "aiohttp alone")
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def run(lab: Lab | None, n: int, rounds: int, _only: set[str]) -> dict[str, Any]:
    """All in turns."""
    from figures import console, show, spread, verdict

    n = min(n, MESSAGES_MAX)
    environment = {**os.environ, **(lab.environment() if lab else {})}
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    with subprocess.Popen([sys.executable, __file__, "receiver"], env=environment,
                          stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        url = receiver.stdout.readline().strip()
        try:
            for number in range(rounds):
                for name in CONTENDERS[:: -1 if number % 2 else 1]:
                    said = subprocess.run([sys.executable, __file__, name, url, str(n)],
                                          env=environment, check=True, capture_output=True)
                    results[name].append(json.loads(said.stdout))
        finally:
            receiver.terminate()
    rows = []
    for name, found in results.items():
        cpu = [one["cpu_us"] for one in found]
        rows.append((name, spread(cpu), spread([one["messages_s"] for one in found]),
                     verdict(median(cpu), GOAL_US, at_least=False)))
    show(f"one webhook of {BODY_BYTES:,} bytes: {n:,} messages, {CONCURRENCY} at a time, {rounds} "
         "rounds", ("contender", "CPU us", "messages/s", "goal"), rows)
    console.print()
    return {"messages": n, "results": results}


async def measure(name: str, url: str, n: int) -> dict[str, float]:
    """CPU of this process and time, after what opens the connections."""
    send = await (_plain if name == CONTENDERS[2] else _channel)(url)

    async def some(count: int) -> None:
        for _ in range(count):
            await send()

    await asyncio.gather(*(some(5) for _ in range(CONCURRENCY)))
    cpu, began = time.process_time(), time.perf_counter()
    each = n // CONCURRENCY
    await asyncio.gather(*(some(each) for _ in range(CONCURRENCY)))
    done = each * CONCURRENCY
    return {"cpu_us": (time.process_time() - cpu) / done * 1e6,
            "messages_s": done / (time.perf_counter() - began)}


async def _channel(url: str) -> Any:
    from footfall.delivery.channels.webhook import open_channel
    from footfall.delivery.message import Attempt, Message, Outcome, Resources
    from footfall.delivery.routes_row import WebhookDestination

    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    hook = await open_channel(
        "bench", WebhookDestination(url=url, purpose="necessary", secret_env=("SECRET",)),
        Resources(Path(), {"SECRET": secret}, ("127.0.0.1",)))
    message = Message("x" * BODY_BYTES, {"Content-Type": "application/json"})
    expected = Outcome("sent", code=200)

    async def send() -> None:
        assert expected == await hook.send(
            message, Attempt("ab" * 16, "ab" * 16, "cart_abandoned", "user_id:1", 1, time.time()))

    return send


async def _plain(url: str) -> Any:
    import aiohttp

    session = aiohttp.ClientSession()
    body = b"x" * BODY_BYTES

    async def send() -> None:
        async with session.post(url, data=body) as answer:
            assert await answer.read() == b"{}"

    return send


class Receiver(asyncio.Protocol):
    """Answers 200 to whatever ends in a body of the right length."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.data = transport, b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, found, rest = self.data.partition(b"\r\n\r\n")
        if found and len(rest) >= int(head.lower().partition(b"content-length: ")[2].split()[0]):
            self.data = b""
            self.transport.write(OK)


async def receive() -> None:
    """Until it is ended."""
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    if sys.argv[1:2] == ["receiver"]:
        uvloop.run(receive())
    elif len(sys.argv) == 4:
        _, name, url, count = sys.argv
        loop = asyncio.run if name == CONTENDERS[1] else uvloop.run
        print(json.dumps(loop(measure(name, url, int(count)))))
    else:
        sys.path.insert(0, str(Path(__file__).parent))
        run(None, MESSAGES_MAX, int(os.environ.get("ROUNDS", "3")), set())
