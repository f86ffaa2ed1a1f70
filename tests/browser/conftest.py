"""Chromium, a site of pages, and a collector in one process; each test has its own visitor.

Without Chromium the tests are skipped, and say what to install;
FOOTFALL_TEST_REQUIRE_BROWSER=1 makes that a failure.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.browser.shop import Shop
from tests.collector.edge import MemorySink
from tests.services import GIVEN

#: It runs as root, and asks nobody for anything but our pages.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
_told: set[str] = set()


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """Ends the test: it needs something that is not here."""

    def end(what: str) -> None:
        if GIVEN.get("FOOTFALL_TEST_REQUIRE_BROWSER") == "1":
            pytest.fail(f"FOOTFALL_TEST_REQUIRE_BROWSER=1, but {what}")
        _told.add(f"tests of the browser script were skipped: {what}")
        pytest.skip(what)

    return end


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(missing: Callable[[str], None]) -> AsyncIterator[Browser]:
    """A real Chromium, the same for all tests."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing("no Chromium here; install the package `chromium` (Debian: apt-get install "
                "chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """Somebody whose Chromium has never been anywhere."""
    context = await chromium.new_context()
    context.set_default_timeout(30_000)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def shop(visitor: BrowserContext) -> AsyncIterator[Shop]:
    """A collector, and pages of another origin that use its script, in which nothing is thrown."""
    async with Shop(visitor, MemorySink()) as made:
        yield made
    assert [] == made.errors


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in sorted(_told):
        terminalreporter.write_line(line)
