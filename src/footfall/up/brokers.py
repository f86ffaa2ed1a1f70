"""Which broker `up` uses, in the order of design.md section 1, always said aloud.

Configured addresses; else a real Kafka where Java is; else the demo broker, with a warning. A data
directory stays with the broker that holds its records: another one would start with nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from footfall.admin.cluster import answers, unanswered
from footfall.errors import BrokerError, FootfallError
from footfall.settings import Settings
from footfall.up import demo_broker, java, kafka_jars
from footfall.up.data_dir import DataDir
from footfall.up.demo_broker import DemoBroker
from footfall.up.kafka import KafkaNode
from footfall.up.ports import free_port, is_free

Wanted = Literal["auto", "kafka", "demo"]
PORT_FIRST = 9092
CONFIGURED_S_MAX = 10.0


class Node(Protocol):
    """A broker that `up` starts and stops itself."""

    bootstrap: str

    def start(self) -> None:
        """Start and wait until it answers."""

    def stop(self, seconds_max: float) -> bool:
        """End it within the bound."""

    def is_running(self) -> bool:
        """Whether it lives."""

    def exit_code(self) -> int | None:
        """None while it runs."""


class Choice(NamedTuple):
    """The broker chosen; `node` is None when it is not ours to start. `redis_url`: of its own
    Redis, "" where it has none.
    """

    name: str
    bootstrap: str
    node: Node | None
    is_demo: bool = False
    redis_url: str = ""


class Request(NamedTuple):
    """What was asked for, and where things are."""

    wanted: Wanted
    settings: Settings
    data_dir: DataDir
    cache: Path
    kafka_home: Path | None = None
    find_java: Callable[[], Path | None] = java.find_java


def choose(request: Request, say: Callable[[str], None]) -> Choice:
    """The first broker of the order that can be had; `say` gets why an earlier one cannot."""
    configured = request.settings.kafka_bootstrap_servers
    if request.wanted == "auto" and configured:
        if not answers(configured, seconds_max=CONFIGURED_S_MAX):
            raise unanswered(configured, f"no broker answers at {configured} "
                             "(FOOTFALL_KAFKA_BOOTSTRAP_SERVERS): start it, correct the address, "
                             "or unset the variable")
        return Choice(f"configured Kafka at {configured}", configured, None)
    if request.wanted == "demo" or (request.wanted == "auto" and _stays_with_demo(request, say)):
        return _demo(request, say)
    try:
        return _kafka(request, say)
    except FootfallError as error:
        if request.wanted == "kafka" or request.kafka_home or request.data_dir.kafka.exists():
            raise BrokerError(f"{error}\n(no other broker is used: "
                              f"{_why_no_other(request)})") from None
        say(f"No real Kafka: {error}.")
        return _demo(request, say)


def _kafka(request: Request, say: Callable[[str], None]) -> Choice:
    found = request.find_java()
    if found is None:
        raise BrokerError(f"no Java {java.VERSION_MIN} or later was found; install one, or "
                          "pip install 'footfall[kafka]'")
    if request.kafka_home is not None:
        libs = kafka_jars.from_home(request.kafka_home)
    else:
        if kafka_jars.cached(request.cache) is None:
            say(f"Fetching Apache Kafka {kafka_jars.VERSION} through Maven, once ...")
        libs = kafka_jars.fetch(request.cache)
    node = KafkaNode(request.data_dir.kafka, libs, found, _port())
    version = "of --kafka-home" if request.kafka_home else kafka_jars.VERSION
    return Choice(f"Apache Kafka {version}, one node at {node.bootstrap}", node.bootstrap, node)


def _demo(request: Request, say: Callable[[str], None]) -> Choice:
    node = DemoBroker(request.data_dir.demo_broker, _port())
    say(demo_broker.WARNING)
    return Choice(f"demo broker at {node.bootstrap}", node.bootstrap, node, is_demo=True,
                  redis_url=node.redis_url)


def _stays_with_demo(request: Request, say: Callable[[str], None]) -> bool:
    stays = request.data_dir.demo_broker.exists() and not request.data_dir.kafka.exists()
    if stays and request.kafka_home is None:
        say(f"{request.data_dir.path} was begun on the demo broker and stays with it; "
            "`--broker kafka` or another --data-dir starts anew on a real Kafka.")
        return True
    return False


def _why_no_other(request: Request) -> str:
    if request.wanted == "kafka":
        return "--broker kafka was given"
    if request.kafka_home is not None:
        return "--kafka-home was given"
    return (f"{request.data_dir.kafka} holds records; --broker demo or another --data-dir starts "
            "without them")


def _port() -> int:
    return PORT_FIRST if is_free(PORT_FIRST) else free_port()
