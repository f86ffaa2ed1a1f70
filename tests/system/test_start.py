"""Every block of docs/start.md, and those of docs/migrate.md that send, run as they stand.

They find the collector and the key in two variables, as the page says; what they sent is read back
from the log. Blocks that need a browser are another test's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from footfall.events.codec import Codecs
from footfall.events.topics import INTERACTIONS, REJECTED
from tests.browser.test_stock_sdks import SDKS as BROWSER
from tests.collector.test_kafka import read_all
from tests.sdk.test_kafka import collecting
from tests.system.test_stock_sdks import NODE, PYTHON
from tests.test_docs import names, page, section

VARIABLES = ("COLLECTOR", "WRITE_KEY")
#: Language of a block -> what runs it.
PROGRAMS = {
    "bash": ["bash", "-euo", "pipefail", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}
ADDED = ("track", "Product Added")
#: Page and section -> the interactions that its blocks make.
SECTIONS = {
    ("start.md", "curl"): [ADDED, ("identify", ""), ("page", "Checkout")],
    ("start.md", "Python"): [("identify", ""), ADDED, ("track", "Signed Up")],
    ("start.md", "Node"): [("identify", ""), ADDED],
    ("migrate.md", "Beside what you have"): [ADDED],
}


def blocks(name: str, heading: str) -> list[tuple[str, str]]:
    """(language, text) of a section's code blocks."""
    return re.findall(r"```(\w+)\n(.*?)```", section(page(name), heading), re.DOTALL)


def test_no_block_is_left_out() -> None:
    """But the one that sets the variables, and the browser's."""
    start = page("start.md")
    run = [block for name, heading in SECTIONS if name == "start.md"
           for block in blocks(name, heading)]
    setting, *others = re.findall(r"```(\w+)\n(.*?)```", start, re.DOTALL)
    assert VARIABLES == tuple(re.findall(r"(\w+)=", setting[1]))
    assert run == [block for block in others if block[0] != "html"]


@pytest.mark.kafka
@pytest.mark.parametrize(("name", "heading"), SECTIONS)
def test_it_does_what_it_says(
    footfall_topics: str, tmp_path: Path, name: str, heading: str,
    request: pytest.FixtureRequest,
) -> None:
    """Each event is in the log once, as shown; nothing is rejected."""
    said: list[Any] = []
    with collecting(footfall_topics, tmp_path) as url:
        for language, text in blocks(name, heading):
            if "openssl" in text:  # how secrets are made, not what sends
                continue
            folder = request.getfixturevalue("node_packages") if language == "javascript" else None
            done = subprocess.run(
                [*PROGRAMS[language], text], cwd=folder, check=False, timeout=60, text=True,
                capture_output=True,
                env={**os.environ, **dict(zip(VARIABLES, (url, "wk_web"), strict=True))})
            assert 0 == done.returncode, done.stderr
            if language == "bash":
                said.append(json.loads(done.stdout))
    codecs = Codecs()
    events = [codecs.interaction.decode(v) for _, _, v in read_all(footfall_topics, INTERACTIONS)]
    assert SECTIONS[name, heading] == [(event["type"], event["event"]) for event in events]
    assert [] == read_all(footfall_topics, REJECTED)
    assert 1 == len({json.loads(event["personal"])["userId"] for event in events})
    (added,) = [event for event in events if event["event"] == ADDED[1]]
    assert "p1" == added["commerce"]["lines"][0]["product_id"]
    assert all(answer["success"] for answer in said)
    if heading == "curl":
        assert {"success": True, "status": "accepted", "messageId": "curl-1"} == said[0]
        shown = re.search(r"The answer, `([^`]+)`", page(name))
        assert shown is not None
        assert json.loads(shown[1]) == said[0]
    if heading == "Beside what you have":
        assert 1_795_597_200_249 == added["event_time"]  # 09:00:00.249, as Segment corrected it


@pytest.mark.kafka
def test_the_counts_are_where_the_page_says(footfall_topics: str, tmp_path: Path) -> None:
    (language, text), *none = blocks("migrate.md", "While you change")
    assert not none
    with collecting(footfall_topics, tmp_path) as url:
        done = subprocess.run([*PROGRAMS[language], text], check=False, timeout=60, text=True,
                              capture_output=True, env={**os.environ, VARIABLES[0]: url})
    assert 0 == done.returncode, done.stderr
    named = set(re.findall(r"^footfall_([a-z]+)_total", done.stdout, re.MULTILINE))
    assert {"received", "accepted", "repeated", "unacknowledged", "rejected"} == named


def test_the_settings_of_the_sdks_that_run_are_those_of_the_page() -> None:
    """Every SDK that the page calls run is run with the setting that it names."""
    table = section(page("migrate.md"), "The one setting").splitlines()
    settings = [names(row.split("|")[2])[0] for row in table if row.endswith("| run |")]
    sources = [re.sub(r"\burl\b", "URL", re.sub(r"\s", "", source)).replace(
        "sys.argv[1]", "URL").replace("process.argv[1]", "URL").replace('"wk_web"', "KEY")
        for source in (*PYTHON.values(), *NODE.values(), *BROWSER.values())]
    ways = {"footfall", "segment, packed", "segment, batched", "rudder, beacon"}
    assert len(settings) == sum(len(sdks.keys() - ways) for sdks in (PYTHON, NODE, BROWSER))
    assert [] == [setting for setting in settings if not any(
        setting.replace(" ", "") in source for source in sources)]
