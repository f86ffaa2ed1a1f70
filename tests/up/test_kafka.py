"""A node that cannot start says why."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from footfall.errors import BrokerError
from footfall.up.ports import HOST
from tests import services

pytestmark = pytest.mark.kafka


def test_a_port_taken_meanwhile_is_named(tmp_path: Path) -> None:
    """Between choosing a port and listening on it seconds pass."""
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        try:
            node = services.kafka_node(tmp_path, port)
        except BrokerError as error:
            pytest.skip(str(error))

        with pytest.raises(BrokerError, match=f"port {port} was taken"):
            node.start()
    assert not node.is_running()


def test_jars_that_are_not_kafka_are_reported_with_their_last_words(tmp_path: Path) -> None:
    """The reason is in the message, not only in a file."""
    try:
        whole = services.kafka_node(tmp_path / "whole")
    except BrokerError as error:
        pytest.skip(str(error))
    (tmp_path / "libs").mkdir()
    node = services.KafkaNode(tmp_path / "broken", tmp_path / "libs", Path(whole.java))

    with pytest.raises(BrokerError, match="ClassNotFoundException"):
        node.start()
