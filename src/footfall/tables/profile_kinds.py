"""Traits with a documented name: what each must be, and how it reads.

Decides their names and spellings (Segment's reserved traits, and what describes a person), what a
value may be and its normal form. Asked only on reading: facts keep what was sent, so that a better
reading needs no new facts. What does not fit is shown as it was sent, with why. Must never guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from footfall.events import times
from footfall.events.fields import kind_of
from footfall.events.identifiers import EMAIL_CHARS_MAX, phone
from footfall.tables.cart_triggers import instant

AGE_MAX: Final = 150
HOUSEHOLD_MAX: Final = 100
CHILDREN_MAX: Final = 50
EMPLOYEES_MAX: Final = 10_000_000
BIRTH_YEAR_MIN: Final = 1850
#: A whole number below it is a time in seconds: as milliseconds it would lie in 1973.
SECONDS_MAX: Final = 100_000_000_000

MARITAL_STATUS = ("single", "married", "partnered", "separated", "divorced", "widowed")
CHANNELS = ("email", "sms", "push", "in_app", "whatsapp", "phone", "mail", "web", "store")

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ].*)?", re.ASCII)
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_ZONE = re.compile(r"UTC|GMT|[A-Z][A-Za-z]+(/[A-Za-z][A-Za-z0-9_+-]*){1,2}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)

#: The normal form of a decoded value at an instant (ms); raises ValueError with what is wrong.
Reader = Callable[[Any, int], Any]


class Kind(NamedTuple):
    """What a trait is about, and how its value reads."""

    group: str
    read: Reader


def camel(name: str) -> str:
    """`first_name` -> `firstName`."""
    head, *rest = name.split("_")
    return head + "".join(map(str.capitalize, rest))


# -- texts -----------------------------------------------------------------------------------------


def _text(value: Any, _now: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {kind_of(value)}; send a string")
    if not value.strip():
        raise ValueError("is empty; send null to take the trait away")
    return value.strip()


def _label(value: Any, now: int) -> str:
    """A text, or a whole number as its text."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_whole else _text(value, now)


def _email(value: Any, now: int) -> str:
    text = _text(value, now).lower()
    if len(text) > EMAIL_CHARS_MAX or _EMAIL.fullmatch(text) is None:
        raise ValueError("is no e-mail address; send name@domain")
    return text


def _phone(value: Any, now: int) -> str:
    """E.164. A national number is not one: of which country is not known here."""
    number = phone(_label(value, now))
    if number is None:
        raise ValueError("is no number with a country's code; send +49301234567")
    return number


def _url(value: Any, now: int) -> str:
    text = _text(value, now)
    if _URL.fullmatch(text) is None:
        raise ValueError("is no URL; send https://...")
    return text


def _country(value: Any, now: int) -> str:
    text = _text(value, now)
    if _COUNTRY.fullmatch(text) is None:
        raise ValueError("is not the two letters of ISO 3166; send DE, GB, ...")
    return text.upper()


def _zone(value: Any, now: int) -> str:
    text = _text(value, now)
    if _ZONE.fullmatch(text) is None:
        raise ValueError("is no name of the IANA time zones; send Europe/Berlin")
    return text


def _language(value: Any, now: int) -> str:
    text = _text(value, now)
    if _LANGUAGE.fullmatch(text) is None:
        raise ValueError("is no BCP 47 tag; send de, en-GB, ...")
    first, *rest = text.replace("_", "-").split("-")
    return "-".join([first.lower(), *map(_subtag, rest)])


def _subtag(part: str) -> str:
    """As BCP 47 writes them: Latn, GB, 419, valencia."""
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 else part.lower()


def _one_of(known: tuple[str, ...]) -> Reader:
    def read(value: Any, now: int) -> str:
        text = re.sub(r"[\s-]+", "_", _text(value, now)).lower()
        if text not in known:
            raise ValueError(f"is none of {', '.join(known)}")
        return text

    return read


# -- numbers and times -----------------------------------------------------------------------------


def _whole(most: int) -> Reader:
    def read(value: Any, _now: int) -> int:
        is_numeral = isinstance(value, str) and _WHOLE.fullmatch(value.strip()) is not None
        if is_numeral or (isinstance(value, Decimal) and value == value.to_integral_value()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"is {kind_of(value)}; send a whole number")
        if not 0 <= value <= most:
            raise ValueError(f"is not 0 to {most:,}")
        return value

    return read


def _birthday(value: Any, now: int) -> str:
    """A day as it was written, whatever time of day and offset stand behind it."""
    found = _DAY.fullmatch(_text(value, now))
    if found is None:
        raise ValueError("is no day; send 1990-12-31")
    try:
        day = date(*map(int, found.groups()))
    except ValueError:
        raise ValueError("names a day that does not exist") from None
    if day.year < BIRTH_YEAR_MIN:
        raise ValueError(f"is before the year {BIRTH_YEAR_MIN}")
    if day.isoformat() > instant(now)[:10]:
        raise ValueError("lies in the future")
    return day.isoformat()


def _instant(value: Any, now: int) -> str:
    if isinstance(value, str):
        value = value.strip()
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            value += "T00:00:00Z"
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < SECONDS_MAX:
        value *= 1000
    try:
        when = times.read(value)
    except ValueError as error:
        raise ValueError(f"{error}; send RFC 3339 (2026-01-31T12:00:00Z)") from None
    if not 0 <= when <= times.NEWEST_MS:
        raise ValueError("is not a time from 1970 to 9999")
    return instant(when)


# -- lists and objects -----------------------------------------------------------------------------


def _texts(value: Any, now: int) -> list[str]:
    """Texts, each once; one text with commas is several."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        raise ValueError(f"is {kind_of(value)}; send an array of strings")
    for part in parts:
        if not isinstance(part, str):
            raise ValueError(f"holds {kind_of(part)}; send an array of strings")
    texts = [part.strip() for part in parts]
    return list(dict.fromkeys(text for text in texts if text))


def _members(known: Mapping[str, Reader], whole: str = "") -> Reader:
    """An object of known members, others as they are; `whole`: the one that a text stands for."""
    spellings = {camel(name): name for name in known}

    def read(value: Any, now: int) -> dict[str, Any]:
        if whole and isinstance(value, str):
            value = {whole: value}
        if not isinstance(value, dict):
            raise ValueError(f"is {kind_of(value)}; send an object of {', '.join(known)}")
        sent: dict[str, Any] = value
        made: dict[str, Any] = {}
        for spelling, given in sorted(sent.items()):
            name = spellings.get(spelling, spelling)
            made[name] = given
            if name in known and given is not None:
                try:
                    made[name] = known[name](given, now)
                except ValueError as error:
                    raise ValueError(f"has a member {name} that {error}") from None
        return made

    return read


def _of(group: str, **readers: Reader) -> Iterable[tuple[str, Kind]]:
    return ((name, Kind(group, read)) for name, read in readers.items())


#: Name -> what it is.
KINDS: dict[str, Kind] = dict((
    *_of("reserved",
         address=_members({"city": _text, "country": _text, "postal_code": _label, "state": _text,
                           "street": _text}),
         age=_whole(AGE_MAX), avatar=_url, birthday=_birthday,
         company=_members({"name": _text, "id": _label, "industry": _text,
                           "employee_count": _whole(EMPLOYEES_MAX), "plan": _text}, "name"),
         created_at=_instant, description=_text, email=_email, first_name=_text, gender=_text,
         id=_label, last_name=_text, name=_text, phone=_phone, title=_text, username=_label,
         website=_url),
    *_of("family", household_size=_whole(HOUSEHOLD_MAX), children=_whole(CHILDREN_MAX),
         marital_status=_one_of(MARITAL_STATUS)),
    *_of("education", education=_text),
    *_of("career", job_title=_text, industry=_text, employer=_text),
    *_of("income", income_band=_text),
    *_of("location", city=_text, region=_text, country=_country, postal_code=_label,
         timezone=_zone),
    *_of("preference", preferred_channel=_one_of(CHANNELS), language=_language),
    *_of("lifestyle", lifestyle=_texts),
))

#: Other spelling -> name.
SPELLINGS: dict[str, str] = {camel(name): name for name in KINDS if camel(name) != name}
