"""One real Apache Kafka node (KRaft) on loopback, with its data in a folder.

Decides the node's settings, when it is ready (its admin interface answers with its own cluster id)
and how it is stopped. Storage is formatted at the first start only: a later start finds its
records. Must never listen on anything but loopback, nor format a folder that holds data.
"""

from __future__ import annotations

import base64
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from footfall.admin.cluster import answers
from footfall.errors import BrokerError
from footfall.up.ports import free_port, is_free
from footfall.up.process import Process, until

READY_S_MAX = 60.0
STOP_S_MAX = 10.0
FORMAT_S_MAX = 60.0
HEAP_MB = 512
_FIXED = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}
_LOG4J = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {file}
appender.file.filePattern = {file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d] %p %m (%c)%n
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
"""


class KafkaNode:
    """One node; `stop` and `kill9` leave its data, `start` finds it again on the same port."""

    def __init__(
        self, folder: Path, libs: Path, java: Path, port: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.log = self.folder / "kafka.log"
        self.java = str(java)
        self._java = [self.java, "-cp", f"{libs.resolve()}/*"]
        self._settings = dict(settings or {})
        self._properties = self.folder / "server.properties"
        logging = self.folder / "log4j2.properties"
        self._process = Process(
            "kafka",
            [*self._java[:1], f"-Xmx{HEAP_MB}m", "-XX:+UseG1GC",
             "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={logging}",
             *self._java[1:], "kafka.Kafka", str(self._properties)],
            self.folder / "kafka.out",
        )

    @property
    def pid(self) -> int | None:
        """Of the node started last."""
        return self._process.pid

    def start(self, seconds_max: float = READY_S_MAX) -> None:
        """Start and wait until it answers; `BrokerError` says why it does not."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        self._write_files(data)
        cluster_id = self._format(data)
        self._process.start()
        deadline = time.monotonic() + seconds_max
        while not answers(self.bootstrap, cluster_id):
            if not self._process.is_running():
                raise BrokerError(f"Kafka ended at its start (exit code "
                                  f"{self._process.exit_code()}); {self._why()}")
            if until(deadline) <= 0:
                self._process.kill()
                raise BrokerError(f"Kafka was not ready in {seconds_max:g} s; {self._why()}")

    def is_running(self) -> bool:
        """Whether the node's process lives."""
        return self._process.is_running()

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.exit_code()

    def stop(self, seconds_max: float = STOP_S_MAX) -> bool:
        """SIGTERM, SIGKILL after the bound; whether it ended by itself."""
        return self._process.stop(seconds_max)

    def kill9(self) -> None:
        """SIGKILL at once; what it acknowledged is in the page cache and survives."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: it holds its connections but does not answer."""
        self._process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.signal(signal.SIGCONT)

    def restart(self, seconds_max: float = READY_S_MAX) -> None:
        """Stop, and start again."""
        self.stop()
        self.start(seconds_max)

    def _write_files(self, data: Path) -> None:
        controller = free_port()
        settings = {
            **_FIXED,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(data),
            **self._settings,
        }
        self._properties.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        (self.folder / "log4j2.properties").write_text(_LOG4J.format(file=self.log))

    def _format(self, data: Path) -> str:
        """The cluster id; the storage is formatted when it never was."""
        meta = data / "meta.properties"
        if not meta.exists():
            cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
            # An id must not look like an option of the tool.
            cluster_id = cluster_id.replace("-", "A")
            run = subprocess.run(
                [*self._java, "kafka.tools.StorageTool", "format", "-t", cluster_id,
                 "-c", str(self._properties)],
                capture_output=True, text=True, timeout=FORMAT_S_MAX, check=False,
            )
            if run.returncode or not meta.exists():
                raise BrokerError(f"Kafka could not format {data}: "
                                  f"{(run.stderr or run.stdout).strip()[-500:]}")
        lines = dict(line.split("=", 1) for line in meta.read_text().splitlines() if "=" in line)
        return lines["cluster.id"]

    def _why(self) -> str:
        if not is_free(self.port):
            return f"port {self.port} was taken by another program meanwhile; start again"
        return f"see {self.log} and {self._process.output}:\n{self._process.last_lines()}"

