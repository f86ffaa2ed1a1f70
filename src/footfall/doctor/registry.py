"""Of the schema registry: that it answers, its release, and that it has our subjects.

Looks and never changes: it registers no schema.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any

from footfall.doctor.asking import ask, shown
from footfall.doctor.findings import Finding
from footfall.events.registry import REGISTRY_SUBJECTS
from footfall.settings import Settings

VERSION_PATH = "/v1/metadata/version"


def registry(settings: Settings) -> Iterator[Finding]:
    """That of FOOTFALL_SCHEMA_REGISTRY_URL."""
    url = settings.schema_registry_url
    if not url:
        yield Finding("registry", "", "ok", "none configured: schema ids are the package's")
        return
    answer = ask(url, "/subjects")
    if answer.status != http.client.OK or not isinstance(answer.said, list):
        why = answer.why or f"HTTP {answer.status}"
        yield Finding("registry", shown(url), "error", f"does not tell its subjects: {why}",
                      "start it, or correct FOOTFALL_SCHEMA_REGISTRY_URL", wanted="its subjects")
        return
    missing = sorted(set(REGISTRY_SUBJECTS.values()) - set(map(str, answer.said)))
    yield Finding("registry", shown(url), "warning" if missing else "ok",
                  f"lacks {', '.join(missing)}" if missing else "answers, and has our subjects",
                  "footfall schemas register" if missing else "",
                  wanted=", ".join(sorted(set(REGISTRY_SUBJECTS.values()))))
    yield Finding("registry", "release", "ok", _release(ask(url, VERSION_PATH).said))


def _release(said: Any) -> str:
    """As Confluent's tells it; others need not."""
    if isinstance(said, dict) and said.get("version"):
        return str(said["version"])
    return "it does not tell; any with the Confluent API of version 1 does"
