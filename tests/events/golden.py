"""Writes the golden file of each newest release that has none yet; never changes one.

    python -m tests.events.golden
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from footfall.events.codec import Codec, Codecs, released_versions
from tests.events.records import a_delivery, a_rejected, a_trigger, an_interaction

FOLDER = Path(__file__).parents[1] / "golden"


def write() -> None:
    """One file a subject and release: the bytes, and the record that they are."""
    codecs = Codecs()
    samples: tuple[tuple[Codec[Any], Any], ...] = (
        (codecs.interaction, an_interaction()), (codecs.trigger, a_trigger()),
        (codecs.rejected, a_rejected()), (codecs.delivery, a_delivery()))
    for codec, record in samples:
        file = FOLDER / f"{codec.subject}-{released_versions(codec.subject)[-1]}.json"
        if not file.exists():
            golden = {"bytes": codec.encode(record).hex(), "record": record}
            file.write_text(json.dumps(golden, default=bytes.hex, indent=2) + "\n")


if __name__ == "__main__":
    write()
