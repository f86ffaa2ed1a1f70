"""The consent in force against one reckoned from the plain list of what was said.

The list is drawn as claims, not as events: the reckoning knows nothing of objects, statements or
normal forms, and goes through all claims for every question.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from footfall.events.interaction import Interaction
from footfall.tables import consent_facts, consent_reading
from footfall.tables.consent_row import STATUSES, ConsentFacts
from tests.tables.consents import act, carried

T0 = 1_700_000_000_000
NEVER = 1 << 62
PURPOSES, CHANNELS = ("ads", "news", "necessary"), ("", "email", "sms")
STRICTNESS = {"granted": 0, "expired": 1, "unknown": 2, "denied": 3, "withdrawn": 4}


class Claim(NamedTuple):
    """Of one event: form `carried`, `act` or `gpc`; purpose "" is every one."""

    form: str
    at: int
    message_id: str
    subject: tuple[str, str]
    purpose: str
    channel: str
    status: str
    expires_at: int


def last(claims: list[Claim]) -> Claim | None:
    """By time, the stricter, the sooner end, messageId."""
    return max(claims, default=None, key=lambda c: (
        c.at, STRICTNESS[c.status], -(c.expires_at or NEVER), c.message_id))


def under(claims: list[Claim], purpose: str, channel: str, *, gpc: bool) -> Claim | None:
    """Under one identifier."""
    def of(form: str) -> Claim | None:
        of_form = [c for c in claims if c.form == form and c.channel == channel]
        named = last([c for c in of_form if c.purpose == purpose])
        everything = last([c for c in of_form if c.purpose == ""])
        if everything is None or everything.status == "granted" or purpose == "necessary":
            return named
        return everything if named is None or (
            everything.at, STRICTNESS[everything.status]) > (
            named.at, STRICTNESS[named.status]) else named

    acted, remembered = of("act"), of("carried")
    control = last([c for c in claims if c.form == "gpc"]) if gpc else None
    if control is not None and (acted is None or (control.at, 3) > (
            acted.at, STRICTNESS[acted.status])):
        acted = control
    if acted is None:
        return remembered
    if acted.status == "granted" and remembered is not None and remembered.status == "denied" and (
            remembered.at >= acted.at):
        return remembered
    return acted


def status_of(claim: Claim, now: int) -> str:
    over = claim.status == "granted" and 0 < claim.expires_at <= now
    return "expired" if over else claim.status


def among(claims: list[Claim], purpose: str, channel: str, now: int, *, gpc: bool
          ) -> tuple[str, Claim] | None:
    for kind in ("user_id", "anonymous_id"):
        found = []
        for subject in {c.subject for c in claims if c.subject[0] == kind}:
            one = under([c for c in claims if c.subject == subject], purpose, channel, gpc=gpc)
            if one is not None:
                found.append((status_of(one, now), one))
        if found:
            return max(found, key=lambda f: (
                STRICTNESS[f[0]], -(f[1].expires_at or NEVER), f[1].at, f[1].subject))
    return None


def reckoned(claims: list[Claim], purpose: str, channel: str, now: int) -> str:
    general = among(claims, purpose, "", now, gpc=purpose != "necessary")
    own = among(claims, purpose, channel, now, gpc=False) if channel else None
    if own is None:
        return "unknown" if general is None else general[0]
    if own[0] == "granted" and general is not None and general[0] in ("denied", "withdrawn") and (
            general[1].at >= own[1].at):
        return general[0]
    return own[0]


_ids = st.sampled_from([("user_id", "u1"), ("user_id", "u2"), ("anonymous_id", "a1"),
                        ("anonymous_id", "a2")])
_some = st.dictionaries(st.sampled_from(PURPOSES), st.booleans(), max_size=3)


@st.composite
def said(draw: st.DrawFn) -> tuple[Interaction, list[Claim]]:
    """An event, and what it claims."""
    at, message_id, subject = T0 + draw(st.integers(0, 6)), draw(st.text("abc", min_size=1)), draw(
        _ids)
    ids = {"userId" if subject[0] == "user_id" else "anonymousId": subject[1]}

    def claim(form: str, purpose: str, channel: str, status: str, expires_at: int = 0) -> Claim:
        return Claim(form, at, message_id, subject, purpose, channel, status, expires_at)

    kind = draw(st.sampled_from(["carried", "carried", "act", "act", "unsubscribed", "subscribed"]))
    channel = draw(st.sampled_from(CHANNELS))
    context: dict[str, Any] = {}
    claims: list[Claim] = []
    if draw(st.integers(0, 5)) == 0:
        context["globalPrivacyControl"] = True
        claims.append(claim("gpc", "", "", "denied"))
    if kind == "carried":
        some = draw(_some)
        claims += [claim("carried", p, "", "granted" if ok else "denied")
                   for p, ok in some.items()] or [claim("carried", "", "", "denied")]
        return carried(at, message_id, ids, allowed=some, **context), claims
    if kind == "act":
        statuses = draw(st.dictionaries(st.sampled_from(PURPOSES), st.sampled_from(
            ["granted", "granted", "denied", "withdrawn"]), min_size=1))
        ends = draw(st.sampled_from([0, 0, T0 + 3, T0 + 8]))
        claims += [claim("act", p, channel, status, ends if status == "granted" else 0)
                   for p, status in statuses.items()]
        more = {"channel": channel} if channel else {}
        if ends:
            more["expires_at"] = ends
        return act(at, message_id, ids, purposes=statuses, context=context, **more), claims
    more = {"channel": channel} if channel else {}
    purpose = draw(st.sampled_from(["", "ads", "news"]))
    if purpose:
        more["purpose"] = purpose
    name = "Unsubscribed" if kind == "unsubscribed" else "Subscribed"
    if kind == "unsubscribed":
        claims.append(claim("act", purpose, channel or "email", "withdrawn"))
    elif purpose or channel:
        claims.append(claim("act", purpose, channel or "email", "granted"))
    return act(at, message_id, ids, event=name, context=context, **more), claims


@settings(deadline=None, max_examples=600)
@given(st.lists(said(), max_size=10, unique_by=lambda s: s[0]["message_id"]), st.data())
def test_what_is_in_force_is_what_the_claims_say(happened: list[tuple[Interaction, list[Claim]]],
                                                 data: st.DataObject) -> None:
    """Of every purpose and channel, at any instant, in any order, over two rows that join."""
    claims = [claim for _event, some in happened for claim in some]
    now = T0 + data.draw(st.integers(0, 10))
    parts = [ConsentFacts(), ConsentFacts()]
    for event, _claims in data.draw(st.permutations(happened)):
        i = data.draw(st.integers(0, 1))
        parts[i] = consent_facts.observe(parts[i], event, event["event_time"])
    facts = consent_facts.merge(*parts)
    for purpose in (*PURPOSES, "other"):
        for channel in CHANNELS:
            found = consent_reading.effective(facts, purpose, channel, now)
            assert reckoned(claims, purpose, channel, now) == STATUSES[found.status]
