"""The body of a message that is read by programs: the trigger's document, thin, or a template.

Decides what of these a destination gets, and that nothing larger than a message may be leaves. The
document goes out byte for byte, so that no number changes on its way. Must never put anything of a
customer into an error. Pure, but for reading the template's file once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from footfall.delivery.message import MESSAGE_BYTES_MAX, Person, RenderError
from footfall.delivery.templates import load, variables
from footfall.errors import ConfigError

#: Of a thin body, in this order: enough to ask for the rest, nothing of the customer.
THIN_FIELDS = ("trigger_id", "name", "customer_key", "occurred_at", "emitted_at")


class Body:
    """How one destination's bodies are made. `template`: a file in `folder`; "": none. Raises
    `ConfigError` for a file that is not there or cannot be a template.
    """

    def __init__(self, thin: bool, template: str, folder: Path) -> None:
        if thin and template:
            raise ConfigError("thin and template exclude each other: a thin body has no template",
                              ("thin",))
        self._is_thin = thin
        self._template = load(folder, template) if template else None
        #: A template may name the customer; what is sent otherwise is all in the trigger.
        self.needs_person = self._template is not None

    def text(self, trigger: Mapping[str, Any], document: bytes, person: Person) -> str:
        """The body; raises `RenderError`."""
        if self._template is not None:
            text = self._template.render(variables(document, person))
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
