"""`footfall routes`: what people and programs see of a file, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from footfall.cli import footfall

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/routes.yaml"
WRONG = """\
destinations:
  crm: {channel: webhook, purpose: necessary, url: https://crm.example/h, secret_env: CRM_SECRET}
  spare: {channel: kafka, purpose: x, topic: t}
routes:
  - triggers: cart_abandonned
    to: [crm, nobody]
"""


def run(*arguments: str | Path, environment: dict[str, str] | None = None) -> Result:
    """One command, without the variables of this shell."""
    return CliRunner(env=environment).invoke(footfall, ["routes", *map(str, arguments)])


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A file with one of each level."""
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    return file


def test_check_shows_all_in_the_order_of_the_file(wrong: Path) -> None:
    """File, line, level, key, message, code; at the end how many; exit code 1."""
    result = run("check", wrong)

    assert 1 == result.exit_code
    assert [f"{wrong}:2: hint: [destinations.crm] secret_env[0]: the variable CRM_SECRET is not "
            "set here; delivery does not start without it [variable_unset]",
            f"{wrong}:3: warning: [destinations.spare]: no route leads here; name it in `to` of "
            "one, or take it out [destination_unused]",
            f"{wrong}:5: warning: [routes[0]] triggers[0] 'cart_abandonned' is no trigger of a "
            "table; if a rule fires it, all is well (--config FILE says which rules there are); is "
            "'cart_abandoned' meant? [trigger_unknown]",
            f"{wrong}:6: error: [routes[0]] to[1] 'nobody' is none of the destinations: crm, spare "
            "[destination_unknown]",
            "1 error, 2 warnings, 1 hint"] == result.output.splitlines()


def test_check_gives_one_document_to_programs(wrong: Path) -> None:
    """The same findings, with their parts."""
    document = json.loads(run("check", wrong, "--json").output)

    assert {"errors": 1, "warnings": 2, "hints": 1} == {
        key: value for key, value in document.items() if key != "findings"}
    assert {"level": "error", "code": "destination_unknown", "file": str(wrong), "line": 6,
            "key": "routes.0.to.1", "message": document["findings"][-1]["message"]} == \
        document["findings"][-1]


def test_warnings_count_where_it_is_strict(tmp_path: Path) -> None:
    """Without --strict they do not fail a build."""
    file = tmp_path / "r.yaml"
    file.write_text(WRONG.replace("[crm, nobody]", "crm"))

    assert (0, 1) == (run("check", file).exit_code, run("check", file, "--strict").exit_code)


def test_a_variable_that_is_set_is_no_finding() -> None:
    """The example with its three secrets, and without a warning."""
    secrets = {"CRM_SECRET": "x", "SMTP_PASSWORD": "x", "RISK_DESK_URL": "x"}
    result = run("check", EXAMPLE, "--strict", environment=secrets)

    assert (0, "0 errors, 0 warnings, 0 hints\n") == (result.exit_code, result.output)


def test_names_of_rules_are_triggers(tmp_path: Path) -> None:
    """A hint without their files; with them nothing for a rule's name, a warning for another."""
    file = tmp_path / "r.yaml"
    file.write_text("destinations:\n  a: {channel: kafka, purpose: x, topic: t}\n"
                    "routes:\n  - {triggers: [big_spender, no_such_rule], to: a}\n")
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  definitions:\n    - {name: big_spender, version: 1, "
                     "on: {call: track, event: Order Completed}}\n")

    assert ["hint", "hint"] == [one["level"] for one in json.loads(
        run("check", file, "--json").output)["findings"]]
    (only,) = json.loads(run("check", file, "--json", "--config", rules).output)["findings"]
    assert ("warning", "routes.0.triggers.1") == (only["level"], only["key"])


@pytest.mark.parametrize(("text", "line"), [
    ("destinations: [", 1), ("a: 1\nb: 2", 1), ("", 0), ("\n\na: !!set {}\n", 3)])
def test_what_is_no_routes_file_is_one_finding(tmp_path: Path, text: str, line: int) -> None:
    """With its line where it has one, and the file named once."""
    file = tmp_path / "r.yaml"
    file.write_text(text)
    result = run("check", file)

    assert 1 == result.exit_code
    place = f"{file}:{line}" if line else str(file)
    assert result.output.startswith(f"{place}: error: ")
    assert 1 == result.output.count(str(file))


def test_a_file_that_is_not_there_is_one_finding(tmp_path: Path) -> None:
    """Named once."""
    result = run("check", tmp_path / "gone.yaml")

    assert f"{tmp_path}/gone.yaml: error: there is no such file; give the path of a file of " \
        "routes [refused]" == result.output.splitlines()[0]


def test_the_file_is_that_of_the_settings(tmp_path: Path) -> None:
    """Where none is given; with neither it is said how to give one."""
    for command in ("check", "list"):
        by_settings = run(command, environment={"FOOTFALL_ROUTES": str(EXAMPLE)})
        assert run(command, EXAMPLE).output == by_settings.output
        result = run(command, "--data-dir", tmp_path)
        assert "give FILE, or set FOOTFALL_ROUTES" in str(result.exception)


def test_list_shows_what_goes_where() -> None:
    """A line for each route and each destination; of a secret address the variable alone."""
    result = run("list", EXAMPLE)
    lines = [" ".join(line.split()) for line in result.output.splitlines()]

    assert 0 == result.exit_code
    assert "* - crm" in lines
    assert "risk_level_changed level = elevated or high risk_desk" in lines
    assert "crm webhook necessary https://crm.shop.example/hooks/footfall -" in lines
    assert ("cart_mail email marketing smtp.shop.example:587 1 a day (drop), 3 a month (drop), "
            "quiet 21:00 to 08:00 customer (hold), expires after 86400 s") in lines
    assert "risk_desk notify necessary $RISK_DESK_URL 1 a second" in lines


def test_list_gives_one_document_to_programs() -> None:
    """Routes and destinations, and the version that deliveries name."""
    document = json.loads(run("list", EXAMPLE, "--json").output)

    assert {"triggers": ["risk_level_changed"], "where": {"level": ["elevated", "high"]},
            "to": ["risk_desk"]} in document["routes"]
    assert {"name": "live_board", "channel": "redis", "medium": "redis", "purpose": "necessary",
            "goes_to": "board at our Redis", "allows": "-"} in document["destinations"]
    assert 12 == len(document["version"])


def test_list_refuses_what_delivery_would_refuse(wrong: Path) -> None:
    """It shows what is in force, or nothing."""
    result = run("list", wrong)

    assert 1 == result.exit_code
    assert f"{wrong}:6: " in str(result.exception)
