"""A real schema registry for tests: Apicurio with the Confluent API, fetched once through Maven."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from footfall.errors import BrokerError
from footfall.up import java, kafka_jars
from footfall.up.ports import HOST, free_port
from footfall.up.process import Process, until

VERSION = "2.6.13.Final"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
READY_S_MAX = 180.0


@contextmanager
def registry() -> Iterator[str]:
    """A running registry's URL; `BrokerError` says why there is none."""
    found = java.find_java()
    if found is None:
        raise BrokerError(f"no Java {java.VERSION_MIN}+ here")
    folder = _unpacked()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="footfall-registry-") as work:
        process = Process(
            "registry",
            [str(found), "-Xmx400m", f"-Dquarkus.http.port={port}", f"-Dquarkus.http.host={HOST}",
             "-jar", str(folder / f"apicurio-registry-app-{VERSION}-runner.jar")],
            Path(work) / "registry.out",
        )
        process.start()
        try:
            url = f"http://{HOST}:{port}/apis/ccompat/v7"
            _wait(process, url)
            yield url
        finally:
            process.stop(5.0)


def _wait(process: Process, url: str) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while True:
        try:
            with urllib.request.urlopen(f"{url}/subjects", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            if not process.is_running() or until(deadline, 0.2) <= 0:
                raise BrokerError(f"no registry: {process.last_lines()}") from None


def _unpacked() -> Path:
    """The registry's folder in the cache."""
    cache = kafka_jars.cache_folder(os.environ)
    folder = cache / f"apicurio-{VERSION}"
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise BrokerError("Maven (mvn) is not installed")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as work:
        kafka_jars.run_maven(
            ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}",
             f"-DoutputDirectory={work}/tar"], Path(work),
        )
        with tarfile.open(next(Path(work, "tar").glob("*.tar.gz"))) as archive:
            archive.extractall(Path(work, "out"), filter="data")
        runner = next(Path(work, "out").rglob("*-runner.jar"))
        kafka_jars.publish(runner.parent, folder)
    return folder
