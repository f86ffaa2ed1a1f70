"""Every setting with where it comes from, and what does not go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from footfall.cli import footfall
from footfall.doctor.conflicts import conflicts
from footfall.doctor.settings import configured
from footfall.settings import ApiKeySettings, Configured, Given, Settings, SourceSettings

NOTHING = Given("", frozenset(), frozenset())


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_told_with_where_it_comes_from() -> None:
    """File, environment, a running `up`, or the code; one that is said twice is a warning."""
    Path("footfall.toml").write_text('partitions = 4\nhttp_port = 1\n'
                                     'system_secret = "canary-of-sixteen"\n')
    asked = Configured({"FOOTFALL_HTTP_PORT": "2", "FOOTFALL_API_KEY": "canary-2"}, None)
    own = asked()
    settings = Settings(partitions=4, http_port=2, system_secret="canary-of-sixteen",
                        api_key="canary-2", worker_urls="http://w:1")
    found = {one.subject: one for one in configured(settings, "", asked.given(), own)}

    details = found["configured"].details
    assert set(Settings.__struct_fields__) == details.keys()
    assert {"partitions": "file", "http_port": "environment", "api_key": "environment",
            "worker_urls": "footfall up", "http_host": "default"} == {
        name: details[name]["from"] for name in (
            "partitions", "http_port", "api_key", "worker_urls", "http_host")}
    assert ("set", "absent") == (details["api_key"]["value"],
                                 details["customer_key_secret"]["value"])
    assert ("warning", ["http_port"]) == (found["file"].status,
                                          found["file"].details["overridden"])
    assert "canary" not in str(list(found.values()))


def test_whether_there_is_a_file_is_told() -> None:
    """In this folder, or the one that was named."""
    def file(path: Path | None = None) -> str:
        asked = Configured({}, path)
        return next(one for one in configured(asked(), "", asked.given())
                    if one.subject == "file").found

    assert file().startswith("no footfall.toml in this folder")
    Path("other.toml").write_text("partitions = 4\n")
    assert "other.toml: 1 settings" == file(Path("other.toml"))
    Path("footfall.toml").write_text("")
    assert "footfall.toml: 0 settings" == file()


@pytest.mark.parametrize(("given", "told"), [
    ({}, []),
    ({"item_bytes_max": 2048, "body_bytes_max": 1024}, ["item_bytes_max"]),
    ({"body_bytes_max": 2 << 20, "in_flight_bytes_max": 1 << 20}, ["body_bytes_max"]),
    ({"batch_items_max": 100, "in_flight_items_max": 10}, ["batch_items_max"]),
    ({"body_bytes_max": 16 << 20, "spool_bytes_max": 8 << 20}, ["body_bytes_max"]),
    ({"subscribers_max": 10, "subscribers_of_key_max": 20}, ["subscribers_of_key_max"]),
    ({"batch_records_max": 200, "checkpoint_records_max": 100}, ["batch_records_max"]),
    ({"checkpoint_s": 20, "session_timeout_s": 10}, ["checkpoint_s"]),
    ({"delivery_allow": "10.0.0.1"}, ["delivery_allow"]),
    ({"accept_gap": True}, ["accept_gap"]), ({"crash_at": "before_commit:1"}, ["crash_at"]),
    ({"metrics_port": 8080}, ["metrics_port"]),
    ({"routes": "gone.yaml"}, ["routes"]), ({"plan_dir": "gone"}, ["plan_dir"])])
def test_what_does_not_go_together(given: dict[str, Any], told: list[str]) -> None:
    """Each names the settings and what to change; one at its limit is well."""
    found = list(conflicts(Settings(**given)))
    assert told == [one.subject for one in found]
    assert all(f"FOOTFALL_{name.upper()}" in one.change
               for name, one in zip(told, found, strict=True))


def test_settings_at_their_limit_are_well() -> None:
    assert [] == list(conflicts(Settings(
        item_bytes_max=1024, body_bytes_max=1 << 20, in_flight_bytes_max=1 << 20,
        checkpoint_s=10, session_timeout_s=10, metrics_port=9100)))


def test_exit_codes_and_an_unknown_part() -> None:
    """1 where there is an error, 2 for wrong usage."""
    bad = CliRunner().invoke(footfall, ["doctor", "--json"], env={"FOOTFALL_HTTP_PROT": "1"})
    assert 1 == bad.exit_code
    assert 2 == CliRunner().invoke(footfall, ["doctor", "--part", "nobody"]).exit_code


@pytest.mark.parametrize(("change", "subject", "status"), [
    ({"customer_key_secret": None}, "customer_key_secret", "error"),
    ({"system_secret": None}, "system_secret", "error"),
    ({"write_keys": {}}, "write_keys", "warning"),
    ({"api_key": ""}, "api_key", "warning"),
    ({"customer_key_secret": "s" * 16}, "system_secret", "error"),
    ({"api_key": "s" * 16}, "system_secret", "error"),
    ({"write_keys": {}, "sources": {"web": SourceSettings(write_keys=["w"])}}, "", ""),
    ({"sources": {"web": SourceSettings(write_keys=["s" * 16])}}, "system_secret", "error"),
    ({"write_keys": {"web": "w " + "s" * 16}}, "system_secret", "error"),
    ({"metrics_host": "0.0.0.0"}, "metrics_host", "warning"),  # noqa: S104
    ({"http_host": "10.0.0.1"}, "http_host", "warning"),
    ({}, "", "")])
def test_settings_that_are_missing_or_dangerous(
        change: dict[str, Any], subject: str, status: str) -> None:
    """One finding each, with the variable to set."""
    given = {"customer_key_secret": "c" * 16, "system_secret": "s" * 16,
             "write_keys": {"web": "w"}, "api_key": "a", **change}
    found = configured(Settings(**given), "", NOTHING)
    bad = [f for f in found if f.status != "ok"]
    assert ([(subject, status)] if subject else []) == [(f.subject, f.status) for f in bad]
    assert all(f.change for f in bad)


def test_keys_of_sources_are_never_shown() -> None:
    sources = {"web": SourceSettings(write_keys=["canary-1", "canary-2"])}
    text = str(list(configured(Settings(sources=sources), "", NOTHING)))
    assert "canary" not in text
    assert "web: 2 keys" in text


def test_api_keys_and_the_password_of_redis_are_never_shown() -> None:
    """Names and roles are; a system secret that is also an API key is an error."""
    settings = Settings(
        api_keys={"desk": ApiKeySettings(role="support", keys=["canary-1", "s" * 16])},
        redis_url="redis://me:canary-2@redis:6379", system_secret="s" * 16)
    found = list(configured(settings, "", NOTHING))
    assert "desk: support, 2 keys" in str(found) and "redis://redis:6379" in str(found)
    assert "canary" not in str(found)
    assert [("system_secret", "error")] == [(f.subject, f.status) for f in found
                                            if f.status == "error" and "also" in f.found]
