"""Plays a scenario and says what it came to: what was missing, and what was too much.

Decides which triggers count: those of the file's rules, and those of any other name that the
scenario expects. `play` takes anything that can be sent to, so that the same scenario is played in
memory and on Kafka; `judged` compares, wherever the triggers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from footfall.errors import ConfigError, FootfallError
from footfall.testing.delivered import Delivered
from footfall.testing.expectation import Customer, Expectation, TriggerDocument, matched
from footfall.testing.harness import Harness, ItemRejected
from footfall.testing.scenario import Expected, Scenario, ScenarioFile
from footfall.testing.spans import ms_of

#: How a trigger of the right name differs from what is expected.
Differences = Callable[[Expectation, TriggerDocument], Sequence[str]]


class Player(Protocol):
    """What a scenario is played on."""

    def send(self, item: Mapping[str, Any], /) -> object:
        """An item arrives."""

    def advance(self, span: str, /) -> object:
        """Time passes."""

    def deliver(self, said: Delivered, /) -> object:
        """Something becomes of a delivery; raises `LookupError`."""

    def configure(self, document: Mapping[str, Any], /, *, keep: bool) -> object:
        """A configuration comes into force."""


class Missing(NamedTuple):
    """What did not come: the line that expects it, and what came in its place."""

    line: int
    expected: str
    because: tuple[str, ...]


class Report(NamedTuple):
    """What a scenario came to. `error`: a step that could not be taken; then nothing is compared.
    `segments`: where they differ.
    """

    name: str
    line: int
    missing: tuple[Missing, ...] = ()
    unexpected: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not (self.missing or self.unexpected or self.segments or self.error)


class StepError(FootfallError):
    """A step that cannot be taken; `path` leads to it from the scenario."""

    def __init__(self, message: str, path: Sequence[str | int]) -> None:
        super().__init__(message)
        self.path = tuple(path)


def run(file: ScenarioFile, number: int) -> Report:
    """One scenario of a file, in memory."""
    scenario = file.scenarios[number]
    line = file.line(number)
    harness = Harness(file.configuration, start=scenario.start)
    try:
        play(scenario, harness)
    except StepError as error:
        place = file.line(number, *error.path)
        return Report(scenario.name, line, error=f"line {place}: {error}" if place else str(error))
    missing, unexpected = judged(file, number, harness.triggers, harness.identifier,
                                 harness.differences)
    return Report(scenario.name, line, missing, tuple(harness.line(one) for one in unexpected),
                  tuple(_segments(scenario, harness)))


def play(scenario: Scenario, on: Player) -> None:
    """Take all steps, in order; raises `StepError`."""
    for n, step in enumerate(scenario.steps):
        try:
            if step.send is not None:
                on.send({"messageId": f"step-{n}", **step.send})
            elif step.wait is not None:
                on.advance(step.wait)
            elif step.deliver is not None:
                on.deliver(step.deliver)
            elif step.configure is not None:
                on.configure(step.configure, keep=True)
        except (ItemRejected, LookupError) as error:
            raise StepError(str(error), ("steps", n)) from None
        except ConfigError as error:
            raise StepError(str(error), ("steps", n, "configure", *error.path)) from None


def judged(file: ScenarioFile, number: int, told: Sequence[TriggerDocument],
           identifier: Callable[[str], Customer], differences: Differences
           ) -> tuple[tuple[Missing, ...], tuple[TriggerDocument, ...]]:
    """What is missing of a scenario's expectations, and what was told too much."""
    wanted = [(m, _expectation(one, identifier))
              for m, one in enumerate(file.scenarios[number].expect) for _ in range(one.times)]
    counted = file.rules | {one.trigger for one in file.scenarios[number].expect}
    told = [one for one in told if one["name"] in counted]
    fits = [[one["name"] == expected.name and not differences(expected, one) for one in told]
            for _m, expected in wanted]
    met = matched(fits)
    left = [one for n, one in enumerate(told) if n not in met]
    missing = tuple(
        Missing(file.line(number, "expect", m), str(expected), tuple(
            "; ".join(differences(expected, one)) for one in left if one["name"] == expected.name))
        for (m, expected), trigger in zip(wanted, met, strict=True) if trigger is None)
    return missing, tuple(left)


def _expectation(said: Expected, identifier: Callable[[str], Customer]) -> Expectation:
    return Expectation(
        said.trigger, None if said.customer is None else identifier(said.customer), said.data,
        None if said.at is None else ms_of(said.at), said.held_out)


def _segments(scenario: Scenario, harness: Harness) -> list[str]:
    """Where a customer is in other segments than expected."""
    found = []
    for customer, wanted in scenario.segments.items():
        inside = harness.segments(customer)
        if inside != sorted(wanted):
            found.append(f"{customer} is in {', '.join(inside) or 'no segment'}, not in "
                         f"{', '.join(sorted(wanted)) or 'none'}")
    return found
