"""Where a job reads the log from, by what is configured. Decides nothing else."""

from __future__ import annotations

from footfall.replay.source import KafkaSource, Source
from footfall.settings import Settings


def source_of(settings: Settings, bootstrap: str) -> Source:
    """The log of a cluster: with its archive before it where FOOTFALL_ARCHIVE_TARGET names one.
    Raises `ArchiveError` where that is of another log.
    """
    live = KafkaSource(bootstrap)
    if not settings.archive_target:
        return live
    from footfall.replay.archive import chained
    from footfall.replay.archive.catalog import Catalog
    from footfall.replay.archive.log import identity_of
    from footfall.replay.archive.target import target_of

    catalog = Catalog(target_of(settings.archive_target))
    catalog.check(identity_of(bootstrap))
    return chained.source(catalog, live)
