"""Scenarios: tests as data, the section `tests:` of a rules file.

    tests:
      - name: a cart that is left is told once
        steps:
          - send: {type: track, userId: anna, event: Product Added, properties: {product_id: p1}}
          - wait: 31m
        expect:
          - {trigger: cart_abandoned, customer: "user_id:anna", at: 30m}

Decides what a scenario may say and how a file of them is read: an error names file, line and key.
What a scenario comes to is decided by `verdict.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from footfall import tables
from footfall.admin.config import content_of
from footfall.admin.config_document import (
    TESTS,
    YAML_SUFFIXES,
    joined,
    located,
    read_document,
    read_documents,
)
from footfall.admin.config_yaml import line_of, lines_of
from footfall.errors import ConfigError, MisfitError
from footfall.tables.config import section
from footfall.tables.rules_row import Name, instant_ms
from footfall.testing.delivered import Delivered
from footfall.testing.harness import START
from footfall.testing.spans import ms_of
from footfall.view.identifiers import IdentifierError, parse

SCENARIOS_MAX = 1_000
STEPS_MAX = 10_000
EXPECTED_MAX = 1_000
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Place = tuple[str | int, ...]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of: an item, as an SDK sends it; a time that passes; what became of a delivery; a change
    of the configuration, which leaves all else as it is in force.
    """

    send: dict[str, Any] | None = None
    wait: str | None = None
    deliver: Delivered | None = None
    configure: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        said = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(said) != 1:
            raise MisfitError("a step says one of send, wait, deliver, configure; this one says "
                              f"{len(said)} of them")
        if self.wait is not None:
            _check_span(self.wait, "wait")


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trigger, `times` times: of this customer, with these data and perhaps more, occurred so
    long after the start.
    """

    trigger: Name
    customer: str | None = None
    data: dict[str, Any] = {}
    at: str | None = None
    held_out: bool = False
    times: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 1

    def __post_init__(self) -> None:
        if self.customer is not None:
            _check_customer(self.customer, "customer")
        if self.at is not None:
            _check_span(self.at, "at")


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One test. `expect` is exact: of the triggers that the file's rules tell, and of any other
    that it names, nothing more may come. `segments`: of a customer all that it is in at the end.
    """

    name: Text
    steps: tuple[Step, ...]
    expect: tuple[Expected, ...]
    segments: dict[str, tuple[Name, ...]] = {}
    start: str = START
    description: Annotated[str, msgspec.Meta(max_length=500)] = ""

    def __post_init__(self) -> None:
        instant_ms(self.start, "start")
        for key, limit in (("steps", STEPS_MAX), ("expect", EXPECTED_MAX)):
            if len(getattr(self, key)) > limit:
                raise MisfitError(f"has {len(getattr(self, key))} members; at most {limit}", key)
        for customer in self.segments:
            _check_customer(customer, "segments")


class ScenarioFile(NamedTuple):
    """A file that was read: its scenarios, the configuration that they run under, and the names of
    the triggers that its rules tell.
    """

    path: Path
    scenarios: tuple[Scenario, ...]
    configuration: Mapping[str, Any]
    rules: frozenset[str]
    lines: Mapping[Place, int]

    def line(self, *path: str | int) -> int:
        """The line of something under `tests`; 0 where the format of the file has none."""
        return line_of(self.lines, (TESTS, *path)) if self.lines else 0


def read(path: Path, beside: Sequence[Path] = ()) -> ScenarioFile:
    """The scenarios of a file, under its own configuration and that of the files `beside`, which it
    goes before. Raises `ConfigError`.
    """
    document = read_document(path)
    if TESTS not in document:
        raise ConfigError(f"{path}: has no section {TESTS!r}")
    try:
        scenarios: tuple[Scenario, ...] = section(
            TESTS, tuple[Scenario, ...], document.pop(TESTS))
        _check_names(scenarios)
        configuration = joined(read_documents(beside), document)
        content_of(configuration)
        rules = _names(configuration, "rules")  # a rule's name is that of its trigger
        _check_triggers(scenarios, rules)
        _check_segments(scenarios, _names(configuration, "segments"))
    except ConfigError as error:
        raise located(error, [*beside, path]) from None
    lines = lines_of(path.read_text(encoding="utf-8")) if path.suffix in YAML_SUFFIXES else {}
    return ScenarioFile(path, scenarios, configuration, rules, lines)


def _names(configuration: Mapping[str, Any], kind: str) -> frozenset[str]:
    """Of all that a section defines."""
    definitions = configuration.get(kind, {}).get("definitions", ())
    return frozenset(str(said["name"]) for said in definitions)


def _check_names(scenarios: Sequence[Scenario]) -> None:
    if len(scenarios) > SCENARIOS_MAX:
        raise ConfigError(f"[{TESTS}] has {len(scenarios)} scenarios; at most {SCENARIOS_MAX}",
                          (TESTS,))
    seen: set[str] = set()
    for n, scenario in enumerate(scenarios):
        if scenario.name in seen:
            raise ConfigError(f"[{TESTS}] [{n}].name: {scenario.name!r} is there twice",
                              (TESTS, n, "name"))
        seen.add(scenario.name)


def _check_triggers(scenarios: Sequence[Scenario], rules: frozenset[str]) -> None:
    """Refuses the name of a trigger that nothing tells: `times: 0` of it would always hold."""
    known = rules | {name for table in tables.ALL for name in table.triggers}
    for n, scenario in enumerate(scenarios):
        for m, expected in enumerate(scenario.expect):
            if expected.trigger not in known:
                raise ConfigError(
                    f"[{TESTS}] [{n}].expect[{m}].trigger: no table and no rule here tells "
                    f"{expected.trigger!r}; known: {', '.join(sorted(known))}",
                    (TESTS, n, "expect", m, "trigger"))


def _check_segments(scenarios: Sequence[Scenario], known: frozenset[str]) -> None:
    for n, scenario in enumerate(scenarios):
        for customer, names in scenario.segments.items():
            for m, name in enumerate(names):
                if name not in known:
                    raise ConfigError(
                        f"[{TESTS}] [{n}].segments: there is no segment {name!r} here; known: "
                        f"{', '.join(sorted(known)) or 'none'}",
                        (TESTS, n, "segments", customer, m))


def _check_span(text: str, key: str) -> None:
    try:
        ms_of(text)
    except ValueError as error:
        raise MisfitError(str(error), key) from None


def _check_customer(text: str, *path: str) -> None:
    try:
        parse(text)
    except IdentifierError as error:
        raise MisfitError(str(error), *path) from None
