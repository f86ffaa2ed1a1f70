"""Builds all programs of others beforehand: `python -m tests.deploy.programs`.

A build takes both cores for minutes, in which tests beside it would be late. One that cannot be
built is said; the tests that need it say why, or fail.
"""

from __future__ import annotations

from footfall.errors import BrokerError
from tests.deploy import alertmanager, built, kustomize, prometheus

ALL = (prometheus.PROMETHEUS, prometheus.PROMTOOL, alertmanager.SOURCE, kustomize.SOURCE)


def main() -> None:
    """Each that is not in the cache."""
    for source in ALL:
        try:
            print(f"{source.name}: {built.binary(source).name}", flush=True)
        except BrokerError as error:
            print(f"{source.name}: {error}", flush=True)


if __name__ == "__main__":
    main()
