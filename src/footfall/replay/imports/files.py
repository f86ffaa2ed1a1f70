"""The files of an import: which there are, what each is, and its bytes as they come.

Decides by a file's first bytes what it is and how it is packed; names say nothing. Local paths and
patterns, and any URL that fsspec knows. Must never hold more of a file than a buffer.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple, cast

from footfall.errors import FootfallError
from footfall.replay.imports import archives
from footfall.replay.imports.rows import FileFault

Format = Literal["jsonl", "csv", "parquet", "avro", "archive"]
#: What a single file can be. A file of an archive is known by the manifest of that.
FORMATS: Final[tuple[Format, ...]] = ("jsonl", "csv", "parquet", "avro")
FILES_MAX: Final = 100_000
HEAD_BYTES: Final = 64 * 1024
_BUFFER_BYTES: Final = 1024 * 1024
_PATTERN: Final = frozenset("*?[")
_BOM: Final = b"\xef\xbb\xbf"


class File(NamedTuple):
    """One file. `name`: as it is told; `size`: in bytes as it is stored, -1 where no store says so.
    `part`: of an archive of Footfall, what its manifest says.
    """

    name: str
    size: int
    opens: Callable[[], BinaryIO]
    part: archives.Part | None = None

    @contextmanager
    def packed(self) -> Iterator[BinaryIO]:
        """Its bytes as they are stored; raises `FileFault`."""
        try:
            stream = self.opens()
        except Exception as error:  # of a remote store: any kind
            raise FileFault("file_unreadable", f"cannot be opened: {said(error)}") from None
        with stream:
            yield stream

    @contextmanager
    def unpacked(self) -> Iterator[BinaryIO]:
        """Its bytes, unpacked where they are gzip or zstd."""
        with self.packed() as stream, unpacked(stream) as inner:
            yield inner

    def identity(self) -> str:
        """What tells whether it is the same file: its size and a hash of its head and tail."""
        if self.part is not None:
            return self.part.file.sha256
        with self.packed() as stream:
            state = hashlib.blake2b(stream.read(HEAD_BYTES), digest_size=16)
            stream.seek(max(0, self.size - HEAD_BYTES))
            state.update(stream.read(HEAD_BYTES))
        return f"{self.size}-{state.hexdigest()}"


def found(names: Iterable[str]) -> list[File]:
    """The files of paths, patterns, URLs and archives, each once; raises where there is none."""
    files: dict[str, File] = {}
    for name in names:
        parts = archives.parts_of(name)
        if parts is not None:
            for part in parts:
                files.setdefault(part.shown, File(part.shown, part.file.bytes, part.open, part))
            continue
        for file in _remote(name) if "://" in name else _local(name):
            files.setdefault(file.name, file)
        if sum(file.part is None for file in files.values()) > FILES_MAX:
            raise FootfallError(f"{name}: more than {FILES_MAX} files; import them in parts")
    return list(files.values())


def format_of(file: File) -> Format:
    """What a file is; raises `FileFault` where it is nothing that can be imported."""
    if file.part is not None:
        return "archive"
    with file.unpacked() as stream:
        try:
            head = stream.read(4096)
        except (OSError, EOFError, ValueError) as error:
            raise FileFault("file_damaged", f"cannot be unpacked: {said(error)}") from None
    if not head:
        raise FileFault("file_empty", "is empty")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"Obj\x01"):
        return "avro"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileFault("text_not_unicode", "is UTF-16; write it as UTF-8 (iconv -f utf-16 -t "
                        "utf-8)")
    first = head.removeprefix(_BOM).lstrip()
    if first.startswith(b"["):
        raise FileFault("format_unknown", "is one JSON array; write an object a line (jq -c '.[]')")
    if first.startswith(b"{"):
        return "jsonl"
    if b"\x00" in head:
        raise FileFault("format_unknown", "is binary, and neither Parquet nor Avro")
    return "csv"


@contextmanager
def unpacked(stream: BinaryIO) -> Iterator[BinaryIO]:
    """A stream as it is, or what its gzip or zstd holds."""
    magic = stream.read(4)
    stream.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        with gzip.open(stream, "rb") as inner:
            yield cast(BinaryIO, inner)
    elif magic == b"\x28\xb5\x2f\xfd":
        pyarrow: Any = needed("pyarrow")
        # Its stream is no Python file: the buffer gives it lines.
        with io.BufferedReader(pyarrow.CompressedInputStream(stream, "zstd"), _BUFFER_BYTES) as buf:
            yield cast(BinaryIO, buf)
    else:
        yield stream


def needed(name: str) -> Any:
    """A module of the extra `files`; raises and says how to get it."""
    import importlib
    try:
        return importlib.import_module(name)
    except ImportError:
        raise FootfallError(f"this needs {name.partition('.')[0]}: "
                            "pip install 'footfall[files]'") from None


def said(error: Exception) -> str:
    """What went wrong, in one line; a system's words, never a file's content."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _local(name: str) -> Iterator[File]:
    paths = [name]
    if _PATTERN & set(name) and not Path(name).exists():
        # Not by pathlib, whose pattern may not begin at the root.
        paths = sorted(p for p in glob.glob(name, recursive=True)  # noqa: PTH207
                       if Path(p).is_file())
        if not paths:
            raise FootfallError(f"{name}: no file has such a name")
    for path in map(Path, paths):
        if path.is_dir():
            raise FootfallError(f"{path}: is a folder; name its files: '{path}/**/*.gz'")
        if not path.is_file():
            raise FootfallError(f"{path}: there is no such file")
        archive = archives.archive_of(path)
        if archive is not None:
            raise FootfallError(f"{path}: is a file of an archive of Footfall; name the archive, "
                                f"{archive}, and what of it with --since and --until")
        yield File(str(path), path.stat().st_size,
                   lambda path=path: path.open("rb", _BUFFER_BYTES))  # type: ignore[misc]


def _remote(name: str) -> Iterator[File]:
    fsspec = needed("fsspec")
    try:
        system, path = fsspec.core.url_to_fs(name)
        paths = sorted(system.glob(path)) if _PATTERN & set(name) else [path]
        sizes = {one: system.size(one) for one in paths}
    except Exception as error:  # of any store
        raise FootfallError(f"{name}: cannot be reached: {type(error).__name__}; is the package of "
                            "that store installed, and are its credentials set?") from None
    if not paths:
        raise FootfallError(f"{name}: no file has such a name")
    for one in paths:
        yield File(system.unstrip_protocol(one), -1 if sizes[one] is None else int(sizes[one]),
                   lambda one=one: system.open(one, "rb"))  # type: ignore[misc]
