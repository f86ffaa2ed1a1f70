"""Where an archive is kept: a folder of this machine, or any place that fsspec reaches.

Decides how a file comes to be there whole or not at all: it is written beside the archive, closed,
and renamed. A folder's files are their owner's alone (0600 in 0700), and are on the disk before
they have their names. Must never show a password that a URL holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

from footfall.errors import SettingsError
from footfall.replay.archive.manifest import FOLDER, ArchiveError

#: Files that are being written. Readers of a folder of Parquet pass over names that begin so.
STAGING: Final = "_staging"
_LOCK: Final = f"{STAGING}/lock"
_WRITER: Final = f"{FOLDER}/writer"
_SECRETS = re.compile(r"(?<=//)[^/@]*@")
_CHUNK_BYTES: Final = 1 << 20


class Target(Protocol):
    """A place with files. Names are relative to it, with slashes."""

    #: For messages.
    shown: str

    def names(self, folder: str = "") -> list[str]:
        """All files below a folder, but those being written."""
        ...

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The bytes of small files; those that are not there are left out."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """A file for reading, at any place; raises FileNotFoundError."""
        ...

    def begin(self) -> IO[bytes]:
        """A file to write into, which is nobody's yet."""
        ...

    def commit(self, written: IO[bytes], name: str) -> None:
        """What was written gets a name, whole; closes it."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """A small file, whole."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away, where it is there."""
        ...

    def take_over(self) -> None:
        """Be the one who writes here: leftovers of others are cleaned; raises `ArchiveError`."""
        ...

    def check(self) -> None:
        """Raises `ArchiveError` where another has begun to write here."""
        ...

    def give_up(self) -> None:
        """Be the one no longer; another may at once."""
        ...


def target_of(url: str) -> Target:
    """The target that a setting names; raises `SettingsError`."""
    if not url:
        raise SettingsError("FOOTFALL_ARCHIVE_TARGET is not set: name a folder, or a URL that "
                            "fsspec knows (s3://bucket/folder), for the archive")
    if "://" not in url:
        return Folder(Path(url))
    if url.startswith("file://"):
        return Folder(Path(url.removeprefix("file://")))
    return Remote(url)


class Folder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path)
        self._lock: int | None = None

    def names(self, folder: str = "") -> list[str]:
        """All files below a folder, but those being written."""
        found = []
        for place, folders, files in os.walk(self.path / folder):
            with contextlib.suppress(ValueError):
                folders.remove(STAGING)
            at = Path(place).relative_to(self.path)
            found += [(at / file).as_posix() for file in files]
        return sorted(found)

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The bytes of small files; those that are not there are left out."""
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                found[name] = (self.path / name).read_bytes()
        return found

    def open(self, name: str) -> IO[bytes]:
        """A file for reading, at any place; raises FileNotFoundError."""
        return (self.path / name).open("rb")

    def begin(self) -> IO[bytes]:
        """A file to write into, which is nobody's yet."""
        return open(self._made(STAGING) / secrets.token_hex(8), "x+b", opener=_private)

    def commit(self, written: IO[bytes], name: str) -> None:
        """What was written gets a name, whole; closes it."""
        written.flush()
        os.fsync(written.fileno())
        written.close()
        place = self._made(name.rpartition("/")[0]) / name.rpartition("/")[2]
        Path(written.name).replace(place)
        _sync(place.parent)

    def write(self, name: str, content: bytes) -> None:
        """A small file, whole."""
        written = self.begin()
        written.write(content)
        self.commit(written, name)

    def remove(self, name: str) -> None:
        """Take a file away, where it is there."""
        (self.path / name).unlink(missing_ok=True)

    def take_over(self) -> None:
        """Be the one who writes here; raises `ArchiveError` where another runs."""
        self._made(STAGING)
        self._lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.give_up()
            raise ArchiveError(f"{self.shown}: another `footfall archive run` writes here; "
                               "stop it first") from None
        for left in (self.path / STAGING).iterdir():
            if left.name != Path(_LOCK).name:
                left.unlink()

    def check(self) -> None:
        """Nobody else can have begun: the lock is held."""

    def give_up(self) -> None:
        """Be the one no longer; another may at once."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _made(self, folder: str) -> Path:
        place = self.path / folder
        if not place.exists():
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.mkdir(mode=0o700, exist_ok=True)
            place.mkdir(mode=0o700, exist_ok=True)
            _sync(place.parent)
        return place


class Remote:
    """A place that fsspec reaches: object stores, other machines, memory."""

    def __init__(self, url: str) -> None:
        fsspec = module("fsspec")
        self.shown = _SECRETS.sub("", url)
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError, OSError) as error:
            raise SettingsError(f"FOOTFALL_ARCHIVE_TARGET {self.shown}: {error}") from None
        self._root = self._root.rstrip("/")
        self._me = secrets.token_hex(16).encode()

    def names(self, folder: str = "") -> list[str]:
        """All files below a folder, but those being written."""
        place = self._at(folder)
        self._files.invalidate_cache()
        try:
            found = self._files.find(place)
        except FileNotFoundError:
            return []
        cut = len(self._root) + 1
        names = sorted(name[cut:] for name in found)
        return [name for name in names if not name.startswith(f"{STAGING}/")]

    def read(self, names: Iterable[str]) -> dict[str, bytes]:
        """The bytes of small files; those that are not there are left out."""
        wanted = {self._at(name): name for name in names}
        if not wanted:
            return {}
        found = self._files.cat(list(wanted), on_error="return")
        contents: dict[str, bytes] = {}
        for place, content in found.items():
            if isinstance(content, FileNotFoundError):
                continue
            if isinstance(content, BaseException):
                raise ArchiveError(f"{self.shown}: {wanted[place]} cannot be read: {content}")
            contents[wanted[place]] = content
        return contents

    def open(self, name: str) -> IO[bytes]:
        """A file for reading, at any place; raises FileNotFoundError."""
        return cast(IO[bytes], self._files.open(self._at(name), "rb"))

    def begin(self) -> IO[bytes]:
        """A file to write into, which is nobody's yet: it has no name on this machine either."""
        return tempfile.TemporaryFile()

    def commit(self, written: IO[bytes], name: str) -> None:
        """What was written gets a name, whole; closes it."""
        staged = self._at(f"{STAGING}/{secrets.token_hex(8)}")
        written.seek(0)
        self._files.makedirs(self._at(STAGING), exist_ok=True)
        with self._files.open(staged, "wb") as out:
            shutil.copyfileobj(written, out, _CHUNK_BYTES)
        written.close()
        place = self._at(name)
        self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
        self._files.mv(staged, place)

    def write(self, name: str, content: bytes) -> None:
        """A small file, whole."""
        written = self.begin()
        written.write(content)
        self.commit(written, name)

    def remove(self, name: str) -> None:
        """Take a file away, where it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def take_over(self) -> None:
        """Be the one who writes here: one who still does stops at its next file."""
        self.write(_WRITER, self._me)
        with contextlib.suppress(FileNotFoundError):
            for left in self._files.find(self._at(STAGING)):
                self._files.rm_file(left)

    def check(self) -> None:
        """Raises `ArchiveError` where another has begun to write here."""
        if self.read([_WRITER]).get(_WRITER) != self._me:
            raise ArchiveError(f"{self.shown}: another `footfall archive run` has begun to write "
                               "here; run one at a time")

    def give_up(self) -> None:
        """Whoever begins says so by itself."""

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")


def module(name: str) -> Any:
    """A library of the extra `files`; raises `SettingsError` where it is not installed."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise SettingsError(f"{name.partition('.')[0]} is not installed: pip install "
                            "footfall[files]") from None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    """Names are on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
