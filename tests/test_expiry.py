"""Certificates and keys run out, and Prometheus sees it coming."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from footfall import expiry
from footfall.errors import SettingsError
from footfall.kafka.security import Security
from footfall.settings import Settings, SourceSettings, load
from footfall.telemetry import CERTIFICATE_EXPIRES, KEY_CREATED
from tests.system.secured import Authority

DAY_S = 86_400.0


@pytest.fixture(autouse=True)
def _no_others() -> Iterator[None]:
    CERTIFICATE_EXPIRES.clear()
    KEY_CREATED.clear()
    yield
    CERTIFICATE_EXPIRES.clear()
    KEY_CREATED.clear()


def days_left(certificate: str, destination: str = "", copy: str = expiry.ON_DISK) -> float:
    """What a scrape shows, from now."""
    value = REGISTRY.get_sample_value("footfall_certificate_expires_timestamp_seconds",
                                      {"certificate": certificate, "destination": destination,
                                       "copy": copy})
    assert value is not None
    return (value - time.time()) / DAY_S


def dates() -> dict[str, float]:
    """Key -> when it was made, as a scrape shows it."""
    return {sample.labels["key"]: sample.value for metric in KEY_CREATED.collect()
            for sample in metric.samples}


def reached_by(authority: Path, certificate: Path) -> Settings:
    return Settings(
        kafka_bootstrap_servers="127.0.0.1:1", kafka_security_protocol="SSL",
        kafka_ssl_ca_file=str(authority), kafka_ssl_certificate_file=str(certificate),
        kafka_ssl_key_file=str(certificate))


def test_a_scrape_shows_when_the_certificates_in_use_end(tmp_path: Path) -> None:
    """Of the own cluster and of destinations."""
    authority = Authority(tmp_path)
    own, other = authority.issue("own", days=9), authority.issue("other", days=40)
    security = Security(security_protocol="SSL", ssl_certificate_file=str(other),
                        ssl_key_file=str(other))
    expiry.watch(reached_by(authority.file, own), [*expiry.certificates_of(security, "partner")])

    assert 9 == round(days_left("kafka_client"))
    assert 3650 == round(days_left("kafka_ca"))
    assert 40 == round(days_left("kafka_client", "partner"))


def test_a_file_that_is_replaced_is_seen_at_the_next_scrape(tmp_path: Path) -> None:
    """As a renewal does it: another file under the same name, or the same one written anew."""
    authority = Authority(tmp_path)
    file = tmp_path / "client.pem"
    file.write_bytes(authority.issue("first", days=1).read_bytes())
    expiry.watch(reached_by(authority.file, file))

    assert 1 == round(days_left("kafka_client"))
    authority.issue("second", days=90).replace(file)
    assert 90 == round(days_left("kafka_client"))
    file.write_bytes(authority.issue("third", days=30).read_bytes() + b"\n")
    assert 30 == round(days_left("kafka_client"))
    assert 1 == round(days_left("kafka_client", copy=expiry.IN_USE)), "it was not started again"


def test_a_chain_ends_with_its_first_link_and_authorities_one_after_the_other(
        tmp_path: Path) -> None:
    """An old authority beside its successor is no reason to be called once it has ended."""
    authority = Authority(tmp_path)
    several = tmp_path / "several.pem"
    several.write_bytes(b"".join(authority.issue(f"n{days}", days=days).read_bytes()
                                 for days in (300, -3, 20)))
    expiry.watch(reached_by(several, several))

    assert -3 == round(days_left("kafka_client"))
    assert 20 == round(days_left("kafka_ca"))
    several.write_bytes(authority.issue("ended", days=-5).read_bytes())
    assert -5 == round(days_left("kafka_ca"))


@pytest.mark.parametrize("content", [
    None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"\xff" * 99])
def test_a_file_that_cannot_be_read_counts_as_expired(
        tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    """The next start would fail on it. It is told once, not at every scrape, and comes back."""
    authority = Authority(tmp_path)
    file = authority.issue("own")
    good = file.read_bytes()
    expiry.watch(reached_by(authority.file, file))
    assert 365 == round(days_left("kafka_client"))
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)

    assert days_left("kafka_client") < -20_000
    assert days_left("kafka_client") < -20_000
    assert 1 == len(caplog.records)
    file.write_bytes(good + b"\n")
    assert 365 == round(days_left("kafka_client"))


def test_each_process_shows_the_dates_of_the_keys_that_it_has() -> None:
    """By names of settings and variables; never the key."""
    day = {"write_keys.web": "2026-01-31", "write_keys.app": "2026-02-01",
           "api_keys.desk": "2026-03-01", "api_key": "2026-04-01", "redis_url": "2026-05-01",
           "CRM_SECRET": "2026-06-01"}
    collector = load({
        "FOOTFALL_WRITE_KEYS": "web:K1", "FOOTFALL_SOURCES": '{"app": {"write_keys": ["K2"]}}',
        "FOOTFALL_API_KEYS": '{"desk": {"role": "support", "keys": ["K3"]}}',
        "FOOTFALL_KEY_DATES": str(day).replace("'", '"')})
    expiry.watch(collector)

    at = datetime(2026, 1, 31, tzinfo=UTC).timestamp()
    assert {"write_keys.web", "write_keys.app", "api_keys.desk"} == dates().keys()
    assert at == dates()["write_keys.web"]
    KEY_CREATED.clear()
    delivery = Settings(key_dates=collector.key_dates, redis_url="redis://:p@h")
    expiry.watch(delivery, variables={"CRM_SECRET"})
    assert {"redis_url", "CRM_SECRET"} == dates().keys()


def test_dates_stand_in_the_file_as_dates(tmp_path: Path) -> None:
    """TOML has them."""
    file = tmp_path / "footfall.toml"
    file.write_text('api_key = "k"\n[key_dates]\napi_key = 2026-01-31\n"write_keys.web shop" = '
                    '"2026-02-01"\n')
    found = load({}, file).key_dates
    assert ["2026-01-31", "2026-02-01"] == [str(day) for day in found.values()]


@pytest.mark.parametrize(("name", "day", "said"), [
    ("customer_key_secret", "2026-01-31", "it is permanent"),
    ("system_secret", "2026-01-31", "it is permanent"),
    ("api_kee", "2026-01-31", "'api_kee' names no key"),
    ("write_keys.", "2026-01-31", "names no key"),
    ("api_key", "yesterday", "key_dates"),
    ("api_key", "2026-01-31T10:00:00Z", "key_dates")])
def test_a_date_of_nothing_stops_the_start(name: str, day: str, said: str) -> None:
    """It would never be alarmed."""
    with pytest.raises(SettingsError, match=said):
        load({"FOOTFALL_KEY_DATES": f'{{"{name}": "{day}"}}'})


@pytest.mark.parametrize(("name", "variables", "said"), [
    ("write_keys.wbe", None, "write_keys has app, web; correct it"),
    ("CRM_SECRT", {"CRM_SECRET"}, "no destination of the routes names this variable"),
])
def test_a_misspelt_key_is_found_where_all_of_them_are_known(
        name: str, variables: set[str] | None, said: str) -> None:
    """By the collector its sources, by delivery the variables of its routes."""
    settings = load({"FOOTFALL_KEY_DATES": f'{{"{name}": "2026-01-31"}}',
                     "FOOTFALL_WRITE_KEYS": "web:K", "FOOTFALL_SOURCES": '{"app": {}}'})
    assert SourceSettings() == settings.sources["app"]
    with pytest.raises(SettingsError, match=said):
        expiry.watch(settings, variables=variables)


def test_a_date_to_come_is_refused() -> None:
    """It would be years until somebody is called. Tomorrow's may be today elsewhere."""
    today = datetime.now(UTC).date()
    expiry.watch(Settings(api_key="k", key_dates={"api_key": today + timedelta(days=1)}))
    assert {"api_key"} == dates().keys()
    with pytest.raises(SettingsError, match="is to come"):
        expiry.watch(Settings(api_key="k", key_dates={"api_key": today + timedelta(days=400)}))
