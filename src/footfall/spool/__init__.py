"""An append-only spool on disk: what must outlive this process until somebody else has it."""

from footfall.spool.segment import SpoolError, SpoolFullError
from footfall.spool.spool import Entry, Recovery, Spool, SpoolInUseError

__all__ = ["Entry", "Recovery", "Spool", "SpoolError", "SpoolFullError", "SpoolInUseError"]
