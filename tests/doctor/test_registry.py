"""Whether the schema registry has our subjects. Why TLS fails: test_handshakes.py."""

from __future__ import annotations

from footfall.doctor.registry import registry
from footfall.settings import Settings


def test_a_registry_without_our_subjects_is_told(registry_url: str) -> None:
    """And nothing is registered by looking."""
    settings = Settings(schema_registry_url=registry_url.replace("http://", "http://me:secret@"))
    for _ in range(2):
        found, release = list(registry(settings))
        assert ("release", "ok") == (release.subject, release.status)
        assert found.area == "registry" and found.status in ("ok", "warning")
        assert "secret" not in str(found)
        if found.status == "warning":
            assert "footfall schemas register" == found.change
