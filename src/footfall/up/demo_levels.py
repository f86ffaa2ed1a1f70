"""Customers by level, from the workers' metrics: how many rows of a table are at which level.

Decides only how often to ask. A worker that does not answer changes nothing: the last numbers stay.
"""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from footfall import tables
from footfall.tables.fold_steps import LEVEL_CHANGED
from footfall.up.demo_seen import Levels

ASK_S = 2.0
ANSWER_S_MAX = 0.5
#: Of the sample; the family has the same name.
ROWS = "footfall_rows"


class LevelsReader:
    """Asks the workers, at most every two seconds."""

    def __init__(self, worker_urls: str) -> None:
        self._urls = [url for url in worker_urls.split(",") if url]
        self._next_s = 0.0
        self._found: Levels = {}

    def step(self, now_s: float) -> Levels:
        """What is known now."""
        if now_s >= self._next_s:
            self._next_s = now_s + ASK_S
            with contextlib.suppress(OSError, ValueError):
                self._found = levels_of(self._ask(url) for url in self._urls)
        return self._found

    def _ask(self, url: str) -> str:
        with urllib.request.urlopen(  # noqa: S310 - our own worker
                f"{url}/metrics", timeout=ANSWER_S_MAX) as answer:
            text: bytes = answer.read()
        return text.decode()


def levels_of(texts: Iterable[str]) -> Levels:
    """The sum over workers, in the order of tables and of their levels, those with none too: of
    levels that triggers tell. How carts stand is told by theirs, and which identifier is owned is
    the fold's business.
    """
    found: Levels = {(t.name, level): 0 for t in tables.ALL
                     if any(name.endswith(LEVEL_CHANGED) for name in t.triggers)
                     for level in t.levels}
    for text in texts:
        for family in text_string_to_metric_families(text):
            if family.name == ROWS:
                for sample in family.samples:
                    level = (sample.labels["table"], sample.labels["level"])
                    if level in found:
                        found[level] += int(sample.value)
    return found
