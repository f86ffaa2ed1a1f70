"""All tests as two runs side by side: those of whole installations, which mostly wait, and others.

`python -m tests.halves`, which `make test` does. Each has a broker of its own, so they meet only in
the caches that both fill. The first is shown while it runs, the second at the end; fails when one
of them does.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile

#: About half of the time that all take.
INSTALLATIONS = ("tests/deploy", "tests/system")
WITHOUT = "not chaos and not docker"


def main() -> int:
    """The exit code of pytest that is not 0, if one is."""
    # Whoever starts this in the background has Ctrl-C ignored by all that comes of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # In a process of its own: it takes variables of Footfall out of the environment.
    subprocess.run([sys.executable, "-m", "tests.deploy.programs"], check=False)
    with tempfile.TemporaryFile("w+b") as out:
        others = subprocess.Popen(
            pytest(*(f"--ignore={folder}" for folder in INSTALLATIONS)), stdin=subprocess.DEVNULL,
            stdout=out, stderr=out)
        try:
            of_installations = subprocess.run(pytest(*INSTALLATIONS), check=False).returncode
            code = others.wait()
        finally:
            others.terminate()  # where this run was asked to end
            others.wait()
        out.seek(0)
        sys.stdout.buffer.write(b"\nAll other tests:\n" + out.read())
    return of_installations or code


def pytest(*chosen: str) -> list[str]:
    """The command that runs them."""
    return [sys.executable, "-m", "pytest", "-m", WITHOUT, *chosen]


if __name__ == "__main__":
    sys.exit(main())
