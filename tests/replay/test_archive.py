"""The log in files comes back byte for byte, whatever happens to the one who writes it."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.admin.history import Entry
from footfall.admin.scan import Span
from footfall.errors import SettingsError
from footfall.replay.archive.catalog import Catalog
from footfall.replay.archive.manifest import (
    ArchiveError,
    Format,
    Lost,
    Part,
    day_of,
    entry_name,
)
from footfall.replay.archive.reading import ArchiveSource
from footfall.replay.archive.running import Manner, Run
from footfall.replay.archive.target import Folder, Remote, Target, target_of
from footfall.replay.archive.verify import verify
from footfall.replay.archive.writer import Limits, Writer
from tests.replay.kept import (
    INSTALLATION,
    LOG,
    START_MS,
    Kept,
    archived,
    drained,
    limits,
    log,
    records,
)

FORMATS: list[Format] = ["parquet", "avro"]


def memory() -> Remote:
    """A new place in fsspec's memory."""
    return Remote(f"memory://{uuid.uuid4().hex}")


@pytest.fixture(params=["folder", "memory"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return memory() if request.param == "memory" else Folder(tmp_path / "archive")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_record_comes_back_as_it_was(target: Target, kind: Format) -> None:
    """Offsets, times, keys and values, of records that are none as well; empty partitions too."""
    kept = Kept(log())
    catalog = archived(target, kept, limits(kind))
    source = ArchiveSource(catalog)

    assert {0: kept.entries[0], 1: kept.entries[1]} == drained(source)
    assert {n: s for n, s in kept.spans().items() if s.end} == source.spans()
    assert [] == verify(catalog).damages


@pytest.mark.parametrize("kind", FORMATS)
def test_large_records_come_back(target: Target, kind: Format) -> None:
    """Each larger than a block of Avro."""
    dice = random.Random(1)
    kept = Kept({0: [Entry(n, START_MS, b"k", dice.randbytes(40_000)) for n in range(20)]})

    assert kept.entries == drained(ArchiveSource(archived(target, kept, limits(kind))))


def test_records_of_a_day_are_in_its_folder(target: Target) -> None:
    """By append time, in UTC."""
    catalog = archived(target, Kept(log()))
    entries = catalog.entries(catalog.parts())
    days = {entry.file.name[:14] for entry in entries if entry.file}

    assert {"day=2026-02-02", "day=2026-02-03"} == days
    for entry in entries:
        assert entry.file is not None
        assert {entry.file.name[4:14]} == {day_of(entry.file.appended_from),
                                           day_of(entry.file.appended_to)}


def test_a_second_run_goes_on_where_the_first_ended(target: Target) -> None:
    """By the manifest alone; what is archived is not written again."""
    whole = log()
    for cut in (0, 50, 50, 51, 200):
        kept = Kept(whole)
        kept.ends = {n: some[min(cut, len(some) - 1)].offset if some else 0
                     for n, some in whole.items()}
        before = set(target.names())
        archived(target, kept)
        assert before <= set(target.names())
    catalog = archived(target, Kept(whole))

    assert {0: whole[0], 1: whole[1]} == drained(ArchiveSource(catalog))


def test_files_are_closed_when_they_are_large(target: Target) -> None:
    """None is much larger than was asked for, and the ranges chain."""
    kept = Kept(log(3_000))
    catalog = archived(target, kept)
    sizes = [entry.file.bytes for entry in catalog.entries(catalog.parts()) if entry.file]

    assert len(sizes) > 4
    assert max(sizes) < 2 * 65_536
    assert {0: kept.entries[0], 1: kept.entries[1]} == drained(ArchiveSource(catalog))


def test_control_records_at_the_end_are_passed(target: Target) -> None:
    """An entry without a file says that there is nothing in a range."""
    kept = Kept(log())
    archived(target, kept)
    kept.ends[0] += 2
    kept.ends[2] = 3
    catalog = archived(target, kept)

    assert kept.spans() == ArchiveSource(catalog).spans()
    assert [] == verify(catalog).damages
    assert {**kept.entries} == drained(ArchiveSource(catalog))


def test_a_local_archive_is_its_owners_alone(tmp_path: Path) -> None:
    """Files 0600, folders 0700."""
    archived(Folder(tmp_path / "a"), Kept(log()))
    places = [tmp_path / "a", *(tmp_path / "a").rglob("*")]

    assert {0o700} == {p.stat().st_mode & 0o777 for p in places if p.is_dir()}
    assert {0o600} == {p.stat().st_mode & 0o777 for p in places if p.is_file()}


def test_reading_can_begin_anywhere(target: Target) -> None:
    """Also where no record is."""
    kept = Kept(log(120))
    source = ArchiveSource(archived(target, kept))
    for at in range(kept.ends[0] + 1):
        source.seek({0: at})
        taken = list(itertools.chain.from_iterable(
            iter(lambda: source.take(0, kept.ends[0] - 3), [])))
        assert [e for e in kept.entries[0] if at <= e.offset < kept.ends[0] - 3] == taken


# -- what does not fit ---------------------------------------------------------------------------


def test_another_log_is_refused(target: Target) -> None:
    """Another topic of that name, another cluster, another number of partitions."""
    catalog = archived(target, Kept(log()))
    for other in ({"topic_id": "t2"}, {"cluster_id": "c2"}, {"partitions": 4}):
        with pytest.raises(ArchiveError, match="two logs"):
            catalog.check(msgspec.structs.replace(LOG, **other))
    assert catalog.check(LOG)


def test_a_log_that_ends_before_the_archive_is_refused(target: Target) -> None:
    """A broker forgot."""
    kept = Kept(log())
    archived(target, kept)
    kept.ends[0] -= 1
    with pytest.raises(ArchiveError, match="a broker forgot"):
        archived(target, kept)


def test_a_log_with_another_newest_record_is_refused(target: Target) -> None:
    """It was rewritten where the archive has it already."""
    kept = Kept(log())
    archived(target, kept)
    kept.entries[1][-1] = kept.entries[1][-1]._replace(timestamp=5)
    with pytest.raises(ArchiveError, match="another record than"):
        archived(target, kept)


def test_a_gap_is_refused_and_named_when_accepted(target: Target) -> None:
    """The manifest says what retention took; reading gives what is after it, and refuses before."""
    whole = log()
    cut = [whole[0][40].offset, whole[0][90].offset]
    kept = Kept(whole)
    kept.ends[0] = cut[0]
    archived(target, kept)
    kept = Kept(whole)
    kept.lows[0] = cut[1]
    with pytest.raises(ArchiveError, match=f"ends at offset {cut[0]}, and the log begins"):
        archived(target, kept)
    catalog = archived(target, kept, accept_gap=True)
    source = ArchiveSource(catalog)
    found = verify(catalog)

    assert [Lost(*cut)] == [e.lost for e in catalog.entries(catalog.parts()) if e.lost]
    assert {0: cut[1] - cut[0]} == found.lost
    assert [] == found.damages
    assert (cut[1], kept.ends[0]) == source.spans()[0]
    assert [e for e in whole[0] if e.offset >= cut[1]] == drained(source)[0]
    source.seek({0: 0})
    with pytest.raises(ArchiveError, match="retention took them first"):
        while source.take(0, kept.ends[0]):
            pass


def test_one_writes_to_an_archive_at_a_time(tmp_path: Path) -> None:
    """A second one is refused in a folder; elsewhere the first stops."""
    first, second = (Folder(tmp_path / "a") for _ in range(2))
    first.take_over()
    with pytest.raises(ArchiveError, match="another `footfall archive run`"):
        second.take_over()
    place = f"memory://{uuid.uuid4().hex}"
    one, other = Remote(place), Remote(place)
    one.take_over()
    one.check()
    other.take_over()
    other.check()
    with pytest.raises(ArchiveError, match="another `footfall archive run` has begun"):
        one.check()


def test_targets_that_cannot_be() -> None:
    """None is named, or fsspec does not know it; a password is not shown."""
    for url in ("", "nowhere://user:secret@host/x"):
        with pytest.raises(SettingsError, match="FOOTFALL_ARCHIVE_TARGET") as raised:
            target_of(url)
        assert "secret" not in str(raised.value)
    assert "memory://x" == Remote("memory://user:secret@x").shown


# -- damage --------------------------------------------------------------------------------------


def _flip(target: Folder, name: str) -> None:
    place = target.path / name
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)


def _cut(target: Folder, name: str) -> None:
    (target.path / name).write_bytes((target.path / name).read_bytes()[:-1])


def _gone(target: Folder, name: str) -> None:
    (target.path / name).unlink()


@pytest.mark.parametrize(("kind", "harm"), [("altered", _flip), ("altered", _cut),
                                            ("missing", _gone)])
@pytest.mark.parametrize("form", FORMATS)
def test_a_damaged_file_is_found_and_named(
        tmp_path: Path, kind: str, harm: Callable[[Folder, str], None], form: Format) -> None:
    """By `verify`, which says what to do; and it is not read for what it was."""
    target = Folder(tmp_path / "a")
    kept = Kept(log(2_000))
    catalog = archived(target, kept, limits(form))
    entries = catalog.entries(catalog.parts())
    files = [entry.file.name for entry in entries if entry.file]
    harm(target, files[1])
    found = verify(catalog)

    assert [(kind, files[1])] == [(d.kind, d.where) for d in found.damages]
    assert "put it back from a copy" in found.damages[0].what
    read: list[Any] = []
    try:
        read = drained(ArchiveSource(catalog))[0]
    except ArchiveError as error:
        assert files[1] in str(error)
    else:  # what was changed is no part of any record
        assert kept.entries[0] == read


@settings(max_examples=150, deadline=None)
@given(data=st.data(), form=st.sampled_from(FORMATS))
def test_no_altered_record_is_ever_given(data: st.DataObject, form: Format) -> None:
    """Whatever byte of a file is another, and wherever it is cut: what comes is what was there."""
    target, kept, name, content = WRITTEN[form]
    at = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    if data.draw(st.booleans()):
        changed[at] ^= data.draw(st.integers(1, 255))
    else:
        del changed[at:]
    target.write(name, bytes(changed))
    source = ArchiveSource(Catalog(target))
    found: list[Entry] = []
    source.seek({0: 0})
    with contextlib.suppress(ArchiveError):
        while some := source.take(0, kept.ends[0]):
            found += some

    assert kept.entries[0][: len(found)] == found


def _written(form: Format) -> tuple[Target, Kept, str, bytes]:
    target = memory()
    kept = Kept({0: records(150)}, slices=150)
    catalog = archived(target, kept, limits(form))
    entry = catalog.entries(catalog.parts())[0]
    assert entry.file is not None
    return target, kept, entry.file.name, target.open(entry.file.name).read()


WRITTEN = {form: _written(form) for form in FORMATS}


def test_a_missing_entry_is_a_gap(tmp_path: Path) -> None:
    """Found by `verify`, refused on reading."""
    target = Folder(tmp_path / "a")
    catalog = archived(target, Kept(log(3_000)))
    entries = [entry for entry in catalog.entries(catalog.parts()) if entry.partition == 0]
    assert len(entries) > 2
    _gone(target, entry_name(entries[1].part))
    found = verify(catalog)

    assert entries[1].file is not None
    assert [("gap", "partition 0"), ("manifest", entries[1].file.name)] == [
        (d.kind, d.where) for d in found.damages]
    assert f"from offset {entries[1].start} to {entries[1].end}" in found.damages[0].what
    with pytest.raises(ArchiveError, match="has a gap"):
        ArchiveSource(catalog)


def test_a_missing_first_entry_is_found(tmp_path: Path) -> None:
    """By its file, which no entry names any more."""
    target = Folder(tmp_path / "a")
    catalog = archived(target, Kept(log(3_000)))
    (first,) = catalog.entries(catalog.parts()[:1])
    _gone(target, entry_name(first.part))

    assert first.file is not None
    assert [("manifest", first.file.name)] == [
        (d.kind, d.where) for d in verify(catalog).damages]


def test_ranges_that_overlap_are_found(tmp_path: Path) -> None:
    """As two writers at once would leave them."""
    target = Folder(tmp_path / "a")
    catalog = archived(target, Kept(log(2_000)))
    entry = catalog.entries(catalog.parts())[0]
    catalog.add(msgspec.structs.replace(entry, end=entry.end + 1))
    assert "overlap" in {d.kind for d in verify(catalog).damages}
    with pytest.raises(ArchiveError, match="has an overlap"):
        ArchiveSource(catalog)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}'])
def test_an_entry_that_cannot_be_read_is_found(tmp_path: Path, content: bytes) -> None:
    """It names itself."""
    target = Folder(tmp_path / "a")
    catalog = archived(target, Kept(log(2_000)))
    name = entry_name(catalog.parts()[0])
    target.write(name, content)

    assert ("manifest", name) in [(d.kind, d.where) for d in verify(catalog).damages]


def test_an_entry_under_another_name_is_found(tmp_path: Path) -> None:
    """And one of a later version is not guessed at."""
    target = Folder(tmp_path / "a")
    catalog = archived(target, Kept(log(2_000)))
    first = catalog.parts()[0]
    content = target.read([entry_name(first)])[entry_name(first)]
    target.write(entry_name(Part(7, 0, 9)), content)
    target.write(entry_name(first), content.replace(b'"version": 1', b'"version": 2'))
    said = [damage.what for damage in verify(catalog).damages]

    assert any("does not say what its name says" in one for one in said)
    assert any("version 2, this Footfall knows 1: upgrade it" in one for one in said)


# -- a writer that is killed ---------------------------------------------------------------------


class Killed(BaseException):
    """What kill -9 is here."""


class Killing(MemoryFileSystem):
    """fsspec's memory, whose process ends at some step of writing: `left` more are done."""

    protocol = "killing"
    cachable = False
    left = 1 << 30

    def _step(self) -> None:
        if Killing.left <= 0:
            raise Killed
        Killing.left -= 1

    def open(self, path: str, mode: str = "rb", **more: Any) -> IO[bytes]:
        opened: IO[bytes] = super().open(path, mode, **more)
        if mode == "rb":
            return opened
        write = opened.write

        def cut(data: Any) -> int:
            if Killing.left <= 0:
                write(bytes(data)[: len(data) // 2])  # a part has come there
            self._step()
            return write(data)

        opened.write = cut  # type: ignore[method-assign, assignment]
        self._step()
        return opened

    def mv(self, path1: str, path2: str, **more: Any) -> None:
        self._step()
        super().mv(path1, path2, **more)
        self._step()

    def rm_file(self, path: str) -> None:
        self._step()
        super().rm_file(path)


@pytest.fixture(scope="module", autouse=True)
def _known() -> None:
    import fsspec

    fsspec.register_implementation("killing", Killing, clobber=True)


@settings(max_examples=60, deadline=None)
@given(kills=st.lists(st.integers(0, 60), max_size=6), seed=st.integers(0, 3),
       kind=st.sampled_from(FORMATS))
def test_a_killed_writer_leaves_nothing_that_counts(kills: list[int], seed: int, kind: Format
                                                    ) -> None:
    """At any step of writing: what the manifest names is whole and right at any time, and the next
    run comes to the whole log, none missing, none twice.
    """
    place = f"killing://{uuid.uuid4().hex}"
    kept = Kept(log(400, seed))
    for left in kills:
        Killing.left = left
        with contextlib.suppress(Killed):
            archived(Remote(place), kept, limits(kind))
        Killing.left = 1 << 30
        _sound(Catalog(Remote(place)), kept)
    catalog = archived(Remote(place), kept, limits(kind))

    _sound(catalog, kept)
    assert {0: kept.entries[0], 1: kept.entries[1]} == drained(ArchiveSource(catalog))
    named = {e.file.name for e in catalog.entries(catalog.parts()) if e.file}
    assert named == {name for name in catalog.target.names() if name.startswith("day=")}


def _sound(catalog: Catalog, kept: Kept) -> None:
    assert [] == verify(catalog).damages
    for number, found in drained(ArchiveSource(catalog)).items():
        assert kept.entries[number][: len(found)] == found


def test_leftovers_of_a_folder_are_cleaned(tmp_path: Path) -> None:
    """Files begun, and files that no entry names yet."""
    target = Folder(tmp_path / "a")
    kept = Kept(log())
    kept.ends[0] = 100
    archived(target, kept)
    target.write("day=2026-02-03/00000-00000000000000000100.parquet", b"of a killed writer")
    (tmp_path / "a/_staging/begun").write_bytes(b"half a file")
    catalog = archived(target, Kept(log()))

    assert [] == verify(catalog).damages
    assert ["lock"] == [place.name for place in (tmp_path / "a/_staging").iterdir()]
    assert Kept(log()).entries[0] == drained(ArchiveSource(catalog))[0]


def test_limits_come_from_the_settings() -> None:
    """As they are documented."""
    from footfall.settings import Settings

    assert Limits("parquet", 134_217_728, 3600) == Limits.of(Settings())


# -- a run that goes on --------------------------------------------------------------------------


def going_on(kept: Kept, spoil: Callable[[], None], same_log: Callable[[], object] = lambda: None
             ) -> Catalog:
    """A run until stopped, which sees the log spoilt at its second look and is stopped after it."""
    stopping = threading.Event()
    catalog = Catalog(memory())
    catalog.target.take_over()
    catalog.begin(LOG)
    looked = 0

    class Looked(Kept):
        def spans(self) -> dict[int, Span]:
            nonlocal looked
            looked += 1
            if looked == 2:
                spoil()
                stopping.set()
            return kept.spans()

    source = Looked(kept.entries)
    writer = Writer(catalog, INSTALLATION.codecs.interaction.decode, limits(), dict(kept.lows))
    run = Run(source, writer, {}, stopping, Manner(same_log=same_log, poll_s=0.01))
    run.begin(kept.spans())
    run.forever()
    return catalog


def test_what_comes_is_archived_until_it_is_stopped() -> None:
    """And what is open then is closed."""
    kept = Kept(log())
    kept.ends[0] = 50
    found = going_on(kept, lambda: kept.ends.update({0: 80}))

    assert [entry for entry in kept.entries[0] if entry.offset < 50] == drained(
        ArchiveSource(found))[0]


def test_a_log_that_becomes_another_stops_the_run() -> None:
    """It ends before what was read of it, retention was faster, or its id is another."""
    kept = Kept(log())
    with pytest.raises(ArchiveError, match="a broker forgot"):
        going_on(kept, lambda: kept.ends.update({0: 20}))
    late = Kept(log())
    late.ends[1] = late.entries[1][5].offset
    with pytest.raises(ArchiveError, match="retention has taken what is between"):
        going_on(late, lambda: vars(late).update(ends={**late.ends, 1: 150},
                                                 lows={**late.lows, 1: 140}))

    def another() -> None:
        raise ArchiveError("another log")

    with pytest.raises(ArchiveError, match="another log"):
        going_on(Kept(log()), lambda: None, another)
