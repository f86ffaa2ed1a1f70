"""Recipes: the examples of rules/examples, with parameters that are filled in by name.

A recipe is its file. The head of the file lists the parameters, one a line, with what they are
where nobody says otherwise:

    #   --after 30m     how long the cart is left alone
    #   --days 5        days in a row (2 to 10)

and a value that follows from them ends its line with how: `wait: 31m  # --after + 1m`. So the file
itself runs, and stays to be read. Decides what a parameter may be and what a filled-in recipe says.
Pure but for reading the package's own files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import Final, NamedTuple

from footfall.errors import ConfigError
from footfall.tables.rules_row import NAME, SPAN_MS_MAX, UNIT_MS

SPAN: Final = "a length of time such as 30m, 24h or 7d"
NUMBER: Final = "a number above 0"
TEXT: Final = "letters, digits, - and _, at most 40"
CURRENCY: Final = "three capital letters such as EUR"
_SUFFIX: Final = ".yaml"
_PARAMETER = re.compile(r"#   --([a-z-]+) +(\S+) +(.+)")
_BOUNDS = re.compile(r"\((\d+) to (\d+)\)$")
_MARKED = re.compile(r"(?P<key>\s*(?:- )?[a-z_]+: )(?P<value>.+?)  # (?P<terms>--[a-z-].*)")
_TERM = re.compile(r"([+-]) (--[a-z-]+|[0-9.]+[a-z]?)(?: |$)")
_SPANS = re.compile(r"(\d{1,7})([smhdw])")
_WORDS = {TEXT: re.compile(r"[A-Za-z0-9_-]{1,40}"), CURRENCY: re.compile(r"[A-Z]{3}")}
_HEAD: Final = "# footfall rules add "


class Parameter(NamedTuple):
    """What may be said of a recipe; `kind` is what it is. `least` and `most`: of a number."""

    name: str
    usual: str
    about: str
    kind: str
    least: Decimal | None = None
    most: Decimal | None = None

    def checked(self, given: str) -> str:
        """The value as it is written; raises `ConfigError`."""
        try:
            if self.kind == SPAN:
                found = re.fullmatch(r"[1-9][0-9]{0,6}[smhdw]", given) and _ms(given)
                if not found or found > SPAN_MS_MAX:
                    raise ConfigError(f"--{self.name} {given[:40]!r}: expected {SPAN}, at most 366 "
                                      "days")
            elif self.kind == NUMBER:
                number = Decimal(given)
                least, most = self.least or Decimal("0.01"), self.most or Decimal(10) ** 9
                if not number.is_finite() or not least <= number <= most:
                    raise ConfigError(f"--{self.name} {given[:40]!r}: expected {NUMBER}, "
                                      f"{least} to {most:f}")
            elif not _WORDS[self.kind].fullmatch(given):
                raise ConfigError(f"--{self.name} {given[:40]!r}: expected {self.kind}")
        except InvalidOperation:
            raise ConfigError(f"--{self.name} {given[:40]!r}: expected {NUMBER}") from None
        return given


class Recipe(NamedTuple):
    """A recipe: its name, which is what all names in it begin with, what it is for, its
    parameters, and the text of its file.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    text: str

    def filled(self, given: Mapping[str, str], name: str | None = None) -> str:
        """The text with these parameters, in the names `name` in the place of the recipe's own, and
        without what makes it a recipe. Raises `ConfigError`.
        """
        known = {one.name: one for one in self.parameters}
        for key in given:
            if key not in known:
                raise ConfigError(f"recipe {self.name!r} has no --{key}; it has "
                                  f"{', '.join(f'--{one}' for one in known)}")
        if name is not None and not re.match(NAME, name):
            raise ConfigError(f"--name {name[:60]!r}: small letters, digits and _, at most 50, "
                              "beginning with a letter")
        values = {key: one.checked(given.get(key, one.usual)) for key, one in known.items()}
        lines = [_filled(line, known, values) for line in self.text.splitlines()
                 if not _PARAMETER.fullmatch(line) and not line.startswith(_HEAD)]
        text = "\n".join(lines).replace("\n#\n\n", "\n\n") + "\n"
        return text if name is None else re.sub(rf"\b{self.name}", name, text)


def names() -> list[str]:
    """Of all recipes."""
    return sorted(one.name.removesuffix(_SUFFIX) for one in _folder().iterdir()
                  if one.name.endswith(_SUFFIX))


def recipe(name: str) -> Recipe:
    """The recipe of a name; raises `ConfigError` with those there are."""
    if name not in names():
        raise ConfigError(f"there is no recipe {name[:60]!r}; there are {', '.join(names())}")
    text = (_folder() / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        said = _PARAMETER.fullmatch(line)
        if said is not None:
            found.append(_parameter(*said.groups()))
    about = next(line for line in text.splitlines()[1:] if line.strip("# "))
    return Recipe(name, about.lstrip("# "), tuple(found), text)


def _folder() -> resources.abc.Traversable:
    return resources.files("footfall.rules") / "examples"


def _parameter(name: str, usual: str, about: str) -> Parameter:
    bounds = _BOUNDS.search(about)
    least, most = (None, None) if bounds is None else (Decimal(bounds[1]), Decimal(bounds[2]))
    return Parameter(name, usual, about, _kind(usual), least, most)


def _kind(usual: str) -> str:
    if _SPANS.fullmatch(usual):
        return SPAN
    if usual.replace(".", "").isdecimal():
        return NUMBER
    return CURRENCY if _WORDS[CURRENCY].fullmatch(usual) else TEXT


def _filled(line: str, known: Mapping[str, Parameter], values: Mapping[str, str]) -> str:
    said = _MARKED.fullmatch(line)
    if said is None:
        return line
    terms = [(sign, term) for sign, term in _TERM.findall(f"+ {said['terms']}")]
    first = terms[0][1].removeprefix("--")
    if len(terms) == 1:  # also as a part of a value: cart.value.EUR
        return said["key"] + said["value"].replace(known[first].usual, values[first])
    given = [(sign, values[term[2:]] if term.startswith("--") else term) for sign, term in terms]
    return said["key"] + _summed(given, known[first].kind)


def _summed(terms: list[tuple[str, str]], kind: str) -> str:
    if kind == SPAN:
        return _span(sum(int(f"{sign}1") * _ms(term) for sign, term in terms))
    return str(sum(Decimal(f"{sign}{term}") for sign, term in terms))


def _ms(span: str) -> int:
    return sum(int(count) * UNIT_MS[unit] for count, unit in _SPANS.findall(span))


def _span(length_ms: int) -> str:
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, length_ms = divmod(length_ms, UNIT_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
