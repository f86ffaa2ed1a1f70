"""Which settings go together, and that no secret is ever shown."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.pretty import pretty_repr

from footfall import Client
from footfall.errors import SettingsError
from footfall.kafka.aio import aio
from footfall.kafka.confluent import confluent
from footfall.kafka.security import Cluster, Security, security_of, tls_of
from footfall.settings import Settings, load
from footfall.up.children import environment_of
from tests.system.secured import Authority

SECRET = "never to be seen"
SCRAM = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512",
         "sasl_username": "worker", "sasl_password": SECRET}
OAUTH = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER",
         "sasl_oauth_token_url": "https://login.example/token", "sasl_oauth_client_id": "worker",
         "sasl_oauth_client_secret": SECRET, "sasl_oauth_scope": "kafka",
         "sasl_oauth_extensions": "logicalCluster=lkc-1,identityPoolId=pool-1"}


def variables(given: dict[str, str]) -> dict[str, str]:
    return {f"FOOTFALL_KAFKA_{name.upper()}": value for name, value in given.items()}


@pytest.mark.parametrize(("change", "named", "advice"), [
    ({"security_protocol": "PLAINTEXT"}, "sasl_mechanism", "set that, or take this away"),
    ({"security_protocol": "TLS"}, "security_protocol", "'TLS'"),
    ({"sasl_mechanism": ""}, "sasl_mechanism", "set it to PLAIN, SCRAM-SHA-256"),
    ({"sasl_mechanism": "GSSAPI"}, "sasl_mechanism", "'GSSAPI'"),
    ({"sasl_username": ""}, "sasl_username", "set it to what the cluster's administrator"),
    ({"sasl_password": ""}, "sasl_password", "set it to what the cluster's administrator"),
    ({"sasl_oauth_scope": "kafka"}, "sasl_oauth_scope", "take it away"),
    ({"sasl_mechanism": "OAUTHBEARER"}, "sasl_oauth_token_url", "set it to what"),
    ({"security_protocol": "SASL_PLAINTEXT", "ssl_ca_file": "ca.pem"}, "ssl_ca_file",
     "SSL or SASL_SSL"),
    ({"ssl_certificate_file": "c.pem"}, "ssl_key_file", "set both or neither"),
    ({"ssl_key_file": "k.pem"}, "ssl_certificate_file", "set both or neither"),
    ({"ssl_key_password": SECRET}, "ssl_key_password", "set that, or take this away"),
    ({**OAUTH, "sasl_username": "", "sasl_password": "",
      "sasl_oauth_token_url": "http://login.example/token"}, "sasl_oauth_token_url", "https://"),
    ({**OAUTH, "sasl_username": "", "sasl_password": "", "sasl_oauth_extensions": "a,b=c"},
     "sasl_oauth_extensions", "NAME=VALUE"),
])
def test_what_does_not_go_together_stops_the_start(
    change: dict[str, str], named: str, advice: str
) -> None:
    """The error names the setting, says what to do, and shows no secret."""
    with pytest.raises(SettingsError) as error:
        load(variables({**SCRAM, **change}))
    assert f"kafka_{named}" in str(error.value)
    assert advice in str(error.value) or advice.strip("'") in str(error.value)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("given", [SCRAM, OAUTH], ids=["scram", "oauth"])
def test_a_secret_is_never_shown(given: dict[str, str]) -> None:
    """In no form in which settings, clusters or the SDK's options are printed."""
    settings = load(variables({**given, "bootstrap_servers": "broker:9093"}))
    shown = (repr(settings), pretty_repr(settings), repr(security_of(
        settings.kafka_bootstrap_servers)), pretty_repr(security_of(
            settings.kafka_bootstrap_servers)), str(settings.kafka_bootstrap_servers))
    assert [] == [text for text in shown if SECRET in text]
    assert "kafka_security_protocol='SASL_SSL'" in shown[0]


def test_the_way_to_a_cluster_goes_with_its_addresses() -> None:
    """Through changes, and to the children of `up`; addresses stay text."""
    settings = load(variables({**SCRAM, "bootstrap_servers": "a:9093,b:9093"}))
    moved = msgspec.structs.replace(settings, kafka_bootstrap_servers="c:9093")
    child = load(environment_of(moved, {}))
    for one in (settings, moved, child):
        assert ("SASL_SSL", "worker", SECRET) == (
            security_of(one.kafka_bootstrap_servers).security_protocol,
            security_of(one.kafka_bootstrap_servers).sasl_username,
            security_of(one.kafka_bootstrap_servers).sasl_password)
    assert ("a:9093,b:9093", "c:9093", "c:9093") == (
        settings.kafka_bootstrap_servers, moved.kafka_bootstrap_servers,
        child.kafka_bootstrap_servers)
    assert "PLAINTEXT" == security_of(Settings().kafka_bootstrap_servers).security_protocol
    assert "PLAINTEXT" == security_of("a:9092").security_protocol


def test_both_client_libraries_are_told_the_same(tmp_path: Path) -> None:
    """With host names checked, whatever else is set."""
    authority = Authority(tmp_path)
    certificate = str(authority.issue("worker"))
    given: dict[str, Any] = {**SCRAM, "ssl_ca_file": str(authority.file),
                             "ssl_certificate_file": certificate, "ssl_key_file": certificate}
    cluster = Cluster("a:9093,b:9093", Security(**given))
    assert {
        "bootstrap.servers": "a:9093,b:9093", "security.protocol": "SASL_SSL",
        "ssl.endpoint.identification.algorithm": "https", "ssl.ca.location": str(authority.file),
        "ssl.certificate.location": certificate, "ssl.key.location": certificate,
        "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "worker", "sasl.password": SECRET,
    } == confluent(cluster)
    told = aio(cluster)
    assert (True, ssl.CERT_REQUIRED) == (
        told["ssl_context"].check_hostname, told["ssl_context"].verify_mode)
    assert (["a:9093", "b:9093"], "SASL_SSL", "SCRAM-SHA-512", "worker", SECRET) == (
        told["bootstrap_servers"], told["security_protocol"], told["sasl_mechanism"],
        told["sasl_plain_username"], told["sasl_plain_password"])
    assert {"bootstrap.servers": "a:9092"} == confluent("a:9092")
    assert ("PLAINTEXT", None) == (
        aio("a:9092")["security_protocol"], aio("a:9092")["ssl_context"])


def test_without_an_authority_of_its_own_the_systems_count() -> None:
    """Managed clusters have certificates of public ones."""
    tls = tls_of(Security(security_protocol="SSL"))
    assert tls is not None
    assert (True, ssl.CERT_REQUIRED) == (tls.check_hostname, tls.verify_mode)
    assert "ssl.ca.location" not in confluent(Cluster("a:1", Security(security_protocol="SSL")))


@pytest.mark.parametrize(("name", "content"), [
    ("ssl_ca_file", None), ("ssl_ca_file", "no certificate"),
    ("ssl_certificate_file", None), ("ssl_certificate_file", "no certificate")])
def test_a_file_that_does_not_do_is_named(name: str, content: str | None, tmp_path: Path) -> None:
    """Where a client is made, by either library."""
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    key = {"ssl_key_file": str(file)} if name == "ssl_certificate_file" else {}
    cluster = Cluster("a:1", Security(  # type: ignore[arg-type]
        security_protocol="SSL", prefix="kafka_", **{name: str(file)}, **key))
    for make in (confluent, aio):
        with pytest.raises(SettingsError, match=f"kafka_{name} = .*file.pem.* it must be"):
            make(cluster)


def test_the_python_sdk_takes_the_same_options(tmp_path: Path) -> None:
    """Wrong ones are told when the client is made."""
    common: dict[str, Any] = {
        "transport": "kafka", "bootstrap_servers": "127.0.0.1:1", "source": "billing",
        "customer_key_secret": "a secret for tests only"}
    authority = Authority(tmp_path)
    Client(**common, **SCRAM, ssl_ca_file=str(authority.file)).close(0.1)
    for change, said in (
            ({"sasl_username": ""}, "footfall.Client: sasl_username"),
            ({"ssl_ca_file": str(tmp_path / "none.pem")}, "footfall.Client: ssl_ca_file")):
        with pytest.raises(SettingsError, match=said) as error:
            Client(**{**common, **SCRAM, **change})
        assert SECRET not in str(error.value)
