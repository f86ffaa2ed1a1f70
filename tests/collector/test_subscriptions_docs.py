"""docs/subscriptions.md has every parameter, event, reason, code and limit."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from footfall.collector import history
from footfall.collector.asked import LIMIT_MAX
from footfall.collector.subscriptions import ENDS, LAST_S_MAX, PARAMETERS, STALL_S_MAX, STARTS
from footfall.collector.tickets import TICKET_S
from footfall.sdk.subscription import subscribe
from footfall.settings import Settings
from footfall.subscriptions import (
    behind,
    cursor,
    filters,
    frames,
    hub,
    repeats,
    subscriber,
    turns,
)
from footfall.subscriptions.gaps import REASONS
from footfall.subscriptions.items import SKIPPED
from footfall.view.trigger import trigger
from tests.events.records import a_trigger
from tests.test_docs import names, page, rows, section

ROOT = Path(__file__).parents[2]
DOCS = page("subscriptions.md")


def test_every_code_has_its_line() -> None:
    """Of those that the routes raise themselves, and those of what they call."""
    code = "".join((ROOT / f"src/footfall/collector/{name}.py").read_text()
                   for name in ("asked", "history", "subscriptions"))
    raised = set(re.findall(r'RequestError\((\d+), "([a-z_]+)"', code))
    said = {(status, name) for status, cell in re.findall(
        r"^\| (\d+)[^|]*\| ([^|]+) \|", DOCS, re.MULTILINE) for name in names(cell)}
    called = {("401", "api_key_unknown"), ("404", "customer_unknown"), ("503", "view_unavailable")}
    assert raised | called == said


def test_parameters_events_and_reasons_are_documented() -> None:
    stream, past = section(DOCS, "The stream"), section(DOCS, "History")
    said = {name for row in rows(stream) for name in names(row[0])}
    assert {*PARAMETERS, "data.PATH"} <= said
    assert {frames.TRIGGER, frames.GAP, frames.OPENED, *REASONS} <= said
    assert {*history.PARAMETERS, "data.PATH"} == {
        name for row in rows(past) if len(row) == 2 for name in names(row[0])}
    assert all(f"`{start}`" in stream for start in STARTS)
    assert set() == {member for member in trigger(a_trigger()) if f"`{member}`" not in stream}


def test_options_and_codes_of_python_are_documented() -> None:
    """With their defaults, as far as they are numbers."""
    said = {names(row[0])[0]: row[1] for row in rows(section(DOCS, "From Python"))}
    parameters = inspect.signature(subscribe).parameters
    assert said.keys() == parameters.keys() - {"api_key", "host"}
    for name in ("checkpoint_s", "timeout_s"):
        assert f"{parameters[name].default:g}" == said[name]
    code = "".join((ROOT / f"src/footfall/sdk/{name}.py").read_text()
                   for name in ("subscription", "checkpoint"))
    codes = set(re.findall(r'SubscriptionError\(\s*"([a-z_]+)"', code))
    assert set() == {one for one in codes if f"`{one}`" not in section(DOCS, "From Python")}


def test_labels_are_documented() -> None:
    said = {names(row[0])[0]: set(names(row[3])) for row in rows(page("metrics.md"))}
    assert set(ENDS) == said["footfall_subscription_ends_total"]
    assert set(SKIPPED) <= said["footfall_subscription_skipped_total"]
    assert {frames.TRIGGER, frames.GAP} == said["footfall_subscription_events_total"]


def test_limits_are_those_of_the_code() -> None:
    for said in (
        f"at most {filters.NAMES_MAX};", f"at most {filters.FIELDS_MAX} values",
        f"every {hub.HEARTBEAT_S:g} s", f"the last {repeats.depth(1):,} records of its partition",
        f"({repeats.REMEMBERED_MAX:,} of all", f"of 12 each the last {repeats.depth(12)})",
        f"at most {behind.TURN_RECORDS_MAX} records, four at a time",
        f"At most {subscriber.QUEUE_EVENTS_MAX:,} events or {subscriber.QUEUE_BYTES_MAX >> 10} KiB",
        f"reads nothing for {STALL_S_MAX:g} s", f"after {frames.RETRY_MS // 1000} s",
        f"cuts within {LAST_S_MAX:g} s", f"longer than {cursor.CURSOR_CHARS_MAX:,} characters",
        f"({Settings().subscribers_max}) streams", f"({Settings().subscribers_of_key_max}) streams",
        f"opens streams for {TICKET_S} s", f"older than {TICKET_S} s",
        f"more than {cursor.PARTITIONS_MAX:,} partitions",
        f"1 to {LIMIT_MAX};",
    ):
        assert said in DOCS, said
    assert 4 == turns.TURNS_MAX
    assert (hub.SUBSCRIBERS_MAX, hub.OF_KEY_MAX) == (Settings().subscribers_max,
                                                     Settings().subscribers_of_key_max)
