"""Adds a filled-in recipe to a file of rules that somebody keeps by hand.

Decides that nothing of that file is lost: its comments, order and quotes stay (ruamel's round
trip), and a name that is there already is refused, never replaced. Pure.
"""

from __future__ import annotations

import io
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.util import load_yaml_guess_indent

from footfall.admin.config_document import DEFINITIONS, JOINED, TESTS
from footfall.admin.config_yaml import line_of, lines_of, load
from footfall.errors import ConfigError

#: Lines are not broken anew.
WIDTH: Final = 4_096


def added(text: str, recipe: str) -> str:
    """The text of a file, with all definitions and tests of a recipe's text at the end of its
    lists. Raises `ConfigError` that says what is there already, with its line.
    """
    _check_names(text, recipe)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    _document, indent, offset = load_yaml_guess_indent(text)
    document = yaml.load(text)
    yaml.indent(mapping=2, sequence=indent or 4, offset=2 if offset is None else offset)
    for section, said in yaml.load(recipe).items():
        if section == TESTS:
            _extend(document, TESTS, said)
        elif section not in document or document[section] is None:
            document[section] = said
        else:
            _extend(document[section], DEFINITIONS, said[DEFINITIONS])
    made = io.StringIO()
    yaml.dump(document, made)
    return made.getvalue()


def _extend(holder: Any, key: str, members: Any) -> None:
    if holder.get(key):
        holder[key].extend(members)
    else:
        holder[key] = members


def _check_names(text: str, recipe: str) -> None:
    there, lines, new = load(text), lines_of(text), load(recipe)
    for path in [*((section, DEFINITIONS) for section in JOINED), (TESTS,)]:
        known = {one.get("name"): n for n, one in enumerate(_members(there, path))
                 if isinstance(one, dict)}
        for one in _members(new, path):
            if one["name"] in known:
                line = line_of(lines, (*path, known[one["name"]], "name"))
                raise ConfigError(f"line {line}: {one['name']!r} is there already; --name gives "
                                  "what is added another name")


def _members(document: Any, path: tuple[str, ...]) -> list[Any]:
    for key in path:
        document = document.get(key) or {}
        if not isinstance(document, dict):
            break
    if document and not isinstance(document, list):
        raise ConfigError(f"{'.'.join(path)} is no list")
    return document or []
