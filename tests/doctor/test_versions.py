"""Versions are held against those that were tested."""

from __future__ import annotations

import importlib.metadata

import pytest

from footfall.doctor.versions import versions


def test_packages_are_held_against_those_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version is a warning, a missing one an error, one of an extra nothing."""
    have = {"footfall": "0.1.0", "msgspec": "0.0.1"}

    def version(name: str) -> str:
        if name not in have:
            raise importlib.metadata.PackageNotFoundError(name)
        return have[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(importlib.metadata, "requires", lambda _name: [
        "msgspec==0.22.0", 'click==8.3.3; extra == "server"', 'noida-db==0.2.3; extra == "demo"',
        'footfall[server]; extra == "demo"', 'mypy==2; extra == "dev"'])

    found = list(versions())

    assert {("msgspec", "warning"), ("click", "error")} == {
        (f.subject, f.status) for f in found if f.status != "ok"}
    assert {"compiled", "interpreted"} > {f.found for f in found if f.subject == "engine"}
    assert {"footfall": "0.1.0", "msgspec": "0.0.1", "click": None, "noida-db": None} == next(
        f.details for f in found if f.subject == "packages")
