"""The body of a message that is read by programs: the trigger's document, thin, or a template.

Decides what of these a destination gets, and that nothing larger than a message may be leaves. The
document goes out byte for byte, so that no number changes on its way. Must never put anything of a
customer into an error. Pure, but for reading the template's file once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from footfall.delivery.message import MESSAGE_BYTES_MAX, Person, RenderError
from footfall.errors import ConfigError

#: Of a thin body, in this order: enough to ask for the rest, nothing of the customer.
THIN_FIELDS = ("trigger_id", "name", "customer_key", "occurred_at", "emitted_at")
TEMPLATE_BYTES_MAX = 65_536


class Body:
    """How one destination's bodies are made. `template`: a file in `folder`; "": none. Raises
    `ConfigError` for a file that is not there or cannot be a template.
    """

    def __init__(self, thin: bool, template: str, folder: Path) -> None:
        if thin and template:
            raise ConfigError("thin and template exclude each other: a thin body has no template",
                              ("thin",))
        self._is_thin = thin
        self._template = None
        if template:
            # Here: whoever has no template needs no language of templates.
            from footfall.delivery.templates import Template

            self._template = Template(read_template(folder, template), template)
        #: A template may name the customer; what is sent otherwise is all in the trigger.
        self.needs_person = self._template is not None

    def text(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> str:
        """The body; raises `RenderError`."""
        if self._template is not None:
            text = self._template.render(variables(trigger, person))
        elif self._is_thin:
            text = msgspec.json.encode({name: trigger[name] for name in THIN_FIELDS}).decode()
        else:
            text = document.decode()
        return within_bytes_max(text)


def within_bytes_max(text: str) -> str:
    """The text itself; raises `RenderError` where it is larger than a message may be."""
    size = len(text.encode())
    if size > MESSAGE_BYTES_MAX:
        raise RenderError("message_too_large",
                          f"the body has {size} bytes, at most {MESSAGE_BYTES_MAX}")
    return text


def variables(trigger: Mapping[str, Any], person: Person) -> dict[str, Any]:
    """What templates may name: `trigger`, its `data`, and the `customer` as of now."""
    read = {name: _plain(value) for name, value in trigger.items()}
    return {"trigger": read, "data": read.get("data", {}),
            "customer": {"ids": dict(person.ids), "traits": dict(person.traits)}}


def read_template(folder: Path, file: str, key: str = "template") -> str:
    """The source of a template that a destination names under `key`; raises `ConfigError`."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        raise ConfigError(f"{key}: {file!r} leads out of the folder of the routes; put the file "
                          "into that folder and name it by its path from there", (key,))
    try:
        with (folder / file).open("rb") as source:
            data = source.read(TEMPLATE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{key}: {file!r} cannot be read ({error.strerror}); it is looked for in "
                          "the folder of the routes", (key,)) from None
    if len(data) > TEMPLATE_BYTES_MAX:
        raise ConfigError(f"{key}: {file!r} is larger than {TEMPLATE_BYTES_MAX} bytes; a template "
                          "may not be", (key,))
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: {file!r} is not UTF-8; store it so", (key,)) from None


def _plain(value: Any) -> Any:
    """What the document kept raw, so that its numbers do not change, as values."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
