"""The history of an archive, as docs/operate/README.md takes it to a log with more partitions."""

from __future__ import annotations

import contextlib
import re
import textwrap
from pathlib import Path

import pytest

from footfall.errors import DecodeError
from footfall.events.admit import CALLS, admit
from footfall.events.arrival import Admitted, Arrival
from footfall.events.interaction import Interaction
from footfall.replay.archive.target import Folder
from footfall.replay.imports.reading_text import jsonl
from footfall.replay.imports.rows import Row
from tests.replay.kept import INSTALLATION, START_MS, Kept, archived, log

PAGE = (Path(__file__).parents[2] / "docs/operate/README.md").read_text()
LATER_MS = START_MS + 86_400_000


def test_the_page_brings_every_interaction_with_its_name_and_time(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What import admits of its lines is what the log held, under the same customer keys."""
    monkeypatch.chdir(tmp_path)
    kept = Kept(log(400))
    archived(Folder(tmp_path / "archive"), kept)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(textwrap.dedent("     " + block.lstrip()), {})  # noqa: S102 - our own page

    held: list[tuple[bytes | None, Interaction]] = []
    for entry in (e for some in kept.entries.values() for e in some):
        with contextlib.suppress(DecodeError):
            event = INSTALLATION.codecs.interaction.decode(entry.value)
            if event["type"] in CALLS:
                held.append((entry.key, event))
    arrival = Arrival("import", LATER_MS, "r1", is_history=True)
    found = []
    with Path("items.jsonl").open("rb") as file:
        for row in jsonl(file):
            assert isinstance(row, Row)
            made = admit(row.item, row.number, arrival, INSTALLATION.keys)
            assert isinstance(made, Admitted), made
            found.append((made.key, made.event))

    def said(some: list[tuple[bytes | None, Interaction]]) -> list[tuple[object, ...]]:
        return sorted((key, e["type"], e["event"], e["message_id"], e["channel"], e["event_time"],
                       re.sub(rb',"timestamp":"[^"]+"', b"", e["personal"])) for key, e in some)

    assert len(held) > 300
    assert said(held) == said(found)
