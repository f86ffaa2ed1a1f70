"""A run of the archive is ready while it moves, and shows no password of where it writes."""

from __future__ import annotations

import pytest

from footfall.health import readiness
from footfall.replay.archive import readiness as archive_readiness
from footfall.replay.archive.readiness import STILL_S_MAX, Readiness
from footfall.replay.archive.totals import Totals


@pytest.mark.parametrize(("rate_per_s", "still_s", "status", "code"), [
    (None, 1, 200, None), (None, STILL_S_MAX + 1, 503, "standing_still"),
    (10.0, STILL_S_MAX + 1, 200, None), (10.0, STILL_S_MAX + 501, 503, "standing_still")])
def test_one_that_stands_still_is_not_ready(
        monkeypatch: pytest.MonkeyPatch, rate_per_s: float | None, still_s: float, status: int,
        code: str | None) -> None:
    """One that is held to a rate may: 5,000 records at 10 a second are 500 s."""
    clock = [1_000.0]
    monkeypatch.setattr(archive_readiness.time, "monotonic", lambda: clock[0])
    ready = Readiness("archive", Totals(), rate_per_s)
    assert "starting" == readiness(ready.parts())[1]["code"]
    ready.moved()
    clock[0] += still_s
    found, said = readiness(ready.parts())
    assert (status, code) == (found, said.get("code"))


def test_what_it_has_done_is_told() -> None:
    totals = Totals()
    totals.records, totals.files = 1_234, 2
    assert "archive: 1,234 records in 2 files since the start" == Readiness(
        "archive", totals).parts()["target"].reason
