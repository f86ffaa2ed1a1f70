"""The worker as shipped on a log of real interactions: real schema, codec, tables; counted.

With TOPIC's `personal` encrypted it is decrypted in the decode path (AES-SIV, one key for a
`key_id`, as law 6 will have it). Reads BOOT, TOPIC and N.
"""

from __future__ import annotations

import time
from typing import Any

from counted import BOOT, PARTS, make_topics, run_counted
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from customers import codecs
from lab import KEY_SECRET, SYSTEM_SECRET

from footfall.settings import Settings
from footfall.stream.app import create

APP_ID = f"bench-footfall-{int(time.time() * 1000)}"
KEYS = {"bench-1": AESSIV(bytes(range(64)))}


def decode(value: bytes | None) -> Any:
    """The interaction, `personal` in the clear."""
    event = codecs.interaction.decode(value)
    key_id = event["key_id"]
    if key_id is not None:
        event["personal"] = KEYS[key_id].decrypt(event["personal"], [key_id.encode()])
        event["key_id"] = None
    return event


def encrypt(value: bytes) -> bytes:
    """A record of the log with `personal` encrypted."""
    event = codecs.interaction.decode(value)
    event["key_id"] = "bench-1"
    event["personal"] = KEYS["bench-1"].encrypt(event["personal"], [b"bench-1"])
    return codecs.interaction.encode(event)


def main() -> None:
    """Fold N events."""
    from common import TOPIC

    make_topics(APP_ID)
    settings = Settings(kafka_bootstrap_servers=BOOT, customer_key_secret=KEY_SECRET,
                        system_secret=SYSTEM_SECRET, partitions=PARTS)
    run_counted(create(settings, app_id=APP_ID, log_topic=TOPIC, decode=decode), TOPIC)


if __name__ == "__main__":
    main()
