"""Starts an Apache Kafka node of its own and runs a command with its address in BOOT.

    python bench/with_kafka.py COMMAND [ARGUMENT ...]

A broker that is configured (FOOTFALL_KAFKA_BOOTSTRAP_SERVERS) is used instead. Never the demo
broker: a figure from it would say nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from footfall.errors import BrokerError
from footfall.up import java, kafka_jars
from footfall.up.kafka import KafkaNode

#: The comparators' loader leaves it to the broker; Footfall refuses a log without append times.
SETTINGS = {"log.message.timestamp.type": "LogAppendTime"}


def main(command: list[str]) -> int:
    """The command's exit code."""
    configured = os.environ.get("FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
    if configured:
        return run(command, configured)
    found = java.find_java()
    if found is None:
        raise BrokerError(f"no Java {java.VERSION_MIN} or later: install one, or set "
                          "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
    libs = kafka_jars.fetch(kafka_jars.cache_folder(os.environ))
    with tempfile.TemporaryDirectory(prefix="footfall-bench-") as folder:
        node = KafkaNode(Path(folder), libs, found, settings=SETTINGS)
        try:
            node.start()
            return run(command, node.bootstrap)
        finally:
            node.stop()


def run(command: list[str], bootstrap: str) -> int:
    """Run it to its end."""
    return subprocess.run(command, env={**os.environ, "BOOT": bootstrap}, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokerError as error:
        sys.exit(f"bench: {error}")
