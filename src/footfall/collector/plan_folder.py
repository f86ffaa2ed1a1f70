"""The tracking plan as a folder of JSON files, one version of one event each.

Decides which files count (`*.json`, in the folder itself) and that all of them must be right: a
plan that can be read by halves would let through what it is there to keep out.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from footfall.errors import ConfigError
from footfall.events.plan import Plan
from footfall.events.plan_rule import Document, Rule, rule_of

FILES_MAX = 10_000


def read(folder: Path) -> Plan:
    """The plan; raises `ConfigError` naming the file and the place in it."""
    if not folder.is_dir():
        raise ConfigError(f"plan: {folder} is no folder")
    files = sorted(folder.glob("*.json"))
    if len(files) > FILES_MAX:
        raise ConfigError(f"plan: {folder} has {len(files)} files; at most {FILES_MAX}")
    return Plan(map(_rule, files))


def _rule(file: Path) -> Rule:
    try:
        return rule_of(msgspec.json.decode(file.read_bytes(), type=Document))
    except (OSError, msgspec.MsgspecError, ConfigError) as error:
        raise ConfigError(f"{file}: {error}") from None
