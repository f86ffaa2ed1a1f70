"""Where the benchmarks run: a Kafka of their own, child processes, the comparators' programs.

Decides nothing about what is measured. Every server listens on loopback, every process started here
is ended here, by its own handle. A broker that is configured (FOOTFALL_KAFKA_BOOTSTRAP_SERVERS) is
used instead of an own one; never the demo broker: a figure from it would say nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from footfall.errors import BrokerError
from footfall.up import java, kafka_jars
from footfall.up.kafka import KafkaNode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COMPARATORS = HERE / "comparators"
#: Both are ignored by git. The Makefile makes the first one too, by the same rule.
COMPARATORS_VENV = ROOT / ".venv-bench"
KSTREAMS_BUILD = ROOT / "build" / "bench-kstreams"
KEY_SECRET = "bench-customer-key-secret"
SYSTEM_SECRET = "bench-system-secret"
WRITE_KEY = "bench-write-key"
RUN_S_MAX = 300
LOG_TIME = {"message.timestamp.type": "LogAppendTime"}


class Lab:
    """A broker and a folder, gone after the run."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.folder = folder
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})

    def environment(self, **more: object) -> dict[str, str]:
        """For a child: no variable of Footfall but those given here, and these sources."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith("FOOTFALL_")}
        return {**plain, "BOOT": self.bootstrap, "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT / 'src'}",
                **{k: str(v) for k, v in more.items()}}

    def footfall(self, **more: object) -> dict[str, str]:
        """For a process of Footfall: the settings it must have, and those given."""
        data = self.folder / "data"
        return self.environment(**{f"FOOTFALL_{k.upper()}": v for k, v in {
            "kafka_bootstrap_servers": self.bootstrap, "customer_key_secret": KEY_SECRET,
            "system_secret": SYSTEM_SECRET, "write_keys": f"bench:{WRITE_KEY}", "data_dir": data,
            **more}.items()})

    def create(self, *names: str, partitions: int, config: Mapping[str, str] | None = None) -> None:
        """Topics that are not there yet."""
        new = [NewTopic(name, partitions, 1, config=dict(config or {})) for name in names]
        for future in self.admin.create_topics(new).values():
            future.result()

    def delete(self, *names: str) -> None:
        """Topics and their records, so that the disk does not fill up."""
        for future in self.admin.delete_topics(list(names)).values():
            with contextlib.suppress(Exception):  # absent: nothing to delete
                future.result()

    def forget(self, prefix: str) -> None:
        """Delete the topics that begin so."""
        found = [t for t in self.admin.list_topics(timeout=10).topics if t.startswith(prefix)]
        if found:
            self.delete(*found)


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """A lab with a Kafka node of its own, unless one is configured."""
    configured = os.environ.get("FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
    with tempfile.TemporaryDirectory(prefix="footfall-bench-") as name:
        folder = Path(name)
        if configured:
            yield Lab(folder, configured)
            return
        found = java.find_java()
        if found is None:
            raise BrokerError(f"no Java {java.VERSION_MIN} or later: install one, or set "
                              "FOOTFALL_KAFKA_BOOTSTRAP_SERVERS")
        node = KafkaNode(folder / "kafka", kafka_jars.fetch(kafka_jars.cache_folder(os.environ)),
                         found)
        try:
            node.start()
            yield Lab(folder, node.bootstrap)
        finally:
            node.stop()


def run_json(command: Sequence[str], environment: Mapping[str, str], folder: Path,
             seconds_max: float = RUN_S_MAX) -> dict[str, Any]:
    """The one JSON line that a contender prints; raises when there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = folder / f"{Path(command[0]).name}-{Path(command[-1]).stem}.err"
    with errors.open("ab") as out:
        try:
            run = subprocess.run(command, env=dict(environment), cwd=folder, timeout=seconds_max,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=out,
                                 check=False)
            printed = run.stdout
        except subprocess.TimeoutExpired as error:
            printed = error.stdout or b""
    lines = [line for line in printed.decode(errors="replace").splitlines() if line[:1] == "{"]
    if not lines:
        told = errors.read_text(errors="replace").splitlines()[-8:]
        raise RuntimeError(f"{' '.join(command)} printed no result:\n" + "\n".join(told))
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def comparators_python() -> str:
    """The Python that has the comparators: PY, or a virtual environment made once."""
    given = os.environ.get("PY")
    if given:
        return given
    ready = COMPARATORS_VENV / "ready"
    if not ready.exists():
        print(f"making {COMPARATORS_VENV.name} for the comparators ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(COMPARATORS_VENV)], check=True)
        subprocess.run([str(COMPARATORS_VENV / "bin" / "python"), "-m", "pip", "--quiet",
                        "install", "-r", str(COMPARATORS / "requirements.txt")], check=True)
        ready.touch()
    return str(COMPARATORS_VENV / "bin" / "python")


def kstreams_command(schema: Path) -> list[str]:
    """Kafka Streams' comparator, compiled through Maven the first time or when it changed."""
    source = COMPARATORS / "kstreams"
    newest = max(p.stat().st_mtime for p in source.rglob("*") if p.is_file())
    ready = KSTREAMS_BUILD / "ready"
    if not ready.exists() or ready.stat().st_mtime < newest:
        print("compiling the Kafka Streams comparator ...", flush=True)
        shutil.rmtree(KSTREAMS_BUILD, ignore_errors=True)
        shutil.copytree(source, KSTREAMS_BUILD)
        kafka_jars.run_maven(["mvn", "-q", "-B", "compile", "dependency:copy-dependencies",
                              "-DoutputDirectory=lib"], KSTREAMS_BUILD)
        ready.touch()
    found = java.find_java()
    if found is None:
        raise BrokerError(f"no Java {java.VERSION_MIN} or later for Kafka Streams")
    return [str(found), "-Xmx1g", "-cp", f"{KSTREAMS_BUILD}/target/classes:{KSTREAMS_BUILD}/lib/*",
            "Bench", str(schema)]


def machine() -> dict[str, Any]:
    """What a figure must be read with."""
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    return {"cores": os.cpu_count(), "cpu": model, "system": platform.system(),
            "python": platform.python_version(), "load_before": round(os.getloadavg()[0], 2)}
