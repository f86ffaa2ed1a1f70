"""Finds one customer: at the worker that owns it, or in the copy that the changelog serves.

Decides in which order: every worker that is known is asked; the one that owns the customer answers
as of this instant, and its word is final, also where it knows nobody. Only where no owner answers
is the changelog partition of that customer read whole: what it holds is as old as the last
checkpoint, and the answer says so. Must never write anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from footfall import tables
from footfall.admin.cluster import admin_client, answers, unanswered
from footfall.admin.topics import read
from footfall.errors import BrokerError, FootfallError, SettingsError
from footfall.events import topics
from footfall.events.customer_key import CustomerKeys
from footfall.kafka.reach import unseen
from footfall.options import bootstrap_of
from footfall.settings import Settings
from footfall.stream.generations import Generations
from footfall.stream.partition import partition_of
from footfall.stream.reader import Reader
from footfall.tables.config import Config
from footfall.tables.record import RecordCodec, decode_partition
from footfall.tables.records import Best
from footfall.tables.stored import PartitionState
from footfall.view.document import Document, Held, document
from footfall.view.pointers import LoopError, Passed
from footfall.view.workers import Asked, ask

READ_S_MAX = 120.0


class Question(NamedTuple):
    """What is asked of a customer: a path below its own at a worker, and the same of what is held
    of it as of an instant (ms).
    """

    path: str
    answer: Callable[[bytes, Held, int], Document]


#: Everything.
ALL = Question("", lambda key, held, now: document(key, held, tables.ALL, now))


def find(settings: Settings, key: bytes, question: Question = ALL) -> Document | None:
    """The answer for a customer, with `source` (who said it); None when nobody knows of it.
    Pointers are followed: of a joined identifier the customer is shown, with `passed`.
    """
    way = Passed()
    while True:
        found = _of(settings, key, question)
        owner = None if found is None else found.get("owner")
        if found is None or owner is None:
            return found and {**found, "passed": [passed.decode() for passed in way.keys]}
        try:
            way = way.by(key, owner.encode())
        except LoopError:
            raise FootfallError("the pointers of this identifier lead back: an error of Footfall; "
                                f"they are {', '.join(k.decode() for k in way.keys)}") from None
        key = owner.encode()


def _of(settings: Settings, key: bytes, question: Question) -> Document | None:
    told = ask(settings.worker_urls, settings.api_key, key, question.path)
    if told.found is not None or told.is_unknown:
        return told.found
    return _from_changelog(settings, key, question, told.asked)


# -- the served copy -------------------------------------------------------------------------------


def _from_changelog(settings: Settings, key: bytes, question: Question, asked: Asked
                    ) -> Document | None:
    """The customer as of the last checkpoint."""
    bootstrap = bootstrap_of(settings)
    if not answers(bootstrap, seconds_max=10.0):
        raise unanswered(bootstrap, "no worker answered for this customer, and no broker at "
                         f"{bootstrap} either; `footfall doctor` says what is wrong")
    # As the topic has it: this command may be configured otherwise than the workers.
    (copied,) = [t for t in read(admin_client(bootstrap)) if t.name == topics.CHANGELOG]
    if not copied.exists:
        raise unseen(copied.name)
    number = partition_of(key, copied.partitions)
    try:
        best, log_end = asyncio.run(asyncio.wait_for(_read(bootstrap, key, number), READ_S_MAX))
    except (KafkaError, TimeoutError) as error:
        raise BrokerError(f"{copied.name} cannot be read from {bootstrap}: "
                          f"{type(error).__name__}; `footfall doctor` says what is wrong") from None
    found = copy(settings, key, best, number, log_end, question=question)
    if found is not None:
        found["source"]["asked"] = asked
    return found


async def _read(bootstrap: str, key: bytes, number: int) -> tuple[Best, int]:
    """The best records of the customer and of its partition, and where the log ends."""
    log = TopicPartition(topics.INTERACTIONS, number)
    async with Reader(bootstrap) as reader:
        bounds = await reader.bounds([log])
    taken = (await Generations(bootstrap, keys=(key,)).take([number]))[number]
    return taken.best, bounds[log][1]


def copy(settings: Settings, key: bytes, best: Best, number: int, log_end: int, *,
         question: Question = ALL) -> Document | None:
    """The document of what the changelog holds; None when it knows nobody of this key. Raises
    `SettingsError` where the key was made under another secret than the state.
    """
    state = PartitionState() if best.state is None else decode_partition(best.state)
    fingerprint = CustomerKeys((settings.customer_key_secret or "").encode()).fingerprint
    if state.key_fingerprint not in ("", fingerprint):
        raise SettingsError("the state was made under another FOOTFALL_CUSTOMER_KEY_SECRET: with "
                            "this one no customer is found. Set the workers' secret")
    if key not in best.store:
        return None
    codec = RecordCodec(tables.ALL)
    record = codec.decode(best.store[key])
    rows = {t.name: codec.row(t, record.rows[t.name]) for t in tables.ALL if t.name in record.rows}
    config = Config(tables.ALL, state.config_number, state.config_content)
    now = max(time.time_ns() // 1_000_000, state.clock)
    held = Held(record, rows, number, state.clock, config, max(0, log_end - state.next_offset))
    source = {"kind": "changelog", "topic": topics.CHANGELOG}
    return {"source": source, **question.answer(key, held, now)}
