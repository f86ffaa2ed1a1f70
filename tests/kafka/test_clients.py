"""No client of Kafka is made without the settings that say how brokers are reached."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import footfall

SOURCES = Path(footfall.__file__).parent
#: Classes and functions that connect -> what says where to.
CONFLUENT = {"AdminClient", "Consumer", "Producer"}
AIO = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient"}
ONE = {"create_conn"}
#: Where the addresses are put into a client's words.
HOME = SOURCES / "kafka"


def calls(file: Path) -> Iterator[tuple[int, str, set[str]]]:
    """Line, what is called and the functions that its arguments call."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            inside = {name_of(one.func) for part in (*node.args, *node.keywords)
                      for one in ast.walk(part) if isinstance(one, ast.Call)}
            yield node.lineno, name_of(node.func), inside


def name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def test_every_client_is_made_of_a_cluster() -> None:
    """By `confluent`, `aio` or `secured`, where it is made or in what it is given."""
    made, bare = 0, []
    for file in sorted(SOURCES.rglob("*.py")):
        uses = file.read_text()
        for line, name, inside in calls(file):
            wanted = ({"confluent"} if name in CONFLUENT and "confluent_kafka" in uses
                      else {"aio"} if name in AIO else {"secured"} if name in ONE else None)
            if wanted is None:
                continue
            made += 1
            # Two keep what they were made of, to make another one.
            kept = f"**{next(iter(wanted))}(" in uses or f"= {next(iter(wanted))}(" in uses
            if not (wanted <= inside or kept):
                bare.append(f"{file.relative_to(SOURCES)}:{line} {name}")
    assert [] == bare
    assert made > 20


def test_addresses_are_put_into_words_in_one_place() -> None:
    """The key and the argument that take them stand nowhere else."""
    assert [] == [
        f"{file.relative_to(SOURCES)}:{number}" for file in SOURCES.rglob("*.py")
        if HOME not in file.parents
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if '"bootstrap.servers"' in line or "(bootstrap_servers=" in line]
