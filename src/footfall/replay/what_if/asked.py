"""The configuration that is asked for, of files and of what is in force.

Decides what the files leave as it is: nothing (they are the whole, as of `config apply`), what no
section names (`rules diff`: files of rules are all rules), or also definitions of other names
(`--keep`). Pure. Must never give what could not be applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from footfall.admin.config import content_of
from footfall.admin.config_document import (
    DEFINITIONS,
    JOINED,
    located,
    merged,
    read_documents,
)
from footfall.errors import ConfigError


class Stays(Enum):
    """What files leave as it is in force."""

    NOTHING = "nothing"
    SECTIONS = "sections"
    NAMES = "names"


def content_asked(files: Sequence[Path], in_force: Mapping[str, Any], stays: Stays) -> bytes:
    """As the log would have it; raises `ConfigError` with file, line and key."""
    try:
        return content_of(_document(read_documents(files), in_force, stays))
    except ConfigError as error:
        raise located(error, files) from None


def _document(said: Mapping[str, Any], in_force: Mapping[str, Any], stays: Stays
              ) -> Mapping[str, Any]:
    if stays is Stays.NOTHING:
        return said
    document = merged(in_force, said)
    if stays is Stays.NAMES:
        for section in JOINED:
            if section in said:
                document[section] = {**document[section], DEFINITIONS: _joined(
                    in_force.get(section, {}).get(DEFINITIONS, ()),
                    said[section].get(DEFINITIONS, ()))}
    return document


def _joined(known: Sequence[Any], said: Sequence[Any]) -> list[Any]:
    """Definitions of files first, so that a refusal counts them as the files do; then those that
    are in force under other names.
    """
    names = {one.get("name") for one in said if isinstance(one, dict)}
    return [*said, *(one for one in known if one["name"] not in names)]
