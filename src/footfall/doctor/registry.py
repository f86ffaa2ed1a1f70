"""Of the schema registry: that it answers, its release, and that it has our subjects.

Looks and never changes: it registers no schema.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from typing import Any

import certifi

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
    tls = trusted()
    answer = ask(url, "/subjects", tls=tls)
    if answer.status != http.client.OK or not isinstance(answer.said, list):
        why = answer.why or f"HTTP {answer.status}"
        yield Finding("registry", shown(url), "error", f"does not tell its subjects: {why}",
                      answer.change or "start it, or correct FOOTFALL_SCHEMA_REGISTRY_URL",
                      wanted="its subjects")
        return
    missing = sorted(set(REGISTRY_SUBJECTS.values()) - set(map(str, answer.said)))
    yield Finding("registry", shown(url), "warning" if missing else "ok",
                  f"lacks {', '.join(missing)}" if missing else "answers, and has our subjects",
                  "footfall schemas register" if missing else "",
                  wanted=", ".join(sorted(set(REGISTRY_SUBJECTS.values()))))
    yield Finding("registry", "release", "ok", _release(ask(url, VERSION_PATH, tls=tls).said))


def trusted() -> ssl.SSLContext:
    """Whom programs trust: their client of the registry goes by certifi, not by the system, unless
    SSL_CERT_FILE or SSL_CERT_DIR names others.
    """
    found = ssl.get_default_verify_paths()
    are_named = (found.cafile not in (None, found.openssl_cafile)
                 or found.capath not in (None, found.openssl_capath))
    return ssl.create_default_context(cafile=None if are_named else certifi.where())


def _release(said: Any) -> str:
    """As Confluent's tells it; others need not."""
    if isinstance(said, dict) and said.get("version"):
        return str(said["version"])
    return "it does not tell; any with the Confluent API of version 1 does"
