"""The collector with a tracking plan: from the folder to the log, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from footfall.cli import footfall
from footfall.collector import plan_folder
from footfall.collector.command import serve
from footfall.errors import ConfigError
from footfall.settings import Settings
from footfall.telemetry import PLAN
from tests.collector.edge import MemorySink, post, serving

NEEDED = {"class": "public", "purpose": "necessary"}


def folder(tmp_path: Path, **more: Any) -> Path:
    (tmp_path / "viewed.json").write_text(json.dumps({
        "event": "Product Viewed", "violation": "reject", "undeclared": "omit", "schema": {
            "properties": {"sku": {"type": "string", **NEEDED},
                           "search": {"class": "personal", "purpose": "Analytics"}}}, **more}))
    return tmp_path


def item(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "userId": "u", "properties": properties,
            "context": {"consent": {"categoryPreferences": {"Analytics": False}}}}


async def test_what_the_plan_finds_is_told_kept_out_and_counted(tmp_path: Path) -> None:
    """Only of what the log acknowledged, like everything else."""
    def counts() -> list[float]:
        return [PLAN.labels(f, "track", "Product Viewed")._value.get()
                for f in ("not_covered", "undeclared", "violated")]
    sink, before = MemorySink(), counts()
    async with serving(sink, plan=plan_folder.read(folder(tmp_path))) as client:
        status, answer, _ = await post(client, "/v1/batch", {
            "batch": [item(sku="A", search="canary", x=1, y=2), item(sku=5)]})
        assert (200, "plan_violated", "properties.sku") == (
            status, answer["results"][1]["reason"], answer["results"][1]["field"])
        sink.error = "away"
        assert 503 == (await post(client, "/v1/track", item(sku="A", x=1)))[0]
    assert [1, 2, 1] == [now - then for now, then in zip(counts(), before, strict=True)]
    (event,) = sink.events()
    assert {"sku": "A"} == json.loads(event["personal"])["properties"]
    assert ["plan_violated"] == [record["reason"] for record in sink.rejected()]


async def test_a_collector_does_not_start_with_half_a_plan(tmp_path: Path) -> None:
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", customer_key_secret="0" * 16,
                        write_keys={"web": "k"}, plan_dir=str(folder(tmp_path, violation="drop")))
    with pytest.raises(ConfigError, match=r"viewed\.json.*violation"):
        await serve(settings, lambda _url: None)


def test_footfall_plan_check_lists_what_is_collected_and_why(tmp_path: Path, monkeypatch: Any
                                                            ) -> None:
    monkeypatch.chdir(tmp_path)
    plan = folder(tmp_path)
    for arguments, environment in ((["plan", "check", str(plan)], {}),
                                   (["plan", "check"], {"FOOTFALL_PLAN_DIR": str(plan)})):
        result = CliRunner().invoke(footfall, arguments, env=environment)
        assert 0 == result.exit_code, result.output
        assert "track Product Viewed version 1: violation reject, undeclared omit" in result.output
        assert "search  personal  Analytics" in result.output
    result = CliRunner().invoke(footfall, ["plan", "check"])
    assert 0 != result.exit_code
    assert "FOOTFALL_PLAN_DIR" in str(result.exception)
    folder(tmp_path, schema={"properties": {"a": {}}})
    result = CliRunner().invoke(footfall, ["plan", "check", str(plan)])
    assert "viewed.json" in str(result.exception)
