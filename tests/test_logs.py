"""Every line has the schema, and in none stands what was sent (law 6)."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NotLeaderForPartitionError

from footfall import cli, logs
from footfall.errors import StateRefused
from footfall.log_lines import FIELDS, LEFT_OUT, MESSAGE_CHARS_MAX, JsonLines, TextLines
from footfall.settings import Settings

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/footfall"
CANARY = "canary@shop.example"
#: Members that every line begins with.
FIRST = ["time", "level", "program", "instance", "logger", "message"]
#: Libraries of programs that are not Footfall's: they log in their host's way.
HOSTED = {"sdk", "spool"}

Line = Callable[..., dict[str, Any]]


@pytest.fixture
def line() -> Line:
    """What a call of a logger gives."""
    def made(name: str, message: str, *args: object, level: int = logging.ERROR,
             exc_info: Any = None, **extra: object) -> dict[str, Any]:
        record = logging.getLogger(name).makeRecord(
            name, level, "file", 1, message, args, exc_info, extra=extra)
        shown: dict[str, Any] = json.loads(JsonLines("worker", "w1", ("myshop",)).format(record))
        text = TextLines("worker", "w1", ("myshop",)).format(record)
        assert "\n" not in text
        assert re.sub(r"[\r\n]", "?", shown["message"]) in text
        return shown
    return made


def raised(error: BaseException) -> Any:
    """As `exc_info` has it."""
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def test_our_line_has_what_every_line_has_and_its_fields(line: Line) -> None:
    """In this order; times in UTC, to the millisecond."""
    found = line("footfall.stream.chain", "a gap was accepted", level=logging.WARNING, partition=3,
                 from_offset=0, until_offset=50, partitions=[1, 2])

    assert [*FIRST, "partition", "from_offset", "until_offset", "partitions"] == list(found)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])
    assert ["warning", "worker", "w1", "footfall.stream.chain", "a gap was accepted", 3, 0, 50,
            [1, 2]] == list(found.values())[1:]


def test_fields_that_nobody_has_named_are_left_out(line: Line) -> None:
    """Whoever adds one adds it to the schema, and to the document."""
    assert FIRST == list(line("footfall.x", "something", customer=CANARY, body=CANARY))


def test_everything_has_a_limit(line: Line) -> None:
    """A line stays short, whatever is in it."""
    long = line("footfall.x", "m" * 10_000)
    assert MESSAGE_CHARS_MAX + 3 == len(long["message"])
    found = line("footfall.x", "m" * 10_000, error_text="e" * 10_000, topic="t" * 10_000,
                 partitions=list(range(1000)))
    assert len(json.dumps(found)) < 4_000
    deep = line("asyncio", "m" * 10_000, exc_info=raised(_deep(300)))
    assert len(json.dumps(deep)) < 4_000
    assert LEFT_OUT == deep["message"]


def _deep(levels: int) -> BaseException:
    try:
        if levels:
            raise _deep(levels - 1)
        raise ValueError(CANARY)
    except ValueError as error:
        return error


def test_of_an_exception_there_is_its_kind_and_its_place(line: Line) -> None:
    """Its text may hold what was sent, unless it is ours or the system's."""
    found = line("footfall.x", "failed", exc_info=raised(ValueError(CANARY)))
    assert "ValueError" == found["error"]
    assert re.fullmatch(r"tests\.test_logs\.raised:\d+", found["error_places"][0])
    assert "error_text" not in found
    ours = line("footfall.x", "failed", error=StateRefused("ends at 0"))
    assert ("StateRefused", "ends at 0") == (ours["error"], ours["error_text"])
    assert "No space left" == line("footfall.x", "failed", exc_info=raised(
        OSError(28, "No space left", f"/spool/{CANARY}")))["error_text"]


@pytest.mark.parametrize(("name", "message", "args", "shown"), [
    ("aiokafka.consumer.fetcher", "Failed fetch of %s at %d: %s",
     (TopicPartition("footfall.triggers", 3), 17, NotLeaderForPartitionError(CANARY)),
     "Failed fetch of footfall.triggers[3] at 17: NotLeaderForPartitionError"),
    ("aiokafka.cluster", "Topic %s is not available (%.2f%%) %r",
     ("footfall.triggers", 0.5, CANARY),
     "Topic footfall.triggers is not available (0.5%) ?"),
    ("librdkafka", "%s [%s] %s", ("FAIL", "rdkafka#producer-1", "Connect to [::1]:9092 failed"),
     "FAIL [rdkafka#producer-1] Connect to [::1]:9092 failed"),
    ("aiohttp.server", "Error handling request from %s", ("203.0.113.7",),
     "Error handling request from ?"),
    ("asyncio", f"Task exception was never retrieved\nfuture: ValueError('{CANARY}')", (),
     "Task exception was never retrieved"),
    ("mode", "[^%s]: Crashed reason=%r", ("App", RuntimeError(CANARY)),
     "[^App]: Crashed reason=RuntimeError"),
    ("redis", "%(x)s failed", ({"x": CANARY},), "? failed"),
    ("other", "%s and %s", (CANARY,), "? and ?"),
    ("other", f"ready made with {CANARY}", (), LEFT_OUT),
    ("asyncio", f"Exception in callback f('{CANARY}')", (), LEFT_OUT),
    ("aiokafka", "100%", (), "100%"),
    ("faust", "a\r\nb", (), "a\r"),
])
def test_libraries_are_let_say_what_holds_nothing_of_a_customer(
        line: Line, name: str, message: str, args: tuple[object, ...], shown: str) -> None:
    """Numbers, kinds of errors, and of Kafka's clients names; never any other value."""
    found = line(name, message, *args)
    assert shown == found["message"]
    assert CANARY not in json.dumps(found)
    assert (shown == LEFT_OUT) == ("place" in found)


def test_the_users_own_agents_speak_for_themselves(line: Line) -> None:
    """What they write is theirs to answer for."""
    assert "saw u1" == line("myshop.agents", "saw %s", "u1")["message"]
    assert "saw ?" == line("myshopper", "saw %s", "u1")["message"]


def test_lines_of_a_task_have_what_was_bound(line: Line) -> None:
    """And others do not; those of libraries within it, too."""
    with logs.bound(trigger_id="t1", destination="crm"), logs.bound(request_id="r1"):
        ours, theirs = line("footfall.x", "sent"), line("aiohttp.client", "closed")
    assert {"trigger_id": "t1", "destination": "crm", "request_id": "r1"}.items() <= ours.items()
    assert {"trigger_id": "t1", "destination": "crm", "request_id": "r1"}.items() <= theirs.items()
    assert FIRST == list(line("footfall.x", "sent"))


def test_no_value_makes_a_line_of_its_own() -> None:
    """Whatever breaks lines is escaped in JSON, and replaced in text."""
    record = logging.makeLogRecord({"name": "footfall.x", "msg": "said", "levelname": "ERROR",
                                    "topic": "a\r\nERROR b\x1b[2J\u2028c\x85"})
    text = TextLines("p", "i").format(record)
    assert 1 == len(text.splitlines())
    assert "\x1b" not in text
    assert "topic=a??ERROR b?[2J?c?" in text
    assert b"\n" not in JsonLines("p", "i").format(record).encode()


# -- a program -------------------------------------------------------------------------------------

PROGRAM = """
import logging, sys, threading, warnings
from footfall import logs
from footfall.settings import Settings
logs.configure("collector", Settings(**{settings}))
log = logging.getLogger("footfall.collector.app")
log.debug("something small"); log.info("listening", extra={{"url": "http://127.0.0.1:1"}})
logging.getLogger("aiokafka").debug("sent canary"); logging.getLogger("httpx2").info("canary")
for _ in range(3): logging.getLogger("aiokafka").error("Unable to connect")
warnings.warn("canary")
thread = threading.Thread(target=lambda: int("canary")); thread.start(); thread.join()
raise ValueError("canary")
"""


def run(**settings: str) -> list[str]:
    """What a program with these settings writes to a file."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(settings=settings)], check=False,
                          capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert 1 == done.returncode
    assert "" == done.stdout
    return done.stderr.splitlines()


def test_a_program_that_writes_to_no_terminal_writes_json_and_nothing_else() -> None:
    """To its last word: what ends it or a thread of it has no text of an exception."""
    lines = run(log_level="debug")
    found = [msgspec.json.decode(one, type=dict[str, Any]) for one in lines]
    assert ["something small", "listening", "Unable to connect", LEFT_OUT, "a thread ended",
            "the program ends"] == [one["message"] for one in found]
    assert ["ValueError", "ValueError"] == [one["error"] for one in found[-2:]]
    assert "canary" not in "".join(lines)
    assert {"collector"} == {one["program"] for one in found}
    (instance,) = {one["instance"] for one in found}
    assert re.fullmatch(r"[0-9a-f]{8}", instance)


def test_text_where_it_is_asked_for_and_only_from_the_level() -> None:
    """For people, and for those who read the file of `up`."""
    lines = run(log_format="text", log_level="error")
    assert 3 == len(lines)
    assert re.fullmatch(r"\S+Z ERROR aiokafka: Unable to connect", lines[0])
    assert " CRITICAL footfall.logs: the program ends error=ValueError" in lines[-1]
    assert "canary" not in "".join(lines)


def test_on_a_terminal_lines_are_for_people(monkeypatch: pytest.MonkeyPatch, restored: None
                                            ) -> None:
    """Without being told to."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.configure("worker", Settings())
    logging.getLogger("footfall.x").warning("ready [red]", extra={"partitions": 3})

    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert "ready [red] partitions=3" in shown
    assert "WARNING" in shown


def test_a_job_that_fails_unforeseen_says_where_and_no_text_of_an_exception(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Import, replay and the like log nothing: they say it to whoever called them."""
    def broken(_environ: object, _file: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr(cli, "Configured", broken)
    monkeypatch.setattr(sys, "argv", ["footfall", "replay", "status"])
    # A test that ran a program in this process may have left its own.
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err.splitlines()
    assert 1 == ended.value.code
    assert "KeyError. Try again" in said[0]
    assert said[1].startswith(f"  {__name__}.") and "broken" in said[1]
    assert "canary" not in "".join(said)


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Logging, and what the interpreter does at the end, as they were."""
    root, ours = logging.getLogger(), logging.getLogger("footfall")
    was = (root.handlers[:], root.level, ours.level, sys.excepthook, sys.unraisablehook)
    monkeypatch.setattr("threading.excepthook", None)
    yield
    logging.captureWarnings(False)
    root.handlers[:], sys.excepthook, sys.unraisablehook = was[0], was[3], was[4]
    root.setLevel(was[1])
    ours.setLevel(was[2])


# -- the source and the page -----------------------------------------------------------------------


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger in the programs, with its place."""
    for file in sorted(SOURCE.rglob("*.py")):
        if file.relative_to(SOURCE).parts[0] in HOSTED:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "logger", "_log")
                    and node.func.attr in ("debug", "info", "warning", "error", "critical",
                                           "exception")):
                yield f"{file.relative_to(SOURCE)}:{node.lineno}", node


def test_messages_of_the_programs_are_constant_and_their_values_named() -> None:
    """So that lines can be counted and searched for, and no value gets in by formatting."""
    seen: set[str] = set()
    for place, call in calls():
        assert 1 == len(call.args), place
        message = call.args[0]
        constant = isinstance(message, ast.Constant) and "%" not in str(message.value)
        # `lane.py` chooses between constants.
        assert constant or (place.startswith("delivery/lane.py") and isinstance(message, ast.Name))
        for keyword in call.keywords:
            assert keyword.arg in ("extra", "exc_info"), place
            if keyword.arg == "extra":
                assert isinstance(keyword.value, ast.Dict), place
                seen |= {key.value for key in keyword.value.keys if isinstance(key, ast.Constant)}
    assert len(list(calls())) > 25
    # Of exceptions and of libraries; and what tasks have bound.
    seen |= {"error_places", "error_text", "place", "request_id", "run"}
    assert FIELDS == seen


def test_the_page_has_every_field_and_no_other() -> None:
    """docs/operate/logs.md is the schema."""
    page = (ROOT / "docs/operate/logs.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert FIELDS | set(FIRST) == set(documented)
