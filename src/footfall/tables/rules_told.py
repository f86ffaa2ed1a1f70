"""What is remembered of one customer's rules, as data, and how much of it.

Decides fields and their order in the stored bytes. What is done with them is in `rules_hand.py`.
Stays interpreted (setup.py).
"""

from __future__ import annotations

import msgspec

#: What is kept of one customer: waits, the newest; rules and keys that fired once; outcomes.
WAITS_MAX = 48
ONCE_MAX = 256
OUTCOMES_MAX = 64
#: Firings are counted up to here.
FIRED_MAX = 65_535
#: In UTF-8: of a wait's key, of the cause of a wait or an outcome, of the value that decided one.
KEY_BYTES_MAX = 64
CAUSE_BYTES_MAX = 40
FOUND_BYTES_MAX = 40


class Standing(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is remembered of one rule: when it last fired (ms of the log's clock), how often, and of
    a condition whether it holds, how often that has changed, and when time alone may change it next
    (ms, 0: never). Of a schedule `changes` is the local date it was last looked at, as a number.
    """

    rule: int
    fired_at: int = 0
    fired: int = 0
    holds: bool = False
    changes: int = 0
    check_at: int = 0


class Wait(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A wait of a rule for one value of its key: the event time (ms) of what began it last, of what
    ended it last, and the deadline told last. `cause` names what began it, `depth` is that of the
    trigger that comes of it.
    """

    rule: int
    key: str
    started: int = 0
    stopped: int = 0
    told: int = 0
    cause: str = ""
    depth: int = 0


class Outcome(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Why a rule did not fire when it was last asked (ms of the log's clock): a code of
    `rules_outcomes.py`, the number of the condition that failed, and the value found there.
    """

    rule: int
    at: int
    why: int
    condition: int = 0
    found: str = ""
    cause: str = ""
    #: Of the rule, as which it was asked.
    version: int = 0


class RulesFacts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Rules have no facts: what they count is kept by `computed`."""


class RulesTold(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was announced and what waits, sorted by rule and key. `once`: hashes of (rule, key) that
    fired, in that order. `config`: the number of the configuration under which all conditions were
    last looked at.
    """

    config: int = 0
    standings: tuple[Standing, ...] = ()
    waits: tuple[Wait, ...] = ()
    once: tuple[bytes, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
