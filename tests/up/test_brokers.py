"""The order of brokers, and that a choice is never made in silence."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from footfall.errors import BrokerError
from footfall.settings import Settings
from footfall.up.brokers import Request, Wanted, choose
from footfall.up.data_dir import DataDir
from footfall.up.ports import HOST, free_port, is_free, require_free


class Asker:
    """Asks for a broker on a data directory, and hears what is said."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = DataDir(folder / "data")
        self.cache = folder / "cache"
        self.said: list[str] = []

    def ask(self, wanted: Wanted = "auto", settings: Settings | None = None, *,
            java: Path | None = None, kafka_home: Path | None = None) -> str:
        """The name of the broker chosen."""
        request = Request(wanted, settings or Settings(), self.data_dir, self.cache, kafka_home,
                          lambda: java)
        return choose(request, self.said.append).name


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    """Nothing configured, an empty data directory."""
    return Asker(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """What looks like an unpacked Kafka."""
    (tmp_path / "home" / "libs").mkdir(parents=True)
    (tmp_path / "home" / "libs" / "kafka_2.13-4.1.0.jar").touch()
    return tmp_path / "home"


def test_without_java_the_demo_broker_is_used_with_a_warning(asker: Asker) -> None:
    """Why no Kafka, and what that means, in plain words."""
    assert asker.ask().startswith("demo broker at 127.0.0.1:")
    assert "No real Kafka: no Java 17 or later was found" in asker.said[0]
    assert "may be lost" in asker.said[1]


def test_with_java_a_real_kafka_is_used(asker: Asker, home: Path) -> None:
    """Here from --kafka-home, so that nothing is fetched."""
    name = asker.ask(java=Path("/usr/bin/java"), kafka_home=home)

    assert name.startswith("Apache Kafka of --kafka-home, one node at 127.0.0.1:")
    assert [] == asker.said


def test_java_without_maven_falls_back_and_says_so(
    asker: Asker, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ways out are in the message."""
    monkeypatch.setenv("PATH", "/nowhere")

    assert asker.ask(java=Path("/usr/bin/java")).startswith("demo broker")
    assert any("install Maven, or give --kafka-home" in line for line in asker.said)


def test_a_configured_broker_that_does_not_answer_is_an_error(asker: Asker) -> None:
    """Another one in its place would look like lost data."""
    settings = Settings(kafka_bootstrap_servers=f"{HOST}:{free_port()}")

    with pytest.raises(BrokerError, match="no broker answers at"):
        asker.ask(settings=settings)


@pytest.mark.kafka
def test_a_configured_broker_comes_first(asker: Asker, kafka: str) -> None:
    """It is not ours to start."""
    settings = Settings(kafka_bootstrap_servers=kafka)

    assert f"configured Kafka at {kafka}" == asker.ask(settings=settings, java=Path("/bin/java"))


def test_kafka_asked_for_is_never_replaced(asker: Asker) -> None:
    """`--broker kafka` without Java."""
    with pytest.raises(BrokerError, match=r"no Java 17(.|\n)*--broker kafka was given"):
        asker.ask("kafka")


def test_demo_asked_for_is_used_although_java_is_there(asker: Asker) -> None:
    """And still warned about."""
    assert asker.ask("demo", java=Path("/usr/bin/java")).startswith("demo broker")
    assert 1 == len(asker.said)


def test_a_directory_with_kafkas_records_does_not_start_without_them(asker: Asker) -> None:
    """Java is gone: the demo broker would begin with nothing."""
    asker.data_dir.kafka.mkdir()

    with pytest.raises(BrokerError, match="holds records"):
        asker.ask()


def test_a_directory_begun_on_the_demo_broker_stays_with_it(asker: Asker) -> None:
    """Java has come: its state would not be found on the other broker."""
    asker.data_dir.demo_broker.mkdir()

    assert asker.ask(java=Path("/usr/bin/java")).startswith("demo broker")
    assert "stays with it" in asker.said[0]


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    """And a free one is not refused."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(Exception, match=rf"port {port} \(HTTP\) is in use.*--http-port"):
            require_free(port, "HTTP", "--http-port")

    require_free(free_port(), "HTTP", "--http-port")
