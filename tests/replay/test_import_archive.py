"""An archive of another installation, imported: every interaction as it was, each once."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from footfall import tables
from footfall.admin.history import Entry
from footfall.errors import BrokerError, DecodeError, FootfallError, SettingsError
from footfall.events import times
from footfall.events.admit import CALLS
from footfall.events.codec import Codecs
from footfall.events.interaction import DELIVERY, HANDOFF, IMPORT, Interaction
from footfall.events.reserved_row import DeliveryPayload, ImportPayload
from footfall.replay.archive.manifest import FOLDER, ArchiveError, Format, Identity
from footfall.replay.imports import archives, files, importing, installed, reading, run
from footfall.replay.imports.past import PASSED, row_of
from footfall.replay.imports.rows import FileFault
from footfall.replay.selected import Selection
from footfall.testing.log import Installation, Log
from tests.replay import kept
from tests.replay.past_logs import (
    admission,
    archive,
    differing,
    facts,
    facts_from,
    groups_of,
    happened,
    imported,
    into,
)
from tests.replay.test_import_command import called, folder, planned
from tests.replay.test_import_run import Log as Taking
from tests.replay.test_import_run import go
from tests.replay.test_import_run import rejected as rejects_of
from tests.replay.test_together import INSTALLATION, START_MS, live
from tests.tables import events
from tests.tables.logs import CODECS

__all__ = ["folder"]
KEY = INSTALLATION.keys.of("user_id", "u1")
OPENED = DeliveryPayload("opened", "crm", "email", "email", "marketing", "cart_abandoned", "t1")
LATER = START_MS + 365 * 86_400_000
both = pytest.mark.parametrize("kind", ["parquet", "avro"])


def encoded(event: Interaction) -> bytes:
    return INSTALLATION.codecs.interaction.encode(event)


def one(at: int = START_MS, message_id: str = "m1", **more: Any) -> Interaction:
    """An interaction of somebody."""
    event = events.added(at, message_id, "p1", cart_id="c1")
    event["personal"] = json.dumps({"userId": "u1"}).encode()
    event |= {"source": "shop", "channel": "web", "received_at": at + 7, **more}  # type: ignore[typeddict-item]
    return event


def delivered(outcome: Any = "opened", at: int = START_MS) -> Interaction:
    return INSTALLATION.reserved.delivery(
        KEY, DeliveryPayload(outcome, *tuple(getattr(OPENED, name) for name in (
            "destination", "channel", "medium", "purpose", "trigger", "trigger_id"))), at)


def log_of(*records: tuple[bytes | None, Interaction | bytes | None]) -> dict[int, list[Entry]]:
    """One partition, a record a second."""
    return {0: [Entry(n, START_MS + n * 1000, key,
                      value if value is None or isinstance(value, bytes) else encoded(value))
                for n, (key, value) in enumerate(records)]}


# -- what a record becomes ---------------------------------------------------------------------


@both
@pytest.mark.parametrize("place", ["folder", "url"])
def test_every_accepted_interaction_comes_as_it_was(tmp_path: Path, kind: Format, place: str
                                                     ) -> None:
    """Of all that tables see nothing is changed, in the order of each partition; of what is no
    interaction nothing comes, and what no worker takes is rejected with its reason.
    """
    log = {0: kept.records(400, seed=3), 1: []}
    name = str(tmp_path / "a") if place == "folder" else f"memory://{uuid.uuid4().hex}"
    archive(name, log, kind)
    records, passed, rejected = imported(name, kept.INSTALLATION)
    reserved, codec = kept.INSTALLATION.reserved, kept.INSTALLATION.codecs.interaction

    expected, kinds, refused = [], [], []
    for number, entries in log.items():
        for entry in entries:
            try:
                event = codec.decode(entry.value)
            except DecodeError as error:
                refused.append((error.reason, f"partition {number}, offset {entry.offset}"))
                continue
            if event["type"] in PASSED:
                kinds.append(event["type"])
                continue
            if event["type"] == IMPORT:
                event = reserved.read_import(event, entry.key or b"")[1]
            at = min(event["event_time"], entry.timestamp)
            expected.append((entry.key, {**event, "event_time": at, "received_at": 0}))
    found = []
    for one_of in records:
        payload, event = reserved.read_import(codec.decode(one_of.value), one_of.key)
        assert (one_of.row, "run", one_of.at) == (payload.row, payload.run, event["event_time"])
        found.append((one_of.key, {**event, "received_at": 0}))
    for customer in {key for key, _event in expected}:
        assert ([event for key, event in expected if key == customer]
                == [event for key, event in found if key == customer])
    assert (len(expected), sorted(kinds), sorted(refused)) == (
        len(found), sorted(passed), sorted(rejected))
    assert len(expected) > 300 and kinds and refused


@pytest.mark.parametrize(("event", "reason"), [
    (one(), ""),
    ({**one(), "type": "$handoff"}, None),
    ({**one(), "type": "violation"}, None),
    ({**one(), "type": "$new"}, "reserved_unknown"),
    ({**one(), "type": "click"}, "type_unknown"),
    (INSTALLATION.reserved.imported(KEY, one(), ImportPayload("r", bytes(16)), 0), ""),
    ({**INSTALLATION.reserved.imported(KEY, one(), ImportPayload("r", bytes(16)), 0),
      "personal": b"{}"}, "reserved_forged"),
    (delivered(), ""),
    (Installation.of(b"a secret of others entirely", b"another of others entirely"
                     ).reserved.delivery(KEY, OPENED, 0), "reserved_forged"),
    (b"\0nonsense", "avro_no_magic"), (None, "value_null"),
])
def test_what_a_record_is(tmp_path: Path, event: Any, reason: str | None) -> None:
    """An interaction (""), none (None), or one that no worker takes, and why."""
    archive(tmp_path / "a", log_of((KEY, event)))
    records, passed, rejected = imported(tmp_path / "a", INSTALLATION)
    assert (int(reason == ""), int(reason is None)) == (len(records), len(passed))
    if reason:
        ((found, place),) = rejected
        assert "partition 0, offset 0" == place
        assert reason == found or (reason, found) == ("avro_no_magic", "schema_unknown")


@pytest.mark.parametrize("key", [None, b"no customer key", b"\xff"])
def test_a_record_that_is_nobodys_is_rejected(tmp_path: Path, key: bytes | None) -> None:
    """As the worker rejected it."""
    archive(tmp_path / "a", log_of((key, one())))
    assert ([], [], [("key_invalid", "partition 0, offset 0")]) == imported(
        tmp_path / "a", INSTALLATION)


def test_a_time_ahead_is_the_time_at_which_it_was_appended(tmp_path: Path) -> None:
    """As the worker there saw it: the new log's clock is a later one."""
    archive(tmp_path / "a", log_of((KEY, one(START_MS + 500_000)), (KEY, one(START_MS, "m2")),
                                   (KEY, delivered(at=START_MS + 500_000))))
    records, _passed, _rejected = imported(tmp_path / "a", INSTALLATION)
    assert [START_MS, START_MS, START_MS + 2000] == [ready.at for ready in records]


def test_an_encrypted_item_stays_encrypted(tmp_path: Path) -> None:
    """`key_id` and bytes go along, whatever they say."""
    event = one(key_id="k1", personal=b"\x80\xff\0")
    archive(tmp_path / "a", log_of((KEY, event)))
    ((key, value, _at, _row),) = imported(tmp_path / "a", INSTALLATION)[0]
    seen = INSTALLATION.reserved.read_import(INSTALLATION.codecs.interaction.decode(value), key)[1]
    assert ("k1", b"\x80\xff\0") == (seen["key_id"], seen["personal"])


def test_what_is_selected(tmp_path: Path) -> None:
    """By time, source and type, as of a step."""
    archive(tmp_path / "a", log_of(
        (KEY, one()), (KEY, one(START_MS, "m2", source="app")), (KEY, delivered())))
    for chosen, expected in ((Selection(sources=frozenset({"app"})), ["m2"]),
                             (Selection(since=START_MS + 1), []),
                             (Selection(types=frozenset({"track"})), ["m1", "m2"])):
        records = imported(tmp_path / "a", INSTALLATION, selection=chosen)[0]
        assert expected == [INSTALLATION.codecs.interaction.decode(ready.value)["message_id"]
                            for ready in records]


def test_the_rest_of_an_archive_is_chosen_by_when_it_was_appended(folder: Path) -> None:
    """Also what happened long before: a phone was off. Files that end before are not opened."""
    here = Installation.of(b"a secret for tests only", b"another secret for tests")
    key, day = here.keys.of("user_id", "u1"), 86_400_000
    log = {0: [Entry(n, START_MS + n * day, key, here.codecs.interaction.encode(
        one(START_MS - day, f"m{n}"))) for n in range(4)]}
    archive(folder / "a", log)
    since = START_MS + 2 * day
    records = imported(folder / "a", here, appended_since=since)[0]
    assert ["m2", "m3"] == [here.codecs.interaction.decode(ready.value)["message_id"]
                            for ready in records]
    at = "2026-02-04T02:40:00Z"
    assert since == times.read(at)
    plan = planned("a", "--appended-since", at)
    assert (2, "2", "2026-02-04T02:40:00.000Z") == (
        plan["files"], plan["rows"], plan["appended since"])
    (folder / "b.jsonl").write_text("{}")
    for name, since_then, said in (("a", "2027-01-01T00:00:00Z", "has nothing that was appended"),
                                   ("b.jsonl", at, "only records of an archive")):
        code, told = called(name, "--plan", "--appended-since", since_then)
        assert 1 == code and said in told


# -- what comes of it --------------------------------------------------------------------------


def _accepted(entries: Sequence[Any]) -> list[Any]:
    """Calls that came live, each as it came first: what is another one under its messageId never
    counted.
    """
    found: dict[Any, Any] = {}
    for entry in entries:
        event = INSTALLATION.codecs.interaction.decode(entry.value)
        if event["type"] in CALLS:
            found.setdefault((entry.key, event["message_id"]), entry)
    return list(found.values())


@pytest.mark.parametrize("seed", range(6))
def test_the_facts_of_every_table_are_those_of_the_old_log(tmp_path: Path, seed: int) -> None:
    """Three partitions become five or one, while what comes goes on to the new log: repeats,
    people who become known, rows of files, deliveries. Of all whom any event connects, all facts
    together are the same bytes; so they are of each who shares no identifier. A second import
    changes nothing.
    """
    old = live(seed)
    dice = random.Random(seed)
    for n in range(40):
        user = f"u{dice.randrange(5)}"
        key = INSTALLATION.keys.of("user_id", user)
        payload = DeliveryPayload(dice.choice(["opened", "clicked", "bounced"]), "crm", "email",
                                  "email", "marketing", "cart_abandoned", f"t{n % 30}")
        old.append(key, INSTALLATION.reserved.delivery(key, payload, old.now), old.now + 5)
    old.run()
    archive(tmp_path / "a", dict(enumerate(old.entries)))
    records, passed, rejected = imported(tmp_path / "a", INSTALLATION)
    assert {HANDOFF} <= set(passed)
    assert [] == rejected

    new = Log(tables.ALL, dice.choice([1, 5]), INSTALLATION, LATER, hop_ms=2)
    again = [entry for entries in old.entries for entry in _accepted(entries)[-20:]]
    for entry in again:  # sent to the new collector once more
        new.append_bytes(entry.key, entry.value, LATER)
    into(new, records, LATER + 5)
    events = happened(INSTALLATION, [entry for entries in old.entries for entry in entries])
    groups = groups_of(INSTALLATION, events)
    assert [] == differing(facts_from(events, groups), facts(new, groups))
    assert [] == differing(facts(old, groups), facts(new, groups))
    alone = {key for key in groups if sum(top == groups[key] for top in groups.values()) == 1}
    assert [] == [at for at in differing(facts(old), facts(new)) if at[0] in alone]

    before = facts(new)
    into(new, records, LATER + 10)
    for entry in again:
        new.append_bytes(entry.key, entry.value, LATER + 20)
    new.run()
    assert before == facts(new)


@pytest.mark.parametrize("order", ["live first", "import first", "import twice"])
def test_a_message_counts_once_wherever_it_came(tmp_path: Path, order: str) -> None:
    """Sent again to the new installation, before its import or after; the content that the old
    worker took is the one that counts.
    """
    archive(tmp_path / "a", log_of((KEY, one()), (KEY, one()), (KEY, one(event="another"))))
    records = imported(tmp_path / "a", INSTALLATION)[0]
    assert 3 == len(records) and 1 == len({ready.row for ready in records})
    assert "another" != INSTALLATION.codecs.interaction.decode(records[0].value)["event"]
    new = Log(tables.ALL, 1, INSTALLATION, LATER)
    if order == "live first":
        new.append(KEY, one(), LATER)
    into(new, records, LATER + 1)
    if order == "import twice":
        into(new, records, LATER + 1)
    if order == "import first":
        new.append(KEY, one(), LATER + 2)
    new.run()
    alone = Log(tables.ALL, 1, INSTALLATION, LATER)
    alone.append(KEY, one(), LATER)
    alone.run()
    assert facts(alone) == facts(new)


def test_a_delivery_is_seen_as_it_was(tmp_path: Path) -> None:
    """Its outcome, its depth and its messageId, by which it is known when it comes live; and its
    envelope says nothing: who changes it changes nothing.
    """
    archive(tmp_path / "a", log_of((KEY, delivered())))
    ((key, value, _at, row),) = imported(tmp_path / "a", INSTALLATION)[0]
    record = INSTALLATION.codecs.interaction.decode(value)
    seen = INSTALLATION.reserved.read_import(record, key)[1]
    assert INSTALLATION.reserved.read_delivery(delivered(), KEY) == seen
    assert row_of(KEY, seen["message_id"]) == row
    changed: Any = {**record, "event": "delivery_clicked", "message_id": "x", "channel": "sms"}
    assert seen == INSTALLATION.reserved.read_import(changed, key)[1]
    assert DELIVERY == seen["type"]


# -- the archive as files ----------------------------------------------------------------------


@both
def test_files_come_in_the_order_in_which_they_were_appended(tmp_path: Path, kind: Format) -> None:
    """Over all partitions by time, within each by offset; each is known by its checksum."""
    log = kept.log(3000, seed=2)
    archive(tmp_path / "a", log, kind)
    found = files.found([str(tmp_path / "a")])
    parts = [one_of.part for one_of in found if one_of.part is not None]
    assert len(found) == len(parts) > 3
    assert sorted(part.file.appended_from for part in parts) == [
        part.file.appended_from for part in parts]
    for number in log:
        offsets = [part.file.first_offset for part in parts if part.partition == number]
        assert sorted(offsets) == offsets
    assert [part.file.sha256 for part in parts] == [one_of.identity() for one_of in found]
    assert {"archive"} == {files.format_of(one_of) for one_of in found}
    assert [5] == [part.lacks for part in parts if part.lacks]  # partition 1 begins at offset 5


def test_what_an_archive_lacks_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    """A file that is gone, an entry that is gone, and an archive without any file."""
    archive(tmp_path / "a", kept.log(3000))
    names = sorted(path for path in (tmp_path / "a").glob("day=*/*"))
    content = names[1].read_bytes()
    names[1].unlink()
    with pytest.raises(ArchiveError, match="is missing, which the manifest names"):
        files.found([str(tmp_path / "a")])
    names[1].write_bytes(content)
    entries = sorted((tmp_path / "a" / FOLDER).glob("00000-*"))
    content = entries[0].read_bytes()
    entries[1].unlink()
    with pytest.raises(ArchiveError, match="has a gap from offset"):
        files.found([str(tmp_path / "a")])
    for path in (tmp_path / "a" / FOLDER).glob("0*"):
        path.unlink()
    with pytest.raises(ArchiveError, match="no file of the archive is complete yet"):
        files.found([str(tmp_path / "a")])


@both
def test_a_file_that_was_changed_ends_where_it_is(tmp_path: Path, kind: Format) -> None:
    """Cut, altered, or with another number of records than the manifest says."""
    archive(tmp_path / "a", kept.log(300), kind)
    (first, *_rest) = files.found([str(tmp_path / "a")])
    assert first.part is not None
    path = tmp_path / "a" / first.part.file.name
    content = path.read_bytes()
    for spoilt in (content[:len(content) // 2], content[:200] + b"\0\1\2" + content[203:]):
        path.write_bytes(spoilt)
        with pytest.raises(FileFault, match="file_damaged"):
            list(reading.read(first, "archive", None))
    path.write_bytes(content)
    fewer = first.part._replace(file=_less(first.part.file))
    with pytest.raises(FileFault, match="the manifest says"):
        list(reading.read(first._replace(part=fewer), "archive", None))
    path.unlink()
    with pytest.raises(FileFault, match="file_unreadable"):
        list(reading.read(first, "archive", None))


def _less(file: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(file, records=file.records - 1)


def test_what_is_no_archive_is_none(tmp_path: Path) -> None:
    """A folder, a file, a URL, a pattern; and a file of an archive is told to be one."""
    (tmp_path / "b").write_text("{}")
    for name in (str(tmp_path), str(tmp_path / "b"), "memory://nobody", "memory://a/*.gz",
                 "nosuch://x", f"file://{tmp_path}"):
        assert archives.parts_of(name) is None
    archive(tmp_path / "a", kept.log(30))
    assert archives.parts_of(f"file://{tmp_path / 'a'}")
    for pattern in ("a/day=*/*.parquet", "a/_manifest/0*.json"):
        with pytest.raises(FootfallError, match="is a file of an archive of Footfall; name the"):
            files.found([str(tmp_path / pattern)])


# -- the command -------------------------------------------------------------------------------


def test_a_plan_of_an_archive(folder: Path) -> None:
    """Records are counted exactly, what is no interaction is told by type, and no value is shown;
    what its records say themselves may not be said again.
    """
    here = Installation.of(b"a secret for tests only", b"another secret for tests")
    key = here.keys.of("user_id", "canary")
    event = one(personal=b'{"userId":"canary","properties":{"total":9}}')
    entries = [Entry(0, START_MS, key, here.codecs.interaction.encode(event)),
               Entry(1, START_MS, b"$tick", here.codecs.interaction.encode(here.reserved.tick(0))),
               Entry(2, START_MS, key, b"?")]
    archive(folder / "a", {0: entries})
    plan = planned("a")
    assert ("3", {"archive": 1}, 0, {"$tick": 1}, 3) == (
        plan["rows"], plan["formats"], plan["offsets that the archive lacks"],
        plan["no interactions of the sample"], plan["sample"])
    assert ["avro_no_magic"] == list(plan["rejected of the sample"])
    assert {"type": "track", "event": "", "timestamp": START_MS, "userId": "(text)",
            "properties": {"total": "(number)"}} == json.loads(plan["items"][0])
    assert "canary" not in json.dumps(plan)
    assert 'canary' in json.dumps(planned("a", "--show-sample"))
    for arguments, said in ((("--source", "web"), "--source: the records of an archive"),
                            (("--mapping", "orders.yaml"), "--mapping: the records"),
                            (("--format", "parquet"), "--format: the records"),
                            (("--source", ""), "1 to 100 characters")):
        code, told = called("a", "--plan", *arguments)
        assert 0 != code and said in told


def test_an_archive_under_another_secret_or_registry_is_refused(folder: Path) -> None:
    """Before a row is written: every customer would be a stranger, every record unreadable."""
    archive(folder / "a", log_of((KEY, one())))
    code, said = called("a", "--plan")
    assert 1 == code and "customer_key_secret is not that under which the archive" in said
    other = Entry(0, START_MS, KEY, b"\0\0\0\0\x63" + encoded(one())[5:])
    archive(folder / "b", {0: [other]})
    code, said = called("b", "--plan")
    assert 1 == code and "--archive-registry URL" in said


def test_the_ids_of_another_registry(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive whose log had no registry, imported where there is one."""
    asked: list[str] = []

    def codecs_for(url: str) -> Codecs:
        asked.append(url)
        return INSTALLATION.codecs

    monkeypatch.setattr(importing, "codecs_for", codecs_for)
    here = Installation.of(b"a secret for tests only", b"another secret for tests")
    archive(folder / "a", {0: [Entry(0, START_MS, here.keys.of("user_id", "u1"),
                                     encoded(one()))]})
    assert 0 == called("a", "--plan", "--archive-registry", "none")[0]
    assert ["", ""] == asked
    assert 0 == called("a", "--plan", "--archive-registry", "http://registry:8081")[0]
    assert "http://registry:8081" == asked[-1]


@pytest.mark.parametrize(("log", "is_refused"), [
    (kept.LOG, True),
    (Identity(topic="footfall.interactions", topic_id="t1", cluster_id="c1", partitions=9), True),
    (Identity(topic="footfall.interactions", topic_id="t2", cluster_id="c1", partitions=9), False),
    (Identity(topic="footfall.interactions", topic_id="", cluster_id="", partitions=9), False),
])
def test_an_archive_is_not_imported_into_its_own_log(
        log: Identity, is_refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known by the topic's id, also after it was enlarged."""
    monkeypatch.setattr(installed, "identity_of", lambda _bootstrap: log)
    if is_refused:
        with pytest.raises(FootfallError, match="of the very log"):
            installed.refuse_own({kept.LOG}, "")
    else:
        installed.refuse_own({kept.LOG}, "")


def test_secrets_are_looked_at_no_longer_than_need_be() -> None:
    """One who is under an own key is enough; without anybody who is named nothing is said."""
    making = admission(INSTALLATION)
    making.past.check()
    with pytest.raises(SettingsError):
        making.past._look(KEY, {**one(), "personal": b'{"userId":"u2"}'})
        making.past.check()
    making.past._look(KEY, one())
    making.past.check()


# -- a run -------------------------------------------------------------------------------------


@pytest.mark.parametrize("takes", [60, 100, 250, 1000])
def test_a_run_goes_on_in_the_middle_of_an_archive(
        tmp_path: Path, takes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the log had taken: in the end each record is there under its one id, in the order
    of its key, and each reject is told once.
    """
    monkeypatch.setattr(run, "JOURNAL_S", -1.0)
    archive(tmp_path / "a", {0: kept.records(600, seed=4), 1: []}, decode=CODECS.interaction.decode)
    whole = Taking()
    done = go(tmp_path, whole, "a", chunk_rows=20)
    expected = rejects_of(tmp_path)
    (tmp_path / "rejects").unlink()
    assert sum(tally.rows for tally in done.tallies.values()) == 600 == sum(
        tally.imported + tally.rejected + tally.passed_over for tally in done.tallies.values())
    assert done.passed_over["$tick"] > 20

    first, second = Taking(takes, late=1), Taking()
    if takes < len(whole.records):
        with pytest.raises(BrokerError):
            go(tmp_path, first, "a", chunk_rows=20)
    go(tmp_path, second, "a", chunk_rows=30)
    rows = [ready.row for ready in first.records + second.records]
    assert list(dict.fromkeys(rows)) == [ready.row for ready in whole.records]
    assert len(second.records) < len(whole.records) or takes >= len(whole.records)
    assert expected == rejects_of(tmp_path)
