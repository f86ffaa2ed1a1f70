"""Keeps a broker and its children running, and stops all of it in order and in time.

Order of stopping: producers first (the collector), then workers and delivery, then the broker, so
that what was accepted is still written. All of it within 10 s, by force at the end. A child that
ends is started again; on the demo broker, and only there, a state that no longer fits its log is
reset.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from footfall.errors import FootfallError
from footfall.up.brokers import Choice, Node
from footfall.up.children import EXIT_REFUSED, WAIT_S_FIRST, WAIT_S_MAX, Child, Say, reason

STEP_S = 0.1
STOP_S_MAX = 9.5
#: Of that, what the collector may use, and what the broker is left with at least.
COLLECTOR_S_MAX = 2.5
BROKER_S_MIN = 3.0
#: A state that does not fit even when made anew is no loss of the demo broker.
RESETS_MAX = 3


class Stopped(BaseException):
    """SIGTERM or Ctrl-C: not an error, and nothing may swallow it."""


class Plan(NamedTuple):
    """What runs. `prepare` makes the broker ready for it, `reset` makes the customers' state empty,
    `reset_delivery` that of delivery.
    """

    broker: Choice
    collector: Child
    workers: list[Child]
    prepare: Callable[[], None]
    reset: Callable[[], None]
    #: None where nothing is delivered.
    delivery: Child | None = None
    reset_delivery: Callable[[], None] = lambda: None


class Supervisor:
    """Runs a plan."""

    def __init__(self, plan: Plan, say: Say) -> None:
        self._broker, self._collector, self._workers = plan.broker, plan.collector, plan.workers
        self._delivery, self._prepare, self._reset = plan.delivery, plan.prepare, plan.reset
        self._reset_delivery = plan.reset_delivery
        #: What folds a log into a state: workers, then what reads what they write.
        self._folding = [*plan.workers, *([] if plan.delivery is None else [plan.delivery])]
        self._say = say
        self._broker_wait_s = WAIT_S_FIRST
        #: Of each state for itself: one loss of the broker may be one of both.
        self._resets = {False: 0, True: 0}

    @property
    def children(self) -> list[Child]:
        """All of them."""
        return [self._collector, *self._folding]

    def start(self) -> None:
        """Broker, then what it must hold, then workers and delivery, then the collector."""
        if self._broker.node is not None:
            self._broker.node.start()
        self._prepare()
        for child in [*self._folding, self._collector]:
            child.start()

    def step(self) -> None:
        """Look once at everything; called about ten times a second."""
        self._keep_broker()
        for child in self.children:
            child.show_log(self._say)
            child.process.limit_output()
            ended = child.ended
            if ended == EXIT_REFUSED and child in self._folding:
                self._refused(child)
            elif ended is not None:
                child.plan_restart(self._say)
            child.restart_when_due()

    def run(
        self, each: Callable[[], None] = lambda: None, seconds_max: float | None = None
    ) -> None:
        """Keep all running until `Stopped` is raised or the time is over."""
        deadline = None if seconds_max is None else time.monotonic() + seconds_max
        while deadline is None or time.monotonic() < deadline:
            self.step()
            each()
            time.sleep(STEP_S)

    def stop(self) -> None:
        """Producers first, then workers and delivery, then the broker; by force when the time is
        over.
        """
        ignore_signals()
        deadline = time.monotonic() + STOP_S_MAX
        late = []
        if not self._collector.process.stop(COLLECTOR_S_MAX):
            late.append(self._collector.name)
        for child in self._folding:
            if child.process.is_running():
                child.process.signal(signal.SIGTERM)
        for child in self._folding:
            if not child.process.stop(deadline - time.monotonic() - BROKER_S_MIN):
                late.append(child.name)
        node = self._broker.node
        if node is not None and not node.stop(max(deadline - time.monotonic(), 0.5)):
            late.append("the broker")
        if late:
            self._say(f"Did not stop in time and was killed: {', '.join(late)}.")

    def _keep_broker(self) -> None:
        node = self._broker.node
        if node is None or node.is_running():
            return
        self._say(f"The broker ended ({reason(node.exit_code())}); starting it again in "
                  f"{self._broker_wait_s:g} s.")
        time.sleep(self._broker_wait_s)
        self._broker_wait_s = min(self._broker_wait_s * 2, WAIT_S_MAX)
        try:
            node.start()
            self._prepare()
        except FootfallError as error:
            self._say(str(error))
            return
        if self._broker.is_demo:
            self._say("The demo broker is back. What it had not saved is lost.")

    def _refused(self, child: Child) -> None:
        child.show_log(self._say)
        is_delivery = child is self._delivery
        if not self._broker.is_demo or self._resets[is_delivery] >= RESETS_MAX:
            self._say(
                f"{child.name} refuses to go on: its state does not fit the log. The collector "
                f"keeps accepting. Read {child.process.output}, do what it says, then start "
                "`footfall up` again."
            )
            child.leave()
            return
        if is_delivery:
            reset = self._reset_delivery
            self._say("What delivery knows no longer fits the triggers, because the demo broker "
                      "lost records. Resetting it: delivery begins anew.")
        else:
            reset = self._reset
            self._say("The customers' state no longer fits the log, because the demo broker lost "
                      "records. Resetting the state: it is folded again from the log that is left.")
        self._resets[is_delivery] += 1
        try:
            self._start_anew(self._broker.node, reset)
        except FootfallError as error:
            self._say(f"The state could not be reset: {error}")
            child.plan_restart(self._say)

    def _start_anew(self, node: Node | None, reset: Callable[[], None]) -> None:
        """Reset a state with nothing running. The demo broker remembers a dead member of the
        group until it is itself restarted, and deletes no group that has members."""
        for child in self.children:
            child.process.stop(COLLECTOR_S_MAX)
        if node is not None:
            node.stop(STOP_S_MAX)
            node.start()
        reset()
        self._prepare()
        for child in self.children:
            child.start()
        self._say("The state was reset.")


def ignore_signals() -> None:
    """From now on stopping goes on undisturbed; it is bounded."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM raise `Stopped` once; later ones are ignored."""
    def stop(_number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise Stopped

    before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
