"""Exit code 0 where a Docker engine answers; else the reason is printed (`make test-docker`)."""

from __future__ import annotations

import sys

from tests.services import docker_answers

if __name__ == "__main__":
    if not docker_answers():
        sys.exit("test-docker: skipped, no Docker engine answers here "
                 "(`docker info` shows why; set DOCKER_HOST where it listens elsewhere)")
