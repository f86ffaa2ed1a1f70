"""A child is ended within its bound, dies with its parent, and fills no disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from footfall.up import process
from footfall.up.process import Process

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def python(tmp_path: Path, code: str) -> Process:
    """A child that runs the code."""
    return Process("child", [sys.executable, "-u", "-c", code], tmp_path / "child.out")


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_child_that_obeys_ends_by_itself(tmp_path: Path) -> None:
    """SIGTERM is enough, and the exit code tells it."""
    child = python(tmp_path, "import time; print('up'); time.sleep(60)")
    child.start()
    wait_for(lambda: "up" in child.last_lines())

    assert child.stop(30.0)
    assert -signal.SIGTERM == child.exit_code()


def test_a_child_that_ignores_the_signal_is_killed_after_the_bound(tmp_path: Path) -> None:
    """The bound holds, and the answer says that force was needed."""
    child = python(tmp_path, STUBBORN)
    child.start()
    wait_for(lambda: "up" in child.last_lines())

    began = time.monotonic()
    assert not child.stop(0.5)

    assert 0.4 < time.monotonic() - began < 30
    assert -signal.SIGKILL == child.exit_code()


def test_a_child_does_not_get_the_terminals_signals(tmp_path: Path) -> None:
    """It has a session of its own: Ctrl-C is for `up` alone."""
    child = python(tmp_path, "import time; time.sleep(60)")
    child.start()
    try:
        assert child.pid is not None
        assert os.getsid(child.pid) == child.pid
    finally:
        child.kill()


def test_a_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the parent leaves nothing behind (Linux)."""
    code = (
        "import sys, time; from pathlib import Path; from footfall.up.process import Process\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "p = Process('c', command, Path(sys.argv[1])); p.start()\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    # The launcher becomes the child.
    wait_for(lambda: b"footfall.up.tied" not in Path(f"/proc/{pid}/cmdline").read_bytes())
    assert _lives(pid)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    wait_for(lambda: not _lives(pid))


def test_output_is_kept_within_its_bound(tmp_path: Path) -> None:
    """A file that has grown is put aside once, and the child writes on into an empty one."""
    child = python(tmp_path, "import time\nwhile True: print('x' * 100); time.sleep(0.001)")
    child.output.write_bytes(b"old" * (process.OUTPUT_BYTES_MAX // 3 + 1))
    child.start()
    try:
        assert child.output.stat().st_size < process.OUTPUT_BYTES_MAX
        assert process.OUTPUT_BYTES_MAX < (tmp_path / "child.out.1").stat().st_size
        wait_for(lambda: "xxx" in child.last_lines())
    finally:
        child.kill()


def test_a_command_that_does_not_exist_says_so(tmp_path: Path) -> None:
    """The name stands in its output."""
    child = Process("child", ["/nowhere/program"], tmp_path / "out")
    child.start()

    assert child.wait(30)
    assert child.exit_code() != 0
    assert "/nowhere/program: No such file" in child.last_lines()


def _lives(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
