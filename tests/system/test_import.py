"""The history of a real shop from its own file: imported, killed, gone on with, imported again.

Of CDNOW's 69,659 purchases 255 are exact duplicates of others, and all happened decades before
anybody could be told.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from footfall.admin import config
from footfall.events.interaction import IMPORT
from footfall.events.topics import INTERACTIONS, REJECTED, TRIGGERS
from footfall.replay.imports.journal import SUFFIX
from footfall.tables.stored import HEADER
from footfall.up.ports import free_port
from tests.system.test_cdnow import in_changelog
from tests.system.test_log import metric
from tests.system.topics import State, Tail, read_all, until
from tests.system.workers import KILLED, SYSTEM_SECRET, Worker, Workers
from tests.tables import cdnow
from tests.tables.logs import CODECS, KEYS
from tests.test_docs import page, section

pytestmark = pytest.mark.kafka

DAY = 86_400_000
#: 1997-01-01T00:00:00Z
START = 852_076_800_000
REJECTS = "footfall-import-rejected.jsonl"
#: Slow enough that it can be killed in the middle, quick enough for a test.
RATE = "10000"
IMPORT_S_MAX = 240.0
APPLIED_S_MAX = 240.0
#: Of those who would have been told every so manyth purchase.
EVERY = 20
#: A worker that stands still in a crowd of tests is not what is tested here.
SESSION_S = 30


def mapping(folder: Path) -> str:
    """The file that docs/import.md shows."""
    (found,) = re.findall(r"```yaml\n(.*?)```", section(page("import.md"), "Mapping"), re.DOTALL)
    (folder / "cdnow.yaml").write_text(found)
    return "cdnow.yaml"


def importing(workers: Workers, folder: Path, *more: str, file: Path = cdnow.PATH,
              **settings: str) -> Worker:
    """The command of docs/import.md, on the file itself."""
    return workers.start(program=("-m", "footfall", "import"), arguments=[
        str(file), "--mapping", mapping(folder), "--yes", "--json", *more], **settings)


def report(done: Worker) -> dict[str, Any]:
    """What it says at the end."""
    found: dict[str, Any] = json.loads(done.output()[done.output().index('{\n  "job"'):])
    return found


def applied(bootstrap: str, worker: Worker, state: State) -> None:
    """Wait until the worker has applied all of the log."""
    ends = Tail(bootstrap, INTERACTIONS).ends()
    worker.until(lambda: all(state.offsets().get(p, 0) >= end for p, end in ends.items()),
                 APPLIED_S_MAX, "applied")


def contents(state: State) -> dict[bytes, bytes]:
    """All records less their watermarks, which a repeat moves on."""
    return {key: value[HEADER.size:] for store in state.records.values()
            for key, value in store.items()}


def test_every_purchase_once_through_a_kill_and_a_second_run(
        footfall_topics: str, workers: Workers, tmp_path: Path) -> None:
    """Killed in the middle and gone on with: counts, money, first and last of all customers are
    those of pandas. The whole file again changes no byte. Nobody is told of 1997.
    """
    expected = cdnow.expected(cdnow.read(), START, DAY)
    port = free_port()
    worker = workers.start(metrics_port=port, session_timeout_s=SESSION_S)
    worker.until_ready()
    killed = importing(workers, tmp_path, "--rate", RATE)
    position = tmp_path / (REJECTS + SUFFIX)
    until(lambda: position.exists() and _rows(position) > cdnow.ROWS // 4, IMPORT_S_MAX, "begun")
    killed.kill()
    assert KILLED == killed.exit_code
    gone_on = importing(workers, tmp_path)
    assert 0 == gone_on.wait(IMPORT_S_MAX), gone_on.output()
    said = report(gone_on)
    assert cdnow.ROWS == said["done_by_an_earlier_run"] + said["imported"] == said["rows"]
    assert cdnow.ROWS // 4 < said["done_by_an_earlier_run"] < cdnow.ROWS
    assert ({}, None, True) == (said["rejected"], said["reject_file"], said["complete"])
    assert ("1997-01-01T00:00:00.000Z" <= said["first"] < said["last"]
            == "1998-06-30T00:00:00.000Z")
    assert not position.exists()

    state = State(footfall_topics)
    applied(footfall_topics, worker, state)
    assert expected == in_changelog(state, expected)
    once = contents(state)

    again = importing(workers, tmp_path)
    assert 0 == again.wait(IMPORT_S_MAX), again.output()
    assert cdnow.ROWS == report(again)["imported"]
    applied(footfall_topics, worker, state)
    assert once == contents(state)
    log = read_all(footfall_topics, INTERACTIONS)
    rows = [entry for entry in log
            if CODECS.interaction.decode(entry.value)["type"] == IMPORT]
    assert len(rows) >= 2 * cdnow.ROWS
    assert len(rows) - cdnow.ROWS == metric(port, 'footfall_duplicates_total{kind="import"}')
    assert 0 == worker.stop()
    assert ([], []) == (read_all(footfall_topics, TRIGGERS), read_all(footfall_topics, REJECTED))


def test_a_history_can_tell_what_it_would_have_told(
        footfall_topics: str, workers: Workers, tmp_path: Path) -> None:
    """`--triggers-since`: each first order since then, at its own time, told once."""
    since = START + 45 * DAY
    some = tmp_path / "some.txt"
    some.write_bytes(b"".join([line for n, line in enumerate(
        cdnow.PATH.read_bytes().splitlines(keepends=True)) if n % EVERY == 0]))
    frame = cdnow.read().iloc[EVERY - 1::EVERY]
    days = frame.groupby("customer_id")["day"].min()
    expected = {KEYS.of("user_id", name).decode(): START + int(day) * DAY
                for name, day in days.items() if START + day * DAY >= since}
    assert 500 < len(expected) < len(days)
    done = importing(workers, tmp_path, "--triggers-since", "1997-02-15T00:00:00Z", file=some)
    assert 0 == done.wait(IMPORT_S_MAX), done.output()
    said = report(done)
    told = [CODECS.trigger.decode(entry.value) for entry in read_all(footfall_topics, TRIGGERS)]
    first = [one for one in told if one["name"] == "order_completed_first"]
    assert expected == {one["customer_key"]: one["occurred_at"] for one in first}
    assert len(first) == len(expected)
    assert (len(frame), len(told)) == (said["imported"], said["triggers"]["told"])
    assert len(told) == len({one["trigger_id"] for one in told})
    assert all(one["occurred_at"] >= since for one in told)


@pytest.mark.parametrize(("name", "said"), [
    ("system_secret", "system_secret is not that of the workers"),
    ("customer_key_secret", "customer_key_secret is not that of the workers")])
def test_the_secrets_of_another_installation_are_refused(
        footfall_topics: str, workers: Workers, tmp_path: Path, name: str, said: str) -> None:
    """Before a row is appended: it could never be taken back."""
    config.apply(footfall_topics, SYSTEM_SECRET.encode(), {"cart": {"idle_s": 60}})
    worker = workers.start()
    worker.until_ready()
    state = State(footfall_topics)
    applied(footfall_topics, worker, state)
    assert 0 == worker.stop()
    before = set(read_all(footfall_topics, INTERACTIONS))
    refused = importing(workers, tmp_path, **{name: "the secret of somebody else"})
    assert 1 == refused.wait(IMPORT_S_MAX)
    assert said in refused.output()
    assert before == set(read_all(footfall_topics, INTERACTIONS))


def _rows(position: Path) -> int:
    return sum(place["rows"] for place in json.loads(position.read_bytes())["files"].values())
