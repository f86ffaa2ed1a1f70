"""How a destination is: its circuit breaker, and since when it does nothing but fail. Pure.

    closed     all is sent; so many failures in a row open it
    open       nothing is sent for `open_ms`
    half open  then one is tried: it closes the breaker, or opens it for twice as long
    disabled   nothing is sent until an administrator enables it

Decides which outcomes say something of the destination. It fails where it, or the way to it, does:
no answer, 5xx, 429, a server that is going down. An answer that is about this one message (a 550 to
a recipient, a 400) shows that it is there: whoever sends to ten dead addresses in a row must not
stop the mail of all others. What never left here says nothing.
Must never read a clock: `now` is when it was decided (ms).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from footfall.delivery.message import Outcome
from footfall.delivery.routes_row import Breaker

#: Failures in a row without which no destination is disabled: of one to which something is sent
#: once a week, two may lie days apart.
DISABLE_FAILURES_MIN: Final = 3
#: The destination, or the way to it.
WORLD: Final = frozenset({
    "timeout", "connection", "tls", "dns", "address_refused", "throttled", "redirect",
    "answer_invalid", "broker", "redis", "notify",
})
#: It answered, about this message.
ANSWERED: Final = frozenset({"refused", "aborted"})
#: Of these the code says which: HTTP's and SMTP's.
STATUS, SMTP_TEMPORARY = "status", "smtp_temporary"
#: What is wrong is what was sent. Every other code that is no 2xx is about the destination.
HTTP_OF_MESSAGE: Final = frozenset({400, 409, 411, 413, 414, 415, 422, 431})
#: The server itself is busy, or going down; 0: it went without a word. Others are about a mailbox.
SMTP_OF_SERVER: Final = frozenset({0, 421, 432, 454})

Says = Literal["works", "fails", "nothing"]
May = Literal["yes", "probe", "no"]


class Health(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Of one destination; instants in ms, 0: none. `open_ms`: for how long the breaker is open now
    or was last, 0: it is closed. `generation`: how often it was enabled again.
    """

    failures: int = 0
    failing_since: int = 0
    open_until: int = 0
    open_ms: int = 0
    last_sent_at: int = 0
    disabled_at: int = 0
    disabled_reason: str = ""
    generation: int = 0


def says(outcome: Outcome) -> Says:
    """What an outcome says of the destination."""
    reason, code = outcome.reason, outcome.code
    if outcome.result == "sent" or reason in ANSWERED:
        return "works"
    if reason in WORLD:
        return "fails"
    if reason == STATUS:
        return "works" if code in HTTP_OF_MESSAGE else "fails"
    if reason == SMTP_TEMPORARY:
        return "fails" if code in SMTP_OF_SERVER else "works"
    return "nothing"


def after(health: Health, breaker: Breaker, outcome: Outcome, now: int) -> Health:
    """The health after an attempt."""
    said = says(outcome)
    if said == "fails":
        return failed(health, breaker, now)
    if outcome.result == "sent":
        return succeeded(health, now)
    return _works(health) if said == "works" else health


def succeeded(health: Health, now: int) -> Health:
    """After something was sent: the breaker is closed. What is disabled stays so: this was under
    way when it was.
    """
    return msgspec.structs.replace(_works(health), last_sent_at=max(now, health.last_sent_at))


def failed(health: Health, breaker: Breaker, now: int) -> Health:
    """After a failure that is the destination's. Those that were under way when the breaker opened
    do not open it for longer.
    """
    health = msgspec.structs.replace(health, failures=health.failures + 1,
                                     failing_since=health.failing_since or now)
    if health.failures < breaker.failures or is_open(health, now):
        return health
    first_ms = round(breaker.open_s * 1000)
    open_ms = max(first_ms, min(2 * health.open_ms, round(breaker.open_s_max * 1000)))
    return msgspec.structs.replace(health, open_ms=open_ms, open_until=now + open_ms)


def is_open(health: Health, now: int) -> bool:
    """Whether the breaker lets nothing through, not even one. It never waits for longer than it was
    opened for, also where the clock was put back.
    """
    return health.open_until - health.open_ms <= now < health.open_until


def may_send(health: Health, now: int, *, is_probing: bool) -> May:
    """Whether something may be sent now; `probe`: one, to find out. `is_probing`: one is under way.
    """
    if health.disabled_at or is_open(health, now):
        return "no"
    if not health.open_ms:
        return "yes"
    return "no" if is_probing else "probe"


def overdue(health: Health, disable_after_s: float, now: int) -> bool:
    """Whether it has done nothing but fail for so long (0: never is) that it is to be disabled."""
    return (disable_after_s > 0 and not health.disabled_at
            and health.failures >= DISABLE_FAILURES_MIN
            and now - health.failing_since >= disable_after_s * 1000)


def disabled(health: Health, reason: str, now: int) -> Health:
    """Disabled, as of now; what is already stays so since then, for the reason it was."""
    if health.disabled_at:
        return health
    return msgspec.structs.replace(health, disabled_at=now, disabled_reason=reason)


def enabled(health: Health) -> Health:
    """Enabled by an administrator: it begins anew, as if nothing had failed."""
    return Health(last_sent_at=health.last_sent_at, generation=health.generation + 1)


def _works(health: Health) -> Health:
    if not health.failures and not health.open_ms:
        return health
    return msgspec.structs.replace(health, failures=0, failing_since=0, open_until=0, open_ms=0)
