"""Templates of messages: Liquid, in a bounded form.

Decides what a template may use and how large it may become. The variables are named in `NAMES`;
another name is refused when the template is read. A variable that is named rightly and is not there
for this customer is an error, not an empty place in a mail, unless the template says what to put
(`default`) or asks for it (`if`). What is there and null prints nothing.

Values are never read as templates, so what a customer typed stays what it is; in HTML it is
escaped. A template reads no file but those below its own folder, and nothing of this machine: no
clock, no environment, no attribute of a Python object. Errors name file, line and what the template
says there, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

import msgspec
from liquid import BoundTemplate, Environment, RenderContext
from liquid.exceptions import (
    FilterArgumentError,
    LiquidError,
    LoopIterationLimitError,
    ResourceLimitError,
    TemplateNotFoundError,
    UndefinedError,
)
from liquid.loader import BaseLoader, TemplateSource
from liquid.output import LimitedStringIO
from liquid.span import Span
from liquid.undefined import FalsyStrictUndefined

from footfall.delivery.message import Person, RenderError
from footfall.delivery.template_filters import FILTERS, LEFT_OUT, TEXT_CHARS_MAX, Number, bounded
from footfall.errors import ConfigError

#: trigger: the whole document; data: its `data`; customer: `ids`, `traits` and `zone`.
NAMES = frozenset({"trigger", "data", "customer"})
SOURCE_BYTES_MAX = 65_536
OUTPUT_BYTES_MAX = TEXT_CHARS_MAX
#: Of all loops of one rendering together.
ITERATIONS_MAX = 10_000
#: How often one rendering may use `render`.
PARTS_MAX = 100
NESTING_MAX = 20
LOCALS_BYTES_MAX = 1_048_576

#: What of a template stands in errors: a path with its brackets, or a word.
_SAID = re.compile(r"[\w.\[\]'\"-]{1,100}")
_exactly = msgspec.json.Decoder(dict[str, Any], float_hook=Number)


class Template:
    """A template, read once. `name` is how errors call it; `folder`: where `{% render 'x' %}` finds
    files, None: nowhere; `names`: the variables that there are. Raises `ConfigError`.
    """

    def __init__(self, source: str, name: str, *, escape_html: bool = False,
                 folder: Path | None = None, names: frozenset[str] = NAMES) -> None:
        self._name = name
        if len(source.encode()) > SOURCE_BYTES_MAX:
            raise ConfigError(f"{name} is longer than {SOURCE_BYTES_MAX} bytes; shorten it")
        try:
            self._bound = _Environment(folder, is_html=escape_html).from_string(source, name=name)
            used = self._bound.analyze()
        except LiquidError as error:
            raise ConfigError(f"{_place(error, name)}: {error.message}") from None
        for known, there in used.globals.items():
            if known not in names:
                raise ConfigError(f"{_span(there[0].span, source, name)}: there is no variable "
                                  f"{known}; there are {', '.join(sorted(names))}")
        for known, spans in used.filters.items():
            if known not in self._bound.env.filters:
                raise ConfigError(f"{_span(spans[0], source, name)}: there is no filter {known}; "
                                  "docs/templates.md lists them")

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text; raises `RenderError`, which holds nothing of the variables."""
        try:
            return self._bound.render(variables)
        except LiquidError as error:
            detail = f"{_place(error, self._name)}: {_fault(error)}"
        except Exception as error:
            # Whatever the library makes of free content must not end more than this message.
            detail = f"{self._name}: {type(error).__name__}"
        raise RenderError("render_failed", detail)


def load(folder: Path, file: str, *, escape_html: bool = False,
         names: frozenset[str] = NAMES) -> Template:
    """The template in a file below `folder`; raises `ConfigError`."""
    return Template(_read(folder, file), file, escape_html=escape_html, folder=folder, names=names)


def variables(document: bytes, person: Person, **more: str) -> dict[str, Any]:
    """What templates are given: a trigger's document with its numbers as they were sent."""
    trigger = _exactly.decode(document)
    customer = {"ids": dict(person.ids), "traits": _exact(dict(person.traits)), "zone": person.zone}
    return {"trigger": trigger, "data": trigger.get("data", {}), "customer": customer, **more}


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return Number(repr(value))
    if isinstance(value, dict):
        return {name: _exact(one) for name, one in value.items()}
    return [_exact(one) for one in value] if isinstance(value, list) else value


def _read(folder: Path, file: str) -> str:
    try:
        path = (folder / file).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ConfigError(f"{file} is outside the folder of the routes; move it there")
        with path.open("rb") as opened:
            data = opened.read(SOURCE_BYTES_MAX + 1)
        text = data.decode()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}; it must be a file of "
                          "UTF-8 text") from None
    if len(data) > SOURCE_BYTES_MAX:
        raise ConfigError(f"{file} is longer than {SOURCE_BYTES_MAX} bytes; shorten it")
    return text


def _place(error: LiquidError, name: str) -> str:
    try:
        context = error.context()
    except ValueError:  # at the very end of the file
        context = None
    where = Path(error.template_name).name if error.template_name else name
    return f"{where}, line {context[0]}" if context else where


def _span(span: Span, source: str, name: str) -> str:
    """A place in the template itself, or the part of it by its name."""
    if span.template_name != name:
        return Path(span.template_name).name
    return f"{name}, line {source.count(chr(10), 0, span.index) + 1}"


def _fault(error: LiquidError) -> str:
    """What is wrong, told by what the template says: the library's own texts quote values."""
    said = ""
    if error.token and (found := _SAID.match(error.token.source, error.token.start_index)):
        said = found[0]
    if isinstance(error, UndefinedError):
        return f"what `{said}` asks for is not there; give it a `default`"
    if isinstance(error, LoopIterationLimitError):
        return f"more than {ITERATIONS_MAX} rounds of loops"
    if isinstance(error, ResourceLimitError):
        return f"larger or deeper than allowed ({type(error).__name__})"
    if isinstance(error, FilterArgumentError):
        return f"a filter in `{said}` is given what it cannot take"
    return f"`{said}`: {type(error).__name__}"


class _Missing(FalsyStrictUndefined):
    """A name without a value: false, nil, and what `default` replaces; anything else raises."""

    __slots__ = ()
    force_liquid_default = True


class _Context(RenderContext):
    """Counts over all of one rendering: the library's own limit looks at nested loops alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.spent: dict[str, int]
        parent = kwargs.get("parent_context")
        self.spent = {"rounds": 0, "parts": 0} if parent is None else parent.spent

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Called with the length of each loop before it begins."""
        self.spent["rounds"] += length
        if self.spent["rounds"] > ITERATIONS_MAX:
            raise LoopIterationLimitError("loops", token=None)


    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        """For what is captured; its room is what the buffer around it has left."""
        return _buffer(buf.size if isinstance(buf, LimitedStringIO) else 0)


class _Bound(BoundTemplate):
    context_class = _Context

    def _get_buffer(self) -> StringIO:
        return _buffer(0)


def _buffer(spent_bytes: int) -> LimitedStringIO:
    """Without the translation of line ends that the library's own buffers do."""
    return LimitedStringIO(OUTPUT_BYTES_MAX - spent_bytes, newline="")


class _Environment(Environment):
    """Liquid without what is not bounded."""

    template_class = _Bound
    block_nesting_limit = NESTING_MAX
    context_depth_limit = NESTING_MAX
    local_namespace_limit = LOCALS_BYTES_MAX

    def __init__(self, folder: Path | None, *, is_html: bool) -> None:
        super().__init__(loader=_Folder(folder), undefined=_Missing, autoescape=is_html)
        self._parts: dict[str, BoundTemplate] = {}

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Called when it is made."""
        super().setup_tags_and_filters(extra=extra)
        del self.tags["include"]  # it may take its name from a value, and changes who includes it
        for name in LEFT_OUT:
            del self.filters[name]
        self.filters = {name: bounded(one) for name, one in (self.filters | FILTERS).items()}

    def get_template(self, name: str, *, globals: Mapping[str, object] | None = None,
                     context: RenderContext | None = None, **kwargs: object) -> BoundTemplate:
        """A part, read and parsed once: when the template that uses it is."""
        if isinstance(context, _Context):
            context.spent["parts"] += 1
            if context.spent["parts"] > PARTS_MAX:
                raise ResourceLimitError("parts", token=None)
        if name not in self._parts:
            self._parts[name] = super().get_template(name, globals=globals, context=context,
                                                     **kwargs)
        return self._parts[name]


class _Folder(BaseLoader):
    """The files of one folder, and nothing else."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def get_source(self, env: Environment, template_name: str, *,
                   context: RenderContext | None = None, **kwargs: object) -> TemplateSource:
        """The text of a part."""
        if self._folder is None:
            raise TemplateNotFoundError("there is no folder to take it from", token=None)
        try:
            return TemplateSource(_read(self._folder, template_name), template_name, None)
        except ConfigError as error:
            raise TemplateNotFoundError(str(error), token=None) from None
