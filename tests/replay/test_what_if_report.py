"""What is compared of two triggers, what files leave as it is, and what a report says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from footfall.cli import footfall
from footfall.errors import ConfigError
from footfall.events.codec import TriggerRecord
from footfall.replay.what_if import text
from footfall.replay.what_if.asked import Stays, content_asked
from footfall.replay.what_if.ledger import ASKED, RECORDED, Ledger, TooManyError
from footfall.replay.what_if.passing import Question
from footfall.replay.what_if.report import Circumstances, document
from footfall.rules.diff_command import is_of_rule
from tests.replay.test_together import live
from tests.replay.test_what_if import OTHERWISE, RULES, Play
from tests.replay.what_ifs import asked, content

USUAL: dict[str, Any] = {
    "trigger_id": "01" * 16, "name": "big_order", "customer_key": "user_id:" + "A" * 22,
    "occurred_at": 1, "emitted_at": 2, "config_version": "3:ab", "data": b'{"total":"7"}',
    "evidence": b'{"conditions":[1],"version":1}', "key_id": None, "personal": b"{}",
    "held_out": False, "depth": 0, "integrations": b""}


def told(**other: Any) -> TriggerRecord:
    record: Any = {**USUAL, **other}
    found: TriggerRecord = record
    return found


@pytest.mark.parametrize(("other", "members"), [
    ({"data": b'{"total":"8"}'}, ("data.total",)),
    ({"data": b'{"more":1,"total":"7"}'}, ("data.more",)),
    ({"data": b"{}"}, ("data.total",)),
    ({"evidence": b'{"conditions":[2],"version":2}'}, ("evidence.conditions",)),
    ({"held_out": True}, ("held_out",)),
    ({"occurred_at": 5, "depth": 1}, ("depth", "occurred_at")),
    ({"personal": b'{"ids":{}}', "integrations": b"{}"}, ("ids", "integrations")),
    ({"data": b"\xff"}, ("data", "data.total")),
])
@pytest.mark.parametrize("first", [RECORDED, ASKED])
@pytest.mark.parametrize("fresh_max", [0, 1])
def test_what_is_told_otherwise_is_named(
        monkeypatch: pytest.MonkeyPatch, fresh_max: int, first: int, other: dict[str, Any],
        members: tuple[str, ...]) -> None:
    """Whichever side comes first, and whether that is kept as it came or as a digest."""
    monkeypatch.setattr("footfall.replay.what_if.ledger.FRESH_MAX", fresh_max)
    ledger = Ledger()
    records = {RECORDED: told(), ASKED: told(**other)}
    for side in (first, 1 - first):
        ledger.take(side, 0, records[side])
    (found,) = ledger.differences()
    assert ("changed", members) == (found.what, found.members)
    assert records[ASKED]["occurred_at"] == found.occurred_at


@pytest.mark.parametrize("other", [
    {}, {"config_version": "4:cd"}, {"emitted_at": 9},
    {"evidence": b'{"conditions":[1],"version":2}'}])
@pytest.mark.parametrize("fresh_max", [0, 1])
def test_versions_and_the_instant_of_emitting_are_no_difference(
        monkeypatch: pytest.MonkeyPatch, fresh_max: int, other: dict[str, Any]) -> None:
    """The version alone does not say that anything else is told; and a repeat is the same one."""
    monkeypatch.setattr("footfall.replay.what_if.ledger.FRESH_MAX", fresh_max)
    ledger = Ledger()
    for side, record in ((RECORDED, told()), (ASKED, told(**other)), (ASKED, told(**other)),
                         (RECORDED, told())):
        ledger.take(side, 0, record)
    assert [] == ledger.differences()
    assert 1 == ledger.both().total()


def test_a_segment_s_version_is_no_difference_but_a_rule_s_data_is() -> None:
    """A segment says its version in its data."""
    for name, expected in (("segment_entered", 0), ("big_order", 1)):
        ledger = Ledger()
        ledger.take(RECORDED, 0, told(name=name, data=b'{"version":1}'))
        ledger.take(ASKED, 0, told(name=name, data=b'{"version":2}'))
        assert expected == len(ledger.differences())


def test_more_triggers_than_are_held_are_refused_with_what_to_do() -> None:
    """The limit is named."""
    ledger = Ledger(triggers_max=2)
    for n in range(2):
        ledger.take(RECORDED, 0, told(trigger_id=f"{n:032x}"))
    ledger.take(ASKED, 0, told(trigger_id=f"{1:032x}"))
    with pytest.raises(TooManyError, match=r"more than 2 triggers .* --since"):
        ledger.take(ASKED, 0, told(trigger_id=f"{3:032x}"))


def test_files_leave_nothing_or_sections_or_names(tmp_path: Path) -> None:
    """The whole configuration; all rules; or only those of the names given."""
    file = tmp_path / "rules.json"
    one = {**RULES["rules"]["definitions"][0], "version": 7}
    file.write_text(json.dumps({"rules": {"definitions": [one]}}))
    in_force = {**RULES, "cart": {"idle_s": 77}}
    names = {}
    for stays in Stays:
        made = msgspec.json.decode(content_asked([file], in_force, stays))
        names[stays] = {rule["name"]: rule["version"] for rule in made["rules"]["definitions"]}
        assert (1800 if stays is Stays.NOTHING else 77) == made["cart"]["idle_s"]
        assert (stays is not Stays.NOTHING) == bool(made["segments"]["definitions"])
    kept = {rule["name"]: 1 for rule in RULES["rules"]["definitions"]}
    assert {Stays.NOTHING: {"big_order": 7}, Stays.SECTIONS: {"big_order": 7},
            Stays.NAMES: {**kept, "big_order": 7}} == names


def test_a_mistake_names_its_file(tmp_path: Path) -> None:
    """Before anything is read of the log."""
    file = tmp_path / "rules.yaml"
    file.write_text("rules:\n  definitions:\n    - {name: Bad, version: 1}\n")
    with pytest.raises(ConfigError, match=r"rules\.yaml:3"):
        content_asked([file], RULES, Stays.NAMES)


def test_the_report_counts_by_rule_and_by_customer_and_people_can_read_it() -> None:
    """In numbers that add up; a customer who is told of for the first time is new."""
    play = Play(2, 60)
    outcome = asked(play.log, Question(play.since, 0, content(OTHERWISE["a lower threshold"])))
    found = document(outcome, Circumstances(play.since, 0, "recorded", "what-if:ab", 3, {}))
    rule = found["rules"]["big_order"]
    assert found["triggers"]["added"] == rule["added"] == len(found["differences"]) - (
        rule["changed"])
    assert rule["recorded"] + rule["added"] == rule["what_if"]
    assert ["evidence.conditions"] == list(rule["changed_members"])
    by_customer = sum(one["added"].get("big_order", 0) for one in found["customers"])
    assert rule["added"] == by_customer
    had = {key for name, key in outcome.both if name == "big_order"}
    new = {one.key for one in outcome.differences if one.what == "added"} - had
    assert len(new) == rule["customers_new"]
    out = io.StringIO()
    text.show(Console(file=out, width=200), found, 3)
    shown = out.getvalue()
    for expected in ("what-if:ab", "big_order", f"{rule['added']} added", "3 of", "note: ",
                     "newest 3 records are left out", "evidence.conditions"):
        assert expected in shown
    assert json.dumps(found)


def test_another_deadline_moves_what_is_told() -> None:
    """Added and removed of one customer, in pairs."""
    play = Play(2, 60)
    outcome = asked(play.log, Question(play.since, 0, content(OTHERWISE["a shorter wait"])))
    found = document(outcome, Circumstances(play.since, 0, "recorded", "what-if:ab", 0, {}))
    rule = found["rules"]["looked_and_left"]
    assert 0 < rule["moved"] <= rule["removed"] <= rule["added"]
    assert rule["moved"] == sum(
        min(one["added"].get("looked_and_left", 0), one["removed"].get("looked_and_left", 0))
        for one in found["customers"])


def test_a_report_without_the_log_s_start_says_so() -> None:
    """From where on state is known, and how many customers that concerns."""
    log = live(3)
    lows = {n: len(entries) // 3 for n, entries in enumerate(log.entries)}
    outcome = asked(log, Question(), lows=lows)
    found = document(outcome, Circumstances(0, 0, "recorded", None, 0, lows, (1,)))
    out = io.StringIO()
    text.show(Console(file=out, width=400), found, 3)
    assert f"1 from offset {lows[1]}" in out.getvalue()
    assert f"up to {found['customers_seen']} customers may have a history" in out.getvalue()
    assert "this code under the recorded configuration" in out.getvalue()


def test_only_rules_have_names_that_no_table_tells() -> None:
    """What `rules diff` compares."""
    assert is_of_rule("big_order")
    assert not is_of_rule("cart_abandoned")
    assert not is_of_rule("segment_entered")


@pytest.mark.parametrize(("arguments", "said"), [
    (["replay", "what-if", "--against", "fold"], "give a FILE"),
    (["replay", "--dry-run", "--against", "fold"], "give a FILE"),
    (["replay", "what-if", "--since", "yesterday"], "--since"),
    (["rules", "diff"], "FILE"),
])
def test_wrong_usage_is_told_before_anything_is_read(arguments: list[str], said: str) -> None:
    """Exit code 2."""
    result = CliRunner().invoke(footfall, arguments, env={})
    assert 2 == result.exit_code
    assert said in result.output
