"""Which configuration is asked for what its computed traits, segments and rules read.

Decides where it comes from: files where some are named, else the highest version in the log. One of
the log that cannot be read is no failure: it is said that it was not, and why; records under
another secret than ours are passed over, as everywhere, so then there is none. Files are held to
what `footfall config check` holds them to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from footfall import tables
from footfall.admin.config import checked
from footfall.admin.config_document import located, read_documents
from footfall.admin.config_log import log_of
from footfall.errors import ConfigError, FootfallError
from footfall.settings import Settings
from footfall.tables.config import Config

#: Sections that name fields of items, and what their definitions are called.
SECTIONS = {"computed": "computed traits", "segments": "segments", "rules": "rules"}


class InForce(NamedTuple):
    """A configuration (None: it could not be read, and `error` says why); `files` it is of, none
    where it is of the log.
    """

    config: Config | None
    files: tuple[str, ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As programs read it: counts of definitions, null where they are not known."""
        config = self.config
        counts = {name: None if config is None else len(config.sections[name].definitions)
                  for name in SECTIONS}
        return {"version": None if config is None or self.files else config.label,
                "files": list(self.files), **counts, "error": self.error}

    def as_text(self) -> str:
        """In a line."""
        if self.config is None:
            return ("the configuration was not read, so what computed traits, segments and rules "
                    f"read is not known (name files with --config): {self.error}")
        counts = ", ".join(f"{len(self.config.sections[name].definitions)} {called}"
                           for name, called in SECTIONS.items())
        if not self.config.number:
            return f"no configuration was applied under this system_secret: {counts}"
        return f"configuration {' '.join(self.files) or f'{self.config.label} in force'}: {counts}"


def of_files(files: Sequence[Path]) -> InForce:
    """What files declare; raises `ConfigError` with file and place where it cannot be applied."""
    document = read_documents(files)
    try:
        return InForce(checked(document), tuple(map(str, files)))
    except ConfigError as error:
        raise located(error, files) from None


def of_log(settings: Settings) -> InForce:
    """What is in force, or will be where the highest version is not on every partition yet."""
    try:
        highest = log_of(settings).read().highest
        return InForce(Config(tables.ALL, highest.number, highest.content))
    except FootfallError as error:
        return InForce(None, error=str(error))
