"""What a test expects of a trigger, and how a trigger that was told differs from it.

Decides when the two fit: the name, the customer by any identifier that the trigger names, `data`
where it is expected (more may be there), the instant at which it occurred. Also which of several
expectations a trigger stands for: as many as can be are met. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from footfall.testing.spans import text_of

TriggerDocument = dict[str, Any]
#: Of a value in a message.
SHOWN_CHARS_MAX = 200


class Customer(NamedTuple):
    """One identifier of a customer: its value as it is kept, and the customer key of it."""

    kind: str
    value: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Expectation(NamedTuple):
    """A trigger that should be told; `at_ms` counts from the start of the test, `held_out` is None
    where it does not matter.
    """

    name: str
    customer: Customer | None = None
    data: Mapping[str, Any] = {}
    at_ms: int | None = None
    held_out: bool | None = False

    def __str__(self) -> str:
        said = [self.name]
        if self.customer is not None:
            said.append(f"of {self.customer}")
        if self.data:
            said.append(f"with data {shown(self.data)}")
        if self.at_ms is not None:
            said.append(f"at {text_of(self.at_ms)}")
        if self.held_out:
            said.append("held out")
        return " ".join(said)


def differences(expected: Expectation, told: TriggerDocument, occurred_ms: int) -> list[str]:
    """How a trigger of that name differs from what is expected; nothing where it fits.
    `occurred_ms` counts from the start of the test.
    """
    found = []
    who = expected.customer
    if who is not None and who.key != told["customer_key"] and (
            told["ids"].get(who.kind) != who.value):
        found.append(f"it is of {named(told)}")
    if expected.held_out not in (None, told["held_out"]):
        found.append("it is held out" if told["held_out"] else "it is not held out")
    if expected.at_ms not in (None, occurred_ms):
        found.append(f"it occurred at {text_of(occurred_ms)}")
    found += _missing(expected.data, told["data"], "data")
    return found


def matched(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """For each expectation the number of the trigger that it is met by, None where by none;
    `fits[expectation][trigger]`. No trigger meets two, and as many as can be are met.
    """
    meets: dict[int, int] = {}  # trigger -> expectation

    def place(expectation: int, tried: set[int]) -> bool:
        for trigger, fit in enumerate(fits[expectation]):
            if fit and trigger not in tried:
                tried.add(trigger)
                if trigger not in meets or place(meets[trigger], tried):
                    meets[trigger] = expectation
                    return True
        return False

    for expectation in range(len(fits)):
        place(expectation, set())
    met = {expectation: trigger for trigger, expectation in meets.items()}
    return [met.get(expectation) for expectation in range(len(fits))]


def named(told: TriggerDocument) -> str:
    """The customer of a trigger, for messages."""
    return ", ".join(f"{kind}:{value}" for kind, value in told["ids"].items()) or "nobody known"


def shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 4] + " ..."


def _missing(expected: Any, found: Any, path: str) -> Iterator[str]:
    """Where `found` has not what is expected of it."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, inner in expected.items():
            if key in found:
                yield from _missing(inner, found[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is absent"
    elif isinstance(expected, list | tuple) and isinstance(found, list) and (
            len(expected) == len(found)):
        for n, (inner, there) in enumerate(zip(expected, found, strict=True)):
            yield from _missing(inner, there, f"{path}[{n}]")
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield f"{path} is {shown(found)}, not {shown(expected)}"
