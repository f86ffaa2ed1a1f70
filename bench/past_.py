"""One job over the whole of `past.TOPIC`, all shipped tables. HOW: `rebuild`, into a shadow
changelog; `what if`, two folds, the second one with carts idle after half the time; `one fold`,
what if without files; `unmerges`, looking for them before a rebuild. Reads BOOT and N, the log's
records; prints one JSON line.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "comparators"))

from common import BOOT, N, report
from confluent_kafka.admin import AdminClient, NewTopic
from customers import codecs, keys, reserved
from past import PARTITIONS, TOPIC

from footfall.admin.config import content_of
from footfall.events import topics
from footfall.replay.rebuild.run import Installation, Rebuild
from footfall.replay.source import KafkaSource
from footfall.replay.unmerges import unmerges_anew
from footfall.replay.what_if.comparing import Comparison, Scope
from footfall.replay.what_if.machine import Machine
from footfall.replay.what_if.passing import Question
from footfall.settings import Settings
from footfall.stream.generations import topic_of
from footfall.tables import ALL
from footfall.tables.stored import PartitionState

BASE = f"bench-rebuild-{int(time.time())}"


def rebuild(source: KafkaSource) -> int:
    """As `footfall replay rebuild --no-cutover`, without comparing."""
    config = next(t.config for t in topics.ALL if t.name == topics.CHANGELOG)
    new = NewTopic(topic_of(2, BASE), PARTITIONS, 1, config=config)
    admin = AdminClient({"bootstrap.servers": BOOT})
    admin.create_topics([new])[new.topic].result()
    at = Installation(BOOT, codecs, keys, reserved, ALL, Settings().hot_records_max,
                      changelog=BASE)
    made = Rebuild(at, source, 2)
    made.follow()
    return made.folding.records


def what_if(source: KafkaSource, content: bytes | None) -> int:
    """As `footfall replay what-if FILE --against fold`, or without FILE."""
    asked = Comparison(Machine(codecs, keys, reserved), Question(content=content), Scope(), None)
    spans = source.spans()
    return asked.run(source, ({p: PartitionState() for p in spans},
                              {p: span.end for p, span in spans.items()})).seen.records


def unmerges(source: KafkaSource) -> int:
    """As before every rebuild."""
    spans = source.spans()
    unmerges_anew(source, spans, ALL, codecs=codecs, keys=keys, reserved=reserved)
    return sum(span.end for span in spans.values())


def main() -> None:
    how = os.environ["HOW"]
    began = time.time(), time.process_time()
    with KafkaSource(BOOT, TOPIC) as source:
        if how == "rebuild":
            done = rebuild(source)
        elif how == "unmerges":
            done = unmerges(source)
        else:
            done = what_if(source, content_of({"cart": {"idle_s": 900}}, ALL)
                           if how == "what if" else None)
    assert done == N, done
    report(how, N, *began)


if __name__ == "__main__":
    main()
