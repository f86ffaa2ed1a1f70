"""Nothing of an unchecked folder is run, and every refusal says what to do."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from footfall.errors import BrokerError
from footfall.up import kafka_jars


@pytest.fixture
def jars(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Two jars and their sums."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    sums = {}
    for name in ("a.jar", "b.jar"):
        (folder / name).write_bytes(name.encode())
        sums[name] = hashlib.sha256(name.encode()).hexdigest()
    return folder, sums


def test_the_right_jars_pass(jars: tuple[Path, dict[str, str]]) -> None:
    """The same bytes under the same names."""
    kafka_jars.check(*jars)


def test_a_changed_jar_is_refused(jars: tuple[Path, dict[str, str]]) -> None:
    """One other byte is enough; the jar is named."""
    (jars[0] / "b.jar").write_bytes(b"c.jar")

    with pytest.raises(BrokerError, match=r"b\.jar: its SHA-256 is"):
        kafka_jars.check(*jars)


def test_a_missing_jar_is_refused(jars: tuple[Path, dict[str, str]]) -> None:
    """A half-filled cache is not run."""
    (jars[0] / "a.jar").unlink()

    with pytest.raises(BrokerError, match=r"a\.jar is missing"):
        kafka_jars.check(*jars)


def test_a_jar_that_nobody_pinned_is_refused(jars: tuple[Path, dict[str, str]]) -> None:
    """It would be on the class path."""
    (jars[0] / "z.jar").write_bytes(b"")

    with pytest.raises(BrokerError, match=r"z\.jar does not belong there"):
        kafka_jars.check(*jars)


def test_the_pinned_sums_are_those_of_a_whole_kafka() -> None:
    """The broker, its client and its log binding are among them, each with a SHA-256."""
    sums = kafka_jars.pinned()

    assert {"kafka_2.13-4.1.0.jar", "kafka-clients-4.1.0.jar",
            "log4j-slf4j-impl-2.24.3.jar"} <= sums.keys()
    assert {64} == {len(digest) for digest in sums.values()}


def test_without_maven_the_message_names_the_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No Maven on PATH and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BrokerError, match="install Maven, or give --kafka-home"):
        kafka_jars.fetch(tmp_path / "cache")


def test_a_failing_maven_leaves_no_cache_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its last words are the message; the next start tries again."""
    _program(tmp_path / "mvn", "echo 'no route to host'; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(BrokerError, match="no route to host"):
        kafka_jars.fetch(tmp_path / "cache")
    assert [] == list((tmp_path / "cache").iterdir())


def test_wrong_jars_from_maven_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not pinned does not reach the cache."""
    _program(tmp_path / "mvn", 'mkdir libs; echo evil > libs/kafka_2.13-4.1.0.jar')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(BrokerError):
        kafka_jars.fetch(tmp_path / "cache")
    assert kafka_jars.cached(tmp_path / "cache") is None


def test_kafka_home_must_hold_kafka(tmp_path: Path) -> None:
    """A folder without its jars is named."""
    with pytest.raises(BrokerError, match=r"no libs/kafka_\*\.jar"):
        kafka_jars.from_home(tmp_path)

    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "kafka_2.13-4.1.0.jar").touch()
    assert tmp_path / "libs" == kafka_jars.from_home(tmp_path)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"XDG_CACHE_HOME": "/elsewhere"}, Path("/elsewhere/footfall")),
     ({}, Path.home() / ".cache" / "footfall"),
     ({"XDG_CACHE_HOME": ""}, Path.home() / ".cache" / "footfall")],
)
def test_the_cache_follows_xdg(environment: dict[str, str], expected: Path) -> None:
    """An empty variable is no folder."""
    assert expected == kafka_jars.cache_folder(environment)


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
