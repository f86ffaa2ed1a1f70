"""The worker's producer at its end: what fails then is no crash."""

from __future__ import annotations

import asyncio

from aiokafka.errors import ProducerClosed

from footfall.stream.outbox import Outbox


def test_what_fails_after_stop_ends_no_process_and_what_fails_before_does() -> None:
    failed: list[BaseException] = []

    class Producer:
        async def stop(self) -> None:
            pass

    async def send() -> None:
        raise ProducerClosed

    async def play() -> None:
        outbox = Outbox("localhost:1", before_send=lambda: None, sent=lambda _metadata: None,
                        fail=failed.append, broker_now=lambda: 0)
        outbox.producer = Producer()  # type: ignore[assignment]
        for _ in range(2):
            task = asyncio.ensure_future(send())
            await asyncio.wait([task])
            outbox.check(task)
            await outbox.stop()

    asyncio.run(play())
    assert [ProducerClosed] == [type(error) for error in failed]
