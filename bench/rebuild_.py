"""Footfall's rebuild on the comparators' workload: the same topic and table as `footfall_.py`, made
anew into a shadow changelog. Reads BOOT, TOPIC and N; prints one JSON line when all is durable.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "comparators"))

from common import BOOT, PARTS, TOPIC, N, report
from confluent_kafka.admin import AdminClient, NewTopic
from footfall_ import WORKLOAD, decode

from footfall.events import topics
from footfall.events.codec import Codecs
from footfall.events.customer_key import CustomerKeys
from footfall.events.reserved import Reserved
from footfall.replay.rebuild.run import Installation, Rebuild
from footfall.replay.source import KafkaSource
from footfall.settings import Settings
from footfall.stream.generations import topic_of

SECRET = b"0123456789abcdef"
BASE = f"bench-rebuild-{int(time.time())}"


def main() -> None:
    config = next(t.config for t in topics.ALL if t.name == topics.CHANGELOG)
    admin = AdminClient({"bootstrap.servers": BOOT})
    for future in admin.create_topics([NewTopic(topic_of(2, BASE), PARTS, 1, config=config)]
                                      ).values():
        future.result()
    at = Installation(
        BOOT, Codecs(), CustomerKeys(SECRET), Reserved(SECRET), (WORKLOAD,),
        Settings().hot_records_max, changelog=BASE,
        fold_options={"decode": decode, "is_key": lambda key: key is not None})
    made = Rebuild(at, KafkaSource(BOOT, TOPIC), 2)
    began = time.time(), time.process_time()
    made.follow()
    assert made.folding.records == N, made.folding.records
    report("rebuild", N, *began)


if __name__ == "__main__":
    main()
