"""The manifests are what Kubernetes takes and what programs read, as far as it can be seen without
a cluster: composed by kustomize itself, judged by the API's own schemas.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from footfall.cli import footfall
from footfall.delivery import routes
from footfall.errors import BrokerError, SettingsError
from footfall.settings import PREFIX, Settings, load
from tests.deploy import kustomize
from tests.deploy.test_alerts import RULES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
#: The oldest release that is taken care of, and the newest that the schemas are of.
KUBERNETES = ("1.31.0", "1.37.0")
OVERLAYS = ("base", "example")
PART = {"app.kubernetes.io/part-of": "footfall"}
COMPONENT = "app.kubernetes.io/component"
#: What each program cannot do without, beyond the brokers, and all the secrets that it gets.
NEEDS = {
    "collector": {"customer_key_secret", "write_keys", "api_key", "redis_url"},
    "worker": {"customer_key_secret", "system_secret", "api_key", "redis_url"},
    "delivery": {"customer_key_secret", "system_secret", "redis_url"},
    "archive": set(), "topics": set(), "configuration": {"system_secret"},
}
GIVEN = {"delivery": {"routes", "worker_id"}, "worker": {"worker_id"},
         "archive": {"archive_target"}}
SECRET = re.compile(r"SECRET|KEYS?$|REDIS_URL|PASSWORD")
#: Whose rights a program has, where that is not its own name (docs/kafka-security.md).
ADMIN = {"topics", "configuration"}

Manifest = dict[str, Any]


@functools.cache
def built(overlay: str) -> tuple[Manifest, ...]:
    """What kustomize makes of a folder; skips the test where it cannot be had."""
    try:
        text = kustomize.build(FOLDER / overlay)
    except BrokerError as error:
        pytest.skip(f"no kustomize: {error}")
    return tuple(YAML(typ="safe").load_all(text))


def kinds(overlay: str, *wanted: str) -> Iterator[Manifest]:
    """Those manifests of a folder that are of a kind."""
    return (m for m in built(overlay) if m["kind"] in wanted)


def pods(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Name -> template of every workload."""
    for workload in kinds(overlay, "Deployment", "StatefulSet", "Job"):
        yield workload["metadata"]["name"], workload["spec"]["template"]


def containers(overlay: str) -> Iterator[tuple[str, Manifest]]:
    """Name -> container of every workload, those that go before included."""
    for _name, template in pods(overlay):
        spec = template["spec"]
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            yield container["name"], container


def variables(overlay: str, container: Manifest) -> tuple[dict[str, str], dict[str, str]]:
    """What a container's environment holds: values, and variable -> key of the Secret."""
    maps = {m["metadata"]["name"]: m["data"] for m in kinds(overlay, "ConfigMap")}
    given: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        given |= maps[source["configMapRef"]["name"]]
    secrets = {}
    for variable in container.get("env", ()):
        if "value" in variable:
            given[variable["name"]] = variable["value"]
        elif "fieldRef" in variable["valueFrom"]:
            assert {"fieldPath": "metadata.name"}.items() <= variable["valueFrom"][
                "fieldRef"].items()
            given[variable["name"]] = "footfall-0"
        else:
            reference = variable["valueFrom"]["secretKeyRef"]
            assert "footfall" == reference["name"]
            secrets[variable["name"]] = reference["key"]
    return given, secrets


def settings_of(overlay: str, container: Manifest) -> Settings:
    """As the program reads them, something standing for each of its secrets."""
    given, secrets = variables(overlay, container)
    return load(given | {v: "web:0123456789abcdef" if v.endswith("WRITE_KEYS") else
                         "redis://:password@redis:6379" if v.endswith("REDIS_URL") else
                         "0123456789abcdef" for v in secrets if v.startswith(PREFIX)})


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_it(overlay: str, version: str) -> None:
    """By the schemas of the API, in which nothing unknown may stand."""
    for manifest in built(overlay):
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_would_refuse_a_mistake(version: str) -> None:
    """The counterexamples: a key that there is not, and a value of another kind."""
    (worker,) = (m for m in kinds("base", "StatefulSet")
                 if m["metadata"]["name"] == "footfall-worker")
    for mistake in ({"replica": 2}, {"replicas": "two"}):
        wrong = {**worker, "spec": {**worker["spec"], **mistake}}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_program_starts_with_the_settings_it_is_given(overlay: str) -> None:
    """Each environment is read by the settings themselves: an unknown or bad one fails. Secrets
    come from the Secret alone, each to whom needs it.
    """
    seen = set()
    for name, container in containers(overlay):
        given, secrets = variables(overlay, container)
        assert not [v for v in given if SECRET.search(v)], name
        ours = {v for v in secrets if v.startswith(PREFIX)}
        needs = NEEDS[name] | ({"kafka_sasl_password"} if overlay == "example" else set())
        assert {PREFIX + n.upper() for n in needs} == ours, name
        settings = settings_of(overlay, container)
        for needed in {"kafka_bootstrap_servers"} | needs | GIVEN.get(name, set()):
            assert getattr(settings, needed), (name, needed)
        helped = CliRunner().invoke(footfall, [*container["args"], "--help"])
        assert 0 == helped.exit_code, (name, helped.output)
        seen.add(name)
    assert NEEDS.keys() - ({"archive"} if overlay == "base" else set()) == seen


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_in_it_and_every_key_is_explained(overlay: str) -> None:
    """The page says how the Secret is made, with every key that a program takes from it."""
    page = (ROOT / "docs/operate/kubernetes.md").read_text()
    keys = {key for _name, container in containers(overlay)
            for key in variables(overlay, container)[1].values()}

    assert [] == [*kinds(overlay, "Secret")]
    assert {"customer-key-secret", "system-secret", "write-keys", "api-key", "redis-url"} <= keys
    assert [] == [key for key in keys if f"{key}=" not in page]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_has_few_rights_and_its_limits(overlay: str) -> None:
    """As the Pod Security Standard `restricted` asks, and a root that cannot be written."""
    for name, template in pods(overlay):
        spec = template["spec"]
        security = spec["securityContext"]
        assert security["runAsNonRoot"], name
        assert 10001 == security["runAsUser"], "the image's user"
        assert {"type": "RuntimeDefault"} == security["seccompProfile"], name
        assert not spec["automountServiceAccountToken"], name
        # Else FOOTFALL_COLLECTOR_PORT and the like stand in the environment, and nothing starts.
        assert spec["enableServiceLinks"] is False, name
        for volume in spec["volumes"]:
            assert "hostPath" not in volume, name
            assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit"}), name
    for name, container in containers(overlay):
        assert {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]}} == container["securityContext"], name
        resources = container["resources"]
        assert {"cpu", "memory"} == resources["requests"].keys(), name
        assert {"memory"} == resources["limits"].keys(), name


def test_each_program_is_a_user_of_its_own_at_a_protected_kafka() -> None:
    """By the names that `footfall acls list` gives rights to, with a password of its own."""
    listed = CliRunner().invoke(footfall, ["acls", "list"]).output
    users = set()
    for name, container in containers("example"):
        given, secrets = variables("example", container)
        part = "admin" if name in ADMIN else name
        assert "SASL_SSL" == given["FOOTFALL_KAFKA_SECURITY_PROTOCOL"]
        assert f"footfall-{part}" == given["FOOTFALL_KAFKA_SASL_USERNAME"]
        assert f"kafka-{part}-password" == secrets["FOOTFALL_KAFKA_SASL_PASSWORD"]
        assert f"'User:footfall-{part}'" in listed
        users.add(part)
    assert {"collector", "worker", "delivery", "archive", "admin"} == users


def test_what_kubernetes_would_add_to_the_environment_is_refused() -> None:
    """Why `enableServiceLinks` is off: no program starts with a variable that it does not know."""
    with pytest.raises(SettingsError, match="FOOTFALL_COLLECTOR_PORT: no such setting"):
        load({"FOOTFALL_COLLECTOR_PORT": "tcp://10.0.0.7:8080"})


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_program_is_asked_how_it_is(overlay: str) -> None:
    """Alive and ready on a port that it has, scraped where it shows its metrics."""
    for workload in kinds(overlay, "Deployment", "StatefulSet"):
        template = workload["spec"]["template"]
        (container,) = template["spec"]["containers"]
        ((port, number),) = ((p["name"], p["containerPort"]) for p in container["ports"])
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            assert {"path": path, "port": port} == container[probe]["httpGet"], container["name"]
        assert container["startupProbe"]["httpGet"] == container["livenessProbe"]["httpGet"]
        assert {"prometheus.io/scrape": "true", "prometheus.io/port": str(number),
                "prometheus.io/path": "/metrics"} == template["metadata"]["annotations"]
        settings = settings_of(overlay, container)
        assert number == (settings.http_port if port == "http" else settings.metrics_port)
        assert "0.0.0.0" == (  # noqa: S104
            settings.http_host if port == "http" else settings.metrics_host)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_whoever_has_partitions_is_a_static_member_and_few_go_at_once(overlay: str) -> None:
    """StatefulSets by their pod's name; a drained machine takes one of each at a time."""
    for workload in kinds(overlay, "StatefulSet"):
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        static = {v["name"] for v in container["env"] if "fieldRef" in v.get("valueFrom", {})}
        grouped = container["name"] != "archive"
        assert ({f"{PREFIX}WORKER_ID"} if grouped else set()) == static
        assert workload["spec"]["replicas"] >= (2 if grouped else 1)
    budgets = {m["metadata"]["name"]: m["spec"] for m in kinds(overlay, "PodDisruptionBudget")}
    assert {f"footfall-{name}" for name in ("collector", "worker", "delivery")} == budgets.keys()
    assert {1} == {spec["maxUnavailable"] for spec in budgets.values()}


def selected(labels: dict[str, str], selector: Manifest) -> bool:
    """Whether a selector with equalities and `In` is met."""
    return (selector.get("matchLabels", {}).items() <= labels.items()
            and all(labels.get(e["key"]) in e["values"]
                    for e in selector.get("matchExpressions", ())))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_their_pods_and_no_others(overlay: str) -> None:
    """Of Services, budgets and workloads: exactly the component of that name."""
    labels = {name: template["metadata"]["labels"] for name, template in pods(overlay)}
    for manifest in kinds(overlay, "Service", "PodDisruptionBudget", "Deployment", "StatefulSet"):
        selector = manifest["spec"]["selector"]
        if manifest["kind"] == "Service":
            selector = {"matchLabels": selector}
        found = [name for name, has in labels.items() if selected(has, selector)]
        assert [manifest["metadata"]["name"]] == found, manifest["kind"]
    for service in kinds(overlay, "Service"):
        name = service["metadata"]["name"]
        (ports,) = (c["ports"] for n, t in pods(overlay) if n == name
                    for c in t["spec"]["containers"])
        assert {p["name"] for p in ports} == {p["targetPort"] for p in service["spec"]["ports"]}
    for workload in kinds(overlay, "StatefulSet"):
        assert workload["spec"]["serviceName"] in {
            s["metadata"]["name"] for s in kinds(overlay, "Service")}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_lets_through_what_is_needed(overlay: str) -> None:
    """Nothing by default; then who may reach which port of whom."""
    labels = {template["metadata"]["labels"][COMPONENT]: template["metadata"]["labels"]
              for _name, template in pods(overlay)}
    policies = {m["metadata"]["name"]: m["spec"] for m in kinds(overlay, "NetworkPolicy")}
    nobody = policies["footfall-nobody"]
    assert all(selected(has, nobody["podSelector"]) for has in labels.values())
    assert ["Ingress", "Egress"] == nobody["policyTypes"]
    assert "ingress" not in nobody
    assert "egress" not in nobody

    def may(component: str, other: dict[str, str], port: int, direction: str) -> bool:
        peer = "from" if direction == "ingress" else "to"
        return any(
            port in {p["port"] for p in rule["ports"]}
            and (peer not in rule or any(selected(other, one.get("podSelector", {"matchLabels":
                 {"no": "pod"}})) for one in rule[peer]))
            for spec in policies.values() if selected(labels[component], spec["podSelector"])
            for rule in spec.get(direction, ()))

    prometheus = {"app.kubernetes.io/name": "prometheus"}
    for component, has in labels.items():
        assert may(component, {}, 9092, "egress")
        assert may(component, {}, 53, "egress")
        assert (component == "collector") == may(component, {"app": "shop"}, 8080, "ingress")
        assert not may(component, {"app": "shop"}, 9100, "ingress")
        assert may(component, prometheus, 8080 if component == "collector" else 9100, "ingress")
        reads = component in ("collector", "worker")
        assert reads == may("worker", has, 9100, "ingress")
        assert reads == may(component, labels["worker"], 9100, "egress")
    (destinations,) = policies["footfall-delivery"]["egress"]
    assert all("except" in one["ipBlock"] for one in destinations["to"])


def test_every_image_is_pinned() -> None:
    """Ours is the package's version, also under the name of another registry."""
    assert {f"footfall:{VERSION}"} == {c["image"] for _n, c in containers("base")}
    assert {VERSION} == {c["image"].rpartition(":")[2] for _n, c in containers("example")}
    assert not {c["image"] for _n, c in containers("example")} & {f"footfall:{VERSION}"}


def test_what_is_configured_is_what_compose_brings() -> None:
    """Two copies, for kustomize reads only its own folder; the example's routes are valid."""
    def lines(file: Path) -> list[str]:
        return [line for line in file.read_text().splitlines()
                if line and not line.lstrip().startswith("#")]

    assert lines(ROOT / "deploy/configuration.toml") == lines(FOLDER / "base/configuration.toml")
    assert lines(ROOT / "deploy/routes/routes.yaml") == lines(FOLDER / "base/routes.yaml")
    found = routes.read(FOLDER / "example/routes.yaml")
    (secret,) = re.findall(r"secret_env: (\w+)", (FOLDER / "example/routes.yaml").read_text())
    (delivery,) = (c for name, c in containers("example") if name == "delivery")
    assert ["crm"] == found.targets("cart_abandoned", {})
    assert secret in variables("example", delivery)[1]


def test_prometheus_names_jobs_as_the_rules_do() -> None:
    """By the pods' component, which is the job of prometheus.yml."""
    (job,) = YAML(typ="safe").load(ROOT / "deploy/prometheus/kubernetes.yml")["scrape_configs"]
    renamed = {tuple(r["source_labels"]): r["target_label"] for r in job["relabel_configs"]
               if "target_label" in r}
    named = {value for rule in RULES.values()
             for found in re.findall(r'job=~?"([^"]+)"', json.dumps(rule["expr"]).replace(
                 '\\"', '"')) for value in found.split("|")}
    scraped = {template["metadata"]["labels"][COMPONENT] for _name, template in pods("example")
               if "prometheus.io/scrape" in template["metadata"].get("annotations", {})}

    assert "job" == renamed[("__meta_kubernetes_pod_label_app_kubernetes_io_component",)]
    assert named == scraped
    assert PART == dict([job["kubernetes_sd_configs"][0]["selectors"][0]["label"].split("=")])
