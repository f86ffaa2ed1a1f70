"""`footfall acls list`: the rights of each part, for people and for programs."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from footfall.admin.acls_command import commands
from footfall.cli import footfall
from footfall.errors import FootfallError
from footfall.events import topics
from footfall.rights import PARTS
from tests.test_docs import page


def acls(*arguments: str) -> str:
    found = CliRunner().invoke(footfall, ["acls", "list", *arguments])
    if isinstance(found.exception, FootfallError):
        raise found.exception
    assert 0 == found.exit_code, found.output
    return found.stdout


def test_they_are_calls_of_kafka_acls() -> None:
    """One a resource, of the part asked for; a prefix says that it is one."""
    assert [
        "# archive: `footfall archive`",
        "kafka-acls.sh --bootstrap-server $BROKERS --command-config admin.properties --add "
        "--allow-principal 'User:footfall-archive' --operation Read --topic footfall.interactions",
        "kafka-acls.sh --bootstrap-server $BROKERS --command-config admin.properties --add "
        "--allow-principal 'User:footfall-archive' --operation Describe --group footfall-admin",
        "kafka-acls.sh --bootstrap-server $BROKERS --command-config admin.properties --add "
        "--allow-principal 'User:footfall-archive' --operation Describe --group footfall-replay",
    ] == acls("archive").splitlines()
    assert ("--operation Read --operation Write --topic footfall-customers-changelog "
            "--resource-pattern-type prefixed") in acls("worker")
    assert "--operation DescribeConfigs" in acls("admin")


def test_all_parts_are_told_and_the_principal_is_the_users() -> None:
    """`{part}` in it is the part's name."""
    shown = acls("--principal", "User:CN={part}")
    for name in PARTS:
        assert f"# {name}: " in shown
        assert f"'User:CN={name}'" in shown
    assert shown.count("kafka-acls.sh") == sum(
        len(commands(part.rights, "")) for part in PARTS.values())


def test_programs_get_one_document() -> None:
    """With every right by itself."""
    found = json.loads(acls("worker", "--json"))["parts"]["worker"]
    assert "User:footfall-worker" == found["principal"]
    assert len(PARTS["worker"].rights) == len(found["rights"])
    assert {"operation": "WRITE", "resource": "TOPIC", "name": topics.CHANGELOG,
            "pattern": "prefixed"} in found["rights"]


def test_a_part_that_there_is_not_is_named() -> None:
    """With those that there are."""
    with pytest.raises(FootfallError, match="shop: no such part; there are collector, worker"):
        acls("shop")


def test_rights_are_documented() -> None:
    """The table of docs/kafka-security.md is what programs ask for."""
    rows = page("kafka-security.md").partition("<!-- rights: footfall.rights -->\n")[2]
    documented = [tuple(cell.strip() for cell in line.strip("|").split("|"))
                  for line in rows.partition("<!-- end -->")[0].splitlines()[2:]]
    expected = []
    for name, part in PARTS.items():
        operations: dict[str, list[str]] = {}
        for right in part.rights:
            on = f"{right.kind.lower()} `{right.name}{'*' if right.is_prefix else ''}`"
            operations.setdefault(on, []).append(right.operation)
        expected += [(f"`{name}`", on, ", ".join(found)) for on, found in operations.items()]
    assert expected == documented


def test_only_what_is_meant_may_write_live_state() -> None:
    """The rows of customers are the worker's, those of delivery its own; nobody else's job writes
    them, nor the log without need.
    """
    def writers(topic: str) -> set[str]:
        return {name for name, part in PARTS.items() for right in part.rights
                if right.operation == "WRITE" and right.kind == "TOPIC"
                and (topic.startswith(right.name) if right.is_prefix else topic == right.name)}

    assert {"worker"} == writers(topics.CHANGELOG)
    assert {"delivery"} == writers(topics.DELIVERY_CHANGELOG)
    assert {"worker", "delivery"} == writers(topics.TRIGGERS)
    assert {"collector", "worker", "delivery", "admin", "import", "rebuild"} == writers(
        topics.INTERACTIONS)
