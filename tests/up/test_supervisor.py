"""Children live, die, come back and stop in order; shown with real processes in their place."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from footfall.errors import BrokerError
from footfall.up.brokers import Choice
from footfall.up.children import EXIT_REFUSED, Child
from footfall.up.supervisor import RESETS_MAX, STOP_S_MAX, Plan, Supervisor

#: Writes its name on SIGTERM, once, then ends.
POLITE = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("ready", flush=True)
if signal.sigtimedwait({signal.SIGTERM}, 60):
    open(sys.argv[1], "a").write(sys.argv[2] + "\\n")
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


class Node:
    """A broker that only remembers."""

    bootstrap = "127.0.0.1:1"

    def __init__(self, ended: Path) -> None:
        self.ended = ended
        self.starts = 0
        self.running = False

    def start(self) -> None:
        self.starts += 1
        self.running = True

    def stop(self, seconds_max: float) -> bool:
        self.running = False
        with self.ended.open("a") as file:
            file.write("broker\n")
        return True

    def is_running(self) -> bool:
        return self.running

    def exit_code(self) -> int | None:
        return None if self.running else -9


class Stage:
    """A supervisor over a node and children, and all that it said and did."""

    def __init__(self, folder: Path, *, is_demo: bool = True) -> None:
        self.folder = folder
        self.ended = folder / "ended"
        self.ended.touch()
        self.node = Node(self.ended)
        self.said: list[str] = []
        self.done: list[str] = []
        self.is_demo = is_demo
        self.fail_reset = False

    def child(self, name: str, code: str = POLITE) -> Child:
        command = [sys.executable, "-c", code, str(self.ended), name]
        return Child(name, command, None, self.folder)

    def supervisor(self, collector: Child, *workers: Child, delivery: Child | None = None
                   ) -> Supervisor:
        choice = Choice("a broker", "127.0.0.1:1", self.node, self.is_demo)
        plan = Plan(choice, collector, list(workers), lambda: self.done.append("prepare"),
                    self._reset, delivery, self._reset_delivery)
        self.started = Supervisor(plan, self.said.append)
        return self.started

    def _reset(self) -> None:
        self.ended.with_name("ended.reset worker").touch()
        if self.fail_reset:
            raise BrokerError("cannot")
        self.done.append("reset")

    def _reset_delivery(self) -> None:
        self.done.append("reset delivery")
        self.ended.with_name("ended.reset delivery").touch()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage; what is left running is killed."""
    made = Stage(tmp_path)
    yield made
    for child in made.started.children:
        child.process.kill()


def until_true(supervisor: Supervisor, condition: Callable[[], bool], seconds: float = 40) -> None:
    """Run until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        supervisor.run(seconds_max=0.01)


def ready(*children: Child) -> bool:
    """Whether all have written their first line."""
    return all("ready" in child.process.last_lines() for child in children)


def test_producers_stop_first_and_the_broker_last(stage: Stage) -> None:
    """What the collector accepted can still be folded; what workers write still has a broker."""
    collector, worker = stage.child("collector"), stage.child("worker-1")
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()
    until_true(supervisor, lambda: ready(collector, worker))

    supervisor.stop()

    assert ["collector", "worker-1", "broker"] == stage.ended.read_text().split()
    assert "prepare" == stage.done[0]


def test_delivery_runs_beside_the_workers_and_stops_with_them(stage: Stage) -> None:
    """It comes back when it dies, and ends before the broker does."""
    collector, worker = stage.child("collector"), stage.child("worker-1")
    delivery = stage.child("delivery")
    supervisor = stage.supervisor(collector, worker, delivery=delivery)
    assert [collector, worker, delivery] == supervisor.children
    supervisor.start()
    until_true(supervisor, lambda: ready(collector, worker, delivery))
    delivery.process.signal(9)
    until_true(supervisor, lambda: delivery.restarts == 1 and delivery.process.is_running())
    until_true(supervisor, lambda: delivery.process.output.read_text().count("ready") == 2)

    supervisor.stop()

    ended = stage.ended.read_text().split()
    assert ("collector", "broker") == (ended[0], ended[-1])
    assert {"worker-1", "delivery"} == set(ended[1:-1])


def test_delivery_that_refuses_stays_ended_on_a_real_broker(stage: Stage) -> None:
    """As a worker does; all others go on."""
    stage.is_demo = False
    collector, worker = stage.child("collector"), stage.child("worker-1")
    delivery = stage.child("delivery", f"raise SystemExit({EXIT_REFUSED})")
    supervisor = stage.supervisor(collector, worker, delivery=delivery)
    supervisor.start()

    until_true(supervisor, lambda: any("delivery refuses to go on" in line for line in stage.said))
    supervisor.run(seconds_max=1)

    assert "reset" not in stage.done
    assert worker.process.is_running()
    assert not delivery.process.is_running()


def test_on_the_demo_broker_delivery_that_does_not_fit_is_reset_alone(stage: Stage) -> None:
    """The customers' state fits: it stays, so that no trigger is told anew."""
    collector, worker = stage.child("collector"), stage.child("worker-1")
    delivery = stage.child("delivery", REFUSES)
    supervisor = stage.supervisor(collector, worker, delivery=delivery)
    supervisor.start()

    until_true(supervisor, lambda: "reset delivery" in stage.done and ready(delivery))

    assert ["prepare", "reset delivery", "prepare"] == stage.done
    assert any("What delivery knows no longer fits the triggers" in line for line in stage.said)
    until_true(supervisor, worker.process.is_running)


def test_stopping_is_bounded_when_nobody_obeys(stage: Stage) -> None:
    """Within 10 s all is gone, and it is said who was killed."""
    collector, worker = stage.child("collector", STUBBORN), stage.child("worker-1", STUBBORN)
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()
    until_true(supervisor, lambda: ready(collector, worker))

    began = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - began < STOP_S_MAX + 0.5
    assert not collector.process.is_running()
    assert not worker.process.is_running()
    assert "Did not stop in time and was killed: collector, worker-1." == stage.said[-1]


def test_a_dead_child_comes_back_after_a_growing_wait(stage: Stage) -> None:
    """It is said each time, with the reason and the wait."""
    collector = stage.child("collector")
    worker = stage.child("worker-1", "raise SystemExit(7)")
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()

    until_true(supervisor, lambda: worker.restarts == 2)

    ended = [line for line in stage.said if line.startswith("worker-1 ended")]
    assert "worker-1 ended (exit code 7); starting it again in 0.5 s." in ended[0]
    assert "starting it again in 1 s." in ended[1]
    assert collector.restarts == 0


def test_a_killed_child_is_told_as_killed(stage: Stage) -> None:
    """By which signal."""
    collector, worker = stage.child("collector"), stage.child("worker-1")
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()
    first = worker.process.pid
    worker.process.signal(9)

    until_true(supervisor, lambda: worker.restarts == 1)

    assert any("killed by signal 9" in line for line in stage.said)
    assert first != worker.process.pid


def test_errors_of_a_child_come_on_the_screen(stage: Stage) -> None:
    """With its name; other lines stay in its file."""
    code = "import time; print('2026 INFO fine'); print('2026 ERROR broken', flush=True)\n"
    collector, worker = stage.child("collector"), stage.child("worker-1", code + POLITE)
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()

    until_true(supervisor, lambda: bool(stage.said))

    assert ["worker-1: 2026 ERROR broken"] == stage.said


def test_a_dead_broker_comes_back_prepared(stage: Stage) -> None:
    """Topics and configuration may be gone with it."""
    supervisor = stage.supervisor(stage.child("collector"), stage.child("worker-1"))
    supervisor.start()
    stage.node.running = False

    until_true(supervisor, lambda: stage.node.starts == 2)

    assert ["prepare", "prepare"] == stage.done
    assert any("The broker ended (killed by signal 9)" in line for line in stage.said)


#: Until its state was to be reset.
REFUSES = f"""
import os, sys
if not os.path.exists(sys.argv[1] + ".reset " + sys.argv[2].partition("-")[0]):
    sys.exit({EXIT_REFUSED})
""" + POLITE


def test_on_the_demo_broker_a_state_that_does_not_fit_is_reset(stage: Stage) -> None:
    """With nothing running meanwhile, and it is said; then all goes on."""
    collector, worker = stage.child("collector"), stage.child("worker-1", REFUSES)
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()

    until_true(supervisor, lambda: "reset" in stage.done and ready(worker))

    assert ["prepare", "reset", "prepare"] == stage.done
    assert 2 == stage.node.starts
    assert any("no longer fits the log" in line for line in stage.said)
    assert collector.process.is_running()
    assert worker.process.is_running()


def test_on_a_real_broker_the_state_is_never_reset(tmp_path: Path, stage: Stage) -> None:
    """The worker stays ended, the collector goes on, and the message says what to read."""
    stage.is_demo = False
    collector, worker = stage.child("collector"), stage.child("worker-1", REFUSES)
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()

    until_true(supervisor, lambda: any("refuses to go on" in line for line in stage.said))
    supervisor.run(seconds_max=1.5)

    assert "reset" not in stage.done
    assert not worker.process.is_running()
    assert collector.process.is_running()
    assert str(worker.process.output) in stage.said[-1]


def test_resets_have_a_limit(stage: Stage) -> None:
    """A state that never fits is no loss of the demo broker."""
    collector = stage.child("collector")
    worker = stage.child("worker-1", f"raise SystemExit({EXIT_REFUSED})")
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()

    until_true(supervisor, lambda: any("refuses to go on" in line for line in stage.said))

    assert RESETS_MAX == stage.done.count("reset")


def test_resets_of_one_state_do_not_use_up_those_of_the_other(stage: Stage) -> None:
    """Each loss of the demo broker may cost both."""
    collector, worker = stage.child("collector"), stage.child("worker-1", REFUSES)
    delivery = stage.child("delivery", f"raise SystemExit({EXIT_REFUSED})")
    supervisor = stage.supervisor(collector, worker, delivery=delivery)
    supervisor.start()

    until_true(supervisor, lambda: any("delivery refuses to go on" in line for line in stage.said))
    until_true(supervisor, lambda: ready(worker))

    assert (1, RESETS_MAX) == (stage.done.count("reset"), stage.done.count("reset delivery"))


def test_a_reset_that_fails_is_said_and_tried_again(stage: Stage) -> None:
    """`up` itself lives on."""
    stage.fail_reset = True
    collector, worker = stage.child("collector"), stage.child("worker-1", REFUSES)
    supervisor = stage.supervisor(collector, worker)
    supervisor.start()

    until_true(supervisor, lambda: worker.restarts == 1 and ready(worker))

    assert any("could not be reset: cannot" in line for line in stage.said)
    until_true(supervisor, collector.process.is_running)
