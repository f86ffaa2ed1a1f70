"""`up --webhook`: one destination for everything, allowed for exactly its host and port."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from footfall.delivery import routes
from footfall.delivery.routes_row import WebhookDestination
from footfall.errors import ConfigError, SettingsError
from footfall.running import WEBHOOK_SECRET
from footfall.settings import Settings, load
from footfall.up import children, machine
from footfall.up.brokers import Choice
from footfall.up.data_dir import DataDir
from footfall.up.machine import Ports
from footfall.up.screen import Screen
from footfall.up.supervisor import Plan
from footfall.up.webhook import address_of, with_webhook

URL = "http://localhost:3000/footfall"


def plan_of(tmp_path: Path, url: str = "", inherited: dict[str, str] | None = None,
            **configured: str) -> tuple[Plan, Settings, list[str]]:
    """What `up` would start, the settings it is made of, and what was said."""
    data_dir = DataDir(tmp_path)
    said: list[str] = []
    settings, found = machine._routed(Settings(data_dir=str(tmp_path), **configured), url, data_dir)
    keys = data_dir.keys(settings)
    broker = Choice("a broker", "127.0.0.1:1", None, True)
    ports = Ports([7001, 7002], 7003 if found is not None else 0)
    effective = machine._effective(settings, data_dir, keys, broker, ports)
    if found is not None and not effective.redis_url:
        machine._say_unknown(found, said.append)
    return machine._plan(effective, ports, keys, broker, inherited or {}), effective, said


def environment(child: children.Child) -> dict[str, str]:
    """What a child is started with."""
    return dict(child.process._environment or {})


def test_every_trigger_goes_to_the_webhook(tmp_path: Path) -> None:
    """It needs no consent, and is tried again soon; the file has no secret, and is its owner's."""
    made = with_webhook(Settings(), URL, DataDir(tmp_path))
    found = routes.read(Path(made.routes))

    assert ["webhook"] == found.targets("anything_at_all", {})
    hook = found.destinations["webhook"]
    assert isinstance(hook, WebhookDestination)
    assert ("necessary", URL, (WEBHOOK_SECRET,), 0) == (
        hook.purpose, hook.url, hook.secret_env, hook.disable_after_s)
    assert 0o600 == stat.S_IMODE(Path(made.routes).stat().st_mode)
    assert ("localhost:3000", "earliest") == (made.delivery_allow, made.delivery_from)


@pytest.mark.parametrize(("url", "expected"), [
    ("http://localhost:3000/x", "localhost:3000"), ("http://LOCALHOST/x", "localhost:80"),
    ("https://hook.test/x", "hook.test:443"), ("http://[::1]:9/", "[::1]:9"),
    ("http://127.0.0.1:8080", "127.0.0.1:8080"),
])
def test_host_and_port_alone_are_allowed(url: str, expected: str) -> None:
    """As `delivery_allow` spells them."""
    assert expected == address_of(url)


def test_what_was_allowed_stays_allowed(tmp_path: Path) -> None:
    """The webhook is added to it."""
    made = with_webhook(Settings(delivery_allow="10.0.0.0/8"), URL, DataDir(tmp_path))

    assert "10.0.0.0/8,localhost:3000" == made.delivery_allow


@pytest.mark.parametrize("url", [
    "localhost:3000", "ftp://localhost/x", "http://", "http:///x", "http://u:secret@h/",
    "http://h/" + "x" * 3_000, 'http://h/"\n    secret_env: X', "http://h:99999/", "http://h/#x",
    "http://h/whsec_abc",
])
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    """Before anything is written; the option is named, what it had is not."""
    with pytest.raises(SettingsError, match=r"--webhook: expected http://HOST") as caught:
        with_webhook(Settings(), url, DataDir(tmp_path))

    assert "secret@" not in str(caught.value)
    assert "whsec_abc" not in str(caught.value)
    assert not (tmp_path / "webhook.yaml").exists()


def test_routes_of_ones_own_and_a_webhook_exclude_each_other(tmp_path: Path) -> None:
    """Two files of routes would hide each other."""
    with pytest.raises(SettingsError, match=r"FOOTFALL_ROUTES names mine.yaml: add the webhook"):
        with_webhook(Settings(routes="mine.yaml"), URL, DataDir(tmp_path))


def test_delivery_is_a_child_where_there_are_routes(tmp_path: Path) -> None:
    """With the settings of `up`, a port and a name in the group of its own."""
    plan, effective, _said = plan_of(tmp_path, URL, {"CRM_SECRET": "mine"})

    assert plan.delivery is not None
    assert "delivery" == plan.delivery.name
    assert ["-m", "footfall", "delivery"] == plan.delivery.process.command[1:]
    given = environment(plan.delivery)
    assert "mine" == given["CRM_SECRET"]
    secret = given.pop(WEBHOOK_SECRET)
    assert secret == DataDir(tmp_path).keys(Settings()).webhook_secret
    loaded = load(given)
    assert (effective.routes, 7003, "localhost:3000", "earliest") == (
        loaded.routes, loaded.metrics_port, loaded.delivery_allow, loaded.delivery_from)
    assert loaded.worker_id not in {environment(one)["FOOTFALL_WORKER_ID"] for one in plan.workers}


def test_only_delivery_gets_the_secret(tmp_path: Path) -> None:
    """Nobody else signs; and no secret stands on a command line."""
    plan, _effective, _said = plan_of(tmp_path, URL)

    assert plan.delivery is not None
    secret = environment(plan.delivery)[WEBHOOK_SECRET]
    for child in (plan.collector, *plan.workers):
        assert secret not in environment(child).values()
    assert not any(secret in part for part in plan.delivery.process.command)


def test_without_routes_nothing_is_delivered(tmp_path: Path) -> None:
    """No child, and nothing is said."""
    plan, effective, said = plan_of(tmp_path)

    assert (None, "", []) == (plan.delivery, effective.routes, said)


def test_a_mistake_in_the_routes_stops_the_start(tmp_path: Path) -> None:
    """Before a broker is started: with file and line."""
    file = tmp_path / "mine.yaml"
    file.write_text("destinations:\n  a: {channel: fax}\n")

    with pytest.raises(ConfigError, match=rf"{file}:2: .* 'fax'"):
        plan_of(tmp_path, routes=str(file))


def test_what_needs_consent_needs_the_view(tmp_path: Path) -> None:
    """Where nobody's consent can be known it is said, by destination."""
    file = tmp_path / "mine.yaml"
    file.write_text("destinations:\n  a: {channel: kafka, purpose: marketing, topic: t}\n"
                    "  b: {channel: kafka, purpose: necessary, topic: t}\n")

    assert ["Nothing will be sent to a: that needs consent, which is known from the served view "
            "alone. Set FOOTFALL_REDIS_URL."] == plan_of(tmp_path, routes=str(file))[2]
    assert [] == plan_of(tmp_path, routes=str(file), redis_url="redis://127.0.0.1:1")[2]


def test_the_summary_shows_the_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The receiver verifies signatures with it; without a webhook there is no such line."""
    settings = Settings(data_dir=str(tmp_path), write_keys={"development": "w"})
    keys = DataDir(tmp_path).keys(settings)
    broker = Choice("a broker", "127.0.0.1:1", None, True)
    for routed, expected in ((with_webhook(settings, URL, DataDir(tmp_path)), True),
                             (settings, False)):
        Screen().summary(machine._running(routed, broker, keys, Ports([7001])), tmp_path)
        shown = capsys.readouterr().out
        assert expected == (f"Secret     {keys.webhook_secret}" in shown)
        assert expected == (f"Routes     {routed.routes}" in shown)


def test_others_learn_of_it(tmp_path: Path) -> None:
    """Commands in another terminal find the routes, what is allowed, delivery and the secret."""
    settings = with_webhook(Settings(data_dir=str(tmp_path), write_keys={"development": "w"}), URL,
                            DataDir(tmp_path))
    keys = DataDir(tmp_path).keys(settings)
    broker = Choice("a broker", "127.0.0.1:1", None, True)

    told = machine._running(settings, broker, keys, Ports([7001], 7003))

    assert (settings.routes, "localhost:3000", "http://127.0.0.1:7003", keys.webhook_secret) == (
        told.routes, told.delivery_allow, told.delivery_url, told.webhook_secret)
    other = machine._running(Settings(data_dir=str(tmp_path)), broker, keys, Ports([7001]))
    assert ("", "", "") == (other.routes, other.delivery_url, other.webhook_secret)
