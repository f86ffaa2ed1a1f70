"""What matters in a child's log is seen once, and a flood stays in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from footfall.up.log_watch import LINES_MAX, LogWatch


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An empty log."""
    file = tmp_path / "child.log"
    file.touch()
    return file


def write(file: Path, text: str) -> None:
    """Append."""
    with file.open("a") as out:
        out.write(text)


@pytest.mark.parametrize(
    "line", ["2026 WARNING x y", "2026 ERROR x y", "2026 CRITICAL x y",
             "footfall: port 8080 is in use", "ValueError: no",
             "2026 INFO r: ready partitions=12",
             '{"time":"2026","level":"warning","message":"x"}',
             '{"level":"info","message":"ready","partitions":12}'])
def test_important_lines_are_shown(log: Path, line: str) -> None:
    """Warnings and above, last words, and that a worker is ready."""
    write(log, f"2026 INFO nothing\n{line}\nDEBUG noWARNING\n")

    assert [line] == LogWatch(log).lines()


def test_a_line_is_shown_once_and_whole(log: Path) -> None:
    """Half a line waits for its other half."""
    watch = LogWatch(log)
    write(log, "2026 ERROR first\n2026 ERR")
    assert ["2026 ERROR first"] == watch.lines()
    assert [] == watch.lines()

    write(log, "OR second\n")
    assert ["2026 ERROR second"] == watch.lines()


def test_what_is_there_at_the_start_is_not_shown_again(log: Path) -> None:
    """Last week's errors are in the file."""
    write(log, "2026 ERROR old\n")
    watch = LogWatch(log)
    watch.skip()
    write(log, "2026 ERROR new\n")

    assert ["2026 ERROR new"] == watch.lines()


def test_a_flood_is_cut_and_says_where_the_rest_is(log: Path) -> None:
    """The screen stays readable."""
    watch = LogWatch(log)
    write(log, "".join(f"2026 ERROR {n}\n" for n in range(1000)))
    shown = watch.lines()
    write(log, "2026 ERROR more\n")

    assert LINES_MAX + 1 == len(shown)
    assert str(log) in shown[-1]
    assert [] == watch.lines()


def test_a_file_put_aside_is_followed_from_its_new_start(log: Path) -> None:
    """It is shorter than it was."""
    watch = LogWatch(log)
    write(log, "2026 ERROR long ago\n")
    watch.lines()
    log.write_text("")
    assert [] == watch.lines()
    write(log, "2026 ERROR now\n")

    assert ["2026 ERROR now"] == watch.lines()


def test_a_log_that_does_not_exist_has_no_lines(tmp_path: Path) -> None:
    """The child has not started yet."""
    assert [] == LogWatch(tmp_path / "none").lines()
