"""Who sees what: for each role and table nothing above the clearance, and all that is below it."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footfall import tables
from footfall.events.schema_rules import CLASSES, Class
from footfall.settings import Role
from footfall.tables.spec import AnyTable, NoConfig, TableSpec
from footfall.view.classes import Mask
from footfall.view.document import included
from footfall.view.roles import CLEARANCES
from tests.tables import hostile
from tests.tables.made import TALLY

NAMES = [table.name for table in tables.ALL]
TABLES = {table.name: table for table in tables.ALL}
RANK = {name: n for n, name in enumerate(CLASSES)}
#: Shorter texts stand in what everybody sees, too.
CANARY_CHARS_MIN = 8


@functools.cache
def view_of(name: str) -> Mapping[str, Any]:
    """The views of rows that are full of everything, put together."""
    table = TABLES[name]
    assert table.view is not None
    whole: dict[str, Any] = {}
    for make in hostile.ROWS[name]:
        row = make()
        for part, value in table.view(
                row.facts, row.told, hostile.NEWEST + 1,
                hostile.CONFIGS.get(name) or table.config()).items():
            known = whole.get(part)
            whole[part] = [*known, *value] if isinstance(known, list) else value
    return whole


def document(name: str, view: Mapping[str, Any]) -> dict[str, Any]:
    return {"customer_key": "user_id:x", "ids": {"user_id": "the-canary-of-ids"}, "timers": {},
            "tables": {name: view}}


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a view with its path; places in lists are no part of it."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list | tuple) and value:
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def class_of(table: AnyTable, path: tuple[str, ...]) -> Class | None:
    """The class of the longest declared path that it begins with; None: there is none."""
    found = [(len(said), kind) for said, kind in
             ((key.split("."), kind) for key, kind in table.classes.items())
             if len(said) <= len(path)
             and all(a in (b, "*") for a, b in zip(said, path, strict=False))]
    return max(found)[1] if found else None


@pytest.mark.parametrize("name", NAMES)
def test_every_part_of_every_view_has_a_class(name: str) -> None:
    """Otherwise it is masked for nearly everybody: say it in `TableSpec.classes`."""
    table = TABLES[name]
    assert set() == {".".join(path) for path, _ in leaves(view_of(name))
                     if class_of(table, path) is None}
    assert table.classes.keys() <= {
        ".".join(path[:n]) for path, _ in leaves(view_of(name)) for n in range(1, len(path) + 1)
    } | {path for path in table.classes if "*" in path}, "a class of what the view does not have"


@pytest.mark.parametrize("role", get_args(Role))
@pytest.mark.parametrize("name", NAMES)
def test_no_role_sees_more_than_it_may_and_all_that_it_may(name: str, role: Role) -> None:
    """By every single value of a full row."""
    view, clearance = view_of(name), CLEARANCES[role]
    table = TABLES[name]
    masked = Mask(tables.ALL).document(document(name, view), clearance)
    shown = list(leaves(masked["tables"][name]))
    text = json.dumps(masked, ensure_ascii=False)
    allowed = [(path, value) for path, value in leaves(view)
               if RANK[class_of(table, path) or "sensitive"] <= RANK[clearance]]
    assert [leaf for leaf in shown if "masked" not in leaf[0]] == allowed
    may = json.dumps([value for _path, value in allowed], ensure_ascii=False)
    canaries = 0
    for path, value in leaves(view):
        if (path, value) not in allowed and len(str(value)) >= CANARY_CHARS_MIN:
            said = json.dumps(value, ensure_ascii=False)
            if said not in may:
                canaries += 1
                assert said not in text, (role, path)
    if name == "identity" and RANK[clearance] < RANK["personal"]:
        assert canaries > 1
    assert ("the-canary-of-ids" in text) == (RANK[clearance] >= RANK["personal"])


def test_every_role_has_a_clearance_and_the_owner_sees_all() -> None:
    assert set(get_args(Role)) == CLEARANCES.keys()
    assert "sensitive" == CLEARANCES["owner"]
    assert ["owner"] == [role for role, clearance in CLEARANCES.items() if clearance == "sensitive"]


def test_what_has_no_class_is_sensitive() -> None:
    """A table that classes nothing, one that is not known, and a view that failed."""
    mask = Mask([TALLY, *tables.ALL])
    for view in ({"facts": {"seen": {"m1": [1, 2]}}, "told": {}}, {"view_failed": "ValueError"}):
        for name in ("tally", "unheard_of", "cart"):
            shown = mask.document(document(name, view), "personal")["tables"][name]
            assert "m1" not in json.dumps(shown) and "ValueError" not in json.dumps(shown)
            assert view == mask.document(document(name, view), "sensitive")["tables"][name]


def made(classes: Mapping[str, Class]) -> AnyTable:
    spec = {f: getattr(TALLY, f) for f in TALLY.__slots__}
    return TableSpec(**{**spec, "name": "made", "classes": classes, "config": NoConfig})


@pytest.mark.parametrize(("classes", "shown"), [
    ({"a": "internal"}, {"a": {"b": [{"c": 1}], "d": "x"}, "e": {"masked": "sensitive"}}),
    ({"a": "personal", "a.d": "public", "e": "public"},
     {"a": {"b": {"masked": "personal"}, "d": "x"}, "e": None}),
    ({"a.b.c": "internal", "a.d": "sensitive"},
     {"a": {"b": [{"c": 1}], "d": {"masked": "sensitive"}}, "e": {"masked": "sensitive"}}),
    ({"a.*": "personal", "a.d": "internal", "e": "internal"},
     {"a": {"b": {"masked": "personal"}, "d": "x"}, "e": None}),
])
def test_the_longest_path_speaks(classes: Mapping[str, Class], shown: Any) -> None:
    """For all beneath it; lists are passed through; an absent value is masked like any other."""
    view = {"a": {"b": [{"c": 1}], "d": "x"}, "e": None}
    masked = Mask([made(classes)]).document(document("made", view), "internal")["tables"]["made"]
    assert shown == masked


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=10),
       st.dictionaries(st.sampled_from(["a", "a.b", "a.*", "b", "b.c.a", "*"]),
                       st.sampled_from(CLASSES), max_size=4), st.sampled_from(CLASSES))
def test_a_higher_clearance_never_sees_less(view: Any, classes: Any, clearance: Class) -> None:
    """And what it was given stays as it was."""
    mask = Mask([made(classes)])
    before = json.dumps(view)
    seen = [leaf for leaf in leaves(
        mask.document(document("made", {"a": view, "b": view}), clearance)["tables"])
        if "masked" not in leaf[0]]
    whole = list(leaves({"made": {"a": view, "b": view}}))
    assert all(leaf in whole for leaf in seen)
    assert before == json.dumps(view)
    for above in CLASSES[RANK[clearance]:]:
        more = list(leaves(
            mask.document(document("made", {"a": view, "b": view}), above)["tables"]))
        assert all(leaf in more for leaf in seen)


def test_only_what_is_included_is_shown() -> None:
    """Tables by name, and the identifiers under `ids`."""
    whole = {"customer_key": "user_id:x", "ids": {"user_id": "u"},
             "timers": {"cart": {}, "risk": {}}, "tables": {"cart": {}, "risk": {}}}
    cart = {"customer_key": "user_id:x", "timers": {"cart": {}}, "tables": {"cart": {}}}
    assert cart == included(whole, {"cart"})
    assert {"user_id": "u"} == included(whole, {"ids"})["ids"]
    assert {} == included(whole, {"ids"})["tables"]
