"""What became of a rule when it was last asked: the codes of `Outcome.why`, each with its text.

Decides the numbers, which lie in stored rows: one that was given is never given to anything else,
nor does its meaning change. And how the conditions of a rule are numbered: from 1, in the order in
which they are written, a group before its members; 0 is none of them. `Outcome.condition` is the
number of what decided: of `all` the member that failed, of `any` the group, of `none` the member
that held. It counts in `still` for STILL, in `on.when` for WHEN, in `if` for all else.
"""

from __future__ import annotations

from typing import Final

FIRED: Final = 0
CONDITION: Final = 1
STILL: Final = 2
UNLESS: Final = 3
WAITING: Final = 4
NOT_STARTED: Final = 5
ENDED: Final = 6
EXPIRED: Final = 7
ONCE: Final = 8
COOLDOWN: Final = 9
OUTRANKED: Final = 10
HELD_OUT: Final = 11
CEL_ERROR: Final = 12
LIMIT: Final = 13
CONSENT: Final = 14
REPEATED: Final = 15
WHEN: Final = 16
TOO_DEEP: Final = 17

#: code -> (reason, what it means). The reason is what programs read.
OUTCOMES: Final[dict[int, tuple[str, str]]] = {
    FIRED: ("fired", "it fired"),
    CONDITION: ("condition", "a condition of `if` did not hold"),
    STILL: ("still", "a condition of `still` did not hold when the wait was over"),
    UNLESS: ("unless", "an event of `unless` came while it waited"),
    WAITING: ("waiting", "it waits"),
    NOT_STARTED: ("not_started", "the rule had not started: `starts_at`"),
    ENDED: ("ended", "the rule had ended: `ends_at`"),
    EXPIRED: ("expired", "it came later than `expires` allows"),
    ONCE: ("once", "it fires once, and had fired already"),
    COOLDOWN: ("cooldown", "it fired less than `cooldown` before"),
    OUTRANKED: ("outranked", "another rule of its group fired in the same step"),
    HELD_OUT: ("held_out", "the customer is in the held-out part: recorded, and nobody was told"),
    CEL_ERROR: ("cel_error", "an expression in CEL could not be evaluated"),
    LIMIT: ("limit", "a limit on what is kept of one customer dropped what it waited for"),
    CONSENT: ("consent", "the consent of the customer keeps rules from seeing the event"),
    REPEATED: ("repeated", "it had fired for this very cause already"),
    TOO_DEEP: ("too_deep", "too many deliveries led to it, each by the outcome of the one before"),
    WHEN: ("when", "the condition it acts on has not become what `becomes` asks for"),
}
