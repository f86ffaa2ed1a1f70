"""Kustomize itself, for tests: what `kubectl apply -k` composes manifests with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.deploy import built

SOURCE = built.Source("kustomize", Path(__file__).parent / "go_kustomize",
                      "sigs.k8s.io/kustomize/kustomize/v5")


def build(folder: Path) -> str:
    """The manifests of a folder, as one document each."""
    run = subprocess.run([str(built.binary(SOURCE)), "build", str(folder)], capture_output=True,
                         text=True, check=False)
    assert 0 == run.returncode, run.stderr
    return run.stdout
