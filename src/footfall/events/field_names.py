"""Names of properties that may be shown to people and written of in reports.

Decides which: whoever uses an object as a map has values for names (`{"ann@example.org": 1}`), and
a value may be personal (law 6). A name is shown where it reads like one; any other is `*`, and all
of one object are the same `*`. Must never be asked of names that a tracking plan declares: those
are its author's, and always shown.
"""

from __future__ import annotations

import re

#: Stands for a name that is not shown.
HIDDEN = "*"
NAME_CHARS_MAX = 64
#: More of them, and it is taken for a number, a date or an id.
DIGITS_MAX = 4

#: No dot: paths are joined by it. No `@`, `+`, `/` or `:`: mail addresses, telephones, URLs.
_NAME = re.compile(rf"[^\W\d][\w $-]{{0,{NAME_CHARS_MAX - 1}}}|\$[\w $-]{{1,{NAME_CHARS_MAX - 1}}}")


def shown(name: str) -> str:
    """The name, or `*` where it may be a value."""
    if _NAME.fullmatch(name) is None or sum(map(str.isdigit, name)) > DIGITS_MAX:
        return HIDDEN
    return name
