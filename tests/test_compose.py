"""docker-compose.yml keeps its promises, as far as they can be seen without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from footfall import tables
from footfall.admin.config_document import read_document
from footfall.cli import footfall
from footfall.delivery import routes
from footfall.settings import PREFIX, load
from footfall.tables.config import Config
from tests.services import IMAGE

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy/Dockerfile"
#: What each program cannot do without, beyond the brokers and the customer-key secret.
NEEDS = {
    "topics": set(), "schemas": {"schema_registry_url"}, "configuration": {"system_secret"},
    "collector": {"write_keys"}, "worker": {"system_secret", "api_key", "metrics_port"},
    "delivery": {"system_secret", "routes", "redis_url", "metrics_port"},
    "archive": {"archive_target", "metrics_port"},
}
ONCE = {"topics", "schemas", "configuration"}
#: They write into their own folders when they start.
WRITABLE = {"kafka", "kafka-2", "kafka-3", "schema-registry"}
CLUSTER = ROOT / "deploy/cluster.env"
VARIABLE = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")


def services(text: str) -> dict[str, dict[str, Any]]:
    """The services of a compose file, its anchors resolved."""
    loaded: dict[str, dict[str, Any]] = YAML(typ="safe").load(text)["services"]
    return loaded


SERVICES = services(FILE.read_text())


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A `.env` as the documented command makes it."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy/secrets.sh", tmp_path / "deploy")
    subprocess.run(["sh", "deploy/secrets.sh"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / ".env"


def values(env: Path) -> dict[str, str]:
    """Name -> value of a `.env`."""
    return dict(line.split("=", 1) for line in env.read_text().splitlines()
                if not line.startswith("#"))


def interpolated(known: dict[str, str]) -> str:
    """The file with its variables put in, as compose does it."""

    def put(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if kind == "-":
            return known.get(name, rest)
        return known[name]

    return VARIABLE.sub(put, FILE.read_text())


def test_it_follows_the_compose_specification(tmp_path: Path) -> None:
    """The specification's own JSON schema, with an unknown key for a counterexample."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text().replace("mem_limit", "memlimit"))
    good, bad = (subprocess.run([*check, str(file)], capture_output=True, text=True, check=False)
                 for file in (FILE, wrong))

    assert 0 == good.returncode, good.stdout + good.stderr
    assert 1 == bad.returncode
    assert "memlimit" in bad.stdout


def test_one_command_makes_every_secret_and_changes_none(secrets: Path) -> None:
    """64 hexadecimal digits each, with their date, readable by the owner alone; a second run keeps
    what is there.
    """
    required = {name for name, kind, _ in VARIABLE.findall(FILE.read_text()) if kind == "?"}
    made = values(secrets)
    dated = load({"FOOTFALL_KEY_DATES": made.pop("FOOTFALL_KEY_DATES")}).key_dates
    text = secrets.read_text()
    again = subprocess.run(["sh", "deploy/secrets.sh"], cwd=secrets.parent, check=True,
                           capture_output=True, text=True)

    assert required == made.keys()
    assert all(re.fullmatch(r"(web:)?[0-9a-f]{64}", value) for value in made.values())
    assert len(made) == len(set(made.values()))
    assert {"write_keys.web", "api_key", "redis_url"} == dated.keys()
    assert 1 == len(set(dated.values()))
    assert 0o600 == secrets.stat().st_mode & 0o777
    assert text == secrets.read_text()
    assert not re.search(r"[0-9a-f]{64}", again.stdout + again.stderr)
    secrets.write_text("".join(line for line in text.splitlines(keepends=True)
                               if not line.startswith("REDIS_PASSWORD")))
    subprocess.run(["sh", "deploy/secrets.sh"], cwd=secrets.parent, check=True,
                   capture_output=True)
    once_more = values(secrets)
    del once_more["FOOTFALL_KEY_DATES"]
    assert {**once_more, "REDIS_PASSWORD": ""} == {**made, "REDIS_PASSWORD": ""}


def test_no_secret_has_a_default_and_none_is_committed() -> None:
    """`${NAME:?...}` names the command that makes it; git and the image's context leave it out."""
    secret = re.compile(r"SECRET|KEYS?$|PASSWORD|AUTH")
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable):
                assert re.fullmatch(r"\$\{\w+:\?run sh deploy/secrets.sh\}", value), variable
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    context = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
    assert ".env" in ignored
    assert "*" in context
    assert "!.env" not in context


def test_every_program_starts_with_the_settings_it_is_given(secrets: Path) -> None:
    """Each environment is read by the settings themselves: an unknown or bad one fails."""
    filled = services(interpolated(values(secrets)))
    ours = {name: s for name, s in filled.items() if s["image"].startswith("footfall:")}
    assert NEEDS.keys() == ours.keys()
    assert {"1"} == {str(s["environment"]["FOOTFALL_REPLICATION_FACTOR"]) for s in ours.values()}
    for name, service in ours.items():
        given = {k: str(v) for k, v in service["environment"].items()}
        assert all(variable.startswith(PREFIX) for variable in given), name
        settings = load(given)
        for needed in {"kafka_bootstrap_servers", "customer_key_secret"} | NEEDS[name]:
            assert getattr(settings, needed), (name, needed)
        helped = CliRunner().invoke(footfall, [*service["command"], "--help"])
        assert 0 == helped.exit_code, (name, helped.output)


def test_each_replica_keeps_its_place_in_the_group(tmp_path: Path) -> None:
    """Workers and delivery are static members under the host name of their container."""
    seen = tmp_path / "footfall"
    seen.write_text('#!/bin/sh\necho "$PPID $FOOTFALL_WORKER_ID $*"\n')
    seen.chmod(0o755)
    for name in ("worker", "delivery"):
        service = SERVICES[name]
        command = [part.replace("$$", "$") for part in service["entrypoint"]]
        with subprocess.Popen(
            [*command, *service["command"], "--flag"], stdout=subprocess.PIPE, text=True,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOSTNAME": "c0ffee"},
        ) as process:
            out, _ = process.communicate()
        # No shell stays in between: a stop reaches the program itself.
        assert f"{os.getpid()} c0ffee {name} --flag\n" == out


def test_three_brokers_hold_every_record_twice_at_least(secrets: Path) -> None:
    """With deploy/cluster.env: one quorum of three, found by all, replicas on each, data of its
    own; every variable of the file is used.
    """
    cluster = values(CLUSTER)
    filled = services(interpolated({**values(secrets), **cluster}))
    brokers = {name: s["environment"] for name, s in filled.items() if name.startswith("kafka")}
    voters = {f"{env['KAFKA_NODE_ID']}@{name}:9093" for name, env in brokers.items()}
    addresses = {f"{name}:9092" for name in brokers}
    used = {name for name, _kind, _rest in VARIABLE.findall(FILE.read_text())}

    assert cluster.keys() - {"COMPOSE_PROFILES"} <= used
    assert {"kafka-2", "kafka-3"} == {
        name for name, s in filled.items() if s.get("profiles") == [cluster["COMPOSE_PROFILES"]]}
    for name, env in brokers.items():
        assert voters == set(env["KAFKA_CONTROLLER_QUORUM_VOTERS"].split(","))
        assert ("3", "3", "2", "2") == tuple(str(env[key]) for key in (
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "KAFKA_MIN_INSYNC_REPLICAS"))
        assert f"INSIDE://{name}:9092," in env["KAFKA_ADVERTISED_LISTENERS"]
        assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] != env["KAFKA_LOG_DIRS"]
        assert filled[name]["volumes"] == [f"{name}:/var/lib/kafka/data"]
    registry = filled["schema-registry"]["environment"]
    assert 3 == registry["SCHEMA_REGISTRY_KAFKASTORE_TOPIC_REPLICATION_FACTOR"]
    assert addresses == set(registry["SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS"].split(","))
    for name in NEEDS:
        settings = load({k: str(v) for k, v in filled[name]["environment"].items()})
        assert 3 == settings.replication_factor, name
        assert addresses == set(settings.kafka_bootstrap_servers.split(",")), name
    assert addresses == {f"{name}:9092" for name in ("kafka", *filled["topics"]["depends_on"])}


def test_alerts_reach_alertmanager() -> None:
    """Rules and both configurations are mounted where the programs look; Prometheus finds it by
    its name and port.
    """
    prometheus, alertmanager = SERVICES["prometheus"], SERVICES["alertmanager"]
    config = YAML(typ="safe").load(ROOT / "deploy/prometheus/prometheus.yml")
    (found,) = config["alerting"]["alertmanagers"][0]["dns_sd_configs"]
    mounted = dict(volume.split(":")[1::-1] for s in (prometheus, alertmanager)
                   for volume in s["volumes"])

    assert ["alertmanager"] == found["names"]
    assert [f"127.0.0.1:{found['port']}:{found['port']}"] == alertmanager["ports"]
    assert ["rules/*.yml"] == config["rule_files"]
    assert "./deploy/prometheus/rules" == mounted["/etc/prometheus/rules"]
    assert "./deploy/alertmanager/alertmanager.yml" == mounted["/etc/alertmanager/alertmanager.yml"]
    assert "--config.file=/etc/alertmanager/alertmanager.yml" in alertmanager["command"]


def test_the_configuration_that_is_applied_is_valid() -> None:
    """It is read as `config apply` reads it, and all its values are known."""
    (volume,) = SERVICES["configuration"]["volumes"]
    local, mounted, _mode = volume.split(":")
    document = read_document(ROOT / local)

    assert mounted == SERVICES["configuration"]["command"][-1]
    assert document
    Config(tables.ALL, 1, json.dumps(document).encode())


def test_the_routes_that_are_mounted_are_valid() -> None:
    """They are read as delivery reads them, from where it looks for them, and need no secret."""
    (volume,) = SERVICES["delivery"]["volumes"]
    local, mounted, _mode = volume.split(":")
    folder, _, name = SERVICES["delivery"]["environment"]["FOOTFALL_ROUTES"].rpartition("/")

    assert mounted == folder
    assert ["board"] == routes.read(ROOT / local / name).targets("cart_abandoned", {})
    assert "_env" not in (ROOT / local / name).read_text()


def test_it_starts_in_order() -> None:
    """Whoever needs something waits until it is healthy, or done; only setting up ends."""
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name not in ONCE), name
        for other, how in service.get("depends_on", {}).items():
            ended = "service_completed_successfully"
            assert how["condition"] == (ended if other in ONCE else "service_healthy")
        assert service["restart"] == ("on-failure:5" if name in ONCE else "unless-stopped")
    before = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    assert {"configuration"} == before["collector"] == before["worker"] == before["archive"]
    assert {"configuration", "redis"} == before["delivery"]
    assert {"topics", "schemas"} == before["configuration"]


def test_every_service_is_bounded_and_has_few_rights() -> None:
    """Memory, CPU, processes and logs have limits; no capability, no new privileges."""
    for name, service in SERVICES.items():
        assert {"mem_limit", "cpus", "pids_limit", "logging"} <= service.keys(), name
        assert ["ALL"] == service["cap_drop"], name
        assert ["no-new-privileges:true"] == service["security_opt"], name
        assert "privileged" not in service
        assert (name not in WRITABLE) == service.get("read_only", False), name


def test_every_port_is_bound_to_loopback() -> None:
    """What listens for the machine does not listen for the network."""
    ports = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}

    assert SERVICES.keys() - ONCE - {"worker", "delivery", "archive"} == ports.keys()
    for published in ports.values():
        assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in published)
    assert "container_name" not in SERVICES["worker"], "it could not be scaled"


def test_every_image_is_pinned() -> None:
    """A full version each; ours is the package's; Kafka is the one that the tests run on."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    bases = re.findall(r"(?m)^FROM (\S+)", DOCKERFILE.read_text())
    for image in [*bases, *(service["image"] for service in SERVICES.values())]:
        assert re.search(r":v?\d+\.\d+\.\d+", image), image
    assert {f"footfall:{version}"} == {
        s["image"] for s in SERVICES.values() if "build" in s}
    assert IMAGE == SERVICES["kafka"]["image"]


def test_the_image_is_not_root_and_takes_all_that_the_package_is_made_of() -> None:
    """The last stage has a numeric user; what pyproject.toml names is copied, and not ignored."""
    lines = DOCKERFILE.read_text().splitlines()
    last = max(n for n, line in enumerate(lines) if line.startswith("FROM"))
    users = [line for line in lines[last:] if line.startswith("USER")]
    copied = {word for line in lines[:last] if line.startswith("COPY")
              for word in line.split()[1:-1]}
    ignored = (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()

    assert [True] == [bool(re.fullmatch(r"USER [1-9]\d*:[1-9]\d*", user)) for user in users]
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE", "src", "schemas"} == copied
    assert {f"!{name}" for name in copied} <= set(ignored)
    assert "'.[files]'" in "".join(lines[:last])


def test_what_is_mounted_is_there() -> None:
    """Each local path of a volume exists, and is read-only."""
    mounted = [volume for s in SERVICES.values() for volume in s.get("volumes", [])
               if volume.startswith("./")]

    assert len(mounted) == 7
    for volume in mounted:
        local, _inside, mode = volume.split(":")
        assert (ROOT / local).exists(), local
        assert "ro" == mode
