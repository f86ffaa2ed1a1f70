"""A key that is for some triggers alone finds no trace of others."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from footfall.view import scope
from footfall.view.roles import ApiKey
from footfall.view.why_not import RULE_UNKNOWN

NAMES = st.sampled_from(("mine", "ours", "secret_one", "secret_two"))
FOR_SOME = ApiKey("k", "owner", frozenset({"mine", "ours"}))
FOR_ALL = ApiKey("k", "owner")
ENTRIES = st.lists(st.fixed_dictionaries({"rule": NAMES, "at": st.just("2026-01-01")}))
VIEWS = st.fixed_dictionaries({"fired": ENTRIES, "waits": ENTRIES, "not_fired": ENTRIES})


def shown_of(view: Any) -> dict[str, Any]:
    return {"customer_key": "c", "timers": {"rules": {"due": "x"}, "cart": {"due": "y"}},
            "tables": {"cart": {"open": 1}, **({"rules": view} if view is not None else {})}}


@given(VIEWS | st.none() | st.just({"view_failed": "KeyError"}))
def test_of_a_customer_only_its_own_rules_are_left(view: Any) -> None:
    """The rest stays, and what was given is as it was."""
    given_, before = shown_of(view), json.dumps(shown_of(view))
    seen = scope.customer(given_, FOR_SOME)
    assert before == json.dumps(given_)
    assert given_ == scope.customer(given_, FOR_ALL)
    assert "secret" not in json.dumps(seen)
    assert ({"open": 1}, {"cart": {"due": "y"}}) == (seen["tables"]["cart"], seen["timers"])
    if view is not None and "fired" in view:
        assert [[one for one in view[part] if one["rule"] in FOR_SOME.triggers] for part in view
                ] == [seen["tables"]["rules"][part] for part in view]


def test_a_rule_of_others_is_as_one_that_there_is_not() -> None:
    """To the byte, but for the name that was asked for."""
    head = {"customer_key": "c", "config_version": "1:a"}
    of_others = {**head, "rule": "secret_one", "reason": "fired", "text": "it fired",
                 "fired": {"times": 1}, "waiting": []}
    of_nobody = {**head, "rule": "nothing", "reason": RULE_UNKNOWN, "rules": 4,
                 "text": "no rule has this name; 4 rules are in force; alike: secret_one",
                 "alike": ["secret_one"]}
    no_longer = {**of_nobody, "rule": "mine"}
    answers = [scope.why_not(shown, FOR_SOME) for shown in (of_others, of_nobody, no_longer)]
    assert [{**head, "rule": shown["rule"], "reason": RULE_UNKNOWN, "text": scope.UNKNOWN}
            for shown in (of_others, of_nobody, no_longer)] == answers
    assert of_nobody == scope.why_not(of_nobody, FOR_ALL)
    own = {**of_others, "rule": "mine"}
    assert own == scope.why_not(own, FOR_SOME)
