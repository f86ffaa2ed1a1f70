"""The documents name what the code has, and nothing that it has not.

Names are taken from the code itself: the tree of commands, the structs of settings and
configuration, the metrics, the topics, and (by reading the source) every reason and refusal.
"""

from __future__ import annotations

import ast
import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import click
import msgspec
import pytest
from prometheus_client.metrics import MetricWrapperBase

from footfall import tables, telemetry
from footfall.cli import footfall
from footfall.events import topics
from footfall.events.admit import CALLS
from footfall.events.interaction import (
    CONFIG,
    CUTOVER,
    DELIVERY,
    HANDOFF,
    IMPORT,
    TICK,
    UNMERGE,
    VIOLATION,
)
from footfall.events.reasons import COLLECTOR, WORKER
from footfall.replay.job_metrics import JobMetrics
from footfall.settings import PREFIX, Settings
from footfall.tables.config import ClockConfig

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/footfall"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")),
         *sorted((ROOT / "docs/operate").glob("*.md"))]
DAY_MS = 24 * 3600 * 1000
#: Read by the tests; programs refuse them.
TEST_VARIABLES = {"FOOTFALL_TEST_REQUIRE_KAFKA", "FOOTFALL_TEST_REQUIRE_NODE",
                  "FOOTFALL_TEST_REQUIRE_BROWSER", "FOOTFALL_TEST_REQUIRE_REDIS",
                  "FOOTFALL_TEST_DOCKER"}


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def section(text: str, heading: str) -> str:
    """What stands under a heading of the second level."""
    return re.split(r"^## ", text.partition(f"## {heading}\n")[2], flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row that begins with a code span."""
    return [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines() if line.startswith("| `")]


def names(cell: str) -> list[str]:
    """The code spans of a cell."""
    return re.findall(r"`([^`]+)`", cell)


def code_of(text: str) -> str:
    """Code spans and code blocks."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return "\n".join([*blocks, *names(rest)])


# -- commands ------------------------------------------------------------------------------------


def commands(group: click.Group = footfall, path: str = "footfall"
             ) -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def options(command: click.Command) -> set[str]:
    """Its long options."""
    return {o for p in command.params if isinstance(p, click.Option) for o in p.opts
            if o.startswith("--")}


COMMANDS = dict(commands())


def test_every_command_and_option_is_documented() -> None:
    """In the section of its first word; a command of a group by its whole name."""
    text = page("commands.md")
    intro = text.partition("\n## ")[0]
    for path, command in COMMANDS.items():
        first = " ".join(path.split()[:2])
        part = section(text, first)
        assert path == first or f"`{path}" in part, path
        assert set() == {o for o in options(command) if f"`{o}" not in part + intro}, path
    assert set() == {o for o in options(footfall) if f"`{o}" not in intro}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_command_that_is_shown_exists(file: Path) -> None:
    """With the options it is shown with. `customer user_id:u1` is no command of a group."""
    for found in re.finditer(
            r"(?<![\w./-])(?<!from )footfall ((?:[a-z]+(?:-[a-z]+)*(?![\w:-]) ?)+)([^\n#]*)",
            code_of(file.read_text())):
        words = found[1].split()
        path = f"footfall {words[0]}"
        assert path in COMMANDS, found[0]
        command = COMMANDS[path]
        if isinstance(command, click.Group) and len(words) > 1:
            path += f" {words[1]}"
            assert path in COMMANDS, found[0]
            command = COMMANDS[path]
        shown = set(re.findall(r"(?<!\S)--[a-z-]+", found[2]))
        known = options(command) | {"--help"}
        if isinstance(command, click.Group):
            continue
        assert shown <= known, found[0]


def test_every_option_that_is_named_exists() -> None:
    """In the page of commands."""
    known = {o for command in COMMANDS.values() for o in options(command)} | options(footfall)
    assert set() == set(re.findall(r"--[a-z][a-z-]+", page("commands.md"))) - known - {"--help"}


# -- settings and configuration ------------------------------------------------------------------


def default_text(value: Any) -> str:
    """A default as the documents write it."""
    if value is False:
        return "false"
    if value == ():
        return "none"
    if isinstance(value, dict | tuple):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def bounds(struct: type[msgspec.Struct], field: str) -> set[float]:
    """Every limit that the type of a field states."""
    found: set[float] = set()
    waiting = [get_type_hints(struct, include_extras=True)[field]]
    while waiting:
        kind = waiting.pop()
        for part in getattr(kind, "__metadata__", ()):
            if isinstance(part, msgspec.Meta):
                limits = (part.ge, part.gt, part.le, part.lt, part.min_length)
                found |= {float(limit) for limit in limits if limit is not None}
        if get_origin(kind) in (Union, types.UnionType) or hasattr(kind, "__metadata__"):
            waiting += [a for a in get_args(kind) if not isinstance(a, msgspec.Meta)]
    return found


def numbers(cell: str) -> set[float]:
    return {float(n) for n in re.findall(r"\d+(?:\.\d+)?", cell.replace(",", ""))}


def defaults(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Field -> default."""
    made = struct()
    return {name: getattr(made, name) for name in struct.__struct_fields__}


def test_settings_are_documented_with_default_and_bounds() -> None:
    """All of them, and no other."""
    documented = {names(r[0])[0]: r for r in rows(page("settings.md")) if len(r) == 4}
    known = {PREFIX + name.upper(): name for name in Settings.__struct_fields__}
    assert known.keys() == documented.keys()
    for variable, value in defaults(Settings).items():
        _name, default, limits, _meaning = documented[PREFIX + variable.upper()]
        nothing = value is None or value in ("", {})
        assert ("none" if nothing else default_text(value)) == default.strip("`"), variable
        assert bounds(Settings, variable) <= numbers(limits), variable


@pytest.mark.parametrize("file", [*PAGES, ROOT / "docker-compose.yml", ROOT / "Makefile"],
                         ids=lambda file: file.name)
def test_every_variable_that_is_named_exists(file: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__} | TEST_VARIABLES
    assert set() == set(re.findall(r"FOOTFALL_[A-Z_]*[A-Z]", file.read_text())) - known


def test_configuration_is_documented_with_default_and_bounds() -> None:
    """Every key of every section, and no other."""
    sections: dict[str, type[msgspec.Struct]] = {t.name: t.config for t in tables.ALL}
    sections["clock"] = ClockConfig
    keys = {f"{name}.{field}": (struct, field) for name, struct in sections.items()
            for field in struct.__struct_fields__}
    documented = {names(r[0])[0]: r for r in rows(page("configuration.md"))}
    assert keys.keys() == documented.keys()
    for key, (struct, field) in keys.items():
        _key, default, limits, _meaning = documented[key]
        assert default_text(defaults(struct)[field]) == default
        assert bounds(struct, field) <= numbers(limits), key
    assert set() == {name for name in sections if f"`{name}`" not in page("configuration.md")
                     and not sections[name].__struct_fields__}


# -- metrics, topics, records --------------------------------------------------------------------


def test_metrics_are_documented_with_kind_and_labels() -> None:
    """All of them, and no other; also where another page names one."""
    declared = {}
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            declared[name] = (metric._type, list(metric._labelnames))
    documented = {names(name)[0]: (kind, names(labels))
                  for name, kind, labels, _meaning in rows(page("metrics.md"))}
    assert declared == documented
    # Those of jobs are scraped from nobody: they stand in a file (docs/replay.md).
    of_jobs = {family.name for family in JobMetrics("any", None).registry.collect()}
    assert of_jobs == {n for row in rows(page("replay.md")) for n in names(row[0])
                       if n.startswith("footfall_")}
    for file in PAGES:
        assert set() == set(re.findall(r"footfall_[a-z_]*[a-z]", file.read_text())) - {
            *declared, *of_jobs}


def test_topics_are_documented() -> None:
    """All of them, with retention and clean-up; no page names another."""
    documented = {names(r[0])[0]: " ".join(r) for r in rows(page("topics.md"))}
    assert {topic.name for topic in topics.ALL} == documented.keys()
    for topic in topics.ALL:
        row = documented[topic.name]
        if "retention.ms" in topic.config:
            assert f"{int(topic.config['retention.ms']) // DAY_MS} days" in row
        for key, value in topic.required.items():
            assert f"{key}={value}" in row
    known = documented.keys() | {"footfall.toml", "footfall.js", "footfall.testing"}
    for file in PAGES:
        spans = [n for n in names(file.read_text()) if re.fullmatch(r"footfall\.[a-z]+", n)]
        assert set() == set(spans) - known


def test_types_of_log_records_are_documented() -> None:
    """Reserved ones too, and no other."""
    documented = [n for r in rows(page("log.md")) for n in names(r[0])]
    assert CALLS | {VIOLATION, TICK, CONFIG, HANDOFF, UNMERGE, CUTOVER, DELIVERY, IMPORT} == set(
        documented)


def test_tables_and_triggers_are_documented() -> None:
    """Each has its section, and every section is one."""
    headings = {name: set(re.findall(r"^## (.+)$", page(f"{name}.md"), re.MULTILINE))
                for name in ("tables", "triggers")}
    assert {t.name for t in tables.ALL} == headings["tables"]
    assert {name for t in tables.ALL for name in t.triggers} == headings["triggers"]
    for table in tables.ALL:
        files = (SOURCE / "tables").glob(f"{table.name}*.py")
        made = {found for file in files for found in called(file, "Trigger")}
        assert made == set(table.triggers), table.name
        row = re.search(rf"^\| \[{table.name}\].*$", page("tables.md"), re.MULTILINE)
        assert row is not None
        assert names(row[0].split("|")[3]) == list(table.triggers)


# -- reasons and refusals ------------------------------------------------------------------------


def called(file: Path, *functions: str, at: int = 0) -> set[str]:
    """First arguments of all calls of functions, where they are text or a constant's name."""
    tree = ast.parse(file.read_text())
    constants = {node.targets[0].id: node.value.value for node in tree.body
                 if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
                 and isinstance(node.value, ast.Constant)}
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or len(node.args) <= at:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(
            node.func, "id", "")
        argument = node.args[at]
        if name in functions:
            if isinstance(argument, ast.Constant):
                found.add(str(argument.value))
            elif isinstance(argument, ast.Name) and argument.id in constants:
                found.add(str(constants[argument.id]))
    return found


def reasons(folders: tuple[str, ...], *functions: str) -> set[str]:
    return {reason for folder in folders for file in (SOURCE / folder).glob("*.py")
            for reason in called(file, *functions)}


def test_reasons_are_documented() -> None:
    """Of each stage all, and no other; also those that only `tail` gives."""
    text = page("rejected.md")
    documented = {stage: {names(r[0])[0] for r in rows(section(text, f"Stage `{stage}`"))}
                  for stage in ("collector", "worker")}
    assert reasons(("events", "collector"), "FieldError") == documented["collector"]
    assert reasons(("events", "tables"), "DecodeError", "_reject") == documented["worker"]
    assert {"collector": COLLECTOR, "worker": WORKER} == {
        stage: tuple(sorted(found)) for stage, found in documented.items()}
    # `sent(data, field)` names its reason after the field.
    seen = reasons(("query",), "DecodeError")
    seen |= called(SOURCE / "view/trigger.py", "DecodeError")
    for file in ("query/rendering.py", "view/trigger.py"):
        seen |= {f"{field}_invalid" for field in called(SOURCE / file, "sent", at=1)}
    assert set() == {reason for reason in seen if f"`{reason}`" not in text}


def refusals() -> Iterator[str]:
    """The text of every `StateRefused`, with `...` for each value."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "StateRefused":
                (text,) = node.args
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "..."
                              for part in parts)


def test_every_refusal_has_its_line_on_call() -> None:
    """And every line is of one: a row's quotes, in order, stand in the message."""
    rules = []
    for row in rows(section(page("engine.md"), "On call: a worker refused")):
        quoted = [part.strip() for name in names(row[0]) for part in name.split("...")]
        rules.append(re.compile(".*".join(re.escape(part) for part in quoted if part)))
    messages = list(refusals())
    assert len(messages) > 8
    assert [] == [m for m in messages if not any(rule.search(m) for rule in rules)]
    assert [] == [r.pattern for r in rules if not any(r.search(m) for m in messages)]


# -- claims ------------------------------------------------------------------------------------


def test_what_holds_a_claim_exists() -> None:
    """Of every claim about Footfall beside others: the file, and the test in it."""
    held = [names(line.split("|")[2]) for line in
            section(page("compare.md"), "What holds this").splitlines() if "`tests/" in line]
    assert len(held) > 10
    for file, test in held:
        assert f"def {test}(" in (ROOT / file).read_text(), test


# -- links ---------------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_relative_links_lead_somewhere(file: Path) -> None:
    """To a file, and to a heading in it where one is named."""
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, heading = link.partition("#")
        path = (file.parent / target) if target else file
        assert path.exists(), f"{file.name}: {link}"
        if heading:
            found = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert heading in map(anchor, found), f"{file.name}: {link}"


def test_readme_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert [] == [f.name for f in (ROOT / "docs").glob("*.md") if f"(docs/{f.name})" not in text]
    assert "(docs/operate/README.md)" in text
