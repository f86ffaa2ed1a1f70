"""Scenario files: what they may say, with file and line of what is wrong, and what one comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from footfall.admin.config_document import read_documents
from footfall.errors import ConfigError
from footfall.testing.scenario import read
from footfall.testing.verdict import Report, run

ADDED = ("{type: track, userId: anna, event: Product Added, "
         "properties: {product_id: p1, price: 9.90, quantity: 1, currency: EUR}}")
FILE = f"""\
cart:
  idle_s: 600
tests:
  - name: left
    steps:
      - send: {ADDED}
      - wait: 11m
    expect:
      - trigger: cart_abandoned
        customer: user_id:anna
        at: 10m
"""


def written(folder: Path, text: str, name: str = "a.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def reports(folder: Path, text: str, *beside: Path) -> list[Report]:
    file = read(written(folder, text), beside)
    return [run(file, n) for n in range(len(file.scenarios))]


def only(folder: Path, expect: str, steps: str = "") -> Report:
    """The report of one scenario: a cart that is left, and more steps."""
    return reports(folder, f"""\
cart: {{idle_s: 600}}
tests:
  - name: left
    steps:
      - send: {ADDED}
      - wait: 11m
{steps}    expect: {expect}
""")[0]


def test_a_scenario_that_passes(tmp_path: Path) -> None:
    assert [Report("left", 4)] == reports(tmp_path, FILE)
    assert Report("left", 4).passed


@pytest.mark.parametrize("expect", [
    "[]",
    "[{trigger: cart_abandoned}]",
    "[{trigger: cart_abandoned, data: {value: {EUR: '9.9'}}}, {trigger: cart_recovered, times: 0}]",
    "[{trigger: cart_abandoned, customer: 'user_id:anna'}, {trigger: session_started}]",
])
def test_builtin_triggers_count_where_they_are_named(tmp_path: Path, expect: str) -> None:
    assert only(tmp_path, expect).passed


def test_what_is_missing_and_what_is_too_much(tmp_path: Path) -> None:
    """A trigger that nearly fits is both."""
    report = only(tmp_path, "\n      - {trigger: cart_abandoned, customer: 'user_id:bert'}"
                            "\n      - {trigger: session_started, times: 2}"
                            "\n      - {trigger: engagement_level_changed, times: 0}")
    assert not report.passed
    assert [(8, "cart_abandoned of user_id:bert", ("it is of user_id:anna",)),
            (9, "session_started", ())] == [tuple(one) for one in report.missing]
    assert ["+10m500ms cart_abandoned", "+0s engagement_level_changed"] == sorted(
        " ".join(one.split()[:2]) for one in report.unexpected)[::-1]


def test_expectations_are_met_by_the_triggers_that_fit_best(tmp_path: Path) -> None:
    """One that fits many does not take what another needs."""
    assert only(tmp_path, "[{trigger: session_started}, "
                          "{trigger: session_started, customer: 'user_id:anna'}]",
                "      - send: {type: page, userId: bert, name: Home}\n").passed
    assert not only(tmp_path, "[{trigger: session_started}]",
                    "      - send: {type: page, userId: bert, name: Home}\n").passed


def test_triggers_of_the_files_rules_count_unasked(tmp_path: Path) -> None:
    """`rules` names them; the rest of the file need not."""
    file = read(written(tmp_path, FILE))._replace(rules=frozenset({"session_started"}))
    report = run(file, 0)
    assert ((), 1) == (report.missing, len(report.unexpected))


def test_configuration_changes_on_the_way_and_keeps_the_rest(tmp_path: Path) -> None:
    report = only(tmp_path, "[{trigger: cart_abandoned, times: 2}]",
                  "      - configure: {clock: {grace_s: 0}}\n"
                  f"      - send: {ADDED}\n"
                  "      - wait: 10m1ms\n")
    assert report.passed, report


def test_a_step_that_cannot_be_taken_fails_its_scenario_alone(tmp_path: Path) -> None:
    text = FILE + """\
  - name: refused
    steps:
      - wait: 1s
      - send: {type: track, event: x}
    expect: []
  - name: configured wrongly
    steps:
      - configure:
          cart:
            idle_s: -1
    expect: []
"""
    left, refused, wrong = reports(tmp_path, text)
    assert left.passed
    assert ("line 15: identifier_missing: userId and anonymousId are absent; send one", False) == (
        refused.error, refused.passed)
    assert "line 21: [cart] idle_s = -1: Expected `float` >= 0.001" == wrong.error


def test_a_file_beside_holds_where_the_file_says_nothing(tmp_path: Path) -> None:
    beside = written(tmp_path, "[cart]\nidle_s = 5\n[clock]\ngrace_s = 30\n", "b.toml")
    (report,) = reports(tmp_path, FILE.replace("wait: 11m", "wait: 10m30s1ms"), beside)
    assert report.passed
    (report,) = reports(tmp_path, FILE.replace("wait: 11m", "wait: 10m30s"), beside)
    assert not report.passed


def test_configuration_is_read_without_the_tests(tmp_path: Path) -> None:
    """`footfall config apply` takes the same file."""
    assert {"cart": {"idle_s": 600}} == read_documents([written(tmp_path, FILE)])


@pytest.mark.parametrize(("change", "said"), [
    (("tests:", "test:"), "a.yaml: has no section 'tests'"),
    (("at: 10m", "at: ten"), "a.yaml:11: [tests] [0].expect[0].at: 'ten' is no length of time"),
    (("wait: 11m", "wait: 11m\n        send: {}"),
     "a.yaml:7: [tests] [0].steps[1]: a step says one of send, wait, deliver, "
     "configure; this one says 2"),
    (("wait: 11m", "pause: 11m"), "a.yaml:7: [tests] [0].steps[1] Object contains unknown field "
                                  "`pause`; known keys: send, wait, deliver, configure"),
    (("user_id:anna", "anna"), "a.yaml:10: [tests] [0].expect[0].customer: expected KIND:VALUE"),
    (("trigger: cart_abandoned", "trigger: cart_abandond"),
     "a.yaml:9: [tests] [0].expect[0].trigger: no table and no rule here tells 'cart_abandond'"),
    (("    expect:", "    start: monday\n    expect:"),
     "a.yaml:8: [tests] [0].start: 'monday' is no instant"),
    (("    expect:", "    segments: {'user_id:anna': [vip]}\n    expect:"),
     "a.yaml:8: [tests] [0].segments: there is no segment 'vip' here; known: none"),
    (("    expect:", "    segments: {anna: []}\n    expect:"),
     "a.yaml:8: [tests] [0].segments: expected KIND:VALUE"),
    (("idle_s: 600", "idle_s: soon"), "a.yaml:2: [cart] idle_s = 'soon'"),
    (("        at: 10m\n", "  - {name: left, steps: [], expect: []}\n"),
     "a.yaml:11: [tests] [1].name: 'left' is there twice"),
    (("        at: 10m\n", "        times: -1\n"), "a.yaml:11: [tests] [0].expect[0].times = -1"),
])
def test_errors_name_file_line_and_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in FILE
    with pytest.raises(ConfigError) as found:
        read(written(tmp_path, FILE.replace(*change)))
    assert str(found.value).removeprefix(f"{tmp_path}/").startswith(said), found.value


def test_files_without_lines_are_read_too(tmp_path: Path) -> None:
    file = written(tmp_path, '{"tests": [{"name": "a", "steps": [{"send": {"type": "track"}}], '
                             '"expect": []}]}', "a.json")
    report = run(read(file), 0)
    assert (0, True) == (report.line, report.error.startswith("field_missing"))
