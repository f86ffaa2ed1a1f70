"""The past under another configuration: exactly what would differ, and nothing where nothing does.
"""

from __future__ import annotations

from collections import Counter

from footfall.replay.what_if.passing import Question
from footfall.tables.outputs import TRIGGER
from tests.replay.test_together import START_MS, live
from tests.replay.what_ifs import asked, content


def test_the_recorded_configuration_over_a_log_with_merges_and_timers_differs_in_nothing() -> None:
    """Of workers and of a fold; from the start and from the middle; as code alone and asked for."""
    told = 0
    for seed in range(4):
        log = live(seed)
        last = max(entry.timestamp for of in log.entries for entry in of)
        middle = (START_MS + last) // 2
        for since in (0, middle, middle + 40_000_000):
            for config in (None, content({})):
                for fold in (False, True)[: 1 if config is None else 2]:
                    found = asked(log, Question(since, 0, config), fold=fold)
                    assert [] == found.differences
                    told += found.both.total()
        sent = {log.installation.codecs.trigger.decode(o.value)["trigger_id"]
                for _p, o in log.sent if o.kind == TRIGGER}
        assert Counter() != asked(log, Question()).both
        assert len(sent) == asked(log, Question()).both.total()
    assert told > 1000
