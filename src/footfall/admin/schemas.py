"""The folder of schemas: the ones in work, the released ones, and the step from one to the other.

Decides what a release is: the schema in work becomes the next number, once it changed and may
follow all that was released. A released file never changes: `released/sha256sums` tells.
Must never make a release of anything that `problems` names.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import NamedTuple, cast

from footfall.errors import SchemaError
from footfall.events.codec import SUBJECTS, Schema

SUMS = "sha256sums"


class State(NamedTuple):
    """One subject in the folder."""

    subject: str
    versions: tuple[int, ...]
    changed: bool
    problems: tuple[str, ...]


def own_folder() -> Path:
    """The folder that this Footfall was built with."""
    return Path(str(resources.files("footfall").joinpath("schemas")))


def check(folder: Path) -> list[State]:
    """Every subject, and what forbids to release its schema in work."""
    from footfall.events.compatibility import problems

    states = []
    for subject in SUBJECTS:
        released = {n: _read(_released(folder, subject, n)) for n in versions(folder, subject)}
        work = _read(folder / f"{subject}.avsc")
        found = [*_tampered(folder, subject), *problems(work, released)]
        changed = not released or work != released[max(released)]
        states.append(State(subject, tuple(released), changed, tuple(found)))
    return states


def release(folder: Path) -> list[tuple[str, int]]:
    """Make the next version of every subject that changed; all of them, or none."""
    states = check(folder)
    bad = [f"{state.subject}: {problem}" for state in states for problem in state.problems]
    if bad:
        raise SchemaError("nothing was released: " + "; ".join(bad))
    made = []
    for state in states:
        if state.changed:
            version = max(state.versions, default=0) + 1
            target = _released(folder, state.subject, version)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((folder / f"{state.subject}.avsc").read_bytes())
            made.append((state.subject, version))
    if made:
        _write_sums(folder)
    return made


def versions(folder: Path, subject: str) -> list[int]:
    """Released versions of a subject, ascending; they count from 1 without a gap."""
    place = folder / "released" / subject
    names = [file.stem for file in place.glob("*.avsc")] if place.is_dir() else []
    try:
        found = sorted(int(name) for name in names)
    except ValueError as error:
        raise SchemaError(f"{place}: {error}; a released schema is named <number>.avsc") from None
    if found != list(range(1, len(found) + 1)):
        raise SchemaError(f"{place}: has versions {found}; restore the missing ones from git")
    return found


def _tampered(folder: Path, subject: str) -> list[str]:
    """Released files that are not as they were released."""
    wanted = _sums(folder)
    found = {f"{subject}/{n}.avsc": _digest(_released(folder, subject, n))
             for n in versions(folder, subject)}
    names = {name for name in wanted if name.startswith(f"{subject}/")} | found.keys()
    return [f"released/{name} is not as it was released: restore it from git, and change "
            f"{subject}.avsc instead" for name in sorted(names)
            if wanted.get(name) != found.get(name)]


def _sums(folder: Path) -> dict[str, str]:
    file = folder / "released" / SUMS
    lines = file.read_text("ascii").splitlines() if file.exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _write_sums(folder: Path) -> None:
    """In the form of `sha256sum`, so that it can be checked without Footfall."""
    lines = [f"{_digest(_released(folder, subject, n))}  {subject}/{n}.avsc\n"
             for subject in SUBJECTS for n in versions(folder, subject)]
    (folder / "released" / SUMS).write_text("".join(lines), "ascii")


def _released(folder: Path, subject: str, version: int) -> Path:
    return folder / "released" / subject / f"{version}.avsc"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _read(file: Path) -> Schema:
    try:
        return cast(Schema, json.loads(file.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise SchemaError(f"{file}: {error}") from None
