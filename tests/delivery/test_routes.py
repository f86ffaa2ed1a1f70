"""Routes: what a file says, and where a trigger goes by it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall.delivery import routes
from footfall.delivery.routes import BYTES_MAX, Routes, channel_of, medium_of, parse, read
from footfall.delivery.routes_row import (
    DESTINATIONS_MAX,
    ROUTES_MAX,
    Route,
    RoutesFile,
    WebhookDestination,
)
from footfall.errors import ConfigError

HOOK = "{channel: webhook, purpose: necessary, url: https://x.example/h, secret_env: HOOK_SECRET}"
ROOT = Path(__file__).parents[2]


def of(*lines: str, names: tuple[str, ...] = ("a", "b", "c")) -> Routes:
    """Routes to destinations that are all alike."""
    destinations = "".join(f"  {name}: {HOOK}\n" for name in names)
    return parse(f"destinations:\n{destinations}routes:\n" + "".join(
        f"  - {line}\n" for line in lines), "routes.yaml")


# -- where a trigger goes ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "expected"), [
    ("cart_abandoned", ["b", "a", "c"]),  # in the order of the routes, each once
    ("cart_recovered", ["b", "c"]),
    ("cart_", ["b", "c"]),
    ("cart", ["c"]),
    ("other", ["c"]),
    ("", ["c"]),
])
def test_a_trigger_goes_where_its_name_fits(name: str, expected: list[str]) -> None:
    """Exactly, by what it begins with, or always."""
    found = of("{triggers: cart_*, to: b}", "{triggers: [cart_abandoned, x], to: [a, b]}",
               "{triggers: '*', to: c}")

    assert expected == found.targets(name, {})


@pytest.mark.parametrize(("data", "expected"), [
    ({"level": "high", "cart": {"n": 2}}, ["a"]),
    ({"level": "elevated", "cart": {"n": 2.0}}, ["a"]),
    ({"level": "low", "cart": {"n": 2}}, []),
    ({"level": "high"}, []),
    ({"level": "high", "cart": {"n": 3}}, []),
    ({"vip": True}, ["b"]),
    ({"vip": "true"}, ["b"]),
    ({"vip": 1}, []),
])
def test_all_of_where_must_fit(data: dict[str, Any], expected: list[str]) -> None:
    """One value or several; numbers and truth are compared as the trigger has them."""
    found = of("{triggers: t, where: {level: [high, elevated], cart.n: 2}, to: a}",
               "{triggers: t, where: {vip: true}, to: b}")

    assert expected == found.targets("t", data)


NAMES = st.text("ab", max_size=3)


@given(st.lists(st.tuples(st.lists(st.one_of(NAMES.filter(bool), NAMES.map("{}*".format)),
                                   min_size=1, max_size=3),
                          st.lists(st.sampled_from("xyz"), min_size=1, max_size=3)), max_size=8),
       NAMES)
def test_the_index_finds_what_looking_at_every_route_finds(
        said: list[tuple[list[str], list[str]]], name: str) -> None:
    """For any names: the index is only faster."""
    file = RoutesFile(destinations={}, routes=tuple(
        Route(triggers=tuple(triggers), to=tuple(to)) for triggers, to in said))
    expected = [to for route in file.routes for to in route.to if any(
        name == one or (one.endswith("*") and name.startswith(one[:-1]))
        for one in route.triggers)]

    assert list(dict.fromkeys(expected)) == routes.routes_of(file, Path()).targets(name, {})


def test_a_thousand_routes_cost_only_those_that_match() -> None:
    """A trigger that one route names takes about as long among 1,000 as among 10."""
    def taken(count: int) -> float:
        file = RoutesFile(destinations={}, routes=tuple(
            Route(triggers=(f"t{n:04}", f"p{n:04}*"), where={"level": ("high",)}, to=("a",))
            for n in range(count)))
        made = routes.routes_of(file, Path())
        assert ["a"] == made.targets("t0005", {"level": "high"})

        def once() -> float:
            began = time.thread_time()  # whatever else the machine does
            for _ in range(1_000):
                made.targets("t0005", {"level": "high"})
            return time.thread_time() - began
        return min(once() for _ in range(7))

    assert taken(1_000) < 5 * taken(10)


# -- what a file may say -------------------------------------------------------------------------


def test_one_value_stands_for_a_list_of_one() -> None:
    """Of triggers, destinations, secrets and values; so both spellings are one version."""
    short = of("{triggers: t, where: {level: high, n: 5, vip: true}, to: a}")
    long = of('{triggers: [t], where: {level: ["high"], n: ["5"], vip: ["true"]}, to: [a]}')

    assert short.routes == long.routes
    assert short.version == long.version
    hook = short.destinations["a"]
    assert isinstance(hook, WebhookDestination)
    assert ("HOOK_SECRET",) == hook.secret_env


def test_the_version_is_that_of_the_content() -> None:
    """Comments, the order of keys and stated defaults do not count; anything else does."""
    base = of("{triggers: t, to: a}")

    assert 12 == len(base.version) == len(bytes.fromhex(base.version)) * 2
    assert base.version == of("{to: a, triggers: t, where: {}}  # a comment").version
    assert base.version == of("{triggers: t, to: a}", names=("c", "b", "a")).version
    assert base.version != of("{triggers: u, to: a}").version
    assert base.version != of("{triggers: t, to: a}", "{triggers: t, to: b}").version


def test_no_routes_are_routes_that_lead_nowhere() -> None:
    """A first file may have destinations alone; each is said to be unused by the check."""
    found = parse(f"destinations:\n  a: {HOOK}\n", "r.yaml")

    assert [] == found.targets("t", {})
    assert ["a"] == list(found.destinations)


def test_medium_is_the_channel_unless_it_is_said() -> None:
    """By it consent and caps are counted."""
    hook = of().destinations["a"]
    other = WebhookDestination(purpose="x", url="https://x.example/", medium="sms")

    assert ("webhook", "webhook") == (channel_of(hook), medium_of(hook))
    assert ("webhook", "sms") == (channel_of(other), medium_of(other))


def test_the_example_is_right() -> None:
    """docs/routes.yaml can be used as it is, templates and all, and warns of nothing."""
    found = read(ROOT / "docs/routes.yaml")

    assert ["crm", "cart_mail", "live_board", "vip_topic"] == found.targets("cart_abandoned", {})
    assert ["crm", "risk_desk"] == found.targets("risk_level_changed", {"level": "high"})
    assert ["crm"] == found.targets("risk_level_changed", {"level": "low"})
    assert {"webhook", "email", "kafka", "redis", "notify"} == {
        channel_of(one) for one in found.destinations.values()}


# -- what it may not say -------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "message"), [
    ("", "r.yaml: is no object of sections, such as `destinations:`"),
    ("routes: []", "r.yaml:1: `destinations` is to name at least one destination"),
    ("destinations: {}", "r.yaml:1: `destinations` is to name at least one destination"),
    ("\ndestination: {}", "r.yaml:2: unknown key 'destination'; known keys: destinations, routes"),
    ("destinations:\n  A: {}", "r.yaml:2: the name 'A' of a destination: small letters"),
    ("destinations:\n  a: 5", r"r.yaml:2: \[destinations.a\] is no object; give it `channel`"),
    ("destinations:\n  a:\n    channel: fax",
     r"r.yaml:3: \[destinations.a\] channel = 'fax': expected one of webhook, email, kafka"),
    ("destinations:\n  a:\n    purpose: x",
     r"r.yaml:2: \[destinations.a\] channel: expected one of webhook"),
    ("destinations:\n  a:\n    channel: webhook\n    url: https://x.example",
     r"r.yaml:2: \[destinations.a\]: Object missing required field `purpose`"),
    ("destinations:\n  a:\n    channel: webhook\n    purpose: x\n    ulr: y",
     r"r.yaml:5: \[destinations.a\] Object contains unknown field `ulr`; known keys: .*\burl\b"),
    ("destinations:\n  a:\n    channel: webhook\n    purpose: x\n    url: https://x.example\n"
     "    retry:\n      delays_s: [5, -1]",
     r"r.yaml:7: \[destinations.a\] retry.delays_s\[1\] = -1: Expected `float` >= 0"),
    ("destinations:\n  a:\n    channel: webhook\n    purpose: x\n    url: https://x.example\n"
     "    order: wild", r"r.yaml:6: \[destinations.a\] order = 'wild': expected one of customer"),
    ("a: 1\na: 2", 'r.yaml:2: found duplicate key "a"'),
    ("destinations:\n  a: !!python/object:os.system {}",
     "r.yaml:2: could not determine a constructor"),
    ("destinations: [", "r.yaml:1: "),
])
def test_what_is_no_routes_file_is_refused(text: str, message: str) -> None:
    """With file, line, key, value and limit."""
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse(text, "r.yaml")


@pytest.mark.parametrize(("line", "message"), [
    ("5", r"\[routes\[0\]\] is no object; give it `triggers` and `to`"),
    ("{triggers: t}", r"\[routes\[0\]\]: Object missing required field `to`"),
    ("{triggers: [], to: a}", r"\[routes\[0\]\] triggers = \[\]: Expected `array` of length >= 1"),
    ("{triggers: t, to: []}", r"\[routes\[0\]\] to = \[\]: Expected `array` of length >= 1"),
    ("{triggers: t, to: a, when: {}}",
     r"\[routes\[0\]\] .*unknown field `when`; known keys: triggers, where, to"),
    ("{triggers: t, to: A}", r"\[routes\[0\]\] to\[0\] = 'A': Expected `str` matching regex"),
    ("{triggers: t, where: {a..b: 1}, to: a}", r".* 'a..b' is no path below `data`"),
    ("{triggers: t, where: {a: []}, to: a}", r".* where.a has 0 values; give 1 to 200"),
    ("{triggers: t, where: {a: }, to: a}", r".* where.a: each value is a text of at most 1000"),
    ("{triggers: t, where: {a: {b: 1}}, to: a}", r".* where.a: each value is a text"),
    ("{triggers: t, where: {a: .inf}, to: a}", r".* where.a: each value is a text"),
    ("{triggers: t, where: [a], to: a}", r"\[routes\[0\]\] where = \['a'\]: Expected `object`"),
])
def test_what_is_no_route_is_refused(line: str, message: str) -> None:
    """With its place in the list and its line."""
    with pytest.raises(ConfigError, match=f"^routes.yaml:6: {message}"):
        of(line)


def test_an_error_says_how_many_there_are_besides() -> None:
    """All of them are shown by the check; one is enough to know that nothing is in force."""
    with pytest.raises(ConfigError, match=r"routes.yaml:6: .*; and 1 more: `footfall"):
        of("{triggers: t, to: nobody}", "{triggers: t!, to: a}")


def test_numbers_of_destinations_and_routes_are_bounded() -> None:
    """At the limit they are taken, beyond it not."""
    names = tuple(f"d{n}" for n in range(DESTINATIONS_MAX))
    lines = ["{triggers: t, to: d0}"] * ROUTES_MAX

    assert ROUTES_MAX == len(of(*lines, names=names).routes)
    with pytest.raises(ConfigError, match="`routes` has 1001 entries; at most 1000"):
        of(*lines, lines[0], names=names)
    with pytest.raises(ConfigError, match="`destinations` has 101 entries; at most 100"):
        of(names=(*names, "one_more"))


@pytest.mark.parametrize("text", [
    "a: &a [*a]",
    "a: &a {b: *a}",
    "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n"
        for n in range(9)),
    "destinations: " + "[" * 1_000,
    "destinations: " + "{a: " * 40 + "1" + "}" * 40,
])
def test_a_small_file_never_becomes_a_large_one(text: str) -> None:
    """Aliases of aliases, circles and depth are refused in time."""
    began = time.thread_time()
    with pytest.raises(ConfigError, match=r"with its aliases|maximum recursion"):
        parse(text, "r.yaml")
    assert time.thread_time() - began < 5


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("text", [
    f"destinations:\n  a: {HOOK.replace('HOOK_SECRET', SECRET)}",
    f"destinations:\n  a: {HOOK.replace('HOOK_SECRET', f'[X, {SECRET}]')}",
    f"destinations:\n  a: {{channel: webhook, purpose: x, url: 'https://x.example/?k={SECRET}'}}",
    f"destinations:\n  a: {{channel: webhook, headers: {{Authorization: {SECRET}}}}}",
    f"destinations:\n  a: {{{SECRET}: 1}}",
    f"destinations:\n  {SECRET}: {{}}",
    f"{SECRET}: 1",
    f"destinations:\n  a: {SECRET}\n  a: {SECRET}",
    f"destinations:\n  {SECRET}: 1\n  {SECRET}: 1",
    f"destinations: !{SECRET} {{}}",
])
def test_a_secret_in_the_file_is_refused_and_never_shown(text: str) -> None:
    """Wherever it stands; the message says what to do."""
    with pytest.raises(ConfigError, match="secret") as caught:
        parse(text, "r.yaml")

    assert SECRET[6:] not in str(caught.value)
    assert SECRET[6:] not in repr(caught.value.path) or "destinations" in caught.value.path


def test_anything_at_all_is_read_or_refused() -> None:
    """Text of any kind, never another error: half of a real file, and pieces of it anywhere."""
    whole = (ROOT / "docs/routes.yaml").read_text()
    chance = random.Random(1)
    for _ in range(60):
        text = list(whole)
        for _change in range(chance.randrange(1, 6)):
            at = chance.randrange(len(text))
            text[at:at + chance.randrange(3)] = chance.choice(
                ["", "- ", ": ", "{", "]", "'", "*", "&a ", "\n", "5", "null", "whsec_", "é", "\t"])
        try:
            parse("".join(text[:chance.randrange(len(text)) if chance.random() < 0.3 else None]),
                  "r.yaml")
        except ConfigError as error:
            assert "r.yaml" in str(error)


# -- files ---------------------------------------------------------------------------------------


def test_a_file_is_read_with_its_folder(tmp_path: Path) -> None:
    """Templates are looked for beside it."""
    file = tmp_path / "r.yaml"
    file.write_text("destinations:\n  a: {channel: webhook, purpose: x, template: t/a.json, "
                    "url: https://x.example/}\n")
    with pytest.raises(ConfigError, match=rf"{file}:2: .*template: there is no file {tmp_path}/t"):
        read(file)

    (tmp_path / "t").mkdir()
    (tmp_path / "t/a.json").write_text("{}")

    assert tmp_path == read(file).folder


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Absent, a folder, a pipe that would never end, too large, not UTF-8."""
    pipe, large, bytes_ = tmp_path / "pipe", tmp_path / "large.yaml", tmp_path / "bytes.yaml"
    os.mkfifo(pipe)
    large.write_text("#" * (BYTES_MAX + 1))
    bytes_.write_bytes(b"\xff\xfe")
    for path, message in ((tmp_path / "gone.yaml", "no such file; give the path"),
                          (tmp_path, "no such file"), (pipe, "no such file"),
                          (large, "more than 1000000 bytes"), (bytes_, "codec can't decode")):
        with pytest.raises(ConfigError, match=f"{path}: .*{message}"):
            read(path)
