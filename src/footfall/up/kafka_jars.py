"""Apache Kafka's jars: fetched once through Maven into a cache, each checked against a pinned sum.

The sums (`kafka-4.1.0.sha256`, in the package) were taken from what Maven delivered on 2026-11-23.
A jar that differs, is missing or was added is refused; nothing of an unchecked folder is run, but
for `--kafka-home`, which is the user's own choice. Must never leave a half-filled cache behind.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from footfall.errors import BrokerError

VERSION = "4.1.0"
FETCH_S_MAX = 600
#: Kafka itself, and the binding without which it logs nothing.
ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"),
)


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where fetched programs are kept: `$XDG_CACHE_HOME/footfall`."""
    root = environment.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "footfall"


def from_home(kafka_home: Path) -> Path:
    """The jars of an unpacked Kafka release."""
    libs = kafka_home / "libs"
    if not any(libs.glob("kafka_*.jar")):
        raise BrokerError(f"--kafka-home {kafka_home}: no libs/kafka_*.jar in it; give the folder "
                          "of an unpacked Apache Kafka release")
    return libs


def cached(cache: Path) -> Path | None:
    """The checked jars of the cache; None when they were never fetched."""
    folder = cache / f"kafka-{VERSION}"
    if not folder.is_dir():
        return None
    check(folder, pinned())
    return folder


def fetch(cache: Path) -> Path:
    """The jars, fetched through Maven unless they are in the cache."""
    found = cached(cache)
    if found is not None:
        return found
    if shutil.which("mvn") is None:
        raise BrokerError("Maven (mvn) is not installed and Apache Kafka's jars are not in "
                          f"{cache}: install Maven, or give --kafka-home")
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"kafka-{VERSION}"
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as work:
        copy_dependencies(Path(work), ARTIFACTS)
        check(Path(work) / "libs", pinned())
        publish(Path(work) / "libs", folder)
    return folder


def copy_dependencies(work: Path, artifacts: tuple[tuple[str, str, str], ...]) -> None:
    """Let Maven copy the artifacts and what they need to `work/libs`."""
    wanted = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, name, version in artifacts
    )
    (work / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>footfall</groupId><artifactId>jars</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{wanted}</dependencies></project>"
    )
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
               f"-DoutputDirectory={work / 'libs'}"]
    run_maven(command, work)


def run_maven(command: list[str], work: Path) -> None:
    """Run Maven within a bound; its last lines are the message when it fails."""
    try:
        run = subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, timeout=FETCH_S_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise BrokerError(f"Maven did not finish within {FETCH_S_MAX} s; try again") from None
    if run.returncode:
        last = "\n".join((run.stdout + run.stderr).strip().splitlines()[-5:])
        raise BrokerError(f"Maven could not fetch the jars:\n{last}")


def pinned() -> dict[str, str]:
    """Jar -> SHA-256, as released with this package."""
    text = resources.files("footfall.up").joinpath(f"kafka-{VERSION}.sha256").read_text()
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def check(folder: Path, sums: Mapping[str, str]) -> None:
    """Raise unless the folder holds exactly these jars."""
    present = {path.name: path for path in folder.glob("*.jar")}
    if odd := sorted(present.keys() ^ sums.keys()):
        word = "is missing" if odd[0] in sums else "does not belong there"
        raise BrokerError(f"{folder}: {odd[0]} {word}; delete the folder to fetch it again")
    for name, path in sorted(present.items()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sums[name]:
            raise BrokerError(f"{path}: its SHA-256 is {digest}, not the pinned {sums[name]}; "
                              "it is not run; delete the folder to fetch it again")


def publish(made: Path, folder: Path) -> None:
    """Put the folder in its place at once; another process may have been quicker."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
