"""The plugin for pytest: the fixture `footfall`, an installation in memory for each test.

pytest loads it wherever Footfall is installed, so it imports nothing before it is asked for: a base
install, which only sends, has no tables to fold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from footfall.testing.harness import Harness


@pytest.fixture
def footfall() -> Harness:
    """An installation of its own, in memory and in virtual time (docs/testing.md)."""
    try:
        from footfall.testing.harness import Harness
    except ImportError as error:
        pytest.fail(f"the fixture footfall needs pip install 'footfall[server]': {error}")
    return Harness()
