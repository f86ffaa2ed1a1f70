"""Programs of others that are written in Go, built once from source for the tests.

A program's module and all that it needs are pinned with checksums in a folder beside this file.
The binary stays in the cache. Must never take one that happens to be installed: what is tested is
the version that is deployed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from footfall.errors import BrokerError
from footfall.up.kafka_jars import cache_folder, publish

BUILD_S_MAX = 1200


class Source(NamedTuple):
    """A program, and where it comes from: the folder with its pins, its package, the build's tags.

    `pages`: files that the package's module embeds and its release does not hold, for they are made
    by other tools: its web pages. Built for tests it has one line in their place.
    """

    name: str
    folder: Path
    package: str
    tags: str = ""
    pages: tuple[str, ...] = ()


def binary(source: Source) -> Path:
    """The program, built unless it is in the cache; `BrokerError` says why it cannot be had."""
    pins = b"".join((source.folder / name).read_bytes() for name in ("go.mod", "go.sum"))
    cache = cache_folder(os.environ)
    key = hashlib.sha256(pins + source.tags.encode()).hexdigest()[:16]
    folder = cache / f"{source.name}-{key}"
    built = folder / source.name
    if built.exists():
        return built
    if shutil.which("go") is None:
        raise BrokerError(f"Go is not installed, and {source.name} is not in the cache")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as work:
        module, made = Path(work, "module"), Path(work, "made")
        shutil.copytree(source.folder, module)
        if source.pages:
            _with_pages(source, module, Path(work, "source"))
        _go(source, module, "build", "-trimpath", "-mod=readonly", "-tags", source.tags,
            "-o", str(made / source.name), source.package)
        publish(made, folder)
    return built


def _with_pages(source: Source, module: Path, copied: Path) -> None:
    """Build from a copy of the release in which its pages are there."""
    path = source.package.rpartition("/cmd/")[0]
    downloaded = Path(json.loads(_go(source, module, "mod", "download", "-json", path))["Dir"])
    # Not the permissions: the cache of modules is read-only.
    shutil.copytree(downloaded, copied, copy_function=shutil.copyfile)
    for page in source.pages:
        (copied / page).parent.mkdir(parents=True, exist_ok=True)
        (copied / page).write_text("Built for tests, without pages.\n")
    _go(source, module, "mod", "edit", "-replace", f"{path}={copied}")


def _go(source: Source, module: Path, *arguments: str) -> str:
    try:
        run = subprocess.run(
            ["go", *arguments], cwd=module, env={**os.environ, "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_S_MAX,
            check=False)
    except subprocess.TimeoutExpired:
        raise BrokerError(f"{source.name} was not built within {BUILD_S_MAX} s") from None
    if run.returncode:
        raise BrokerError(f"{source.name} could not be built: {run.stderr[-2000:]}")
    return run.stdout
