"""docs/browser.md names what the script has: options, calls, what is stored, reasons, bounds."""

from __future__ import annotations

import re

from footfall.collector.script import FRESH_S, PATH
from tests.browser.shop import ROOT, STUB
from tests.test_docs import names, rows, section

TEXT = (ROOT / "docs/browser.md").read_text()
SOURCES = {file.stem: file.read_text() for file in PATH.parent.glob("*.ts")}
CODE = "".join(SOURCES.values())


def constant(name: str) -> int:
    """A limit of the script."""
    found = re.search(rf"^const {name} = ([\d_* ]+);", CODE, re.MULTILINE)
    assert found is not None, name
    product = 1
    for factor in found[1].replace("_", "").split("*"):
        product *= int(factor)
    return product


def test_options_are_documented_with_their_attributes() -> None:
    """All of them, and no other."""
    known = re.findall(r"^  (\w+)[?]?: ", re.split(r"interface Options", SOURCES["main"])[1]
                       .split("}")[0], re.MULTILINE)
    documented = {names(row[1])[0]: names(row[0])[0] for row in rows(TEXT) if len(row) == 4}
    assert set(known) == documented.keys()
    for option, attribute in documented.items():
        assert "data-" + re.sub(r"([A-Z])", lambda m: "-" + m[1].lower(), option) == attribute


def test_calls_are_documented_and_the_snippet_has_them() -> None:
    """The snippet has no call whose answer could not come before the script is there."""
    listed = re.search(r"const CALLS = \[(.*?)\]", SOURCES["main"], re.DOTALL)
    assert listed is not None
    calls = re.findall(r'"(\w+)"', listed[1])
    documented = [names(row[0])[0].partition("(")[0] for row in rows(section(TEXT, "Calls"))]
    assert calls == [name for name in calls if name in documented]
    assert set(calls) == set(documented)
    stub = re.findall(r'"(\w+)"', STUB.partition(".forEach")[0])
    assert {*calls, "load"} - set(stub) == {"anonymousId", "counts"}
    assert set(stub) <= {*calls, "load"}


def test_what_is_stored_is_documented() -> None:
    """All of it, and nothing else."""
    used = set(re.findall(r'store\.(?:set|get)\("(\w+)"', CODE))
    used |= set(re.findall(r'const (?:BEGINNING|CONSENT) = "(\w+)', CODE))
    documented = {names(row[0])[0] for row in rows(section(TEXT, "What is stored"))}
    assert {f"footfall:{name}" for name in used} == {
        name.removesuffix(":...") for name in documented}


def test_reasons_are_documented() -> None:
    told = set(re.findall(r'tell\(\s*"(\w+)"', CODE))
    documented = {name for row in rows(TEXT) if len(row) == 2 for name in names(row[0])}
    assert len(told) == 5
    assert told <= documented
    assert {name for name in documented if re.fullmatch(r"[a-z]+_[a-z_]+", name)} == told


def test_bounds_are_documented() -> None:
    """As the code has them."""
    for said in (
        f"{constant('ITEMS_MAX'):,} items or {constant('CHARS_MAX'):,} characters",
        f"up to {constant('BATCH_ITEMS_MAX')} items and {constant('BATCH_BYTES_MAX') // 1000} kB",
        f"over {constant('ITEM_BYTES_MAX') // 1024} KiB",
        f"over {constant('CONSENT_BYTES_MAX'):,} bytes as JSON",
        f"... {constant('BACKOFF_MS_MAX') // 1000} s",
        f"({constant('RETRY_AFTER_S_MAX')} s are believed)",
        f"or {constant('EARLY_CALLS_MAX'):,} calls for `load`",
        f"after {constant('SESSION_IDLE_MS') // 60_000} minutes",
        f"is over; {constant('LEASE_MS') // 1000} s",
    ):
        assert said in TEXT, said
    assert constant("DELAY_MS") == constant("BACKOFF_MS") == 500
    assert "Half a second after a call" in TEXT
    assert "of up to 0.5, 1, 2, ..." in TEXT
    assert FRESH_S == 5 * 60
    assert "kept for five minutes" in TEXT
